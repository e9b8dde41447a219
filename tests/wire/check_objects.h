/* For the tests of objects: what they print, and what pickles written by hand hold. */
#ifndef TESTS_WIRE_CHECK_OBJECTS_H
#define TESTS_WIRE_CHECK_OBJECTS_H

#include "support/support.h"

#include "wire/objects.h"

/* The object prints as Python prints it. */
#define check_repr(o, expected) objects_check_repr((o), (expected), __FILE__, __LINE__)
void objects_check_repr(mp_obj o, const char *expected, const char *file, int line);

/* The pickle, a string literal, holds this, or is refused with this code and some detail. */
#define check_loads(pickle, expected) \
    objects_check_loads((pickle), sizeof(pickle) - 1, (expected), __FILE__, __LINE__)
#define check_refused(pickle, code) \
    objects_check_refused((pickle), sizeof(pickle) - 1, (code), __FILE__, __LINE__)
void objects_check_loads(const char *pickle, size_t n, const char *expected, const char *file,
                         int line);
void objects_check_refused(const char *pickle, size_t n, int code, const char *file, int line);

#endif
