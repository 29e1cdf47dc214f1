/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "kit/base64.h"

#include <string.h>

struct json json_open(struct sink *to)
{
    sink_str(to, "{");
    return (struct json){ .to = to };
}

void json_close(struct json *j)
{
    sink_str(j->to, "}\n");
}

void json_string(struct sink *to, const char *text, size_t len)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* byte, letter, byte, letter, … */
    const unsigned char *p = (const unsigned char *)text;

    sink_str(to, "\"");
    while (len > 0) {
        size_t n = utf8_length(p, len);
        const char *s = *p != 0 ? strchr(shorts, *p) : NULL;

        if (n == 0) {
            sink_str(to, "\xef\xbf\xbd");
            n = 1;
        } else if (s != NULL && (s - shorts) % 2 == 0 && (*p < 0x20 || *p == '"' || *p == '\\')) {
            sink_bytes(to, (char[]){ '\\', s[1] }, 2);
        } else if (*p < 0x20 || *p == 0x7f) {
            sink_printf(to, "\\u%04x", *p);
        } else {
            sink_bytes(to, p, n);
        }
        p += n;
        len -= n;
    }
    sink_str(to, "\"");
}

void json_key(struct json *j, const char *key)
{
    sink_str(j->to, j->comma ? ",\"" : "\"");
    sink_str(j->to, key); /* ours: plain letters */
    sink_str(j->to, "\":");
    j->comma = true;
}

void json_text(struct json *j, const char *key, const char *value)
{
    json_key(j, key);
    if (value == NULL)
        sink_str(j->to, "null");
    else
        json_string(j->to, value, strlen(value));
}

void json_str(struct json *j, const char *key, const char *value)
{
    json_text(j, key, value != NULL && *value == '\0' ? NULL : value);
}

void json_int(struct json *j, const char *key, int64_t value)
{
    json_key(j, key);
    sink_printf(j->to, "%lld", (long long)value);
}

void json_place(struct json *j, const char *key, int64_t value)
{
    if (value != 0)
        json_int(j, key, value);
    else
        json_str(j, key, NULL);
}

void json_bool(struct json *j, const char *key, bool value)
{
    json_key(j, key);
    sink_str(j->to, value ? "true" : "false");
}

void json_time(struct json *j, const char *key, int64_t ms)
{
    char buf[WHEN_SIZE];

    json_str(j, key, when_format(ms, true, buf));
}

void json_seconds(struct json *j, const char *key, int64_t ms)
{
    json_key(j, key);
    if (ms < 0)
        sink_str(j->to, "null");
    else
        sink_printf(j->to, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
}

static void base64(struct sink *to, const unsigned char *p, size_t len)
{
    char out[64];

    while (len > 0) {
        const size_t n = len < sizeof(out) / 4 * 3 ? len : sizeof(out) / 4 * 3;

        sink_bytes(to, out, kt_base64_encode(p, n, out));
        p += n;
        len -= n;
    }
    explicit_bzero(out, sizeof(out));
}

void json_value(struct json *j, const void *data, size_t len)
{
    json_key(j, "value");
    if (text_is_plain(data, len)) {
        json_string(j->to, data, len);
        return;
    }
    sink_str(j->to, "\"");
    base64(j->to, data, len);
    sink_str(j->to, "\"");
    json_text(j, "encoding", "base64");
}
