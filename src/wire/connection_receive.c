/* Connection: receiving a message, whatever its length, its sender's fate and the room for it.
 *
 * How it works
 *   A message is received in two parts, its size and its bytes. Nobody trusts the size: memory is
 *   taken in steps as the bytes arrive, so a size that is a lie costs one step. A message whose
 *   sender died is dropped, the stream being at its end then.
 *   Between calls a message can be under way in two cases: MP_ETOOSHORT has taken it whole from
 *   the stream, or memory ran out inside it. It is then in c->kept, marked with this process's
 *   pid, and every call that receives goes on with it before it looks at the stream. A child
 *   forked meanwhile drops its copy and receives what follows.
 */
#include "wire/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP_FIRST ((size_t)256 * 1024) /* doubled as it fills */

static int cut_short(size_t have, uint64_t size)
{
    return mp__failf(MP_EEOF, "the stream ended inside a message, after %zu of %llu bytes", have,
                     (unsigned long long)size);
}

static int head_cut_short(bool inside)
{
    if (!inside)
        return mp__fail(MP_EEOF);
    return mp__failf(MP_EEOF, "the stream ended inside the length of a message");
}

/* The size of the next message in the stream. */
static int next_size(mp_connection *c, const struct mp__stream *stream, size_t *size)
{
    uint64_t length;
    bool inside;
    int rc = mp__frame_size(stream, &length, &inside);
    if (rc == MP_EEOF)
        return head_cut_short(inside);
    if (rc == 0 && length > c->max_message)
        rc = mp__failf(MP_EOVERFLOW, "a message of %llu bytes, %zu are allowed",
                       (unsigned long long)length, c->max_message);
    else if (rc == MP_EOVERFLOW)
        mp__failf(MP_EOVERFLOW, "the length of the message is none that a connection sends");
    else if (rc != 0)
        mp__fail(rc);
    if (rc == MP_EOVERFLOW)
        mp__connection_end_input(c);
    *size = (size_t)length;
    return rc;
}

static void keep(mp_connection *c, const struct mp__intake *in)
{
    c->kept = *in;
    c->keeper = getpid();
}

static bool intake_grow(struct mp__intake *in)
{
    size_t step = in->room < STEP_FIRST ? STEP_FIRST : in->room;
    size_t room = in->size - in->room <= step ? in->size : in->room + step;
    unsigned char *p = realloc(in->p, room + 1);
    if (p == NULL)
        return false;
    in->p = p;
    in->room = room;
    return true;
}

/* Reads the rest of a message. After -ENOMEM what has come is kept for the next call. */
static int intake_fill(mp_connection *c, const struct mp__stream *stream, struct mp__intake *in)
{
    while (in->p == NULL || in->have < in->size) {
        size_t got;
        if (in->have == in->room && !intake_grow(in)) {
            keep(c, in);
            return mp__fail(-ENOMEM);
        }
        int rc = mp__stream_read(stream, in->p + in->have, in->room - in->have, &got);
        in->have += got;
        if (rc != 0) {
            free(in->p);
            return rc == MP_EEOF ? cut_short(in->have, in->size) : mp__fail(rc);
        }
    }
    in->p[in->size] = '\0';
    return 0;
}

/* What an earlier call has left, if it is this process's. */
static bool kept_take(mp_connection *c, struct mp__intake *in)
{
    if (c->keeper == 0)
        return false;
    if (c->keeper != getpid()) {
        mp__connection_drop_kept(c);
        return false;
    }
    *in = c->kept;
    c->kept = (struct mp__intake){0};
    c->keeper = 0;
    return true;
}

static int fill_directly(const struct mp__stream *stream, void *buf, size_t size)
{
    size_t got;
    int rc = mp__stream_read(stream, buf, size, &got);
    if (rc == MP_EEOF)
        return cut_short(got, size);
    return rc != 0 ? mp__fail(rc) : 0;
}

int mp__connection_take(mp_connection *c, unsigned char *small, size_t room, struct mp__intake *in)
{
    struct mp__stream stream;
    int rc = mp__connection_enter(c, MP__WAY_IN, &stream);
    if (rc != 0)
        return rc;
    *in = (struct mp__intake){0};
    if (!kept_take(c, in)) {
        rc = next_size(c, &stream, &in->size);
        if (rc != 0)
            return rc;
        if (small != NULL && in->size <= room) {
            in->p = small;
            return fill_directly(&stream, small, in->size);
        }
    }
    return intake_fill(c, &stream, in);
}

int mp_connection_recv_bytes(mp_connection *c, void **buf, size_t *n)
{
    struct mp__intake in;
    int rc = mp__connection_take(c, NULL, 0, &in);
    if (rc != 0)
        return rc;
    if (n != NULL)
        *n = in.size;
    if (buf != NULL)
        *buf = in.p;
    else
        free(in.p);
    return 0;
}

/* ---- into the caller's memory -------------------------------------------------------------- */

static int too_short(mp_connection *c, const struct mp__stream *stream, struct mp__intake *in,
                     size_t *n)
{
    int rc = intake_fill(c, stream, in);
    if (rc != 0)
        return rc;
    keep(c, in);
    if (n != NULL)
        *n = in->size;
    return mp__failf(MP_ETOOSHORT, "the message has %zu bytes", in->size);
}

int mp_connection_recv_bytes_into(mp_connection *c, void *buf, size_t cap, size_t *n)
{
    struct mp__stream stream;
    struct mp__intake in = {0};
    int rc = mp__connection_enter(c, MP__WAY_IN, &stream);
    if (rc != 0)
        return rc;
    if (buf == NULL && cap > 0)
        return mp__fail(MP_EINVAL);
    bool was_kept = kept_take(c, &in);
    if (!was_kept)
        rc = next_size(c, &stream, &in.size);
    if (rc != 0)
        return rc;
    if (in.size > cap)
        return too_short(c, &stream, &in, n);
    if (was_kept)
        rc = intake_fill(c, &stream, &in);
    else
        rc = fill_directly(&stream, buf, in.size);
    if (rc != 0)
        return rc;
    if (was_kept && in.size > 0)
        memcpy(buf, in.p, in.size); /* NOLINT: it is as large, so it is not NULL */
    if (was_kept)
        free(in.p);
    if (n != NULL)
        *n = in.size;
    return 0;
}
