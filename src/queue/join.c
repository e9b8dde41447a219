/* Counting a queue, and waiting until all that was put is done. */
#include "queue/queue.h"

int mp_queue_qsize(mp_queue *q)
{
    int rc = mp__object_check(q, MP__KIND_QUEUE);
    if (rc != 0)
        return mp__fail(rc);
    uint32_t n = mp__ring_count(q);
    return n <= INT32_MAX ? (int)n : INT32_MAX;
}

bool mp_queue_empty(mp_queue *q)
{
    return mp__object_check(q, MP__KIND_QUEUE) != 0 || mp__ring_count(q) == 0;
}

bool mp_queue_full(mp_queue *q)
{
    return mp__object_check(q, MP__KIND_QUEUE) == 0 && q->object.length != 0 &&
           mp__ring_count(q) >= q->object.length;
}

int mp_queue_task_done(mp_queue *q)
{
    uint64_t me;
    struct mp__ref ref = mp__ref_to(q);
    int rc = mp__object_check(q, MP__KIND_QUEUE);
    if (rc == 0)
        rc = mp__self_word(&me);
    if (rc == 0)
        rc = mp__head_take(&ref, me, MP__NEVER);
    if (rc != 0)
        return mp__fail(rc);
    rc = mp__ledger_done(q, mp__owner_of(me));
    mp__head_give(q, me);
    if (rc != 0)
        return mp__failf(rc, "task_done() called too many times");
    if (atomic_load(&q->join_wanted) != 0 && atomic_exchange(&q->join_wanted, 0) != 0)
        mp__gate_post(&q->join_gate);
    return 0;
}

/* Under the guard: true when nothing is unfinished; *rc tells whether losses are news. */
static bool all_done(mp_queue *q, int *rc)
{
    uint32_t lost;
    if (mp__ledger_unfinished(q, &lost) != 0)
        return false;
    *rc = lost != q->lost_told ? MP_RECOVERED : 0;
    q->lost_told = lost;
    return true;
}

static int queue_join(const struct mp__ref *ref, uint64_t me, mp__moment until)
{
    mp_queue *q = mp__queue_of(ref);
    int64_t slice = MP__SLICE_FIRST;
    bool slept = false;
    for (;;) {
        atomic_store(&q->join_wanted, 1);
        int rc = mp__head_take(ref, me, until == 0 ? mp__moment_in(MP__SLICE_FIRST) : until);
        if (rc != 0)
            return rc;
        bool done = all_done(q, &rc);
        mp__head_give(q, me);
        if (slept && (done || mp__moment_passed(until)))
            mp__gate_post(&q->join_gate); /* others wait for the same */
        if (done)
            return rc;
        if (mp__moment_passed(until))
            return MP_ETIMEOUT;
        mp__step("join.parking");
        mp__gate_wait(&q->join_gate, mp__slice_end(&slice, until));
        mp__step("join.woken");
        slept = true;
        if (mp__ref_ended(ref)) {
            mp__gate_post(&q->join_gate);
            return MP_ECLOSED;
        }
    }
}

int mp_queue_join(mp_queue *q, double timeout)
{
    uint64_t me;
    mp__moment until;
    struct mp__ref ref = mp__ref_to(q);
    int rc = mp__object_check(q, MP__KIND_QUEUE);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    if (rc == 0)
        rc = mp__self_word(&me);
    if (rc == 0)
        rc = queue_join(&ref, me, until);
    return rc < 0 ? mp__fail(rc) : rc;
}

void mp_queue_destroy(mp_queue *q)
{
    struct mp__ref ref = mp__ref_to(q);
    if (mp__object_check(q, MP__KIND_QUEUE) == 0)
        mp__queue_end(&ref);
}
