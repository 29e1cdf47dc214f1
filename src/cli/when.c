/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times as text. The calendar is worked out here because libc's gmtime_r() reads the time zone
 * file first, which a start-up of a millisecond would notice.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_MS 86400000LL

static int64_t days_of(int64_t year, int month, int day)
{
    /* years run from March, so that the leap day is the last */
    int64_t y = month > 2 ? year : year - 1;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

static char *put(char *p, int64_t n, int digits, char end)
{
    for (int i = digits - 1; i >= 0; i--, n /= 10)
        p[i] = (char)('0' + n % 10);
    p[digits] = end;
    return p + digits + 1;
}

const char *when_format(int64_t ms, bool with_ms, char out[WHEN_SIZE])
{
    int64_t days = ms / DAY_MS, rest = ms % DAY_MS, year;
    int month, day;
    char *p = out;

    out[0] = '\0';
    if (ms == 0)
        return out;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    if (days > days_of(9999, 12, 31) || days < days_of(1, 1, 1))
        return out;
    date_of(days, &year, &month, &day);
    p = put(p, year, 4, '-');
    p = put(p, month, 2, '-');
    p = put(p, day, 2, 'T');
    p = put(p, rest / 3600000, 2, ':');
    p = put(p, rest / 60000 % 60, 2, ':');
    p = put(p, rest / 1000 % 60, 2, with_ms ? '.' : 'Z');
    if (with_ms)
        p = put(p, rest % 1000, 3, 'Z');
    *p = '\0';
    return out;
}

const char *when_span(int64_t ms, char out[WHEN_SIZE])
{
    static const struct {
        int64_t from_ms, unit_ms;
        const char *unit;
    } steps[] = {
        { 3 * DAY_MS, DAY_MS, "d" },
        { 3 * 3600000LL, 3600000, "h" },
        { 3 * 60000LL, 60000, "m" },
        { 10000, 1000, "s" },
    };

    out[0] = '\0';
    if (ms < 0)
        return out;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (ms >= steps[i].from_ms) {
            (void)snprintf(out, WHEN_SIZE, "%lld%s", (long long)(ms / steps[i].unit_ms),
                           steps[i].unit);
            return out;
        }
    }
    if (ms < 1000)
        (void)snprintf(out, WHEN_SIZE, "%dms", (int)ms);
    else
        (void)snprintf(out, WHEN_SIZE, "%d.%ds", (int)(ms / 1000), (int)(ms % 1000 / 100));
    return out;
}

bool when_duration(const char *text, int64_t *ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", DAY_MS } };
    int64_t n = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
            return false;
    }
    if (p == text)
        return false;
    if (*p == '\0') {
        *ms = 0;
        return n == 0;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(p, units[i].name) == 0)
            return !__builtin_mul_overflow(n, units[i].ms, ms);
    return false;
}

/* Exactly @digits digits at *@p. */
static bool number(const char **p, int digits, int *out)
{
    int n = 0;

    for (int i = 0; i < digits; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        n = n * 10 + (**p - '0');
    }
    *out = n;
    return true;
}

static bool literal(const char **p, const char *any_of)
{
    if (**p == '\0' || strchr(any_of, **p) == NULL)
        return false;
    (*p)++;
    return true;
}

/* Fractions beyond milliseconds are dropped. */
static bool fraction(const char **p, int *ms)
{
    int unit = 100;

    *ms = 0;
    if (**p != '.')
        return true;
    (*p)++;
    if (**p < '0' || **p > '9')
        return false;
    for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
        *ms += (**p - '0') * unit;
    return true;
}

static bool offset(const char **p, int *minutes)
{
    int sign = **p == '-' ? -1 : 1, hour, minute;

    *minutes = 0;
    if (literal(p, "Zz"))
        return true;
    if (!literal(p, "+-") || !number(p, 2, &hour) || !literal(p, ":") || !number(p, 2, &minute))
        return false;
    *minutes = sign * (hour * 60 + minute);
    return hour < 24 && minute < 60;
}

static int month_days(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* Source: RFC 3339, section 5.6. A leap second counts as the one before it. */
static bool rfc3339(const char *p, int64_t *out)
{
    int year, month, day, hour, minute, second, ms, away;

    if (!number(&p, 4, &year) || !literal(&p, "-") || !number(&p, 2, &month) || !literal(&p, "-") ||
        !number(&p, 2, &day) || !literal(&p, "Tt ") || !number(&p, 2, &hour) || !literal(&p, ":") ||
        !number(&p, 2, &minute) || !literal(&p, ":") || !number(&p, 2, &second) ||
        !fraction(&p, &ms) || !offset(&p, &away) || *p != '\0')
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > month_days(year, month) ||
        hour > 23 || minute > 59 || second > 60)
        return false;
    if (second == 60)
        second = 59;
    *out = days_of(year, month, day) * DAY_MS +
           ((hour * 60LL + minute - away) * 60 + second) * 1000 + ms;
    return true;
}

bool when_parse(const char *text, int64_t *ms)
{
    struct timespec now;
    int64_t span;

    if (rfc3339(text, ms))
        return true;
    if (!when_duration(text, &span))
        return false;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (span > INT64_MAX - *ms)
        return false;
    *ms += span;
    return true;
}
