/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"

#define SYMBOL "kt_module"
#define PHDRS_MAX 64
#define DYNS_MAX 512
#define CHAIN_MAX 4096 /* symbols looked at: a hash chain of a real module has a few */

/* Our own header, placed by the linker: what "this machine" is, on every architecture. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

_Static_assert(offsetof(struct kt_probe, capabilities) ==
                       offsetof(struct kt_module, capabilities) &&
                   offsetof(struct kt_probe, propagation_s) ==
                       offsetof(struct kt_module, propagation_s) &&
                   offsetof(struct kt_probe, size) == offsetof(struct kt_module, size),
               "struct kt_probe is not the head of struct kt_module");

/**
 * struct image - a shared object, by its file
 * @loads:  the first @nloads are the PT_LOAD segments
 * @symtab, @strtab, @gnu_hash, @hash: addresses, 0 = not there
 */
struct image {
    int fd;
    const char *path;
    struct kt_err *err;
    uint64_t size;
    ElfW(Phdr) loads[PHDRS_MAX];
    size_t nloads;
    ElfW(Phdr) dynamic;
    uint64_t symtab;
    uint64_t strtab;
    uint64_t strsz;
    uint64_t gnu_hash;
    uint64_t hash;
};

static int refuse(const struct image *im, const char *why)
{
    return kt_fail(im->err, KT_MODULE_ERROR, "'%s' is no keyturn module: %s", im->path, why);
}

/* ---- reading -------------------------------------------------------------------------------- */

static int read_at(const struct image *im, uint64_t offset, void *buf, size_t len)
{
    char *at = buf;

    if (offset > im->size || len > im->size - offset)
        return refuse(im, "it points outside its own file");
    while (len > 0) {
        ssize_t n = pread(im->fd, at, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return kt_fail(im->err, KT_UNAVAILABLE, "'%s' cannot be read: %m", im->path);
        if (n == 0)
            return refuse(im, "its file was cut while it was read");
        at += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return KT_SUCCESS;
}

/* @base + @index * @size, as the loader would see it; only bytes that the file has count */
static int read_addr(const struct image *im, uint64_t base, uint64_t index, void *buf, size_t len)
{
    uint64_t addr;

    if (__builtin_mul_overflow(index, (uint64_t)len, &addr) ||
        __builtin_add_overflow(base, addr, &addr))
        return refuse(im, "an address in it overflows");
    for (size_t i = 0; i < im->nloads; i++) {
        const ElfW(Phdr) *p = &im->loads[i];
        uint64_t offset;

        if (addr < p->p_vaddr || addr - p->p_vaddr >= p->p_filesz)
            continue;
        if (len > p->p_filesz - (addr - p->p_vaddr) ||
            __builtin_add_overflow((uint64_t)p->p_offset, addr - p->p_vaddr, &offset))
            break;
        return read_at(im, offset, buf, len);
    }
    return refuse(im, "an address in it is outside the bytes that its file loads");
}

/* ---- headers -------------------------------------------------------------------------------- */

static int read_header(struct image *im, ElfW(Ehdr) * eh)
{
    int rc;

    if (im->size < sizeof(*eh))
        return refuse(im, "it is too short to be a shared object");
    rc = read_at(im, 0, eh, sizeof(*eh));
    if (rc != KT_SUCCESS)
        return rc;
    if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
        return refuse(im, "it is not an ELF file");
    if (eh->e_ident[EI_CLASS] != __ehdr_start.e_ident[EI_CLASS] ||
        eh->e_ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA] ||
        eh->e_machine != __ehdr_start.e_machine)
        return refuse(im, "it was built for another machine");
    if (eh->e_type != ET_DYN)
        return refuse(im, "it is not a shared object");
    if (eh->e_phentsize != sizeof(ElfW(Phdr)) || eh->e_phnum > PHDRS_MAX)
        return refuse(im, "its program headers are not as expected");
    return KT_SUCCESS;
}

static int read_segments(struct image *im, const ElfW(Ehdr) * eh)
{
    ElfW(Phdr) all[PHDRS_MAX] = { 0 };
    int rc = read_at(im, eh->e_phoff, all, eh->e_phnum * sizeof(all[0]));

    if (rc != KT_SUCCESS)
        return rc;
    for (size_t i = 0; i < eh->e_phnum; i++) {
        if (all[i].p_type == PT_LOAD)
            im->loads[im->nloads++] = all[i];
        else if (all[i].p_type == PT_DYNAMIC)
            im->dynamic = all[i];
    }
    if (im->dynamic.p_type != PT_DYNAMIC)
        return refuse(im, "it has no dynamic section");
    if (im->dynamic.p_filesz > DYNS_MAX * sizeof(ElfW(Dyn)))
        return refuse(im, "its dynamic section is too large");
    return KT_SUCCESS;
}

static int read_dynamic(struct image *im)
{
    ElfW(Dyn) dyns[DYNS_MAX];
    const size_t n = im->dynamic.p_filesz / sizeof(dyns[0]);
    int rc = read_at(im, im->dynamic.p_offset, dyns, n * sizeof(dyns[0]));

    if (rc != KT_SUCCESS)
        return rc;
    for (size_t i = 0; i < n && dyns[i].d_tag != DT_NULL; i++) {
        const uint64_t value = dyns[i].d_un.d_val;

        if (dyns[i].d_tag == DT_SYMTAB)
            im->symtab = value;
        else if (dyns[i].d_tag == DT_STRTAB)
            im->strtab = value;
        else if (dyns[i].d_tag == DT_STRSZ)
            im->strsz = value;
        else if (dyns[i].d_tag == DT_GNU_HASH)
            im->gnu_hash = value;
        else if (dyns[i].d_tag == DT_HASH)
            im->hash = value;
        else if (dyns[i].d_tag == DT_SYMENT && value != sizeof(ElfW(Sym)))
            return refuse(im, "its symbols are not as expected");
    }
    if (im->symtab == 0 || im->strtab == 0 || (im->gnu_hash == 0 && im->hash == 0))
        return refuse(im, "it lacks a symbol, string or hash table");
    return KT_SUCCESS;
}

/* ---- the symbol ----------------------------------------------------------------------------- */

/* Found as the loader finds it, so that both speak of the same symbol. KT_NOT_FOUND: not this. */
static int try_symbol(const struct image *im, uint32_t index, ElfW(Sym) * sym)
{
    char name[sizeof(SYMBOL)];
    int rc = read_addr(im, im->symtab, index, sym, sizeof(*sym));

    if (rc != KT_SUCCESS)
        return rc;
    if (sym->st_shndx == SHN_UNDEF || sym->st_name > im->strsz ||
        sizeof(name) > im->strsz - sym->st_name)
        return KT_NOT_FOUND;
    rc = read_addr(im, im->strtab + sym->st_name, 0, name, sizeof(name));
    if (rc != KT_SUCCESS)
        return rc;
    return memcmp(name, SYMBOL, sizeof(name)) == 0 ? KT_SUCCESS : KT_NOT_FOUND;
}

/* Layout: nbuckets, first hashed symbol, bloom words, bloom shift; bloom; buckets; chains. */
static int find_by_gnu_hash(const struct image *im, ElfW(Sym) * sym)
{
    uint32_t head[4], index, link, hash = 5381;
    uint64_t buckets, chains;
    int rc;

    for (const char *c = SYMBOL; *c != '\0'; c++)
        hash = hash * 33 + (unsigned char)*c;
    rc = read_addr(im, im->gnu_hash, 0, head, sizeof(head));
    if (rc != KT_SUCCESS)
        return rc;
    if (head[0] == 0)
        return KT_NOT_FOUND;
    buckets = im->gnu_hash + sizeof(head) + head[2] * (uint64_t)sizeof(ElfW(Addr));
    chains = buckets + head[0] * (uint64_t)sizeof(uint32_t);
    rc = read_addr(im, buckets, hash % head[0], &index, sizeof(index));
    if (rc != KT_SUCCESS)
        return rc;
    if (index < head[1])
        return KT_NOT_FOUND;
    for (unsigned n = 0; n < CHAIN_MAX; n++, index++) {
        rc = read_addr(im, chains, index - head[1], &link, sizeof(link));
        if (rc == KT_SUCCESS && (link | 1) == (hash | 1))
            rc = try_symbol(im, index, sym);
        else if (rc == KT_SUCCESS)
            rc = KT_NOT_FOUND;
        if (rc != KT_NOT_FOUND || (link & 1))
            return rc;
    }
    return refuse(im, "its hash table has an endless chain");
}

/* Layout: nbuckets, nchains; buckets; chains. Source: System V gABI, "Hash Table". */
static int find_by_hash(const struct image *im, ElfW(Sym) * sym)
{
    uint32_t head[2], index, high, hash = 0;
    uint64_t buckets, chains;
    int rc;

    for (const char *c = SYMBOL; *c != '\0'; c++) {
        hash = (hash << 4) + (unsigned char)*c;
        high = hash & 0xf0000000U;
        hash = (hash ^ high >> 24) & ~high;
    }
    rc = read_addr(im, im->hash, 0, head, sizeof(head));
    if (rc != KT_SUCCESS)
        return rc;
    if (head[0] == 0)
        return KT_NOT_FOUND;
    buckets = im->hash + sizeof(head);
    chains = buckets + head[0] * (uint64_t)sizeof(uint32_t);
    rc = read_addr(im, buckets, hash % head[0], &index, sizeof(index));
    for (unsigned n = 0; rc == KT_SUCCESS && n < CHAIN_MAX; n++) {
        if (index == STN_UNDEF)
            return KT_NOT_FOUND;
        if (index >= head[1])
            return refuse(im, "its hash table leads outside its symbols");
        rc = try_symbol(im, index, sym);
        if (rc != KT_NOT_FOUND)
            return rc;
        rc = read_addr(im, chains, index, &index, sizeof(index));
    }
    return rc != KT_SUCCESS ? rc : refuse(im, "its hash table has an endless chain");
}

/* A descriptor shorter than the numbers is of some other ABI: its first two tell which. */
static int read_descriptor(const struct image *im, const ElfW(Sym) * sym, struct kt_probe *out)
{
    struct kt_probe probe = { 0 };
    size_t len = sym->st_size < sizeof(probe) ? sym->st_size : sizeof(probe);
    int rc;

    if ((sym->st_info & 0xf) != STT_OBJECT || sym->st_shndx >= SHN_LORESERVE)
        return refuse(im, "its symbol " SYMBOL " is not data");
    if (len < offsetof(struct kt_probe, kind))
        return refuse(im, "its " SYMBOL " is too short");
    rc = read_addr(im, sym->st_value, 0, &probe, len);
    if (rc == KT_SUCCESS)
        *out = probe;
    return rc;
}

int kt_probe_file(int fd, const char *path, struct kt_probe *out, struct kt_err *err)
{
    struct image im = { .fd = fd, .path = path, .err = err };
    ElfW(Ehdr) eh = { 0 };
    ElfW(Sym) sym;
    struct stat st;
    int rc;

    if (fstat(fd, &st) != 0)
        return kt_fail(err, KT_UNAVAILABLE, "'%s' cannot be looked at: %m", path);
    im.size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    rc = read_header(&im, &eh);
    if (rc == KT_SUCCESS)
        rc = read_segments(&im, &eh);
    if (rc == KT_SUCCESS)
        rc = read_dynamic(&im);
    if (rc != KT_SUCCESS)
        return rc;
    rc = im.gnu_hash != 0 ? find_by_gnu_hash(&im, &sym) : find_by_hash(&im, &sym);
    if (rc == KT_NOT_FOUND)
        return refuse(&im, "it does not export " SYMBOL);
    if (rc != KT_SUCCESS)
        return rc;
    return read_descriptor(&im, &sym, out);
}
