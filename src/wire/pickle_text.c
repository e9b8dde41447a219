/* The opcodes of protocol 0, whose arguments are lines of text. See reader.h. */
#include "wire/reader.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ------------------------------------------------------------------------------ */

/* A decimal number of any length; `fits` is false if int64_t cannot hold it. */
static bool decimal_parse(const uint8_t *p, size_t n, int64_t *value, bool *fits)
{
    bool negative = n > 0 && p[0] == '-';
    size_t i = n > 0 && (p[0] == '-' || p[0] == '+');
    if (i == n)
        return false;
    *value = 0;
    *fits = true;
    for (; i < n; i++) {
        int64_t digit = p[i] - '0';
        if (digit < 0 || digit > 9)
            return false;
        /* towards the sign, so that the least one is reached */
        if (negative ? *value < (INT64_MIN + digit) / 10 : *value > (INT64_MAX - digit) / 10)
            *fits = false;
        else
            *value = *value * 10 + (negative ? -digit : digit);
    }
    return true;
}

static int push_decimal(struct mp__reader *r, const uint8_t *line, size_t n)
{
    int64_t value;
    bool fits;
    if (!decimal_parse(line, n, &value, &fits))
        return mp__broken("a line that is no number");
    if (!fits)
        return mp__failf(MP_EOVERFLOW, "an int of %zu digits", n);
    return mp__reader_push(r, mp_obj_int(value));
}

int mp__read_int_line(struct mp__reader *r, uint8_t op)
{
    const uint8_t *line;
    size_t n;
    (void)op;
    int rc = mp__reader_line(r, &line, &n);
    if (rc != 0)
        return rc;
    if (n == 2 && line[0] == '0' && (line[1] == '0' || line[1] == '1'))
        return mp__reader_push(r, mp_obj_bool(line[1] == '1'));
    return push_decimal(r, line, n);
}

int mp__read_long_line(struct mp__reader *r, uint8_t op)
{
    const uint8_t *line;
    size_t n;
    (void)op;
    int rc = mp__reader_line(r, &line, &n);
    if (rc != 0)
        return rc;
    return push_decimal(r, line, n > 0 && line[n - 1] == 'L' ? n - 1 : n);
}

/* Only what Python writes: digits, or a name. strtod would take more, and other locales' points. */
static bool float_parse(const uint8_t *line, size_t n, double *f)
{
    char text[64];
    size_t length = 0;
    const char *point = localeconv()->decimal_point;
    if (n == 0 || n > 40 || strlen(point) > sizeof text - 41)
        return false;
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): NUL is none of them */
    bool is_name = memchr("0123456789.", line[n - 1], 11) == NULL;
    for (size_t i = 0; i < n; i++) {
        if (line[i] == '.' && !memchr(line, '.', i)) {
            memcpy(text + length, point, strlen(point));
            length += strlen(point);
        } else if (memchr(is_name ? "-+infa" : "-+e0123456789", line[i], is_name ? 6 : 13)) {
            text[length++] = (char)line[i];
        } else {
            return false;
        }
    }
    text[length] = '\0';
    char *end;
    *f = strtod(text, &end);
    return end == text + length;
}

int mp__read_float_line(struct mp__reader *r, uint8_t op)
{
    const uint8_t *line;
    size_t n;
    double f;
    (void)op;
    int rc = mp__reader_line(r, &line, &n);
    if (rc != 0)
        return rc;
    if (!float_parse(line, n, &f))
        return mp__broken("a line that is no float");
    return mp__reader_push(r, mp_obj_float(f));
}

/* ---- str ---------------------------------------------------------------------------------- */

/* The digits behind \u or \U; 0 if there is no such escape here, SIZE_MAX if it is wrong. */
static size_t escape_parse(const uint8_t *p, size_t n, uint32_t *point)
{
    if (n < 2 || p[0] != '\\' || (p[1] != 'u' && p[1] != 'U'))
        return 0;
    size_t digits = p[1] == 'u' ? 4 : 8;
    if (n < 2 + digits)
        return SIZE_MAX;
    uint64_t value = 0;
    for (size_t i = 2; i < 2 + digits; i++) {
        unsigned c = p[i] | 0x20u;
        if (p[i] >= '0' && p[i] <= '9')
            value = value << 4 | (p[i] - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (c - 'a' + 10);
        else
            return SIZE_MAX;
    }
    *point = (uint32_t)value;
    return value > 0x10ffff ? SIZE_MAX : 2 + digits;
}

/* Latin 1 with escapes into UTF-8, at most twice as long; false if an escape is wrong. A backslash
   that begins none stands for itself, and takes the byte behind it along. */
static bool raw_decode(const uint8_t *p, size_t n, char *to, size_t *length)
{
    char *start = to;
    for (size_t i = 0; i < n;) {
        uint32_t point;
        size_t escape = escape_parse(p + i, n - i, &point);
        if (escape == SIZE_MAX)
            return false;
        size_t plain = escape > 0 ? 0 : p[i] == '\\' && i + 1 < n ? 2 : 1;
        if (escape > 0)
            to += mp__utf8_put(point, to);
        for (size_t k = 0; k < plain; k++)
            to += mp__utf8_put(p[i + k], to);
        i += escape + plain;
    }
    *length = (size_t)(to - start);
    return true;
}

int mp__read_unicode_line(struct mp__reader *r, uint8_t op)
{
    const uint8_t *line;
    size_t n, length;
    mp_obj o;
    char *room;
    (void)op;
    int rc = mp__reader_line(r, &line, &n);
    if (rc != 0)
        return rc;
    if (mp__ascii_span((const char *)line, n) == n && memchr(line, '\\', n) == NULL) {
        rc = mp__reader_text(r, MP_TYPE_STR, line, n, &o);
        return rc == 0 ? mp__reader_push(r, o) : rc;
    }
    rc = mp__reader_side(r, 2 * n, &room);
    if (rc != 0)
        return rc;
    if (!raw_decode(line, n, room, &length))
        return mp__broken("a str has an escape that is none");
    return mp__reader_push(r, mp__reader_side_commit(r, MP_TYPE_STR, length));
}

/* ---- the memo ----------------------------------------------------------------------------- */

static int line_index(struct mp__reader *r, uint64_t *index)
{
    const uint8_t *line;
    size_t n;
    int64_t value;
    bool fits;
    int rc = mp__reader_line(r, &line, &n);
    if (rc != 0)
        return rc;
    if (!decimal_parse(line, n, &value, &fits) || !fits || value < 0)
        return mp__broken("a line that is no memo index");
    *index = (uint64_t)value;
    return 0;
}

int mp__read_get_line(struct mp__reader *r, uint8_t op)
{
    uint64_t index;
    (void)op;
    int rc = line_index(r, &index);
    return rc == 0 ? mp__reader_memo_get(r, index) : rc;
}

int mp__read_put_line(struct mp__reader *r, uint8_t op)
{
    uint64_t index;
    (void)op;
    int rc = line_index(r, &index);
    return rc == 0 ? mp__reader_memo_put(r, index) : rc;
}
