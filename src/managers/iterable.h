/* What Python calls a value, and the items it gives where Python would iterate over it. */
#ifndef MP__ITERABLE_H
#define MP__ITERABLE_H

#include "managers/managed.h"

/* type(o).__name__; `room` is for the names of classes that C does not know. */
const char *mp__type_name(const mp_obj *o, char room[64]);

/* Views, `stride` apart. */
struct mp__iterable {
    const mp_obj *items;
    size_t len, stride;
    void *memory;
    mp_obj copy;
};

/* The items of any container, the keys of a dict, the characters of a str, the ints of bytes, of a
   range and of an array.array, and what a proxy of a container in this server gives. Code,
   reported: MP_ETYPE for what is no such thing. */
int mp__iterable_begin(struct mp__iterable *it, struct mp__host *host, const mp_obj *o);
void mp__iterable_end(struct mp__iterable *it);

bool mp__is_iterable(const mp_obj *o);

/* bool(o) */
bool mp__is_true(const mp_obj *o);

/* Whether an opaque object calls this name; its arguments are a tuple then. */
bool mp__opaque_calls(const mp_obj *o, const char *module, const char *name);

#endif
