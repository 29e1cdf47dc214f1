/* SPDX-License-Identifier: Apache-2.0 */

/* Damage to bytes: what a disk, a cable or a person with an editor does. */

#include "corrupt.h"

#include <stdarg.h>
#include <string.h>

#define HEADER 100
#define USER_VERSION 60

void damage_say(struct damage *d, const char *fmt, ...)
{
    const size_t n = strlen(d->what);
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(d->what + n, sizeof(d->what) - n, fmt, ap);
    va_end(ap);
}

/* ---- one place ----------------------------------------------------------------------------------- */

/* What a change of [@at, @at + @n) can do. */
static void hit(struct damage *d, size_t at, size_t n)
{
    if (at < USER_VERSION + 4 && at + n > USER_VERSION)
        d->version = true;
    for (size_t i = at; i < at + n && i < d->base->db.len; i++) {
        const uint8_t owner = d->base->owner[i];

        if (owner == NAMES_MAX) {
            d->lost = true;
            d->only_these = false;
        } else {
            d->touched[owner] = true;
        }
    }
}

static void set(struct damage *d, size_t at, uint8_t value)
{
    if (at >= d->db.len)
        return;
    d->db.data[at] = value;
    hit(d, at, 1);
}

static void run_of(struct damage *d, struct dice *dice, size_t at, size_t n, bool zeros)
{
    for (size_t i = at; i < at + n; i++)
        set(d, i, zeros ? 0 : (uint8_t)dice_next(dice));
}

static size_t pages(const struct damage *d)
{
    return d->db.len / d->base->page_size;
}

/* ---- kinds --------------------------------------------------------------------------------------- */

static void some_bytes(struct damage *d, struct dice *dice)
{
    const size_t n = 1 + (dice_below(dice, 2) == 0 ? 0 : dice_below(dice, 8));

    for (size_t i = 0; i < n; i++) {
        const size_t at = dice_below(dice, d->db.len);

        damage_say(d, "byte %zu; ", at);
        set(d, at, (uint8_t)dice_next(dice));
    }
}

static void one_bit(struct damage *d, struct dice *dice)
{
    const size_t at = dice_below(dice, d->db.len);

    damage_say(d, "bit of byte %zu", at);
    set(d, at, (uint8_t)(d->db.data[at] ^ 1U << dice_below(dice, 8)));
}

static void short_run(struct damage *d, struct dice *dice)
{
    const size_t at = dice_below(dice, d->db.len);
    const size_t n = 2 + dice_below(dice, dice_below(dice, 4) == 0 ? 600 : 62);
    const bool zeros = dice_below(dice, 3) == 0;

    damage_say(d, "%zu bytes from %zu%s", n, at, zeros ? " zeroed" : "");
    run_of(d, dice, at, n, zeros);
}

static void page_zeroed(struct damage *d, struct dice *dice)
{
    const size_t page = dice_below(dice, pages(d));

    damage_say(d, "page %zu zeroed", page + 1);
    run_of(d, dice, page * d->base->page_size, d->base->page_size, true);
}

/* Or one written over the other. */
static void pages_swapped(struct damage *d, struct dice *dice)
{
    const size_t size = d->base->page_size;
    const size_t a = dice_below(dice, pages(d));
    const size_t b = dice_below(dice, pages(d));
    const bool swap = dice_below(dice, 2) == 0;
    uint8_t *x = d->db.data + a * size;
    uint8_t *y = d->db.data + b * size;

    damage_say(d, "page %zu %s page %zu", a + 1, swap ? "swapped with" : "written over", b + 1);
    for (size_t i = 0; i < size; i++) {
        const uint8_t was = x[i];

        if (swap)
            x[i] = y[i];
        y[i] = was;
    }
    hit(d, a * size, size);
    hit(d, b * size, size);
}

static void cut_short(struct damage *d, struct dice *dice)
{
    const size_t at = dice_below(dice, 2) == 0 ? dice_below(dice, d->db.len)
                                               : dice_below(dice, pages(d)) * d->base->page_size;

    damage_say(d, "cut to %zu bytes", at);
    hit(d, at, d->db.len - at);
    d->lost = true;
    d->only_these = false;
    d->db.len = at;
}

static void in_header(struct damage *d, struct dice *dice)
{
    const size_t n = 1 + dice_below(dice, 4);
    const size_t at = dice_below(dice, HEADER);
    const bool together = dice_below(dice, 2) == 0;

    for (size_t i = 0; i < n; i++) {
        const size_t where = together ? at + i : dice_below(dice, HEADER);

        damage_say(d, "header byte %zu; ", where);
        set(d, where, (uint8_t)dice_next(dice));
    }
}

/* The head of a b-tree page, or the pointers to its cells. */
static void in_page_head(struct damage *d, struct dice *dice)
{
    const size_t page = dice_below(dice, pages(d));
    const size_t start = page * d->base->page_size + (page == 0 ? HEADER : 0);
    const size_t room = dice_below(dice, 2) == 0 ? 12 : 60;
    const size_t n = 1 + dice_below(dice, 3);

    for (size_t i = 0; i < n; i++) {
        const size_t at = start + dice_below(dice, room);

        damage_say(d, "head of page %zu: byte %zu; ", page + 1, at - start);
        /* a small step is the more dangerous: one cell less, the cell beside */
        set(d, at,
            dice_below(dice, 2) == 0 ? (uint8_t)dice_next(dice)
                                     : (uint8_t)(d->db.data[at] + dice_below(dice, 5) - 2));
    }
}

/* Within the sealed part of one row: nobody else may notice. */
static void in_one_row(struct damage *d, struct dice *dice)
{
    size_t at = dice_below(dice, d->db.len);
    const size_t n = 1 + dice_below(dice, 40);

    while (d->base->owner[at] == NAMES_MAX)
        at = (at + 1) % d->db.len;
    damage_say(d, "up to %zu bytes from %zu, sealed for %s", n, at, names[d->base->owner[at]]);
    for (size_t i = at; i < at + n && i < d->db.len && d->base->owner[i] == d->base->owner[at]; i++)
        set(d, i, (uint8_t)dice_next(dice));
}

static void made_longer(struct damage *d, struct dice *dice)
{
    const size_t n = 1 + dice_below(dice, 3 * d->base->page_size);

    damage_say(d, "%zu bytes more at the end", n);
    for (size_t i = 0; i < n; i++)
        d->db.data[d->db.len + i] = (uint8_t)dice_next(dice);
    d->db.len += n;
    d->lost = true;
    d->only_these = false;
}

void damage_bytes(struct damage *d, struct dice *dice)
{
    static void (*const kinds[])(struct damage * d, struct dice * dice) = {
        some_bytes, one_bit,    short_run,    page_zeroed,  pages_swapped, cut_short,
        in_header,  in_header,  in_page_head, in_page_head, in_one_row,    in_one_row,
        short_run,  some_bytes, one_bit,      made_longer,
    };

    d->only_these = true;
    kinds[dice_below(dice, sizeof(kinds) / sizeof(kinds[0]))](d, dice);
}

/* ---- the log ------------------------------------------------------------------------------------- */

static void log_bytes(struct damage *d, struct dice *dice)
{
    const size_t n = 1 + dice_below(dice, dice_below(dice, 2) == 0 ? 1 : 300);
    /* its head and those of the frames are but a small part of it */
    size_t at = dice_below(dice, 4) == 0 ? dice_below(dice, 32 + 24)
                                         : dice_below(dice, d->base->wal.len);
    const bool zeros = dice_below(dice, 4) == 0;

    if (dice_below(dice, 4) == 0 && at > 56)
        at = 32 + (at - 32) / (24 + d->base->page_size) * (24 + d->base->page_size) +
             dice_below(dice, 24);
    damage_say(d, "log: %zu bytes from %zu%s", n, at, zeros ? " zeroed" : "");
    for (size_t i = at; i < at + n && i < d->wal.len; i++)
        d->wal.data[i] = zeros ? 0 : (uint8_t)dice_next(dice);
    d->silent = at + n > d->base->safe_end;
}

void damage_log(struct damage *d, struct dice *dice)
{
    d->lost = d->back = true;
    switch (dice_below(dice, 8)) {
    case 0: /* the same as if the last commits had never been */
        d->wal.len = dice_below(dice, d->wal.len + 1);
        damage_say(d, "log cut to %zu bytes", d->wal.len);
        d->silent = true;
        break;
    case 1:
        damage_say(d, "index of the log: anything");
        for (size_t i = 0; i < d->shm.len; i++)
            d->shm.data[i] = (uint8_t)dice_next(dice);
        break;
    case 2:
        damage_say(d, "index of the log: a byte");
        if (d->shm.len > 0)
            d->shm.data[dice_below(dice, d->shm.len)] = (uint8_t)dice_next(dice);
        break;
    default:
        log_bytes(d, dice);
        break;
    }
}
