/* SimpleQueue: a queue without limits and timeouts, whose descriptor tells that there is something.
 *
 * How it works
 *   The messages stand in a ring as in any queue. Beside it a pipe holds a token while there are
 *   messages. Both are changed under the tail's guard: put makes sure of a token before its commit,
 *   a get that left nothing drains the pipe if there is still nothing.
 *   A death leaves at worst a token without a message: the descriptor is readable, empty() is true
 *   and drains it.
 */
#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static int simple_check(mp_simple_queue *q)
{
    int rc = mp__object_check(q, MP__KIND_SIMPLE_QUEUE);
    return rc != 0 ? rc : mp__queue_is_closed(&q->queue) ? MP_ECLOSED : 0;
}

static int pipe_make(int fds[2])
{
    int ends[2];
    int rc = mp__pipe_open(ends);
    for (int i = 0; i < 2 && rc == 0; i++) {
        fds[i] = ends[i];
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    return rc;
}

static void pipe_close(int fds[2])
{
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

int mp_simple_queue_create(mp_simple_queue **out)
{
    mp_queue *q;
    int fds[2] = {-1, -1};
    int rc = out == NULL ? MP_EINVAL : pipe_make(fds);
    if (rc == 0)
        rc = mp__queue_make(MP__KIND_SIMPLE_QUEUE, 0, &q);
    if (rc != 0) {
        pipe_close(fds);
        return mp__fail(rc);
    }
    if (mp__local_make(q, fds) == NULL) {
        pipe_close(fds);
        mp__object_discard(q);
        return mp__fail(-ENOMEM);
    }
    mp__object_publish(q, MP__KIND_SIMPLE_QUEUE);
    *out = (mp_simple_queue *)(void *)q;
    return 0;
}

/* The pipe of a process that was forked before the queue was made is nobody's. */
static const struct mp__local *pipe_of(const mp_queue *q)
{
    const struct mp__local *local = mp__local_find(q);
    return local != NULL && local->fds[0] >= 0 ? local : NULL;
}

void mp__token_ensure(mp_queue *q)
{
    const struct mp__local *local = pipe_of(q);
    if (local == NULL)
        return;
    struct pollfd item = {.fd = local->fds[0], .events = POLLIN};
    if (poll(&item, 1, 0) != 1)
        while (write(local->fds[1], "", 1) < 0 && errno == EINTR)
            ;
}

static void tokens_drain(const struct mp__ref *ref, mp__moment until)
{
    mp_queue *q = mp__queue_of(ref);
    char tokens[64];
    uint64_t me;
    const struct mp__local *local = pipe_of(q);
    if (local == NULL || mp__ring_count(q) > 0 || mp__self_word(&me) != 0 ||
        mp__tail_take(ref, me, until) != 0)
        return;
    if (mp__ring_count(q) == 0)
        while (read(local->fds[0], tokens, sizeof tokens) > 0)
            ;
    mp__tail_give(q, me);
}

int mp_simple_queue_put(mp_simple_queue *q, mp_obj o)
{
    struct mp__ref ref = mp__ref_to(q);
    int rc = simple_check(q);
    if (rc != 0)
        return mp__fail(rc);
    return mp__queue_put_object(&ref, o, MP__NEVER);
}

int mp_simple_queue_put_bytes(mp_simple_queue *q, const void *p, size_t n)
{
    struct mp__ref ref = mp__ref_to(q);
    int rc = p == NULL && n > 0 ? MP_EINVAL : simple_check(q);
    if (rc != 0)
        return mp__fail(rc);
    rc = mp__queue_put(&ref, MP__RECORD_BYTES, p, n, MP__NEVER);
    return rc != 0 ? mp__fail(rc) : 0;
}

static int simple_get(mp_simple_queue *q, struct mp__taking *taking)
{
    struct mp__ref ref = mp__ref_to(q);
    int rc = simple_check(q);
    if (rc == 0)
        rc = mp__queue_get(&ref, taking, MP__NEVER);
    if (rc == 0)
        tokens_drain(&ref, MP__NEVER);
    return rc != 0 ? mp__fail(rc) : 0;
}

int mp_simple_queue_get(mp_simple_queue *q, mp_obj *out)
{
    struct mp__taking taking = mp__taking_object(out);
    return simple_get(q, &taking);
}

int mp_simple_queue_get_bytes(mp_simple_queue *q, void **buf, size_t *n)
{
    struct mp__taking taking = mp__taking_bytes();
    int rc = simple_get(q, &taking);
    if (rc != 0)
        return rc;
    if (n != NULL)
        *n = taking.size;
    if (buf != NULL)
        *buf = taking.buf;
    else
        free(taking.buf);
    return 0;
}

bool mp_simple_queue_empty(mp_simple_queue *q)
{
    struct mp__ref ref = mp__ref_to(q);
    if (simple_check(q) != 0)
        return true;
    if (mp__ring_count(&q->queue) > 0)
        return false;
    /* a token may be left by who had no pipe, or was killed; put ensures one before its commit */
    const struct mp__local *local = pipe_of(&q->queue);
    struct pollfd item = {.fd = local != NULL ? local->fds[0] : -1, .events = POLLIN};
    if (poll(&item, 1, 0) == 1)
        tokens_drain(&ref, mp__moment_in(MP__SLICE_FIRST));
    return true;
}

int mp_simple_queue_fileno(mp_simple_queue *q)
{
    int rc = simple_check(q);
    const struct mp__local *local = rc == 0 ? mp__local_find(&q->queue) : NULL;
    if (rc == 0 && (local == NULL || local->fds[0] < 0))
        rc = MP_ESTATE;
    return rc != 0 ? mp__fail(rc) : local->fds[0];
}

int mp_simple_queue_close(mp_simple_queue *q)
{
    int rc = mp__object_check(q, MP__KIND_SIMPLE_QUEUE);
    if (rc == MP_ECLOSED && mp__local_bury(&q->queue))
        return 0;
    if (rc != 0)
        return mp__fail(rc);
    struct mp__local *local = mp__local_find(&q->queue);
    if (local == NULL)
        local = mp__local_make(&q->queue, NULL);
    if (local == NULL)
        return mp__fail(-ENOMEM);
    mp__local_close(local);
    return 0;
}

void mp_simple_queue_destroy(mp_simple_queue *q)
{
    struct mp__ref ref = mp__ref_to(q);
    (void)mp_simple_queue_close(q);
    if (mp__object_check(q, MP__KIND_SIMPLE_QUEUE) == 0)
        mp__queue_end(&ref);
}
