/* Checks that the tests of objects share. */
#include "check_objects.h"

#include <stdlib.h>
#include <string.h>

void objects_check_repr(mp_obj o, const char *expected, const char *file, int line)
{
    char *text = mp_obj_repr(o);
    if (text == NULL || strcmp(text, expected) != 0)
        support_fail(file, line, "printed %s, expected %s", text != NULL ? text : "nothing",
                     expected);
    free(text);
}

/* Reads a copy of just that size, so that a sanitizer sees every byte too far. */
static int loads(mp_obj *o, const char *pickle, size_t n)
{
    char *bytes = malloc(n > 0 ? n : 1);
    check(bytes != NULL);
    memcpy(bytes, pickle, n);
    int rc = mp_obj_loads(o, bytes, n);
    free(bytes);
    return rc;
}

void objects_check_loads(const char *pickle, size_t n, const char *expected, const char *file,
                         int line)
{
    mp_obj o;
    int rc = loads(&o, pickle, n);
    if (rc != 0)
        support_fail(file, line, "refused: %s: %s", mp_strerror(rc), mp_error_detail());
    if (!o.owned)
        support_fail(file, line, "it is not owned");
    objects_check_repr(o, expected, file, line);
    mp_obj_free(&o);
}

void objects_check_refused(const char *pickle, size_t n, int code, const char *file, int line)
{
    mp_obj o = mp_obj_int(4711);
    int rc = loads(&o, pickle, n);
    if (rc != code || *mp_error_detail() == '\0')
        support_fail(file, line, "%s (%s), expected %s", mp_error_name(rc), mp_error_detail(),
                     mp_error_name(code));
    if (o.type != MP_TYPE_INT || o.i != 4711)
        support_fail(file, line, "it wrote to its output");
}
