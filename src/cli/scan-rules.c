/* SPDX-License-Identifier: Apache-2.0 */
#include "scan-rules.h"

#include <string.h>

/*
 * Sources: the vendors' pages about their keys; GitHub's "Behind GitHub's new authentication token
 * formats" (checksum); Microsoft's Common Annotated Security Keys (fixed letters within Azure's).
 * Lengths that a vendor has changed, or does not tell, are given as a range.
 */
/* clang-format off */
const struct rule rules[] = {
    /* name, title, prefix, at, chars, min, max, spread, check */
    { "deepseek", "DeepSeek API key", "sk-", 0, CHARS_HEX, 32, 32, 6, NULL },
    { "openai", "OpenAI API key", "sk-", 0, CHARS_ALNUM, 40, 64, 8, NULL },
    { "openai", "OpenAI API key", "sk-proj-", 0, CHARS_WORD, 32, 200, 8, NULL },
    { "openai", "OpenAI API key", "sk-svcacct-", 0, CHARS_WORD, 32, 200, 8, NULL },
    { "openai", "OpenAI API key", "sk-service-", 0, CHARS_WORD, 32, 200, 8, NULL },
    { "openai", "OpenAI API key", "sk-None-", 0, CHARS_WORD, 32, 200, 8, NULL },
    { "openai-admin", "OpenAI admin key", "sk-admin-", 0, CHARS_WORD, 32, 200, 8, NULL },
    { "openrouter", "OpenRouter API key", "sk-or-v1-", 0, CHARS_HEX, 64, 64, 7, NULL },
    { "anthropic", "Anthropic API key", "sk-ant-", 0, CHARS_WORD, 40, 200, 8, NULL },
    { "aws-access-key", "AWS access key id", "AKIA", 0, CHARS_UPPER, 16, 16, 6, NULL },
    { "aws-access-key", "AWS access key id", "ASIA", 0, CHARS_UPPER, 16, 16, 6, NULL },
    { "aws-secret-key", "AWS secret access key", NULL, 0, CHARS_BASE64, 40, 40, 14, NULL },
    { "azure-ai", "Azure AI key", "JQQJ9", 52, CHARS_ALNUM, 27, 27, 12, NULL },
    { "azure-client-secret", "Azure client secret", "Q~", 4, CHARS_DOTTED, 31, 34, 10, NULL },
    { "azure-storage", "Azure storage account key", "+ASt", 76, CHARS_BASE64, 6, 6, 20,
      check_azure_storage },
    { "cerebras", "Cerebras API key", "csk-", 0, CHARS_ALNUM, 48, 48, 8, NULL },
    { "databricks", "Databricks token", "dapi", 0, CHARS_LOWHEX, 32, 32, 6, NULL },
    { "digitalocean", "DigitalOcean token", "dop_v1_", 0, CHARS_LOWHEX, 64, 64, 7, NULL },
    { "docker", "Docker access token", "dckr_pat_", 0, CHARS_WORD, 27, 27, 8, NULL },
    { "github", "GitHub token", "ghp_", 0, CHARS_ALNUM, 36, 36, 8, check_crc },
    { "github", "GitHub token", "gho_", 0, CHARS_ALNUM, 36, 36, 8, check_crc },
    { "github", "GitHub token", "ghu_", 0, CHARS_ALNUM, 36, 36, 8, check_crc },
    { "github", "GitHub token", "ghs_", 0, CHARS_ALNUM, 36, 36, 8, check_crc },
    { "github", "GitHub token", "ghr_", 0, CHARS_ALNUM, 36, 76, 8, NULL },
    { "github-fine-grained", "GitHub fine-grained token", "github_pat_", 0, CHARS_WORD, 82, 82, 12,
      NULL },
    { "gitlab", "GitLab token", "glpat-", 0, CHARS_DOTTED, 20, 64, 8, NULL },
    { "gitlab", "GitLab token", "gldt-", 0, CHARS_DOTTED, 20, 64, 8, NULL },
    { "gitlab", "GitLab token", "glrt-", 0, CHARS_DOTTED, 20, 64, 8, NULL },
    { "gitlab", "GitLab token", "glcbt-", 0, CHARS_DOTTED, 20, 64, 8, NULL },
    { "gitlab", "GitLab token", "glptt-", 0, CHARS_DOTTED, 20, 64, 8, NULL },
    { "gitlab", "GitLab token", "gloas-", 0, CHARS_DOTTED, 40, 80, 8, NULL },
    { "google", "Google API key", "AIza", 0, CHARS_WORD, 35, 35, 10, NULL },
    { "google-oauth", "Google OAuth client secret", "GOCSPX-", 0, CHARS_WORD, 28, 28, 9, NULL },
    { "grafana", "Grafana service account token", "glsa_", 0, CHARS_WORD, 41, 41, 8, NULL },
    { "groq", "Groq API key", "gsk_", 0, CHARS_ALNUM, 52, 52, 10, NULL },
    { "huggingface", "Hugging Face token", "hf_", 0, CHARS_ALNUM, 34, 40, 8, NULL },
    { "jwt", "JSON web token", "eyJ", 0, CHARS_DOTTED, 48, SHAPE_MAX - 64, 12, check_jwt },
    { "linear", "Linear API key", "lin_api_", 0, CHARS_ALNUM, 40, 40, 8, NULL },
    { "npm", "npm token", "npm_", 0, CHARS_ALNUM, 36, 36, 8, check_crc },
    { "nvidia", "NVIDIA API key", "nvapi-", 0, CHARS_WORD, 64, 64, 12, NULL },
    { "perplexity", "Perplexity API key", "pplx-", 0, CHARS_ALNUM, 48, 64, 8, NULL },
    { "private-key", "private key", NULL, 0, CHARS_BASE64, 0, 0, 0, NULL },
    { "private-key", "age private key", "AGE-SECRET-KEY-1", 0, CHARS_UPPER, 58, 58, 10, NULL },
    { "pypi", "PyPI token", "pypi-AgE", 0, CHARS_WORD, 60, 300, 10, NULL },
    { "replicate", "Replicate API token", "r8_", 0, CHARS_ALNUM, 37, 37, 8, NULL },
    { "sendgrid", "SendGrid API key", "SG.", 0, CHARS_DOTTED, 66, 66, 12, check_sendgrid },
    { "shopify", "Shopify token", "shpat_", 0, CHARS_HEX, 32, 32, 6, NULL },
    { "slack", "Slack token", "xoxb-", 0, CHARS_WORD, 34, 200, 6, check_slack },
    { "slack", "Slack token", "xoxp-", 0, CHARS_WORD, 34, 200, 6, check_slack },
    { "slack", "Slack token", "xoxa-", 0, CHARS_WORD, 34, 200, 6, check_slack },
    { "slack", "Slack token", "xoxr-", 0, CHARS_WORD, 34, 200, 6, check_slack },
    { "slack", "Slack token", "xoxs-", 0, CHARS_WORD, 34, 200, 6, check_slack },
    { "slack", "Slack token", "xoxe-", 0, CHARS_WORD, 34, 300, 6, check_slack },
    { "slack", "Slack token", "xapp-", 0, CHARS_WORD, 34, 200, 6, check_slack },
    { "stripe", "Stripe live key", "sk_live_", 0, CHARS_ALNUM, 20, 247, 8, NULL },
    { "stripe", "Stripe live key", "rk_live_", 0, CHARS_ALNUM, 20, 247, 8, NULL },
    { "tavily", "Tavily API key", "tvly-", 0, CHARS_WORD, 32, 60, 8, NULL },
    { "together", "Together AI key", "tgp_v1_", 0, CHARS_WORD, 43, 43, 10, NULL },
    { "vault", "Vault token", "hvs.", 0, CHARS_WORD, 24, 200, 8, NULL },
    { "xai", "xAI API key", "xai-", 0, CHARS_ALNUM, 70, 90, 12, NULL },
    { 0 },
};
/* clang-format on */

#define HEX_LOW CHARS_LOWHEX | CHARS_HEX | CHARS_ALNUM | CHARS_WORD | CHARS_DOTTED | CHARS_BASE64
#define LOW CHARS_ALNUM | CHARS_WORD | CHARS_DOTTED | CHARS_BASE64 | CHARS_RUN

const unsigned char chars_of[256] = {
    ['0' ... '9'] = HEX_LOW | CHARS_UPPER | CHARS_RUN,
    ['a' ... 'f'] = HEX_LOW | CHARS_RUN,
    ['g' ... 'z'] = LOW,
    ['A' ... 'F'] = LOW | CHARS_UPPER | CHARS_HEX,
    ['G' ... 'Z'] = LOW | CHARS_UPPER,
    ['+'] = CHARS_BASE64 | CHARS_RUN,
    ['/'] = CHARS_BASE64 | CHARS_RUN,
    ['_'] = CHARS_WORD | CHARS_DOTTED | CHARS_RUN,
    ['-'] = CHARS_WORD | CHARS_DOTTED | CHARS_RUN,
    ['.'] = CHARS_DOTTED | CHARS_RUN,
    ['~'] = CHARS_DOTTED | CHARS_RUN,
};

static const struct rule *aws_secret, *pem;
static const struct rule *firsts[256][20]; /* by the prefix's first byte; NULL ends */

uint64_t rules_pairs[1024];

static unsigned pair_of(const char *prefix)
{
    return (unsigned)(unsigned char)prefix[0] << 8 | (unsigned char)prefix[1];
}

void rules_init(void)
{
    memset(firsts, 0, sizeof(firsts));
    for (const struct rule *r = rules; r->name != NULL; r++) {
        size_t n = 0;

        if (r->prefix != NULL) {
            while (firsts[(unsigned char)r->prefix[0]][n] != NULL)
                n++;
            firsts[(unsigned char)r->prefix[0]][n] = r;
            rules_pairs[pair_of(r->prefix) / 64] |= (uint64_t)1 << pair_of(r->prefix) % 64;
        } else if (r->chars == CHARS_BASE64 && r->min == 40) {
            aws_secret = r;
        } else {
            pem = r;
        }
    }
}

static bool is(unsigned char c, enum chars chars)
{
    return (chars_of[c] & chars) != 0;
}

/* Nothing of a word is before @i. An escape (`\n`, `%3D`, `\u003d`) is no word. */
static bool begins(const unsigned char *p, size_t i)
{
    if (i == 0 || !is(p[i - 1], CHARS_ALNUM))
        return true;
    if (i >= 2 && p[i - 2] == '\\' && strchr("nrtbf", p[i - 1]) != NULL)
        return true;
    if (i >= 3 && p[i - 3] == '%' && is(p[i - 2], CHARS_HEX) && is(p[i - 1], CHARS_HEX))
        return true;
    if (i >= 6 && p[i - 6] == '\\' && p[i - 5] == 'u') {
        for (size_t k = i - 4; k < i; k++)
            if (!is(p[k], CHARS_HEX))
                return false;
        return true;
    }
    /* a colour of a terminal: ESC [ 3 2 m */
    if (p[i - 1] == 'm') {
        size_t k = i - 1;

        while (k > 0 && ((p[k - 1] >= '0' && p[k - 1] <= '9') || p[k - 1] == ';'))
            k--;
        return k >= 2 && p[k - 1] == '[' && p[k - 2] == 0x1b;
    }
    return false;
}

/* A made-up key is often a word; a real one has a digit, or both cases. */
static bool is_mixed(const unsigned char *p, size_t len)
{
    size_t upper = 0, lower = 0;

    for (size_t i = 0; i < len; i++) {
        if (p[i] >= '0' && p[i] <= '9')
            return true;
        upper += p[i] >= 'A' && p[i] <= 'Z';
        lower += p[i] >= 'a' && p[i] <= 'z';
    }
    return upper >= 3 && lower >= 3;
}

static bool fits(const struct rule *r, const unsigned char *p, size_t n, size_t i,
                 struct shape *out)
{
    const size_t prefix = strlen(r->prefix), body = i + prefix;
    enum verdict verdict = VERDICT_YES;
    size_t to = body, judged;

    if (n - i < prefix + r->min || memcmp(p + i, r->prefix, prefix) != 0 || i < r->at)
        return false;
    while (to < n && to - body <= r->max && is(p[to], r->chars))
        to++;
    /* the end of a sentence */
    while (r->chars == CHARS_DOTTED && to > body && p[to - 1] == '.')
        to--;
    if (to - body < r->min || to - body > r->max || !begins(p, i - r->at))
        return false;
    for (size_t k = i - r->at; k < i; k++)
        if (!is(p[k], r->chars))
            return false;
    judged = r->at > 0 ? i - r->at : body;
    /* upper case and digits only: is_mixed() would turn down a real one without a digit */
    if (spread_of(p + judged, to - judged) < r->spread || is_placeholder(p + judged, to - judged) ||
        (r->chars != CHARS_UPPER && !is_mixed(p + judged, to - judged)))
        return false;
    if (r->check != NULL)
        verdict = r->check(p + i - r->at, to - i + r->at);
    *out = (struct shape){
        .rule = r, .from = i - r->at, .to = to, .doubtful = verdict == VERDICT_DOUBTFUL
    };
    return verdict != VERDICT_NO;
}

bool rules_match(const unsigned char *p, size_t n, size_t i, struct shape *out)
{
    if (n - i < 3)
        return false;
    for (const struct rule *const *r = firsts[p[i]]; *r != NULL; r++) {
        const char *prefix = (*r)->prefix; /* of two letters at least */

        if (p[i + 1] == (unsigned char)prefix[1] &&
            (prefix[2] == '\0' || p[i + 2] == (unsigned char)prefix[2]) && fits(*r, p, n, i, out))
            return true;
    }
    return false;
}

/* Is @word, in lower case, there in any case? */
static bool mentions(const unsigned char *p, size_t len, const char *word)
{
    const size_t n = strlen(word);

    for (size_t i = 0; i + n <= len; i++) {
        size_t k = 0;

        while (k < n && (p[i + k] | 0x20) == (unsigned char)word[k])
            k++;
        if (k == n)
            return true;
    }
    return false;
}

static bool near_access_key(const unsigned char *p, size_t n, size_t from, size_t to)
{
    struct shape other;

    from = from > 256 ? from - 256 : 0;
    to = n - to > 256 ? to + 256 : n;
    for (size_t i = from; i + SHAPE_RUN <= to; i++)
        if (p[i] == 'A' && rules_match(p, n, i, &other) &&
            strcmp(other.rule->name, "aws-access-key") == 0)
            return true;
    return false;
}

bool rules_match_aws_secret(const unsigned char *p, size_t n, size_t a, size_t b, struct shape *out)
{
    const size_t len = aws_secret->min;
    bool upper = false, lower = false, digit = false;
    size_t before;

    if (b - a != len || (b < n && is(p[b], CHARS_RUN)) || (a > 0 && is(p[a - 1], CHARS_RUN)))
        return false;
    for (size_t i = a; i < b; i++) {
        upper |= p[i] >= 'A' && p[i] <= 'Z';
        lower |= p[i] >= 'a' && p[i] <= 'z';
        digit |= p[i] >= '0' && p[i] <= '9';
        if (!is(p[i], CHARS_BASE64))
            return false;
    }
    if (!upper || !lower || !digit || spread_of(p + a, len) < aws_secret->spread ||
        is_placeholder(p + a, len))
        return false;
    before = a > 48 ? 48 : a;
    /* aws_secret_access_key, AWS_SECRET_KEY, SecretAccessKey */
    if (!(mentions(p + a - before, before, "secret") &&
          (mentions(p + a - before, before, "aws") ||
           mentions(p + a - before, before, "access"))) &&
        !near_access_key(p, n, a, b))
        return false;
    *out = (struct shape){ .rule = aws_secret, .from = a, .to = b };
    return true;
}

/* From the end of `-----BEGIN … PRIVATE KEY[ BLOCK]-----` at @end back to its begin; false: is none. */
static bool header_before(const unsigned char *p, size_t end, size_t *from)
{
    static const char begin[] = "-----BEGIN ", *const ends[] = { "PRIVATE KEY-----",
                                                                 "PRIVATE KEY BLOCK-----" };
    bool is_private = false;

    for (size_t k = 0; k < 2; k++) {
        const size_t n = strlen(ends[k]);

        is_private |= end >= n && memcmp(p + end - n, ends[k], n) == 0;
    }
    for (size_t i = end; is_private && i + 64 > end && i >= sizeof(begin) - 1; i--)
        if (memcmp(p + i - (sizeof(begin) - 1), begin, sizeof(begin) - 1) == 0) {
            *from = i - (sizeof(begin) - 1);
            return true;
        }
    return false;
}

/* Of the base64 that the run begins with. */
static size_t body_end(const unsigned char *p, size_t n, size_t a, size_t b)
{
    /* `\nMIIE…`: the run began with the escape's letter */
    size_t to = a > 0 && has_break(p + a - 1, n - a + 1) == 2 ? a + 1 : a;

    while (to < b && is(p[to], CHARS_BASE64))
        to++;
    return to;
}

bool rules_match_pem(const unsigned char *p, size_t n, size_t a, size_t b, struct shape *out)
{
    const size_t lowest = a > SHAPE_BEHIND / 2 ? a - SHAPE_BEHIND / 2 : 0;
    size_t end = a, from, to;

    /* between may be `Proc-Type: …`, with dashes of their own */
    for (size_t tries = 0; tries < 8; tries++) {
        const unsigned char *dash = end > lowest ? memrchr(p + lowest, '-', end - lowest) : NULL;

        if (dash == NULL)
            return false;
        end = (size_t)(dash - p) + 1;
        if (header_before(p, end, &from)) {
            to = body_end(p, n, a, b);
            if (to - a < 40 || spread_of(p + a, to - a) < 12)
                return false;
            *out = (struct shape){ .rule = pem, .from = from, .to = to };
            return true;
        }
        end--;
    }
    return false;
}
