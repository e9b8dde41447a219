/* Numbers and texts as Python's repr prints them. */
#include "base/base.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Splits the shortest digits that read back as `x` into "d.ddd" without the point; returns the
   decimal exponent of the first digit. */
static int shortest_digits(double x, char digits[20])
{
    char text[40];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, x);
        if (strtod(text, NULL) == x)
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

/* One byte of a literal between `quote`s; bytes from 0x80 on are printed as they are when `text`. */
static void byte_print(FILE *out, unsigned char c, char quote, bool text)
{
    static const char letters[] = "\t\n\r";
    if (c == (unsigned char)quote || c == '\\')
        fprintf(out, "\\%c", c);
    else if (c != '\0' && strchr(letters, c) != NULL)
        fprintf(out, "\\%c", "tnr"[strchr(letters, c) - letters]);
    else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !text))
        fprintf(out, "\\x%02x", c);
    else
        putc(c, out);
}

static void literal_print(FILE *out, const char *p, size_t n, bool text)
{
    bool apostrophe = memchr(p, '\'', n) != NULL, quotes = memchr(p, '"', n) != NULL;
    char quote = apostrophe && !quotes ? '"' : '\'';
    putc(quote, out);
    for (size_t i = 0; i < n; i++)
        byte_print(out, (unsigned char)p[i], quote, text);
    putc(quote, out);
}

void mp__str_print(FILE *out, const char *text)
{
    literal_print(out, text, strlen(text), true);
}

void mp__bytes_print(FILE *out, const char *p, size_t n)
{
    putc('b', out);
    literal_print(out, p, n, false);
}
