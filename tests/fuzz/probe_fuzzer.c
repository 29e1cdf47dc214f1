/* SPDX-License-Identifier: Apache-2.0 */

/* A module's file, before it is loaded: the probe must not believe any number in it. */

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1; /* one for all inputs */
    struct kt_probe probe;
    struct kt_err err;

    if (fd < 0)
        fd = memfd_create("probe", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    if (kt_probe_file(fd, "input", &probe, &err) != KT_SUCCESS && err.status != KT_MODULE_ERROR)
        abort();
    return 0;
}
