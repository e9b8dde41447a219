/* Values and arrays: an RLock with shared data behind it, and plain shared memory.
 *
 * How it works
 *   The object's own word is the RLock, so its lock is the object itself. A typed value stands in
 *   the object's head, a small array or struct behind it in the same block; more than a block
 *   holds is a run that is attached to the object and ends with it.
 *   A death leaves the data as the dead's plain stores left it: the lock's heir is told.
 */
#include "sync/shared_data.h"

#include <errno.h>
#include <string.h>

/* Larger data get a run of their own. */
#define INLINE_MAX ((size_t)8192 - sizeof(struct mp__data))

static size_t typecode_size(char typecode)
{
    switch (typecode) {
    case 'c':
    case 'b':
    case 'B':
    case '?':
        return 1;
    case 'h':
    case 'H':
        return sizeof(short);
    case 'i':
    case 'I':
        return sizeof(int);
    case 'l':
    case 'L':
        return sizeof(long);
    case 'q':
    case 'Q':
        return sizeof(long long);
    case 'f':
        return sizeof(float);
    case 'd':
        return sizeof(double);
    default:
        return 0;
    }
}

void *mp__data_ptr(struct mp__data *data)
{
    void *attached = mp__heap_attached(&data->object);
    if (attached != NULL)
        return attached;
    return data->in_head ? (void *)data->object.small : (void *)(data + 1);
}

static int data_create(enum mp__kind kind, char typecode, size_t size, size_t length,
                       const void *init, void *out)
{
    size_t bytes, total;
    if (!mp__size_mul(size, length, &bytes) ||
        !mp__size_add(bytes, sizeof(struct mp__data), &total))
        return MP_EOVERFLOW;
    bool in_head = kind == MP__KIND_VALUE && typecode != 0;
    bool attach = bytes > INLINE_MAX;
    struct mp__data *data;
    int rc = mp__object_make(kind, in_head || attach ? sizeof *data : total, &data);
    if (rc != 0)
        return rc;
    data->object.detail = (unsigned char)typecode;
    data->object.length = length;
    data->size = size;
    data->in_head = in_head;
    void *bytes_at = data;
    if (attach)
        rc = mp__heap_attach(&data->object, bytes, &bytes_at);
    if (rc != 0) {
        mp__object_discard(data);
        return rc;
    }
    if (init != NULL && bytes > 0)
        memcpy(mp__data_ptr(data), init, bytes);
    mp__object_publish(data, kind);
    *(void **)out = data;
    return 0;
}

static int typed_create(enum mp__kind kind, char typecode, size_t length, const void *init,
                        void *out)
{
    size_t size = typecode_size(typecode);
    if (out == NULL || size == 0)
        return mp__fail(MP_EINVAL);
    return mp__result(data_create(kind, typecode, size, length, init, out));
}

static int sized_create(enum mp__kind kind, size_t size, size_t length, const void *init, void *out)
{
    if (out == NULL || size == 0)
        return mp__fail(MP_EINVAL);
    return mp__result(data_create(kind, 0, size, length, init, out));
}

int mp_value_create(mp_value **out, char typecode, const void *init)
{
    return typed_create(MP__KIND_VALUE, typecode, 1, init, out);
}

int mp_value_create_sized(mp_value **out, size_t size, const void *init)
{
    return sized_create(MP__KIND_VALUE, size, 1, init, out);
}

int mp_array_create(mp_array **out, char typecode, size_t len, const void *init)
{
    return typed_create(MP__KIND_ARRAY, typecode, len, init, out);
}

int mp_array_create_sized(mp_array **out, size_t elem_size, size_t len, const void *init)
{
    return sized_create(MP__KIND_ARRAY, elem_size, len, init, out);
}

static void *checked_ptr(void *p, enum mp__kind kind)
{
    int rc = mp__object_check(p, kind);
    if (rc == 0)
        return mp__data_ptr(p);
    mp__fail(rc);
    return NULL;
}

void *mp_value_ptr(mp_value *value)
{
    return checked_ptr(value, MP__KIND_VALUE);
}

void *mp_array_ptr(mp_array *array)
{
    return checked_ptr(array, MP__KIND_ARRAY);
}

/* A wrong object or size here is a fault of the program's text, as a wrong type is in Python. */
static void *sized_ptr(void *p, enum mp__kind kind, size_t size, const char *file, int line)
{
    const char *what = kind == MP__KIND_VALUE ? "MP_VALUE" : "MP_ARRAY";
    int rc = mp__object_check(p, kind);
    if (rc != 0)
        mp_check_(mp__fail(rc), file, line, what);
    struct mp__data *data = p;
    if (data->size != size)
        mp_check_(mp__failf(MP_ETYPE, "its elements have %zu bytes, the type given has %zu",
                            (size_t)data->size, size),
                  file, line, what);
    return mp__data_ptr(data);
}

void *mp_value_at_(mp_value *value, size_t size, const char *file, int line)
{
    return sized_ptr(value, MP__KIND_VALUE, size, file, line);
}

void *mp_array_at_(mp_array *array, size_t size, const char *file, int line)
{
    return sized_ptr(array, MP__KIND_ARRAY, size, file, line);
}

size_t mp_array_len(const mp_array *array)
{
    return mp__object_check(array, MP__KIND_ARRAY) == 0 ? (size_t)array->data.object.length : 0;
}

mp_rlock *mp_value_get_lock(mp_value *value)
{
    return mp__object_check(value, MP__KIND_VALUE) == 0 ? (mp_rlock *)(void *)value : NULL;
}

mp_rlock *mp_array_get_lock(mp_array *array)
{
    return mp__object_check(array, MP__KIND_ARRAY) == 0 ? (mp_rlock *)(void *)array : NULL;
}

void mp_value_destroy(mp_value *value)
{
    mp__plain_destroy(MP__KIND_VALUE, value);
}

void mp_array_destroy(mp_array *array)
{
    mp__plain_destroy(MP__KIND_ARRAY, array);
}

int mp_raw_alloc(void **out, size_t size)
{
    if (out == NULL || size == 0)
        return mp__fail(MP_EINVAL);
    void *block;
    int rc = mp__heap_take(size, &block);
    if (rc != 0)
        return mp__fail(rc);
    mp__heap_publish(block);
    *out = block;
    return 0;
}

void mp_raw_free(void *memory)
{
    if (memory != NULL && mp__heap_is_plain(memory))
        mp__heap_give(memory);
}
