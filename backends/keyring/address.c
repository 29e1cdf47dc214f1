/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include <string.h>

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The value up to `,`, `;` or the end, its %xx decoded; false: it does not fit or is malformed. */
static bool decode(const char *p, char *out, size_t size, size_t *len)
{
    *len = 0;
    for (; *p != '\0' && *p != ',' && *p != ';'; p++) {
        int c = (unsigned char)*p;

        if (*p == '%') {
            if (hex_value(p[1]) < 0 || hex_value(p[2]) < 0)
                return false;
            c = hex_value(p[1]) << 4 | hex_value(p[2]);
            p += 2;
        }
        if (*len + 1 >= size || c == 0)
            return false;
        out[(*len)++] = (char)c;
    }
    out[*len] = '\0';
    return *len > 0;
}

/* One address: `unix:` with `path=` or `abstract=` among its pairs. */
static bool parse(const char *p, struct kt_address *out)
{
    static const char transport[] = "unix:";
    size_t len;

    if (strncmp(p, transport, sizeof(transport) - 1) != 0)
        return false;
    memset(out, 0, sizeof(*out));
    out->un.sun_family = AF_UNIX;
    for (p += sizeof(transport) - 1; *p != '\0' && *p != ';';) {
        const char *value = strchr(p, '=');

        if (value == NULL)
            return false;
        if (strncmp(p, "path=", 5) == 0) {
            out->len = sizeof(out->un);
            return decode(value + 1, out->un.sun_path, sizeof(out->un.sun_path), &len);
        }
        if (strncmp(p, "abstract=", 9) == 0) {
            if (!decode(value + 1, out->un.sun_path + 1, sizeof(out->un.sun_path) - 1, &len))
                return false;
            out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
            return true;
        }
        p += strcspn(p, ",;");
        p += *p == ',';
    }
    return false;
}

bool kt_address_next(const char **text, struct kt_address *out)
{
    while (**text != '\0') {
        const char *at = *text;

        *text += strcspn(*text, ";");
        *text += **text == ';';
        if (parse(at, out))
            return true;
    }
    return false;
}
