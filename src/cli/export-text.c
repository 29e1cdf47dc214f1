/* SPDX-License-Identifier: Apache-2.0 */
#include "export.h"

#include "kit/base64.h"
#include "kit/dotenv.h"

#include <string.h>

/** struct text - @out NULL: only counted */
struct text {
    char *out;
    size_t n;
};

static void add(struct text *t, const char *data, size_t len)
{
    if (t->out != NULL && len > 0)
        memcpy(t->out + t->n, data, len);
    t->n += len;
}

static void add_str(struct text *t, const char *s)
{
    add(t, s, strlen(s));
}

/* UTF-8 without NUL. */
static void add_quoted(struct text *t, const char *s, size_t len)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt", digits[] = "0123456789abcdef";

    add_str(t, "\"");
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)s[i];
        size_t k = 0;

        while (shorts[k] != '\0' && (unsigned char)shorts[k] != c)
            k += 2;
        if (shorts[k] != '\0')
            add(t, (char[]){ '\\', shorts[k + 1] }, 2);
        else if (c < 0x20 || c == 0x7f)
            add(t, (char[]){ '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] }, 6);
        else
            add(t, s + i, 1);
    }
    add_str(t, "\"");
}

static void add_base64(struct text *t, const void *data, size_t len)
{
    add_str(t, "{\"encoding\": \"base64\", \"value\": \"");
    t->n += kt_base64_encode(data, len, t->out != NULL ? t->out + t->n : NULL);
    add_str(t, "\"}");
}

size_t export_json(const struct export *e, char *out)
{
    struct text t = { .out = out };

    add_str(&t, "{\n");
    for (size_t i = 0; i < e->n; i++) {
        const struct exported *x = &e->items[i];
        const void *data = kt_secret_data(x->secret);
        const size_t len = kt_secret_len(x->secret);

        add_str(&t, "  ");
        add_quoted(&t, x->key, strlen(x->key));
        add_str(&t, ": ");
        if (text_is_plain(data, len))
            add_quoted(&t, data, len);
        else
            add_base64(&t, data, len);
        add_str(&t, i + 1 < e->n ? ",\n" : "\n");
    }
    add_str(&t, "}\n");
    return t.n;
}

size_t export_env(const struct export *e, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < e->n; i++)
        n += kt_dotenv_format(e->items[i].key, kt_secret_data(e->items[i].secret),
                              kt_secret_len(e->items[i].secret), out != NULL ? out + n : NULL);
    return n;
}
