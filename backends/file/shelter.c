/* SPDX-License-Identifier: Apache-2.0 */
#include "shelter.h"

#include <fcntl.h>
#include <unistd.h>

size_t kt_shelter_add(const struct kt_fd *was, struct kt_shelter out[KT_SHELTERS_MAX], size_t n)
{
    struct stat st;

    if (n == KT_SHELTERS_MAX || fstat(was->fd, &st) != 0 ||
        (st.st_dev == was->dev && st.st_ino == was->ino))
        return n;
    for (size_t i = 0; i < n; i++)
        if (out[i].fd == was->fd)
            return n;
    out[n] = (struct kt_shelter){ was->fd, fcntl(was->fd, F_DUPFD_CLOEXEC, 3),
                                  fcntl(was->fd, F_GETFD) };
    return n + 1;
}

void kt_shelter_end(const struct kt_shelter *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (all[i].saved < 0)
            continue;
        (void)dup3(all[i].saved, all[i].fd, (all[i].flags & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0);
        (void)close(all[i].saved);
    }
}
