/* SPDX-License-Identifier: Apache-2.0 */
#include "beside.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define NAME "keyturn-beside"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static sqlite3_vfs *usual;
static sqlite3_vfs ours;

/* Where this thread's connection is, and the name of its temporary file: SQLite keeps a pointer. */
static __thread const char *beside;
static __thread char temporary[PATH_MAX];

/* Nobody guesses the name, and a file that is there already is refused: SQLite opens with O_EXCL. */
static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    sqlite3_uint64 random;

    (void)vfs;
    if (name == NULL && beside != NULL) {
        sqlite3_randomness(sizeof(random), &random);
        memset(temporary, 0, sizeof(temporary));
        /* two NULs end a name that SQLite might look for parameters behind */
        if (snprintf(temporary, sizeof(temporary) - 1, "%s-temp-%016llx", beside,
                     (unsigned long long)random) >= (int)sizeof(temporary) - 1)
            return SQLITE_CANTOPEN;
        name = temporary;
        flags |= SQLITE_OPEN_EXCLUSIVE | SQLITE_OPEN_CREATE | SQLITE_OPEN_DELETEONCLOSE;
    }
    return usual->xOpen(usual, name, file, flags, out);
}

static void setup(void)
{
    usual = sqlite3_vfs_find(NULL);
    if (usual == NULL)
        return;
    ours = *usual;
    ours.zName = NAME;
    ours.pNext = NULL;
    ours.xOpen = open_file;
    if (sqlite3_vfs_register(&ours, 0) != SQLITE_OK)
        usual = NULL;
}

int kt_beside_open(const char *path, sqlite3 **db)
{
    *db = NULL;
    if (sqlite3_initialize() != SQLITE_OK)
        return SQLITE_NOMEM;
    (void)pthread_once(&once, setup);
    if (usual == NULL)
        return SQLITE_NOMEM;
    beside = path;
    return sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NAME);
}
