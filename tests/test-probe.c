/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "core/probe.h"

#define BASE 0x4000 /* addresses are offsets and this */
#define MACHINE (__ehdr_start.e_machine)

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* ---- the smallest module --------------------------------------------------------------------- */

enum { LOAD, BSS, DYNAMIC };                       /* program headers */
enum { SYMTAB, STRTAB, STRSZ, SYMENT, GNU, SYSV }; /* dynamic entries */

struct tiny {
    ElfW(Ehdr) eh;
    ElfW(Phdr) ph[3];
    ElfW(Dyn) dyn[7];
    ElfW(Sym) sym[3];
    struct {
        uint32_t nbuckets, first, nbloom, shift;
        ElfW(Addr) bloom[1];
        uint32_t bucket[1], chain[2];
    } gnu;
    struct {
        uint32_t nbuckets, nchains, bucket[1], chain[3];
    } sysv;
    char str[32];
    struct kt_probe module;
};

#define AT(member) (BASE + offsetof(struct tiny, member))

static const struct kt_probe numbers = {
    .abi = 1,
    .size = 312,
    .kind = 2,
    .role = 3,
    .protection = 4,
    .cas = 1,
    .naming = 2,
    .propagation_s = 600,
    .capabilities = 0x123456789abcdefULL,
};

static uint32_t gnu_hash(const char *s)
{
    uint32_t h = 5381;

    while (*s != '\0')
        h = h * 33 + (unsigned char)*s++;
    return h;
}

static struct tiny tiny_module(void)
{
    struct tiny t = {
        .eh = { .e_type = ET_DYN,
                .e_machine = MACHINE,
                .e_version = EV_CURRENT,
                .e_phoff = offsetof(struct tiny, ph),
                .e_ehsize = sizeof(ElfW(Ehdr)),
                .e_phentsize = sizeof(ElfW(Phdr)),
                .e_phnum = 3 },
        .ph = { [LOAD] = { .p_type = PT_LOAD,
                           .p_vaddr = BASE,
                           .p_filesz = sizeof(struct tiny),
                           .p_memsz = sizeof(struct tiny) },
                [BSS] = { .p_type = PT_LOAD, .p_vaddr = 0x10000, .p_filesz = 0, .p_memsz = 4096 },
                [DYNAMIC] = { .p_type = PT_DYNAMIC,
                              .p_offset = offsetof(struct tiny, dyn),
                              .p_vaddr = AT(dyn),
                              .p_filesz = sizeof(ElfW(Dyn[7])) } },
        .dyn = { [SYMTAB] = { DT_SYMTAB, { AT(sym) } },
                 [STRTAB] = { DT_STRTAB, { AT(str) } },
                 [STRSZ] = { DT_STRSZ, { sizeof("\0other\0kt_module") } },
                 [SYMENT] = { DT_SYMENT, { sizeof(ElfW(Sym)) } },
                 [GNU] = { DT_GNU_HASH, { AT(gnu) } },
                 [SYSV] = { DT_HASH, { AT(sysv) } } },
        .gnu = { .nbuckets = 1,
                 .first = 1,
                 .nbloom = 1,
                 .bloom = { (ElfW(Addr)) - 1 },
                 .bucket = { 1 },
                 .chain = { gnu_hash("other") & ~1U, gnu_hash("kt_module") | 1 } },
        .sysv = { .nbuckets = 1, .nchains = 3, .bucket = { 1 }, .chain = { 0, 2, 0 } },
        .str = "\0other\0kt_module",
        .module = numbers,
    };

    memcpy(t.eh.e_ident, __ehdr_start.e_ident, EI_NIDENT);
    for (int i = 1; i < 3; i++) {
        t.sym[i].st_name = i == 1 ? 1 : 7;
        t.sym[i].st_info = STB_GLOBAL << 4 | STT_OBJECT;
        t.sym[i].st_shndx = 1;
        t.sym[i].st_value = AT(module);
        t.sym[i].st_size = sizeof(struct kt_probe);
    }
    return t;
}

static int file_of(const void *data, size_t len)
{
    int fd = memfd_create("module", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, data, len, 0), (ssize_t)len);
    return fd;
}

static int probe_bytes(const void *data, size_t len, struct kt_probe *out, struct kt_err *err)
{
    int fd = file_of(data, len);
    int rc = kt_probe_file(fd, "tiny.so", out, err);

    close(fd);
    return rc;
}

START_TEST(the_numbers_are_read)
{
    struct tiny t = tiny_module();
    struct kt_probe probe;

    if (_i == 1)
        t.dyn[GNU].d_tag = DT_DEBUG; /* leaves the older table */
    ck_assert_int_eq(probe_bytes(&t, sizeof(t), &probe, NULL), KT_SUCCESS);
    ck_assert_mem_eq(&probe, &numbers, sizeof(numbers));
}
END_TEST

START_TEST(a_shorter_descriptor_reads_as_zeros_behind)
{
    struct tiny t = tiny_module();
    struct kt_probe probe;

    t.sym[2].st_size = 12;
    ck_assert_int_eq(probe_bytes(&t, sizeof(t), &probe, NULL), KT_SUCCESS);
    ck_assert_uint_eq(probe.abi, 1);
    ck_assert_uint_eq(probe.size, 312);
    ck_assert_uint_eq(probe.kind, 2);
    ck_assert_uint_eq(probe.role, 0);
    ck_assert_uint_eq(probe.capabilities, 0);
}
END_TEST

/* ---- hostile files: a number is set, and this is what must be said ----------------------------- */

#define SET(member, value)                                                                         \
#member, offsetof(struct tiny, member), sizeof(((struct tiny *)0)->member), (uint64_t)(value)

static const struct {
    const char *member;
    size_t offset;
    size_t size;
    uint64_t value;
    bool sysv; /* by the older hash table */
    const char *says;
} rows[] = {
    { SET(eh.e_ident[1], 'e'), false, "not an ELF file" },
    { SET(eh.e_ident[EI_CLASS], ELFCLASSNONE), false, "another machine" },
    { SET(eh.e_ident[EI_DATA], ELFDATANONE), false, "another machine" },
    { SET(eh.e_machine, EM_PDP10), false, "another machine" },
    { SET(eh.e_type, ET_EXEC), false, "not a shared object" },
    { SET(eh.e_type, ET_REL), false, "not a shared object" },
    { SET(eh.e_phentsize, 1), false, "program headers" },
    { SET(eh.e_phnum, 65), false, "program headers" },
    { SET(eh.e_phnum, 65535), false, "program headers" },
    { SET(eh.e_phnum, 64), false, "outside its own file" },
    { SET(eh.e_phnum, 0), false, "no dynamic section" },
    { SET(eh.e_phoff, -1), false, "outside its own file" },
    { SET(eh.e_phoff, sizeof(struct tiny)), false, "outside its own file" },
    { SET(ph[DYNAMIC].p_type, PT_NULL), false, "no dynamic section" },
    { SET(ph[DYNAMIC].p_offset, -8), false, "outside its own file" },
    { SET(ph[DYNAMIC].p_filesz, 1 << 30), false, "dynamic section is too large" },
    { SET(ph[DYNAMIC].p_filesz, 0), false, "lacks a symbol" },
    { SET(ph[LOAD].p_type, PT_NULL), false, "outside the bytes that its file loads" },
    { SET(ph[LOAD].p_filesz, 0), false, "outside the bytes that its file loads" },
    { SET(ph[LOAD].p_filesz, offsetof(struct tiny, gnu) + 8), false, "outside the bytes" },
    { SET(ph[LOAD].p_filesz, -1), false, NULL }, /* as far as the file goes */
    { SET(ph[LOAD].p_vaddr, BASE + 1000000), false, "outside the bytes that its file loads" },
    { SET(ph[LOAD].p_offset, -1), false, "outside the bytes that its file loads" },
    { SET(ph[LOAD].p_offset, INT64_MAX), false, "outside its own file" },
    { SET(ph[LOAD].p_offset, sizeof(struct tiny)), false, "outside its own file" },
    { SET(dyn[SYMTAB].d_tag, DT_NULL), false, "lacks a symbol" },
    { SET(dyn[STRTAB].d_tag, DT_DEBUG), false, "lacks a symbol" },
    { SET(dyn[GNU].d_tag, DT_NULL), false, "lacks a symbol" },
    { SET(dyn[SYMENT].d_un.d_val, 1), false, "symbols are not as expected" },
    { SET(dyn[SYMTAB].d_un.d_val, -1), false, "address in it overflows" },
    { SET(dyn[SYMTAB].d_un.d_val, 1), false, "outside the bytes that its file loads" },
    { SET(dyn[STRTAB].d_un.d_val, -1), false, "outside the bytes that its file loads" },
    { SET(dyn[STRTAB].d_un.d_val, AT(module)), false, "does not export" },
    { SET(dyn[STRSZ].d_un.d_val, 0), false, "does not export" },
    { SET(dyn[STRSZ].d_un.d_val, 16), false, "does not export" }, /* the NUL is not in it */
    { SET(dyn[GNU].d_un.d_val, -8), false, "outside the bytes that its file loads" },
    { SET(dyn[GNU].d_un.d_val, BASE + sizeof(struct tiny) - 8), false, "outside the bytes" },
    { SET(dyn[SYSV].d_un.d_val, -8), true, "outside the bytes that its file loads" },
    { SET(gnu.nbuckets, 0), false, "does not export" },
    { SET(gnu.nbuckets, -1), false, "outside the bytes that its file loads" },
    { SET(gnu.nbloom, -1), false, "outside the bytes that its file loads" },
    { SET(gnu.first, 2), false, "does not export" },
    { SET(gnu.bucket[0], 0), false, "does not export" },
    { SET(gnu.bucket[0], -1), false, "outside the bytes that its file loads" },
    { SET(gnu.chain[0], 1), false, "does not export" }, /* the chain ends before it */
    { SET(gnu.chain[1], 0), false, "does not export" }, /* it goes on into the next table */
    { SET(sysv.nbuckets, 0), true, "does not export" },
    { SET(sysv.nbuckets, -1), true, "outside the bytes that its file loads" },
    { SET(sysv.nchains, 2), true, "outside its symbols" },
    { SET(sysv.bucket[0], 0), true, "does not export" },
    { SET(sysv.bucket[0], -1), true, "outside its symbols" },
    { SET(sysv.chain[1], 0), true, "does not export" },
    { SET(sysv.chain[1], 1), true, "endless chain" },
    { SET(sym[2].st_name, 0), false, "does not export" },
    { SET(sym[2].st_name, 8), false, "does not export" }, /* "t_module" */
    { SET(sym[2].st_name, -1), false, "does not export" },
    { SET(sym[2].st_shndx, SHN_UNDEF), false, "does not export" },
    { SET(sym[2].st_shndx, SHN_ABS), false, "is not data" },
    { SET(sym[2].st_info, STB_GLOBAL << 4 | STT_FUNC), false, "is not data" },
    { SET(sym[2].st_info, STB_GLOBAL << 4 | STT_TLS), false, "is not data" },
    { SET(sym[2].st_size, 0), false, "too short" },
    { SET(sym[2].st_size, 7), false, "too short" },
    { SET(sym[2].st_size, -1), false, NULL }, /* only the head is read */
    { SET(sym[2].st_value, 0), false, "outside the bytes that its file loads" },
    { SET(sym[2].st_value, -1), false, "outside the bytes that its file loads" },
    { SET(sym[2].st_value, 0x10000), false, "outside the bytes that its file loads" }, /* .bss */
    { SET(sym[2].st_value, AT(module) + 1), false, "outside the bytes that its file loads" },
};

static void put_number(void *at, size_t size, uint64_t value)
{
    const uint8_t b1 = (uint8_t)value;
    const uint16_t b2 = (uint16_t)value;
    const uint32_t b4 = (uint32_t)value;

    memcpy(at,
           size == 1   ? &b1
           : size == 2 ? (const void *)&b2
           : size == 4 ? (const void *)&b4
                       : (const void *)&value,
           size);
}

START_TEST(hostile_numbers_are_refused)
{
    struct tiny t = tiny_module();
    struct kt_probe probe = { .abi = 77 };
    struct kt_err err = { .msg = "" };
    int rc;

    put_number((char *)&t + rows[_i].offset, rows[_i].size, rows[_i].value);
    if (rows[_i].sysv)
        t.dyn[GNU].d_tag = DT_DEBUG;
    else
        t.dyn[SYSV].d_tag = DT_DEBUG;
    rc = probe_bytes(&t, sizeof(t), &probe, &err);
    if (rows[_i].says == NULL) {
        ck_assert_msg(rc == KT_SUCCESS, "%s: %s", rows[_i].member, err.msg);
        return;
    }
    ck_assert_msg(rc == KT_MODULE_ERROR, "%s: %s", rows[_i].member, err.msg);
    ck_assert_msg(strstr(err.msg, rows[_i].says) != NULL, "%s: no '%s' in: %s", rows[_i].member,
                  rows[_i].says, err.msg);
    ck_assert_ptr_nonnull(strstr(err.msg, "'tiny.so'"));
    ck_assert_uint_eq(probe.abi, 77); /* untouched */
}
END_TEST

/* A megabyte of zeros for a hash chain: the walk ends before the file does. */
START_TEST(a_long_chain_is_given_up)
{
    struct tiny t = tiny_module();
    struct kt_err err;
    struct kt_probe probe;
    int fd;

    t.ph[LOAD].p_filesz = 1 << 20;
    memset((char *)&t + offsetof(struct tiny, gnu.chain), 0,
           sizeof(t) - offsetof(struct tiny, gnu.chain));
    fd = file_of(&t, sizeof(t));
    ck_assert_int_eq(ftruncate(fd, 1 << 20), 0);
    ck_assert_int_eq(kt_probe_file(fd, "long.so", &probe, &err), KT_MODULE_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "endless chain"));
    close(fd);
}
END_TEST

START_TEST(cut_anywhere_it_is_refused)
{
    struct tiny t = tiny_module();
    struct kt_probe probe;

    for (size_t len = 0; len < sizeof(t); len++)
        ck_assert_int_eq(probe_bytes(&t, len, &probe, NULL), KT_MODULE_ERROR);
}
END_TEST

static void flip_bits(int fd, size_t len, unsigned from, unsigned to)
{
    struct kt_probe probe;
    unsigned seed = from;

    for (unsigned i = from; i < to; i++) {
        const off_t at = (off_t)((((size_t)rand_r(&seed) << 15) ^ (size_t)rand_r(&seed)) % len);
        char byte, flipped;
        struct kt_err err = { .status = 0 };
        int rc;

        ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
        flipped = (char)(byte ^ 1 << rand_r(&seed) % 8);
        ck_assert_int_eq(pwrite(fd, &flipped, 1, at), 1);
        rc = kt_probe_file(fd, "flipped.so", &probe, &err);
        ck_assert(rc == KT_SUCCESS || rc == KT_MODULE_ERROR);
        ck_assert_int_eq(err.status, rc);
        if (i % 4 != 0) /* every fourth stays: damage adds up */
            ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
    }
}

START_TEST(flipped_bits_do_no_harm)
{
    for (unsigned round = 0; round < 400; round++) {
        struct tiny t = tiny_module();
        int fd;

        if (round % 2 != 0)
            t.dyn[GNU].d_tag = DT_DEBUG;
        fd = file_of(&t, sizeof(t));
        flip_bits(fd, sizeof(t), round * 100, round * 100 + 100);
        close(fd);
    }
}
END_TEST

/* ---- files that are none ----------------------------------------------------------------------- */

START_TEST(what_cannot_be_read_is_could_not_ask)
{
    struct tiny t = tiny_module();
    struct kt_probe probe;
    struct kt_err err;
    char *dir = kt_harness_dir();
    char *path = kt_harness_path(dir, "module.so");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_eq(write(fd, &t, sizeof(t)), sizeof(t));
    ck_assert_int_eq(kt_probe_file(fd, path, &probe, &err), KT_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.msg, "cannot be read"));
    close(fd);
    ck_assert_int_eq(kt_probe_file(fd, path, &probe, &err), KT_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.msg, "cannot be looked at"));
    free(path);
    free(dir);
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    struct kt_probe probe;
    struct kt_err err;
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(kt_probe_file(fds[0], "pipe", &probe, &err), KT_MODULE_ERROR);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

/* Files of sysfs say that they have a page and have less. */
START_TEST(a_file_shorter_than_it_says_is_refused)
{
    int fd = open("/sys/kernel/uevent_seqnum", O_RDONLY | O_CLOEXEC);
    struct kt_probe probe;
    struct kt_err err;

    if (fd < 0)
        return;
    ck_assert_int_eq(kt_probe_file(fd, "seqnum", &probe, &err), KT_MODULE_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "was cut"));
    close(fd);
}
END_TEST

/* ---- real ones --------------------------------------------------------------------------------- */

START_TEST(a_real_module_reads_as_it_loads)
{
    char *path = kt_harness_path(kt_harness_modules(), "mock_good.so");
    const struct kt_module *loaded;
    struct kt_probe probe;
    struct kt_err err;
    void *lib;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_msg(fd >= 0, "%s is not there", path);
    ck_assert_msg(kt_probe_file(fd, path, &probe, &err) == KT_SUCCESS, "%s", err.msg);
    lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(lib != NULL, "%s", dlerror());
    loaded = dlsym(lib, "kt_module");
    ck_assert_ptr_nonnull(loaded);
    ck_assert_mem_eq(loaded, &probe, offsetof(struct kt_probe, capabilities));
    ck_assert_uint_eq(loaded->capabilities, probe.capabilities);
    ck_assert_uint_eq(probe.abi, KT_MODULE_ABI);
    ck_assert_uint_eq(probe.size, sizeof(struct kt_module));
    dlclose(lib);
    close(fd);
    free(path);
}
END_TEST

START_TEST(a_real_module_damaged)
{
    char *path = kt_harness_path(kt_harness_modules(), "mock_good.so");
    static char bytes[1 << 20];
    struct kt_probe probe;
    ssize_t len;
    int copy, fd = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_msg(fd >= 0, "%s is not there", path);
    len = read(fd, bytes, sizeof(bytes));
    ck_assert_int_gt(len, 0);
    close(fd);
    copy = file_of(bytes, (size_t)len);
    for (ssize_t cut = len / 64 * 64; cut >= 0; cut -= 64) {
        int rc;

        ck_assert_int_eq(ftruncate(copy, cut), 0);
        rc = kt_probe_file(copy, path, &probe, NULL);
        ck_assert(rc == KT_MODULE_ERROR || (rc == KT_SUCCESS && cut > 1024));
    }
    for (unsigned round = 0; round < 20; round++) {
        ck_assert_int_eq(pwrite(copy, bytes, (size_t)len, 0), len);
        flip_bits(copy, (size_t)len, round * 100, round * 100 + 100);
        flip_bits(copy, 4096, round * 100, round * 100 + 100); /* where the tables are */
    }
    close(copy);
    free(path);
}
END_TEST

START_TEST(a_library_that_is_no_module_is_refused)
{
    struct kt_probe probe;
    struct kt_err err;
    Dl_info libc;
    int fd;

    ck_assert_int_ne(dladdr(dlsym(RTLD_DEFAULT, "gnu_get_libc_version"), &libc), 0);
    fd = open(libc.dli_fname, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(kt_probe_file(fd, libc.dli_fname, &probe, &err), KT_MODULE_ERROR);
    ck_assert_ptr_nonnull(strstr(err.msg, "does not export kt_module"));
    close(fd);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("probe");
    TCase *t = tcase_create("tiny");

    tcase_add_loop_test(t, the_numbers_are_read, 0, 2);
    tcase_add_test(t, a_shorter_descriptor_reads_as_zeros_behind);
    tcase_add_loop_test(t, hostile_numbers_are_refused, 0, sizeof(rows) / sizeof(rows[0]));
    tcase_add_test(t, a_long_chain_is_given_up);
    tcase_add_test(t, cut_anywhere_it_is_refused);
    tcase_add_test(t, flipped_bits_do_no_harm);
    tcase_add_test(t, what_cannot_be_read_is_could_not_ask);
    tcase_add_test(t, what_is_no_file_is_refused);
    tcase_add_test(t, a_file_shorter_than_it_says_is_refused);
    suite_add_tcase(s, t);

    t = tcase_create("real");
    tcase_add_test(t, a_real_module_reads_as_it_loads);
    tcase_add_test(t, a_real_module_damaged);
    tcase_add_test(t, a_library_that_is_no_module_is_refused);
    suite_add_tcase(s, t);
    return kt_harness_run(s);
}
