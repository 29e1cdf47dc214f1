/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYTURN_KEYRING_SCAN_H
#define KEYTURN_KEYRING_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * GNOME Keyring keeps a keyring without a password as lines of text. A value with a newline in it,
 * stored by any program, makes a line that is none: the daemon then reads nothing of the file any
 * more. Such a line is found here before the daemon starts the next time.
 */

/** struct kt_scan - a file, looked at byte by byte; zeroed at first */
struct kt_scan {
    char start[16]; /* of the line, or of the file */
    size_t n;       /* bytes of the line so far */
    bool equals;    /* there was a `=` after a known word */
    bool text;      /* it is a plain-text keyring at all */
    size_t line;
    size_t bad; /* first line that is none; 0: none */
};

/** kt_scan_bytes - the next bytes of the file; kt_scan_end - there are no more */
void kt_scan_bytes(struct kt_scan *s, const char *data, size_t len);
void kt_scan_end(struct kt_scan *s);

/**
 * kt_scan_file - is it a plain-text keyring with a line that is none?
 *
 * The number of that line, 0: none, or it is encrypted; -1: it cannot be read, errno says why.
 */
long kt_scan_file(int dir, const char *name);

#endif
