/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/siphash.h"
#include "scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *how_name(const struct finding *f)
{
    static const char *const names[] = { NULL, "utf-16", "base64", "utf-16 base64" };

    if (f->found.how != 0)
        return names[f->found.how];
    if (f->found.rule == NULL && f->found.own.form != OWN_PLAIN)
        return f->found.own.form == OWN_JSON ? "json" : "percent";
    return NULL;
}

static const char *rule_name(const struct finding *f)
{
    return f->found.rule != NULL ? f->found.rule->name : "own-secret";
}

static void tell_text(const struct finding *f, const char *path, const char *print)
{
    const char *how = how_name(f);

    sink_text(&sink_out, path);
    if (f->in_message || (f->in_name && f->object != NULL))
        sink_str(&sink_out, ": ");
    else if (f->in_name)
        sink_str(&sink_out, ": in its name: ");
    else
        sink_printf(&sink_out, ":%llu:%llu: ", (unsigned long long)f->found.line,
                    (unsigned long long)f->found.column);
    if (f->found.rule != NULL) {
        sink_str(&sink_out, f->found.rule->title);
    } else {
        sink_str(&sink_out, "our own ");
        sink_text(&sink_out, f->found.own.name);
        sink_str(&sink_out, ", version ");
        sink_text(&sink_out, f->found.own.version);
    }
    if (f->found.doubtful)
        sink_str(&sink_out, ", with a wrong checksum");
    if (how != NULL)
        sink_printf(&sink_out, ", as %s", how);
    if (f->in_message)
        sink_printf(&sink_out, ", in the message of %.12s", f->object);
    else if (f->in_name && f->object != NULL)
        sink_printf(&sink_out, ", in the name of a file, in tree %.12s", f->object);
    else if (f->commit != NULL)
        sink_printf(&sink_out, ", in commit %.12s", f->commit);
    else if (f->object != NULL)
        sink_printf(&sink_out, ", in no commit, in object %.12s", f->object);
    sink_printf(&sink_out, " (%s %s)\n", rule_name(f), print);
}

static void put_json(const struct finding *f, const char *path, const char *print)
{
    struct json j = json_open(&sink_out);

    json_text(&j, "rule", rule_name(f));
    json_text(&j, "path", path);
    json_place(&j, "line", f->in_name ? 0 : (int64_t)f->found.line);
    json_place(&j, "column", f->in_name ? 0 : (int64_t)f->found.column);
    json_text(&j, "in", f->in_name ? "name" : f->in_message ? "message" : "content");
    json_text(&j, "encoding", how_name(f));
    json_text(&j, "commit", f->commit);
    json_text(&j, "object", f->object);
    json_text(&j, "name", f->found.rule == NULL ? f->found.own.name : NULL);
    json_text(&j, "version", f->found.rule == NULL ? f->found.own.version : NULL);
    json_bool(&j, "doubtful", f->found.doubtful);
    json_text(&j, "fingerprint", print);
    json_close(&j);
}

/* ---- SARIF: OASIS, Static Analysis Results Interchange Format 2.1.0 -------------------------- */

static void sarif_begin(void)
{
    const struct rule *last = NULL;

    sink_str(&sink_out, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\","
                        "\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{"
                        "\"name\":\"keyturn scan\",\"version\":\"" KT_VERSION "\",\"rules\":[\n"
                        "{\"id\":\"own-secret\",\"shortDescription\":{\"text\":"
                        "\"a secret of the service\"}}");
    for (const struct rule *r = rules; r->name != NULL; last = r++)
        if (last == NULL || strcmp(last->name, r->name) != 0)
            sink_printf(&sink_out, ",\n{\"id\":\"%s\",\"shortDescription\":{\"text\":\"%s\"}}",
                        r->name, r->title);
    sink_str(&sink_out, "]}},\"columnKind\":\"unicodeCodePoints\",\"results\":[");
}

/* RFC 3986: a relative reference, or a file: URI of an absolute path. */
static void put_uri(const char *path)
{
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    sink_str(&sink_out, path[0] == '/' ? "\"file://" : "\"");
    for (const char *p = path; *p != '\0'; p++) {
        const unsigned char c = (unsigned char)*p;

        if ((chars_of[c] & (CHARS_WORD | CHARS_DOTTED)) != 0 || c == '/')
            sink_bytes(&sink_out, p, 1);
        else
            sink_printf(&sink_out, "%%%02X", c);
    }
    sink_str(&sink_out, "\"");
}

/* The same in each run while the finding stays where it is, and nothing of the value in it. */
static uint64_t place_print(const struct scan *s, const struct finding *f, const char *path)
{
    static const uint64_t key[2] = { 0 };
    char *text = NULL;
    uint64_t print;
    int n = asprintf(&text, "%s\n%s\n%s\n%llu", rule_name(f), path,
                     f->object != NULL ? f->object : "", (unsigned long long)s->ordinal);

    if (n < 0)
        return 0;
    print = kt_siphash(key, text, (size_t)n);
    free(text);
    return print;
}

static void put_sarif(const struct scan *s, const struct finding *f, const char *path,
                      const char *print)
{
    struct json j = { .to = &sink_out };
    char message[KT_NAME_MAX + 128];

    if (f->found.rule != NULL)
        (void)snprintf(message, sizeof(message), "%s%s", f->found.rule->title,
                       f->found.doubtful ? ", with a wrong checksum" : "");
    else
        (void)snprintf(message, sizeof(message), "the secret %s of the service, version %s",
                       f->found.own.name, f->found.own.version);
    sink_printf(&sink_out, "%s\n{\"ruleId\":\"%s\",\"level\":\"%s\",\"message\":{",
                s->told > 1 ? "," : "", rule_name(f), f->found.doubtful ? "warning" : "error");
    json_text(&j, "text", message);
    sink_str(&sink_out, "},\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":");
    put_uri(strcmp(path, "-") == 0 ? "stdin" : path);
    sink_str(&sink_out, "}");
    if (!f->in_name && !f->in_message)
        sink_printf(&sink_out, ",\"region\":{\"startLine\":%llu,\"startColumn\":%llu}",
                    (unsigned long long)f->found.line, (unsigned long long)f->found.column);
    sink_printf(&sink_out, "}}],\"partialFingerprints\":{\"keyturnPlace/v1\":\"%016llx\"",
                (unsigned long long)place_print(s, f, path));
    if (ignores_stable(s->ignores))
        sink_printf(&sink_out, ",\"keyturnValue/v1\":\"%s\"", print);
    sink_str(&sink_out, "},\"properties\":{");
    j.comma = false;
    json_text(&j, "encoding", how_name(f));
    json_text(&j, "commit", f->commit);
    json_text(&j, "object", f->object);
    sink_str(&sink_out, "}}");
}

static void sarif_end(int rc)
{
    const bool ok = rc == 0 || rc == EXIT_FOUND;

    sink_printf(&sink_out, "],\"invocations\":[{\"executionSuccessful\":%s,\"exitCode\":%d}]}]}\n",
                ok ? "true" : "false", rc);
}

void tell_begin(struct scan *s)
{
    if (s->output == SCAN_SARIF)
        sarif_begin();
}

void tell(struct scan *s, const struct finding *f, const char *path, const char *print)
{
    switch (s->output) {
    case SCAN_TEXT:
        tell_text(f, path, print);
        return;
    case SCAN_JSON:
        put_json(f, path, print);
        return;
    case SCAN_SARIF:
        put_sarif(s, f, path, print);
        return;
    }
}

void tell_end(struct scan *s, int rc)
{
    if (s->output == SCAN_SARIF)
        sarif_end(rc);
}
