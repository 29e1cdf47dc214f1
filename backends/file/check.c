/* SPDX-License-Identifier: Apache-2.0 */
#include "tool-check.h"

#include "gate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 480

/* ---- findings ------------------------------------------------------------------------------- */

/* Names come from a file that somebody else may have written. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

KT_PRINTF(3, 0)
static void keep(struct kt_check *c, bool damage, const char *fmt, va_list ap)
{
    struct kt_finding *f = calloc(1, sizeof(*f) + LINE_MAX_BYTES);

    if (f == NULL) {
        c->no_memory = true;
        return;
    }
    f->damage = damage;
    (void)vsnprintf(f->text, LINE_MAX_BYTES, fmt, ap);
    make_printable(f->text);
    if (c->findings == NULL)
        c->last = &c->findings;
    *c->last = f;
    c->last = &f->next;
}

void kt_check_damage(struct kt_check *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    keep(c, true, fmt, ap);
    va_end(ap);
}

void kt_check_note(struct kt_check *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    keep(c, false, fmt, ap);
    va_end(ap);
}

bool kt_check_has_damage(const struct kt_check *c)
{
    for (const struct kt_finding *f = c->findings; f != NULL; f = f->next)
        if (f->damage)
            return true;
    return false;
}

void kt_check_forget(struct kt_check *c)
{
    while (c->findings != NULL) {
        struct kt_finding *f = c->findings;

        c->findings = f->next;
        free(f);
    }
}

uint64_t kt_check_print(struct kt_check *c)
{
    uint64_t damage = 0;

    for (const struct kt_finding *f = c->findings; f != NULL; f = f->next) {
        c->host->print(c->call, "%s: %s", f->damage ? "damaged" : "note", f->text);
        damage += f->damage ? 1 : 0;
    }
    kt_check_forget(c);
    return damage;
}

/* ---- turns ---------------------------------------------------------------------------------- */

int kt_check_turn(struct kt_check *c, struct kt_session *s)
{
    if (c->no_memory)
        return kt_fault(&s->fault, KT_NO_MEMORY, "out of memory");
    if (c->doubted || !kt_check_has_damage(c))
        return KT_SUCCESS;
    c->doubted = true;
    return kt_fault(&s->fault, KT_CORRUPT, "%s is damaged", s->store->path);
}

/* Inside the gate, from opening to closing: nobody else ever sees this connection. */
static int look_once(struct kt_check *c, kt_body_fn *body, struct kt_fault *f)
{
    struct kt_session s = { .store = c->store, .host = c->host, .call = c->call };
    int rc;

    kt_gate_enter();
    rc = kt_conn_look(c->store->path, &s.conn, f);
    if (rc == KT_SUCCESS) {
        rc = body(&s, c);
        if (rc != KT_SUCCESS)
            *f = s.fault;
        kt_conn_close(s.conn, false);
    }
    kt_gate_leave();
    return rc;
}

static int wait_a_little(struct kt_check *c, struct kt_fault *f)
{
    if (c->host->left_ms(c->call) < 2)
        return kt_fault(f, KT_BUSY, "%s was in use by other writers until the deadline",
                        c->store->path);
    return kt_fault_pause(f, c->host, c->call, 1);
}

int kt_check_look(struct kt_check *c, kt_body_fn *body, struct kt_fault *f)
{
    unsigned corrupt = 0;
    int rc = kt_seal_setup(f);

    c->doubted = false;
    while (rc == KT_SUCCESS) {
        rc = look_once(c, body, f);
        if (rc == KT_AGAIN)
            rc = wait_a_little(c, f);
        else if (rc == KT_CORRUPT && corrupt++ == 0)
            rc = KT_SUCCESS;
        else
            break;
    }
    return rc;
}

int kt_check_open(struct kt_check *c, kt_body_fn *body, struct kt_fault *f)
{
    int rc;

    c->doubted = false;
    rc = kt_store_try(c->store, c->call, KT_READ, body, c, f);
    /* the first look may have spent the second chance of the opening, or the other way round */
    if (rc == KT_CORRUPT && c->doubted)
        rc = kt_store_try(c->store, c->call, KT_READ, body, c, f);
    return rc;
}
