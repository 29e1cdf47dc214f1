/* SPDX-License-Identifier: Apache-2.0 */

/*
 * File systems that several machines share. SQLite's locks and the shared memory of its write-ahead log
 * hold among the processes of one machine (https://www.sqlite.org/wal.html, section 2), so a store
 * there would be damaged sooner or later. Numbers: statfs(2), linux/magic.h, coreutils' stat.
 */

#include "place.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define FUSE_MAGIC 0x65735546

static const struct {
    unsigned long magic;
    const char *name;
} shared[] = {
    { 0x6969, "nfs" },        { 0xff534d42, "cifs" },   { 0xfe534d42, "smb2" },
    { 0x517b, "smb" },        { 0x01021997, "9p" },     { 0x00c36400, "ceph" },
    { 0x5346414f, "afs" },    { 0x6b414653, "kafs" },   { 0x73757245, "coda" },
    { 0x0bd00bd0, "lustre" }, { 0x47504653, "gpfs" },   { 0x19830326, "beegfs" },
    { 0x7461636f, "ocfs2" },  { 0xaad7aaea, "panfs" },  { 0x564c, "ncp" },
    { 0x786f4256, "vboxsf" }, { 0xbacbacbc, "vmhgfs" }, { 0x7c7c6673, "prl_fs" },
};

/* What FUSE is used for does not show in its number, but in the name that it was mounted by. */
static const char *const shared_fuse[] = {
    "sshfs",     "glusterfs", "s3fs",    "rclone",      "gcsfuse",  "goofys", "curlftpfs",
    "davfs",     "ceph-fuse", "juicefs", "gvfsd-fuse",  "moosefs",  "mfs",    "blobfuse",
    "blobfuse2", "grpcfuse",  "osxfs",   "vmhgfs-fuse", "smbnetfs", "beegfs",
};

/* The type of the mount with this device, as "fuse.sshfs"; false: not found. */
static bool mount_type(dev_t dev, char type[64])
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[4096];
    char wanted[32];
    bool found = false;

    if (f == NULL)
        return false;
    (void)snprintf(wanted, sizeof(wanted), "%u:%u", major(dev), minor(dev));
    while (!found && fgets(line, sizeof(line), f) != NULL) {
        const char *dash = strstr(line, " - ");
        char at[32];

        if (dash != NULL && sscanf(line, "%*s %*s %31s", at) == 1 && strcmp(at, wanted) == 0)
            found = sscanf(dash + 3, "%63s", type) == 1;
    }
    (void)fclose(f);
    return found;
}

static bool is_shared_fuse(dev_t dev, char type[64])
{
    const char *name;

    if (!mount_type(dev, type) || strncmp(type, "fuse.", 5) != 0)
        return false;
    name = type + 5;
    for (size_t i = 0; i < sizeof(shared_fuse) / sizeof(shared_fuse[0]); i++)
        if (strcmp(name, shared_fuse[i]) == 0)
            return true;
    return false;
}

/* A store that is to be made: its directory is there. */
static int statfs_above(const char *path, struct statfs *fs)
{
    char *copy = strdup(path);
    const int rc = copy != NULL ? statfs(dirname(copy), fs) : -1;

    free(copy);
    return rc;
}

int kt_place_local(const char *path, struct kt_fault *f)
{
    const char *name = NULL;
    char type[64];
    struct statfs fs;
    struct stat st;

    if (statfs(path, &fs) != 0 && (errno != ENOENT || statfs_above(path, &fs) != 0))
        return kt_fault_errno(f, KT_UNAVAILABLE, errno, "cannot reach %s", path);
    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
        if ((unsigned long)fs.f_type == shared[i].magic)
            name = shared[i].name;
    if (fs.f_type == FUSE_MAGIC && stat(path, &st) == 0 && is_shared_fuse(st.st_dev, type))
        name = type;
    if (name == NULL)
        return KT_SUCCESS;
    return kt_fault(f, KT_UNSUPPORTED,
                    "%.200s is on a network file system (%s), where the locks of several machines' "
                    "processes do not hold; say path= on a local disk",
                    path, name);
}
