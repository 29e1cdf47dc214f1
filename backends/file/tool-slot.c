/* SPDX-License-Identifier: Apache-2.0 */

/* `keyturn file slot add|remove|list`: what opens the store. The master key inside stays. */

#include "found.h"
#include "means.h"
#include "recovery.h"
#include "tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct kt_option kt_slot_add_options[] = {
    { "passphrase", KT_OPTION_FLAG, NULL, "ask for a new passphrase" },
    { "keyfile", KT_OPTION_PATH, NULL, "a key file; made if it is not there" },
    { "secret", KT_OPTION_STRING, NULL,
      "SERVICE/NAME, a secret of another service; made if it is not there" },
    { "recovery", KT_OPTION_FLAG, NULL, "make a recovery code, and show it once" },
    { "label", KT_OPTION_STRING, NULL, "what to call it, at most 64 bytes" },
    { "no-recovery", KT_OPTION_FLAG, NULL, "let secrets alone open the store" },
    { .name = NULL },
};

const struct kt_option kt_slot_remove_options[] = {
    { "id", KT_OPTION_NUMBER | KT_OPTION_OPERAND, NULL, "the slot's number" },
    { "no-recovery", KT_OPTION_FLAG, NULL, "let secrets alone open the store" },
    { .name = NULL },
};

/* ---- what is left --------------------------------------------------------------------------- */

static bool is_known(const struct kt_slot *s)
{
    return kt_slot_is_typed(s) || kt_slot_is(s, "keyfile") || kt_slot_is(s, "secret");
}

/** struct rest - what would open the store afterwards */
struct rest {
    size_t slots;
    size_t secrets;
};

static void count(const struct kt_slot *s, struct rest *r)
{
    r->slots += is_known(s) ? 1 : 0;
    r->secrets += kt_slot_is(s, "secret") ? 1 : 0;
}

/* Where the other service goes, the store goes with it: one must say that this is meant. */
static int check_rest(struct kt_session *s, const struct rest *r, bool no_recovery)
{
    if (r->slots != r->secrets || no_recovery)
        return KT_SUCCESS;
    return kt_fault(&s->fault, KT_INVALID,
                    "only secrets of other services would open %s; add a recovery code first "
                    "('keyturn file slot add recovery'), or say no-recovery",
                    s->store->path);
}

/* ---- list ----------------------------------------------------------------------------------- */

void kt_slots_print(const struct kt_line_state *line, struct kt_call *call,
                    const struct kt_ring *ring)
{
    const struct kt_unlock u = { line->host, call, line->store->path, line->store->key_path };
    char keyfile[KT_SLOT_TEXT_SIZE / 2];
    char text[KT_SLOT_TEXT_SIZE];

    for (size_t i = 0; i < ring->nslots; i++) {
        kt_unlock_keyfile(&u, ring->store_id, &ring->slots[i], keyfile, sizeof(keyfile));
        kt_slot_text(&ring->slots[i], keyfile, text);
        line->host->print(call, "%s", text);
    }
}

static int list_body(struct kt_session *s, void *arg)
{
    return kt_ring_load(s->conn, arg, &s->fault);
}

static int list(const struct kt_line_state *line, struct kt_call *call)
{
    struct kt_ring *ring = calloc(1, sizeof(*ring));
    int rc;

    if (ring == NULL)
        return line->host->fail(call, KT_NO_MEMORY, "file: out of memory");
    rc = kt_store_run(line->store, call, KT_LOOK, list_body, ring);
    if (rc == KT_SUCCESS)
        kt_slots_print(line, call, ring);
    free(ring);
    return rc;
}

KT_TOOL(kt_file_slot_list)
{
    (void)args;
    (void)nargs;
    return list(state, call);
}

/* ---- add ------------------------------------------------------------------------------------ */

/** struct add - a slot on its way */
struct add {
    struct kt_means means;
    bool no_recovery;
};

static int64_t last_id(const struct kt_ring *ring)
{
    int64_t last = 0;

    for (size_t i = 0; i < ring->nslots; i++)
        if (ring->slots[i].id > last)
            last = ring->slots[i].id;
    return last;
}

static int add_to(struct kt_session *s, struct add *a, const struct kt_ring *ring)
{
    const struct kt_bytes ikm = { a->means.ikm, a->means.len };
    struct kt_slot *slot = &a->means.slot;
    uint8_t master[KT_KEY_SIZE];
    struct rest r = { .slots = 0 };
    bool same = false;
    int rc;

    if (ring->nslots == KT_SLOTS_MAX || last_id(ring) == INT64_MAX)
        return kt_fault(&s->fault, KT_INVALID, "%s has %d slots already; remove one first",
                        s->store->path, KT_SLOTS_MAX);
    for (size_t i = 0; i < ring->nslots && !same; i++) {
        same = kt_slot_is(&ring->slots[i], slot->kind) &&
               kt_slot_try(ring->store_id, &ring->slots[i], ikm, master) == KT_SUCCESS;
        if (same)
            rc = kt_fault(&s->fault, KT_EXISTS, "slot %lld of %s is opened by that already",
                          (long long)ring->slots[i].id, s->store->path);
        count(&ring->slots[i], &r);
    }
    explicit_bzero(master, sizeof(master));
    if (same)
        return rc;
    slot->whole = true;
    count(slot, &r);
    rc = check_rest(s, &r, a->no_recovery);
    slot->id = last_id(ring) + 1;
    if (rc == KT_SUCCESS)
        rc = kt_keys_wrap(s->keys, slot, ikm, &s->fault);
    return rc == KT_SUCCESS ? kt_ring_add_slot(s->conn, slot, &s->fault) : rc;
}

/* What is there now: another store may have been restored since the connection was made. */
static int load(struct kt_session *s, struct kt_ring **out)
{
    int rc = kt_found_same_store(s);

    if (rc != KT_SUCCESS)
        return rc;
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? kt_fault(&s->fault, KT_NO_MEMORY, "out of memory")
                        : kt_ring_load(s->conn, *out, &s->fault);
}

static int add_body(struct kt_session *s, void *arg)
{
    struct kt_ring *ring = NULL;
    int rc = load(s, &ring);

    if (rc == KT_SUCCESS)
        rc = add_to(s, arg, ring);
    free(ring);
    return rc;
}

/** struct wanted - the one kind that was said */
struct wanted {
    const struct kt_arg *passphrase;
    const struct kt_arg *keyfile;
    const struct kt_arg *secret;
    const struct kt_arg *recovery;
};

static int gather(const struct kt_unlock *u, const struct wanted *w, struct kt_means *out,
                  struct kt_fault *f)
{
    if (w->passphrase != NULL)
        return kt_means_passphrase(u, out, f);
    if (w->keyfile != NULL)
        return kt_means_keyfile(u, w->keyfile->value, out, f);
    return w->secret != NULL ? kt_means_secret(u, w->secret->value, out, f)
                             : kt_means_recovery(u, out, f);
}

void kt_code_print(const struct kt_host *host, struct kt_call *call, const char *code)
{
    char *shown = host->secret_alloc(KT_RECOVERY_SHOWN_SIZE, 0);

    if (shown != NULL)
        kt_recovery_show(code, shown);
    host->print(call, "recovery code: %s", shown != NULL ? shown : code);
    host->print(call, "It is not shown again. Whoever has it and the store can read the secrets.");
    host->secret_free(shown);
}

void kt_keyfile_print(const struct kt_line_state *line, struct kt_call *call, const char *path)
{
    if (strcmp(path, line->store->key_path) != 0)
        line->host->print(call, "Lines that are to use this key file say key=%s.", path);
}

int kt_label_check(const struct kt_line_state *line, struct kt_call *call,
                   const struct kt_arg *label)
{
    if (label == NULL)
        return KT_SUCCESS;
    if (strlen(label->value) > KT_SLOT_LABEL_MAX ||
        !kt_text_is_plain(label->value, strlen(label->value)))
        return line->host->fail(call, KT_INVALID,
                                "file: label=: expected at most %d bytes of text in UTF-8 without "
                                "control characters",
                                KT_SLOT_LABEL_MAX);
    return KT_SUCCESS;
}

static int add_slot(const struct kt_line_state *line, struct kt_call *call, const struct wanted *w,
                    const struct kt_arg *label, struct add *a)
{
    const struct kt_unlock u = { line->host, call, line->store->path, line->store->key_path };
    char keyfile[KT_SLOT_TEXT_SIZE / 2];
    char text[KT_SLOT_TEXT_SIZE];
    struct kt_fault f;
    /* opened, and seen to be writable, before anybody thinks of a new passphrase */
    int rc = kt_store_run(line->store, call, KT_WRITE, kt_store_nothing, NULL);

    if (rc != KT_SUCCESS)
        return rc;
    rc = gather(&u, w, &a->means, &f);
    if (rc != KT_SUCCESS)
        return kt_store_tell(line->host, call, &f);
    (void)snprintf(a->means.slot.label, sizeof(a->means.slot.label), "%s",
                   label != NULL ? label->value : "");
    rc = kt_store_run(line->store, call, KT_WRITE, add_body, a);
    if (rc != KT_SUCCESS)
        return rc;
    (void)snprintf(keyfile, sizeof(keyfile), "key file %s",
                   w->keyfile != NULL ? w->keyfile->value : "");
    kt_slot_text(&a->means.slot, keyfile, text);
    line->host->print(call, "added %s", text);
    if (a->means.code != NULL)
        kt_code_print(line->host, call, a->means.code);
    if (w->keyfile != NULL)
        kt_keyfile_print(line, call, w->keyfile->value);
    return KT_SUCCESS;
}

KT_TOOL(kt_file_slot_add)
{
    const struct kt_line_state *line = state;
    const struct kt_arg *label = kt_arg_find(args, nargs, "label");
    const struct wanted w = { kt_arg_find(args, nargs, "passphrase"),
                              kt_arg_find(args, nargs, "keyfile"),
                              kt_arg_find(args, nargs, "secret"),
                              kt_arg_find(args, nargs, "recovery") };
    struct add a = { .no_recovery = kt_arg_find(args, nargs, "no-recovery") != NULL };
    int rc;

    if ((w.passphrase != NULL) + (w.keyfile != NULL) + (w.secret != NULL) + (w.recovery != NULL) !=
        1)
        return line->host->fail(call, KT_INVALID,
                                "file: slot add: expected one of passphrase, keyfile=PATH, "
                                "secret=SERVICE/NAME and recovery");
    rc = kt_label_check(line, call, label);
    if (rc == KT_SUCCESS)
        rc = add_slot(line, call, &w, label, &a);
    kt_means_done(line->host, &a.means);
    return rc;
}

/* ---- remove --------------------------------------------------------------------------------- */

/** struct removal - of one slot */
struct removal {
    int64_t id;
    bool no_recovery;
};

static int remove_from(struct kt_session *s, const struct removal *m, const struct kt_ring *ring)
{
    struct rest r = { .slots = 0 };
    bool there = false;
    int rc;

    for (size_t i = 0; i < ring->nslots; i++) {
        if (ring->slots[i].id == m->id)
            there = true;
        else
            count(&ring->slots[i], &r);
    }
    if (!there)
        return kt_fault(&s->fault, KT_NOT_FOUND,
                        "%s has no slot %lld; see 'keyturn file slot list'", s->store->path,
                        (long long)m->id);
    if (r.slots == 0)
        return kt_fault(&s->fault, KT_INVALID,
                        "nothing else opens %s; add another slot first ('keyturn file slot add')",
                        s->store->path);
    rc = check_rest(s, &r, m->no_recovery);
    return rc == KT_SUCCESS ? kt_ring_remove_slot(s->conn, m->id, &s->fault) : rc;
}

static int remove_body(struct kt_session *s, void *arg)
{
    struct kt_ring *ring = NULL;
    int rc = load(s, &ring);

    if (rc == KT_SUCCESS)
        rc = remove_from(s, arg, ring);
    free(ring);
    return rc;
}

KT_TOOL(kt_file_slot_remove)
{
    const struct kt_line_state *line = state;
    const struct kt_arg *id = kt_arg_find(args, nargs, "id");
    struct removal m = { .no_recovery = kt_arg_find(args, nargs, "no-recovery") != NULL };
    int rc;

    if (id == NULL)
        return line->host->fail(call, KT_INVALID,
                                "file: slot remove: which one? See 'keyturn file slot list'");
    m.id = id->number;
    rc = kt_store_run(line->store, call, KT_WRITE, remove_body, &m);
    if (rc != KT_SUCCESS)
        return rc;
    line->host->print(call, "removed slot %lld; what opens the store now:", (long long)m.id);
    return list(line, call);
}
