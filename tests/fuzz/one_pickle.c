/* One pickle, read and used in every way. */
#include "one_pickle.h"

#include "wire/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char *now_bytes;
static size_t now_size;

#define must(condition) ((condition) ? (void)0 : stop(#condition, __LINE__))

static void stop(const char *what, int line)
{
    (void)fprintf(stderr, "one_pickle.c:%d: %s does not hold (%s)\n", line, what,
                  mp_error_detail());
    for (size_t i = 0; i < now_size; i++)
        (void)fprintf(stderr, "\\x%02x", now_bytes[i]);
    (void)fputc('\n', stderr);
    abort();
}

static char *repr_of(mp_obj o)
{
    char *text = mp_obj_repr(o);
    must(text != NULL);
    return text;
}

static void must_print(mp_obj o, const char *expected)
{
    char *text = repr_of(o);
    must(strcmp(text, expected) == 0);
    free(text);
}

/* What prints longer is not written again: a shared part may stand there a million times. */
enum { SMALL = 1 << 20 };

static void use(mp_obj o, unsigned flags)
{
    mp_obj other;
    char *text = repr_of(o);
    if (strlen(text) <= SMALL) {
        size_t size;
        must(mp_obj_copy(o, &other) == 0);
        must_print(other, text);
        (void)mp_obj_equal(o, other);
        mp_obj_free(&other);
        must(mp__pickle_size(o, 4, flags, &size) == 0);
        unsigned char *bytes = malloc(size);
        must(bytes != NULL);
        must(mp__pickle_write(o, 4, flags, bytes) == bytes + size);
        must(mp__pickle_read(&other, bytes, size, flags) == 0);
        must_print(other, text);
        mp_obj_free(&other);
        free(bytes);
    }
    free(text);
}

bool one_pickle(const void *bytes, size_t n)
{
    mp_obj o;
    now_bytes = bytes;
    now_size = n;
    int rc = mp_obj_loads(&o, bytes, n);
    must(rc == 0 || rc == MP_EPICKLE || rc == MP_EOVERFLOW);
    must(rc == 0 || *mp_error_detail() != '\0');
    if (rc == 0) {
        use(o, 0);
        mp_obj_free(&o);
    }
    int as_manager = mp__pickle_read(&o, bytes, n, MP__PICKLE_OPAQUE);
    must(as_manager == 0 || as_manager == MP_EPICKLE || as_manager == MP_EOVERFLOW);
    must(rc != 0 || as_manager == 0);
    if (as_manager == 0) {
        if (rc != 0)
            use(o, MP__PICKLE_OPAQUE);
        mp_obj_free(&o);
    }
    return rc == 0;
}
