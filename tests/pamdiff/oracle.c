/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does libpam say? Reads service names from standard input, authenticates "nobody" against each
 * and prints `NAME CODE`, a line each; `NAME start CODE` where the service did not open.
 *
 *   oracle PAM_DEBUG_SO CONFDIR < names
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <security/pam_appl.h>

/*
 * libpam reports each authentication to the kernel's audit log and, for root, fails if it cannot.
 * Ours stands in the way: a kernel without audit is one that libpam gets along with.
 */
__attribute__((visibility("default"))) int audit_open(void);

int audit_open(void)
{
    errno = EPROTONOSUPPORT;
    return -1;
}

/* pam_debug.so says what it will return; unheard, that would be a complaint in the system's log. */
static int hear(int n, const struct pam_message **msg, struct pam_response **resp, void *data)
{
    (void)msg;
    (void)data;
    *resp = calloc((size_t)n, sizeof(**resp));
    return *resp == NULL ? PAM_BUF_ERR : PAM_SUCCESS;
}

static void ask(const char *confdir, const char *name)
{
    const struct pam_conv conv = { .conv = hear };
    pam_handle_t *pamh = NULL;
    int rc = pam_start_confdir(name, "nobody", &conv, confdir, &pamh);

    if (rc != PAM_SUCCESS) {
        printf("%s start %d\n", name, rc);
        return;
    }
    rc = pam_authenticate(pamh, PAM_SILENT);
    printf("%s %d\n", name, rc);
    (void)pam_end(pamh, rc);
}

int main(int argc, char **argv)
{
    char name[256];

    if (argc != 3) {
        (void)fprintf(stderr, "usage: %s PAM_DEBUG_SO CONFDIR < names\n", argv[0]);
        return 2;
    }
    /* Held, or each pam_end() would unload it and each pam_start() load it again. */
    if (dlopen(argv[1], RTLD_NOW) == NULL) {
        (void)fprintf(stderr, "%s: %s\n", argv[0], dlerror());
        return 1;
    }
    while (fgets(name, sizeof(name), stdin) != NULL) {
        name[strcspn(name, "\n")] = '\0';
        ask(argv[2], name);
    }
    return 0;
}
