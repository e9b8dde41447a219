/* UTF-8 as Python's pickles have it: a lone surrogate is a character of three bytes. */
#include "base/base.h"

#include <string.h>

size_t mp__utf8_next(const char *text, size_t n, uint32_t *point)
{
    const unsigned char *p = (const unsigned char *)text;
    if (n == 0)
        return 0;
    if (p[0] < 0x80) {
        *point = p[0];
        return 1;
    }
    size_t size = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < size)
        return 0;
    uint32_t value = p[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (p[i] & 0x3fu);
    }
    if ((size == 3 && value < 0x800) || (size == 4 && (value < 0x10000 || value > 0x10ffff)))
        return 0;
    *point = value;
    return size;
}

size_t mp__utf8_put(uint32_t point, char out[4])
{
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size; i-- > 1; point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(lead[size] | point);
    return size;
}

size_t mp__ascii_span(const char *text, size_t n)
{
    size_t i = 0;
    for (uint64_t eight; n - i >= sizeof eight; i += sizeof eight) {
        memcpy(&eight, text + i, sizeof eight);
        if ((eight & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    while (i < n && (unsigned char)text[i] < 0x80)
        i++;
    return i;
}

bool mp__utf8_is_valid(const char *text, size_t n)
{
    uint32_t point;
    for (size_t i = mp__ascii_span(text, n); i < n; i += mp__ascii_span(text + i, n - i)) {
        size_t size = mp__utf8_next(text + i, n - i, &point);
        if (size == 0)
            return false;
        i += size;
    }
    return true;
}
