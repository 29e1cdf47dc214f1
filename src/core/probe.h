/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CORE_PROBE_H
#define KEYTURN_CORE_PROBE_H

#include <keyturn/keyturn.h>
#include <keyturn/module.h>

/** struct kt_probe - the numbers at the head of a module's descriptor */
struct kt_probe {
    uint32_t abi;
    uint32_t size;
    uint32_t kind;
    uint32_t role;
    uint32_t protection;
    uint32_t cas;
    uint32_t naming;
    uint32_t propagation_s;
    uint64_t capabilities;
};

/**
 * kt_probe_file - look into a shared object without loading it
 * @fd:   open for reading; only pread(2) is used, nothing is mapped
 * @path: for messages
 *
 * Finds the data symbol `kt_module` in .dynsym (PT_DYNAMIC: DT_SYMTAB, DT_STRTAB, DT_GNU_HASH or DT_HASH)
 * and reads the descriptor's leading numbers. Every offset and count is checked against the file:
 * the file may be hostile. KT_SUCCESS; KT_MODULE_ERROR: not a shared object of this machine's class
 * and architecture, no such symbol, not in the file's bytes; KT_UNAVAILABLE: the file cannot be read.
 * The ABI is not judged here; numbers that a shorter descriptor does not have are 0.
 */
int kt_probe_file(int fd, const char *path, struct kt_probe *out, struct kt_err *err) KT_MUST_CHECK;

#endif
