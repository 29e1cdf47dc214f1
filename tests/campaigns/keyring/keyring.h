/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_CAMPAIGNS_KEYRING_H
#define KEYTURN_CAMPAIGNS_KEYRING_H

/*
 * The keyring module at a real Secret Service, through the library. A process that has used the keyring
 * cannot fork one that does, so whoever starts the others does not look into it.
 */

#include <keyturn/keyturn.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#define TEXT_MAX 32768

/** WRONG - something did not hold: said, and the end of this process */
#define WRONG(...)                                                                                 \
    do {                                                                                           \
        fprintf(stderr, "keyring: " __VA_ARGS__);                                                  \
        fputc('\n', stderr);                                                                       \
        exit(EXIT_FAILURE);                                                                        \
    } while (0)

int64_t now_us(void);
uint64_t any_of(uint64_t n);
uint64_t number_of(const char *variable, uint64_t otherwise);
bool broken(const char *what); /* BREAK says so: a lie, to be found out */
void *shared_memory(size_t size);

/* ---- the store: what fails but as it may is wrong ---- */

struct kt_handle *open_keyring(void);
struct kt_secret *fetch(struct kt_handle *h, const char *name, const char *stage); /* NULL: none */
int store(struct kt_handle *h, const char *name, const void *data, size_t len,
          const char *expected); /* KT_SUCCESS or KT_CONFLICT */
void drop(struct kt_handle *h, const char *name);
size_t tidy(struct kt_handle *h,
            const char *name); /* purge what bears no stage; how many are left */

/* ---- texts that tell whether they are whole: NAME NUMBER… filler, their sum ---- */

void text_make(const char *name, const uint64_t *numbers, size_t n, char out[TEXT_MAX]);
void text_read(const char *name, const struct kt_secret *s, uint64_t *numbers, size_t n);

int values(uint64_t from,
           uint64_t to); /* store values FROM to TO - 1; those before are there still */
int writers(void);
int kills(void);

/** spawn - a child that ends with what @run returns */
pid_t spawn(int (*run)(unsigned me), unsigned me);
bool reap(pid_t pid); /* 0: whichever ends first. Did it end well? */

#endif
