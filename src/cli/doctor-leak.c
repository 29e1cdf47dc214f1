/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include "kit/dotenv.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Keys that lie about. Their names are told, never their values. */

#define DOTENV_MAX (1024 * 1024)

static bool ends_with(const char *name, size_t len, const char *end)
{
    const size_t n = strlen(end);

    return len > n && memcmp(name + len - n, end, n) == 0;
}

/* By its name, as programs' documentation has them. */
static bool is_key_name(const char *name, size_t len)
{
    static const char *const ends[] = { "_API_KEY",    "_APIKEY", "_SECRET_KEY",
                                        "_ACCESS_KEY", "_TOKEN",  "_SECRET",
                                        "_PASSWORD",   "_PASSWD", "_PRIVATE_KEY" };

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (ends_with(name, len, ends[i]))
            return true;
    return false;
}

/* Not nothing, and no reference to where the key is. */
static bool is_key_value(const char *value, size_t len)
{
    static const char scheme[] = "keyturn:";
    const size_t n = sizeof(scheme) - 1;

    return len > 0 && value[0] != '$' && (len < n || memcmp(value, scheme, n) != 0);
}

static void look_at_environment(struct doctor *d)
{
    bool any = false;

    for (char **v = environ; *v != NULL; v++) {
        const size_t len = strcspn(*v, "=");
        char name[256], fix[300];

        if ((*v)[len] != '=' || len >= sizeof(name) || !is_key_name(*v, len) ||
            !is_key_value(*v + len + 1, strlen(*v + len + 1)))
            continue;
        (void)snprintf(name, sizeof(name), "%.*s", (int)len, *v);
        (void)snprintf(fix, sizeof(fix), "unset %s", name);
        any = true;
        doctor_tell(d, ODD, "environment", name, KT_CONFIG_ERROR, fix,
                    "looks like a key: every program started from here gets it");
    }
    if (!any)
        doctor_tell(d, FINE, "environment", "environment", KT_SUCCESS, NULL,
                    "no variable looks like a key");
}

/* ---- .env files ----------------------------------------------------------------------------- */

static char *read_file(const char *name, size_t *len, mode_t *mode)
{
    const int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    char *text = NULL;
    ssize_t n = 0;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= DOTENV_MAX)
        text = malloc((size_t)st.st_size + 1);
    *mode = text != NULL ? st.st_mode : 0;
    for (*len = 0; text != NULL && *len < (size_t)st.st_size; *len += (size_t)n) {
        n = read(fd, text + *len, (size_t)st.st_size - *len);
        if (n <= 0)
            break;
    }
    (void)close(fd);
    return text;
}

/* Names of the keys in it, joined; how many */
static size_t keys_in(const char *text, size_t len, char *names, size_t size)
{
    struct kt_dotenv t = { .text = text, .len = len };
    struct kt_dotenv_entry e;
    size_t n = 0;

    names[0] = '\0';
    while (kt_dotenv_next(&t, &e) == KT_SUCCESS) {
        const size_t at = strlen(names);

        if (!is_key_name(e.key, e.key_len) || !is_key_value(e.raw, e.raw_len))
            continue;
        (void)snprintf(names + at, size - at, "%s%.*s", n > 0 ? ", " : "",
                       e.key_len < 200 ? (int)e.key_len : 200, e.key);
        n++;
    }
    return n;
}

static void look_at_file(struct doctor *d, const char *name)
{
    char names[400], fix[600];
    size_t len = 0, n;
    mode_t mode = 0;
    char *text = read_file(name, &len, &mode);

    if (text == NULL)
        return;
    n = keys_in(text, len, names, sizeof(names));
    explicit_bzero(text, len);
    free(text);
    if (n == 0)
        return;
    if ((mode & 077) != 0)
        (void)snprintf(fix, sizeof(fix), "chmod 600 '%.256s'", name);
    else
        (void)snprintf(fix, sizeof(fix), "keyturn import '%.256s'", name);
    doctor_tell(d, ODD, "dotenv", name, KT_CONFIG_ERROR, fix, "%zu key%s in the open%s: %s", n,
                n == 1 ? "" : "s", (mode & 077) != 0 ? ", which others may read" : "", names);
}

/* Examples have no keys, or none that matter. */
static int is_dotenv(const struct dirent *e)
{
    const size_t n = strlen(e->d_name);

    return strcmp(e->d_name, ".env") == 0 ||
           (strncmp(e->d_name, ".env.", 5) == 0 && !ends_with(e->d_name, n, ".example") &&
            !ends_with(e->d_name, n, ".sample") && !ends_with(e->d_name, n, ".template"));
}

void doctor_leaks(struct doctor *d)
{
    struct dirent **files = NULL;
    int n;

    look_at_environment(d);
    n = scandir(".", &files, is_dotenv, alphasort);
    for (int i = 0; i < n; i++) {
        look_at_file(d, files[i]->d_name);
        free(files[i]);
    }
    free(files);
}
