/* SPDX-License-Identifier: Apache-2.0 */

/* Replays files, and those in directories, through a fuzz target: the corpus without an engine. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "re");
    uint8_t *buf = malloc(INPUT_MAX);
    int rc = -1;

    if (f == NULL || buf == NULL) {
        perror(path);
        goto out;
    }
    const size_t n = fread(buf, 1, INPUT_MAX, f);
    if (ferror(f)) {
        perror(path);
        goto out;
    }
    /* An allocation of just this size: a read past the end is then one that ASan sees. */
    uint8_t *exact = malloc(n == 0 ? 1 : n);
    if (exact == NULL)
        goto out;
    memcpy(exact, buf, n);
    (void)LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    rc = 0;
out:
    free(buf);
    if (f != NULL)
        (void)fclose(f);
    return rc;
}

static int replay(const char *path, size_t *count)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    int rc = 0;

    if (dir == NULL) {
        (*count)++;
        return replay_file(path);
    }
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        char *file = NULL;
        if (entry->d_name[0] == '.')
            continue;
        if (asprintf(&file, "%s/%s", path, entry->d_name) < 0) {
            rc = -1;
            break;
        }
        (*count)++;
        rc = replay_file(file);
        free(file);
    }
    (void)closedir(dir);
    return rc;
}

int main(int argc, char **argv)
{
    size_t count = 0;

    for (int i = 1; i < argc; i++) {
        if (replay(argv[i], &count) != 0)
            return EXIT_FAILURE;
    }
    printf("%zu inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
