/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The write-ahead log. SQLite believes a log up to the first frame whose checksum is wrong and passes
 * over the rest in silence, for that is what a crash leaves: commits are synced, but of the last one,
 * which nobody was told of, any part may be missing. Damage to a frame in the middle looks the same to
 * it, and takes back every commit from there on.
 *
 * One can be told from the other: a frame's checksum continues that of the frame before, as it stands
 * there. If behind the first wrong frame comes the end of a commit, and behind that a frame which
 * continues it, then that commit was synced before, for nobody writes a frame until the commit before
 * is. So the wrong frame was once right. Damage within the last commit of a log cannot be told from a
 * crash.
 *
 * Source: SQLite, "Database File Format", chapter 4; "WAL-mode File Format". No lock of SQLite's lies on
 * this file, so it can be read and closed.
 */

#include "tool-check.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER 32
#define FRAME_HEADER 24
#define MAGIC 0x377f0682U /* the last bit: checksums are of big-endian words */

struct sum {
    uint32_t a;
    uint32_t b;
};

/**
 * struct wal - a log while it is read
 * @salts:  of this generation; frames with others are left over from before
 * @before: the checksum that stands in the frame (or header) before
 * @wrong:  the first frame that SQLite does not believe, from 1; 0: none yet
 * @committed: the last frame ended a commit, at or behind the wrong one
 * @damaged: and another one continued it
 */
struct wal {
    int fd;
    uint8_t header[HEADER];
    uint32_t page_size;
    bool big_endian;
    uint8_t salts[8];
    struct sum before;
    uint32_t number;
    uint32_t wrong;
    bool committed;
    bool damaged;
};

static uint32_t big(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t word(const uint8_t *p, bool big_endian)
{
    return big_endian ? big(p)
                      : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static struct sum add_up(struct sum s, const uint8_t *p, size_t len, bool big_endian)
{
    for (size_t i = 0; i + 8 <= len; i += 8) {
        s.a += word(p + i, big_endian) + s.b;
        s.b += word(p + i + 4, big_endian) + s.a;
    }
    return s;
}

static bool is_sum(struct sum s, const uint8_t *p)
{
    return s.a == big(p) && s.b == big(p + 4);
}

static bool read_at(int fd, void *data, size_t len, off_t at)
{
    return pread(fd, data, len, at) == (ssize_t)len;
}

static bool is_size(uint32_t size)
{
    return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

/* Is the header what SQLite takes for one? Otherwise the log is empty to it. */
static bool take_header(struct wal *w)
{
    const uint8_t *h = w->header;
    const struct sum zero = { 0, 0 };

    w->page_size = big(h + 8);
    w->big_endian = (big(h) & 1) != 0;
    memcpy(w->salts, h + 16, sizeof(w->salts));
    w->before = (struct sum){ big(h + 24), big(h + 28) };
    return (big(h) & ~1U) == MAGIC && is_size(w->page_size) &&
           is_sum(add_up(zero, h, 24, w->big_endian), h + 24);
}

static void take_frame(struct wal *w, const uint8_t *frame)
{
    const bool ours = memcmp(frame + 8, w->salts, sizeof(w->salts)) == 0;
    struct sum s = add_up(w->before, frame, 8, w->big_endian);
    bool follows;

    s = add_up(s, frame + FRAME_HEADER, w->page_size, w->big_endian);
    follows = ours && is_sum(s, frame + 16);
    w->number++;
    if (!follows && w->wrong == 0)
        w->wrong = w->number;
    if (w->wrong != 0 && follows && w->committed)
        w->damaged = true;
    /* nothing may vouch for the mark itself, but nobody goes on behind a frame that bore none */
    w->committed = w->wrong != 0 && ours && big(frame + 4) != 0;
    w->before = (struct sum){ big(frame + 16), big(frame + 20) };
}

/* Writers begin a log anew by writing its header: if that is still the same, so were the frames. */
static bool unchanged(const struct wal *w)
{
    uint8_t again[HEADER];

    return read_at(w->fd, again, HEADER, 0) && memcmp(again, w->header, HEADER) == 0;
}

static int read_frames(struct wal *w)
{
    const size_t size = FRAME_HEADER + w->page_size;
    uint8_t *frame = malloc(size);
    off_t at = HEADER;

    if (frame == NULL)
        return KT_NO_MEMORY;
    for (; !w->damaged && read_at(w->fd, frame, size, at); at += (off_t)size)
        take_frame(w, frame);
    free(frame);
    return KT_SUCCESS;
}

/* Without a header: frames say themselves what it should have said, the first or, if that was hit, too,
 * the third. */
static int read_headless(struct wal *w)
{
    const struct wal start = *w;
    int rc = KT_SUCCESS;

    for (unsigned i = 0; rc == KT_SUCCESS && !w->damaged && i < 32; i++) {
        const uint32_t size = 512U << (i / 4);
        const off_t frame = HEADER + (off_t)(i % 2 * 2 * (FRAME_HEADER + size));

        *w = start;
        w->wrong = 1;
        w->page_size = size;
        w->big_endian = i / 2 % 2 != 0;
        if (read_at(w->fd, w->salts, sizeof(w->salts), frame + 8))
            rc = read_frames(w);
    }
    return rc;
}

static bool read_log(struct kt_check *c, const char *path, struct wal *w)
{
    int rc = KT_SUCCESS;

    *w = (struct wal){ .fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) };
    if (w->fd < 0)
        return false;
    if (read_at(w->fd, w->header, HEADER, 0))
        rc = take_header(w) ? read_frames(w) : read_headless(w);
    c->no_memory |= rc == KT_NO_MEMORY;
    w->damaged = w->damaged && unchanged(w);
    (void)close(w->fd);
    return w->damaged;
}

void kt_check_log(struct kt_check *c)
{
    char path[PATH_MAX];
    struct wal first;
    struct wal second;

    if (snprintf(path, sizeof(path), "%s-wal", c->store->path) >= (int)sizeof(path))
        return;
    /* seen twice: a frame may have been half written when it was read */
    if (read_log(c, path, &first) && read_log(c, path, &second) && first.wrong == second.wrong &&
        memcmp(first.header, second.header, HEADER) == 0)
        kt_check_damage(c,
                        "the log %s-wal is damaged from its frame %u on: commits behind it are "
                        "lost; restore the store from a backup",
                        c->store->path, first.wrong);
}
