/* Getting bytes: in memory of their own, into the caller's, or many at once. */
#include "queue/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int nothing_left(struct mp__taking *taking, const struct mp__message *message)
{
    memcpy(taking->buf, message->bytes, message->size);
    return 0;
}

static void copy_if_inline(struct mp__taking *taking, const struct mp__message *message)
{
    taking->size = message->size;
    if (message->block == NULL && message->size > 0)
        memcpy(taking->buf, message->bytes, message->size);
}

static int accept_allocated(struct mp__taking *taking, const struct mp__message *message)
{
    taking->buf = malloc(message->size > 0 ? message->size : 1);
    if (taking->buf == NULL)
        return -ENOMEM;
    copy_if_inline(taking, message);
    return 0;
}

struct mp__taking mp__taking_bytes(void)
{
    return (struct mp__taking){
        .record = MP__RECORD_BYTES, .accept = accept_allocated, .finish = nothing_left};
}

int mp_queue_get_bytes(mp_queue *q, void **buf, size_t *n, double timeout)
{
    mp__moment until;
    struct mp__ref ref = mp__ref_to(q);
    int rc = mp__queue_check(q);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    struct mp__taking taking = mp__taking_bytes();
    if (rc == 0)
        rc = mp__queue_get(&ref, &taking, until);
    if (rc != 0)
        return mp__fail(rc);
    if (n != NULL)
        *n = taking.size;
    if (buf != NULL)
        *buf = taking.buf;
    else
        free(taking.buf);
    return 0;
}

static int accept_into(struct mp__taking *taking, const struct mp__message *message)
{
    taking->size = message->size;
    if (message->size > taking->limit)
        return MP_ETOOSHORT;
    copy_if_inline(taking, message);
    return 0;
}

int mp_queue_get_bytes_into(mp_queue *q, void *buf, size_t cap, size_t *n, double timeout)
{
    mp__moment until;
    struct mp__ref ref = mp__ref_to(q);
    int rc = buf == NULL && cap > 0 ? MP_EINVAL : mp__queue_check(q);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    struct mp__taking taking = {.record = MP__RECORD_BYTES,
                                .accept = accept_into,
                                .finish = nothing_left,
                                .buf = buf,
                                .limit = cap};
    if (rc == 0)
        rc = mp__queue_get(&ref, &taking, until);
    if (n != NULL && (rc == 0 || rc == MP_ETOOSHORT))
        *n = taking.size;
    if (rc == MP_ETOOSHORT)
        return mp__failf(rc, "the message has %zu bytes", taking.size);
    return rc != 0 ? mp__fail(rc) : 0;
}

/* size: of an item; limit: how many there is room for; buf: where the next goes. */
static int accept_item(struct mp__taking *taking, const struct mp__message *message)
{
    if (message->size != taking->size)
        return MP_ETYPE;
    copy_if_inline(taking, message);
    taking->count = 1;
    return 0;
}

static bool again_item(struct mp__taking *taking, const struct mp__message *message)
{
    if (taking->count == taking->limit || message->block != NULL ||
        message->record != MP__RECORD_BYTES || message->size != taking->size)
        return false;
    memcpy((char *)taking->buf + taking->count * taking->size, message->bytes, taking->size);
    taking->count++;
    return true;
}

int mp_queue_get_array(mp_queue *q, void *buf, size_t count, size_t size, double timeout)
{
    mp__moment until;
    struct mp__ref ref = mp__ref_to(q);
    int rc = buf == NULL || count == 0 || size == 0 ? MP_EINVAL : mp__queue_check(q);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    struct mp__taking taking = {.record = MP__RECORD_BYTES,
                                .accept = accept_item,
                                .again = again_item,
                                .finish = nothing_left,
                                .buf = buf,
                                .size = size,
                                .limit = count < INT32_MAX ? count : INT32_MAX};
    if (rc == 0)
        rc = mp__queue_get(&ref, &taking, until);
    if (rc == MP_ETYPE)
        return mp__failf(rc, "the first message is no item of %zu bytes", size);
    return rc != 0 ? mp__fail(rc) : (int)taking.count;
}
