/* Arrays printed as Python prints a slice of one. */
#include "sync/shared_data.h"

#include <errno.h>
#include <stdio.h>

#define ELEMENT(type) (((const type *)p)[i])

static void float_print(FILE *out, double x)
{
    char text[40];
    mp__float_repr(x, text);
    fputs(text, out);
}

static void element_print(FILE *out, char typecode, const void *p, size_t i)
{
    switch (typecode) {
    case 'b':
        fprintf(out, "%d", ELEMENT(int8_t));
        break;
    case 'B':
        fprintf(out, "%u", (unsigned)ELEMENT(uint8_t));
        break;
    case 'h':
        fprintf(out, "%d", ELEMENT(short));
        break;
    case 'H':
        fprintf(out, "%u", (unsigned)ELEMENT(unsigned short));
        break;
    case 'i':
        fprintf(out, "%d", ELEMENT(int));
        break;
    case 'I':
        fprintf(out, "%u", ELEMENT(unsigned));
        break;
    case 'l':
        fprintf(out, "%ld", ELEMENT(long));
        break;
    case 'L':
        fprintf(out, "%lu", ELEMENT(unsigned long));
        break;
    case 'q':
        fprintf(out, "%lld", ELEMENT(long long));
        break;
    case 'Q':
        fprintf(out, "%llu", ELEMENT(unsigned long long));
        break;
    case 'f':
        float_print(out, (double)ELEMENT(float));
        break;
    case 'd':
        float_print(out, ELEMENT(double));
        break;
    default:
        fputs(ELEMENT(bool) ? "True" : "False", out);
        break;
    }
}

static int array_print(mp_array *array, FILE *out, const char *end)
{
    int rc = mp__object_check(array, MP__KIND_ARRAY);
    if (rc != 0 || out == NULL)
        return mp__fail(rc != 0 ? rc : MP_EINVAL);
    char typecode = (char)array->data.object.detail;
    size_t length = (size_t)array->data.object.length;
    const void *p = mp__data_ptr(&array->data);
    if (typecode == 0)
        return mp__failf(MP_ETYPE, "an array of structs has no text form");
    errno = 0;
    if (typecode == 'c')
        mp__bytes_print(out, p, length);
    else {
        putc('[', out);
        for (size_t i = 0; i < length; i++) {
            if (i > 0)
                fputs(", ", out);
            element_print(out, typecode, p, i);
        }
        putc(']', out);
    }
    fputs(end, out);
    return ferror(out) ? mp__fail(errno != 0 ? -errno : -EIO) : 0;
}

int mp_array_print(mp_array *array, FILE *stream)
{
    return array_print(array, stream, "");
}

int mp_array_println(mp_array *array, FILE *stream)
{
    return array_print(array, stream, "\n");
}
