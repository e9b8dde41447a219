/* Arguments that are an index or a slice. */
#ifndef MP__SLICE_H
#define MP__SLICE_H

#include "wire/wire.h"

/* start, start + step, ... : `len` of them, all within the sequence. With a step of 1 `start` is
   where items go even if `len` is 0. */
struct mp__slice {
    int64_t start, step;
    size_t len;
};

bool mp__is_slice(const mp_obj *o);

/* A slice of a sequence of n items. Code, reported: MP_ETYPE, MP_EINVAL for a step of 0. */
int mp__slice_of(const mp_obj *o, size_t n, struct mp__slice *slice);

/* Any int, as Python takes one for an index. Code, reported: MP_ETYPE. */
int mp__index_of(const mp_obj *o, int64_t *i);

/* An int as a place among n items, counted from the end if it is negative; SIZE_MAX: outside. */
size_t mp__index_place(int64_t i, size_t n);

/* An int as a bound, cut to 0..n. */
size_t mp__index_bound(int64_t i, size_t n);

#endif
