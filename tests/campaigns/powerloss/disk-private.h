/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_POWERLOSS_DISK_PRIVATE_H
#define KEYTURN_POWERLOSS_DISK_PRIVATE_H

#include "disk.h"

#define PL_BLOCK 4096
#define PL_SECTOR 512
#define PL_NAME_SIZE 128

/** struct pl_piece - a part of a write, within one block; @data NULL: the file is @at bytes long */
struct pl_piece {
    int64_t at;
    const uint8_t *data; /* the log's */
    size_t len;
};

/** struct pl_entry - a name; @node NULL: it is gone. @with_next: one step with the next change */
struct pl_entry {
    char name[PL_NAME_SIZE];
    struct pl_node *node;
    bool with_next;
};

/**
 * struct pl_node - a file or a directory
 * @data, @pieces:     of a file: what is safe, and what has been done since
 * @entries, @changes: of a directory: the same
 * @shm:               SQLite maps it: nobody knows what of it is on the disk
 * @built, @made:      in which state, and where, pl_disk_build() has made it already
 */
struct pl_node {
    struct pl_node *next;
    bool dir;
    bool shm;
    uint64_t ino;
    uint8_t *data;
    size_t len;
    size_t data_room;
    struct pl_piece *pieces;
    size_t npieces;
    size_t room;
    struct pl_entry *entries;
    size_t nentries;
    struct pl_entry *changes;
    size_t nchanges;
    uint64_t built;
    char made[512];
};

struct pl_disk {
    struct pl_node *root;
    struct pl_node *nodes;
    uint64_t builds;
};

void *pl_must(void *p);

/** pl_dir_find - as programs see it now; NULL: no such name */
struct pl_node *pl_dir_find(const struct pl_node *dir, const char *name);

/** pl_entries_set - a change takes effect */
void pl_entries_set(struct pl_entry **list, size_t *n, const struct pl_entry *e);

/** pl_piece_apply - @data has room for it; what lies behind @len is anything */
void pl_piece_apply(const struct pl_piece *p, uint8_t *data, size_t *len);

#endif
