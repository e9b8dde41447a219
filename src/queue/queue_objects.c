/* Objects in queues: pickled into the ring, or into a block of their own. */
#include "queue/queue.h"
#include "wire/wire.h"

#include <errno.h>

static uint8_t *object_write(mp_obj o, void *to)
{
    return mp__pickle_write(o, MP__PICKLE_PROTOCOL, MP__PICKLE_HANDLES, to);
}

int mp__queue_put_object(const struct mp__ref *ref, mp_obj o, mp__moment until)
{
    uint8_t small[MP__RING_INLINE];
    size_t size;
    void *block, *bytes;
    int rc = mp__pickle_size(o, MP__PICKLE_PROTOCOL, MP__PICKLE_HANDLES, &size);
    if (rc != 0)
        return rc;
    if (size <= sizeof small) {
        object_write(o, small);
        rc = mp__queue_put(ref, MP__RECORD_OBJECT, small, size, until);
    } else {
        rc = mp__block_make(size, &block, &bytes);
        if (rc == 0) {
            object_write(o, bytes);
            rc = mp__queue_put_block(ref, MP__RECORD_OBJECT, block, size, until);
        }
    }
    return rc != 0 ? mp__fail(rc) : 0;
}

static int object_read(mp_obj *out, const struct mp__message *message)
{
    if (out == NULL)
        return 0;
    if (message->record == MP__RECORD_BYTES)
        return mp_obj_copy(mp_obj_bytes(message->bytes, message->size), out);
    return mp__pickle_read(out, message->bytes, message->size, MP__PICKLE_HANDLES);
}

static int accept_object(struct mp__taking *taking, const struct mp__message *message)
{
    return message->block == NULL ? object_read(taking->buf, message) : 0;
}

static int finish_object(struct mp__taking *taking, const struct mp__message *message)
{
    return object_read(taking->buf, message);
}

struct mp__taking mp__taking_object(mp_obj *out)
{
    return (struct mp__taking){.accept = accept_object, .finish = finish_object, .buf = out};
}

int mp_queue_put(mp_queue *q, mp_obj o, double timeout)
{
    mp__moment until;
    struct mp__ref ref = mp__ref_to(q);
    int rc = mp__queue_check(q);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    return rc != 0 ? mp__fail(rc) : mp__queue_put_object(&ref, o, until);
}

int mp_queue_put_nowait(mp_queue *q, mp_obj o)
{
    return mp_queue_put(q, o, MP_NOWAIT);
}

int mp_queue_get(mp_queue *q, mp_obj *out, double timeout)
{
    mp__moment until;
    struct mp__ref ref = mp__ref_to(q);
    int rc = mp__queue_check(q);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    struct mp__taking taking = mp__taking_object(out);
    if (rc == 0)
        rc = mp__queue_get(&ref, &taking, until);
    return rc != 0 ? mp__fail(rc) : 0;
}

int mp_queue_get_nowait(mp_queue *q, mp_obj *out)
{
    return mp_queue_get(q, out, MP_NOWAIT);
}
