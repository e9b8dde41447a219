/* Python's < between objects, and the sort that stands on it. */
#ifndef MP__ORDER_H
#define MP__ORDER_H

#include "wire/wire.h"

/* Numbers by value, str by code points, bytes, lists and tuples by their first difference, sets as
   parts of each other. Code, reported: MP_ETYPE where Python has no order. */
int mp__obj_less(const mp_obj *a, const mp_obj *b, bool *less);

/* Sorts in place, stable either way round. After a failure nothing has moved. */
int mp__obj_sort(mp_obj *items, size_t n, bool reverse);

#endif
