/* The layout of values and arrays, for the files of src/sync. */
#ifndef MP__SHARED_DATA_H
#define MP__SHARED_DATA_H

#include "sync/sync.h"

#include <mp/sharedctypes.h>

/* detail: the typecode, 0 for structs; length: elements, 1 for a value. */
struct mp__data {
    struct mp__object object;
    _Alignas(64) uint64_t size; /* bytes of an element */
    bool in_head;               /* the value stands in object.small */
};
struct mp_value {
    struct mp__data data;
};
struct mp_array {
    struct mp__data data;
};

void *mp__data_ptr(struct mp__data *data);

#endif
