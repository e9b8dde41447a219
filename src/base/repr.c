/* Numbers and texts as Python's repr prints them. */
#include "base/base.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes "d.ddde+XX" the next larger number of as many digits; false beyond 9.99. */
static bool digits_up(char *text)
{
    for (char *p = strchr(text, 'e'); p-- > text;) {
        if (*p == '9')
            *p = '0';
        else if (*p >= '0' && *p < '9') {
            ++*p;
            return true;
        }
    }
    return false;
}

/* Splits the shortest digits that read back as `x` into "d.ddd" without the point; returns the
   decimal exponent of the first digit. Above a power of two the doubles are wider apart than below
   it, so there the digits that are nearest to `x` may be another number's, and the next are not. */
static int shortest_digits(double x, char digits[20])
{
    char text[40];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, x);
        double back = strtod(text, NULL);
        if (back == x || (back < x && digits_up(text) && strtod(text, NULL) == x))
            break;
    }
    size_t n = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return atoi(p + 1);
}

void mp__float_repr(double x, char text[40])
{
    char digits[20];
    if (isnan(x) || isinf(x)) {
        snprintf(text, 40, "%s", isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
        return;
    }
    int exponent = shortest_digits(fabs(x), digits);
    const char *sign = signbit(x) ? "-" : "";
    int n = (int)strlen(digits);
    if (exponent < -4 || exponent >= 16)
        snprintf(text, 40, "%s%c%s%se%c%02d", sign, digits[0], n > 1 ? "." : "", digits + 1,
                 exponent < 0 ? '-' : '+', abs(exponent));
    else if (exponent < 0)
        snprintf(text, 40, "%s0.%.*s%s", sign, -exponent - 1, "000", digits);
    else if (n <= exponent + 1)
        snprintf(text, 40, "%s%s%.*s.0", sign, digits, exponent + 1 - n, "000000000000000");
    else
        snprintf(text, 40, "%s%.*s.%s", sign, exponent + 1, digits, digits + exponent + 1);
}

/* Writes the escape that a byte below 0x80 has between `quote`s; false if it needs none. */
static bool escape_print(FILE *out, unsigned char c, char quote)
{
    if (c == (unsigned char)quote || c == '\\')
        fprintf(out, "\\%c", c);
    else if (c == '\t' || c == '\n' || c == '\r')
        fprintf(out, "\\%c", c == '\t' ? 't' : c == '\n' ? 'n' : 'r');
    else if (c < 0x20 || c == 0x7f)
        fprintf(out, "\\x%02x", c);
    else
        return false;
    return true;
}

static char quote_for(const char *p, size_t n)
{
    bool double_is_better = n > 0 && memchr(p, '\'', n) != NULL && memchr(p, '"', n) == NULL;
    return double_is_better ? '"' : '\'';
}

/* How many bytes stand for themselves. */
static size_t plain_span(const char *p, size_t n, char quote)
{
    size_t i = 0;
    while (i < n && p[i] >= 0x20 && p[i] < 0x7f && p[i] != quote && p[i] != '\\')
        i++;
    return i;
}

/* One character from 0x80 on; gives its size. */
static size_t character_print(FILE *out, const char *p, size_t n)
{
    uint32_t point;
    size_t size = mp__utf8_next(p, n, &point);
    if (size == 0) {
        fprintf(out, "\\udc%02x", (unsigned char)*p);
        return 1;
    }
    if (mp__is_printable(point))
        fwrite(p, 1, size, out);
    else if (point <= 0xff)
        fprintf(out, "\\x%02x", (unsigned)point);
    else
        fprintf(out, point <= 0xffff ? "\\u%04x" : "\\U%08x", (unsigned)point);
    return size;
}

void mp__strn_print(FILE *out, const char *text, size_t n)
{
    char quote = quote_for(text, n);
    putc(quote, out);
    for (size_t i = 0; i < n;) {
        size_t plain = plain_span(text + i, n - i, quote);
        fwrite(text + i, 1, plain, out);
        i += plain;
        if (i == n)
            break;
        if (escape_print(out, (unsigned char)text[i], quote))
            i++;
        else
            i += character_print(out, text + i, n - i);
    }
    putc(quote, out);
}

void mp__str_print(FILE *out, const char *text)
{
    mp__strn_print(out, text, strlen(text));
}

void mp__bytes_print(FILE *out, const char *p, size_t n)
{
    char quote = quote_for(p, n);
    putc('b', out);
    putc(quote, out);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c >= 0x80)
            fprintf(out, "\\x%02x", c);
        else if (!escape_print(out, c, quote))
            putc(c, out);
    }
    putc(quote, out);
}
