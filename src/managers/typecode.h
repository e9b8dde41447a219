/* The typecodes of array.array: how a number lies in memory, and which numbers fit. */
#ifndef MP__TYPECODE_H
#define MP__TYPECODE_H

#include "wire/wire.h"

struct mp__typecode {
    char text[2];
    uint8_t size;
    int64_t least, most; /* of an int */
    const char *below, *above;
};

/* NULL: none of these, which are bBhHiIlLqQfd. */
const struct mp__typecode *mp__typecode_find(const mp_obj *text);

mp_obj mp__typecode_read(const struct mp__typecode *code, const void *at);
/* Code, reported: MP_ETYPE, MP_EOVERFLOW. */
int mp__typecode_write(const struct mp__typecode *code, const mp_obj *value, void *at);

/* What a manager sends for array.array is a call of it, with typecode and bytes. */
bool mp__typecode_array(const mp_obj *o, const struct mp__typecode **code, const mp_obj **bytes);

/* Makes a list of such an array; the caller's. Code, reported: MP_ETYPE for another object. */
int mp__typecode_list(const mp_obj *array, mp_obj *list);

#endif
