/* A worker: waits for tasks, claims them one after the other, and runs their items.
 *
 * How it works
 *   A worker works in a place of the board. If its predecessor there died with a task, it begins
 *   with what is left of that. Before each item it writes the item's number, then it calls the
 *   task's function, encodes the result, and writes the number again; board.h tells what a death
 *   between leaves. With a time limit the item ends by a CAS that the supervisor may have won: then
 *   the worker waits to be killed.
 *   The function may fork, and the child may return from it: it has no identity of this process's,
 *   and leaves at once, with the record untouched.
 */
#include "workers/crew.h"

#include "wire/wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct mp__crew *mp__crew_here;

/* What the functions below work on: in the worker's own memory. */
struct place {
    struct mp__object *pool;
    struct mp__board *board;
    struct mp__worker *me;
    uint32_t w;
    mp__owner owner;
    int64_t limit; /* of the task at work */
};

/* ---- waiting for a task -------------------------------------------------------------------- */

#define IDLE_SLICE MP__SECOND

static bool is_to_leave(struct mp__board *board)
{
    return mp__board_state(board) >= MP__BOARD_LEAVING;
}

static void spin_for_task(struct mp__board *board)
{
    struct mp__spin spin;
    bool gained = false;
    if (!mp__spin_begin(&spin, MP__SPIN_WAKE))
        return;
    do
        gained = !mp__queue_is_empty(board);
    while (!gained && mp__spin_again(&spin));
    mp__spin_ended(&spin, gained);
}

static void idle_set(struct place *p, bool idle)
{
    _Atomic uint64_t *bits = &p->board->idle[p->w / 64];
    uint64_t bit = UINT64_C(1) << p->w % 64;
    if (idle)
        atomic_fetch_or(bits, bit);
    else
        atomic_fetch_and(bits, ~bit);
}

/* The supervisor waits for the last task of a closed pool. */
static void closed_tell(struct mp__board *board)
{
    if (mp__board_state(board) == MP__BOARD_CLOSED)
        mp__gate_post(&board->supervise);
}

/* 0: there will be none. */
static uint32_t task_await(struct place *p)
{
    for (;;) {
        uint32_t index = mp__task_claim(p->board, p->w);
        if (index == 0) {
            spin_for_task(p->board);
            index = mp__task_claim(p->board, p->w);
        }
        if (index != 0 || is_to_leave(p->board))
            return index;
        idle_set(p, true);
        mp__step("worker.idle");
        /* pairs with mp__idle_wake: the bit is set, then the list is looked at */
        atomic_thread_fence(memory_order_seq_cst);
        if (mp__queue_is_empty(p->board) && !mp__any_left_over(p->board) &&
            !is_to_leave(p->board)) {
            closed_tell(p->board);
            mp__gate_wait(&p->me->gate, mp__moment_in(IDLE_SLICE));
        }
        idle_set(p, false);
        mp__step("worker.woken");
    }
}

/* ---- one item ------------------------------------------------------------------------------ */

/* A child that the function forked, and that came back from it. */
static void stranger_leave(const struct place *p)
{
    if (mp__self_owner() != p->owner)
        _exit(0);
}

static void limit_begin(struct place *p)
{
    uint64_t run = atomic_load(&p->me->run);
    mp__moment end = mp__moment_in(p->limit);
    atomic_store(&p->me->deadline, end);
    atomic_store(&p->me->run, ((run >> 2) + 1) << 2 | MP__RUN_RUNNING);
    if (end < atomic_load(&p->board->next_look))
        mp__gate_post(&p->board->supervise);
}

static void limit_end(struct place *p)
{
    uint64_t run = atomic_load(&p->me->run);
    if ((run & 3) == MP__RUN_RUNNING &&
        atomic_compare_exchange_strong(&p->me->run, &run, run & ~UINT64_C(3)))
        return;
    for (;;)
        mp_sleep(1); /* condemned: SIGKILL is on its way */
}

/* Release: what the item did is complete, or not begun, in the eyes of who reads the number. */
static void item_begin(struct place *p, uint32_t i)
{
    if (p->limit != 0)
        limit_begin(p);
    atomic_store_explicit(&p->me->item, 2 * (uint64_t)i + 1, memory_order_release);
    mp__step("worker.begun");
}

static void item_end(struct place *p, uint32_t i)
{
    mp__step("worker.ran");
    if (p->limit != 0)
        limit_end(p);
    atomic_store_explicit(&p->me->item, 2 * (uint64_t)i + 2, memory_order_release);
}

/* ---- items of lists ------------------------------------------------------------------------ */

static int result_place(struct place *p, struct mp__job *job, size_t size, void **memory,
                        uint32_t *piece)
{
    *piece = 0;
    *memory = job->room;
    if (size <= job->room_size)
        return 0;
    void *taken;
    int rc = mp__piece_take(sizeof(struct mp__piece_head) + size, &taken);
    if (rc != 0)
        return mp__fail(rc);
    *piece = mp__piece_ref(taken);
    *memory = mp__piece_body(*piece);
    atomic_store(&p->me->piece, *piece);
    mp__step("worker.piece");
    return 0;
}

/* Encodes a result into its cell. */
static int result_put(struct place *p, struct mp__job *job, struct mp__cell *cell, mp_obj result)
{
    size_t size;
    void *memory;
    uint32_t piece;
    int rc = mp__cell_measure(result, &size);
    if (rc != 0)
        return rc;
    if (size <= sizeof cell->a + sizeof cell->b) {
        mp__cell_write(cell, result, NULL, size);
        return 0;
    }
    rc = result_place(p, job, size, &memory, &piece);
    if (rc != 0)
        return rc;
    if (piece == 0) {
        mp__cell_write(cell, result, memory, size);
        return 0;
    }
    mp__pickle_write(result, MP__PICKLE_PROTOCOL, MP__PICKLE_HANDLES, memory);
    mp__pool_join(mp__piece_at(piece), p->pool);
    mp__step("worker.joined");
    mp__cell_hand_over(cell, piece, size);
    return 0;
}

/* A literal of the task's own stack ended with the task: it lies below this frame. */
static bool is_from_ended_frame(const mp_obj *o)
{
    enum { STACK_LOOKED_AT = 1 << 15 };
    char here;
    uintptr_t top = (uintptr_t)&here, p = (uintptr_t)o->items;
    bool points =
        o->type == MP_TYPE_STR || o->type == MP_TYPE_BYTES || mp__type_is_container(o->type);
    return points && !o->owned && o->len > 0 && p < top && top - p < STACK_LOOKED_AT;
}

static int task_call(struct place *p, struct mp__job *job, mp_obj arg, struct mp__cell *cell)
{
    mp_obj result = mp_obj_none();
    int rc = job->task(arg, &result);
    stranger_leave(p);
    if (rc != 0) {
        mp__task_text_name(rc);
    } else if (is_from_ended_frame(&result)) {
        rc = mp_task_fail(MP_ETYPE, "the result lies on the stack of the task: use mp_task_return");
    } else {
        int fault = result_put(p, job, cell, result);
        if (result.owned)
            mp_obj_free(&result);
        return fault;
    }
    if (result.owned)
        mp_obj_free(&result);
    mp__fail(MP_ETASK);
    mp__fail_own_code(rc);
    return MP_ETASK;
}

static void list_item_run(struct place *p, struct mp__task *task, struct mp__job *job, uint32_t i)
{
    mp_obj arg;
    struct mp__cell *cell = &job->results[task->first + i];
    int rc = mp__cell_read(&job->args[task->first + i], &arg);
    if (rc == 0) {
        rc = task_call(p, job, mp_obj_view(arg), cell);
        if (arg.owned)
            mp_obj_free(&arg);
    }
    if (rc == MP_ETASK)
        mp__item_fail(p->me, p->pool, task, task->first + i, rc, mp_error_code(), mp__task_text());
    else if (rc != 0)
        mp__item_fail(p->me, p->pool, task, task->first + i, rc, 0, mp_error_detail());
    mp__step("worker.stored");
    atomic_store_explicit(&p->me->piece, 0, memory_order_release); /* after the cell */
}

static void list_run(struct place *p, struct mp__task *task, struct mp__job *job)
{
    for (uint32_t i = atomic_load(&task->from); i < task->count; i++) {
        item_begin(p, i);
        list_item_run(p, task, job, i);
        item_end(p, i);
    }
}

/* ---- items of arrays ----------------------------------------------------------------------- */

static void array_item_fail(struct place *p, struct mp__task *task, uint32_t i, int rc)
{
    mp__task_text_name(rc);
    mp__item_fail(p->me, p->pool, task, task->first + i, MP_ETASK, rc, mp__task_text());
    atomic_store(&p->me->piece, 0);
}

/* Runs items from *at on that have no limit, up to one that fails, whose code it returns. With
   small items this loop is the library: there is nothing in it but what attribution needs. */
static int array_items_run(struct place *p, const struct mp__task *task, const struct mp__job *job,
                           uint32_t *at)
{
    const _Atomic mp__owner *self = &mp__self->owner;
    _Atomic uint64_t *item = &p->me->item;
    uint64_t number = 2 * (uint64_t)*at, end = 2 * (uint64_t)task->count;
    size_t first = task->first + (size_t)*at;
    const char *in = job->in + first * job->in_size;
    char *out = job->out + first * job->out_size;
    int rc = 0;
    for (; number < end; in += job->in_size, out += job->out_size) {
        /* release, here and below: as in item_begin and item_end */
        atomic_store_explicit(item, number + 1, memory_order_release);
        mp__step("worker.element");
        rc = job->array_task(in, out, job->context);
        /* relaxed: only this process writes its page; see stranger_leave */
        if (atomic_load_explicit(self, memory_order_relaxed) != p->owner)
            _exit(0);
        if (rc != 0)
            break;
        number += 2;
        atomic_store_explicit(item, number, memory_order_release);
    }
    *at = (uint32_t)(number / 2);
    return rc;
}

static int array_item_run(struct place *p, const struct mp__task *task, const struct mp__job *job,
                          uint32_t i)
{
    size_t at = task->first + (size_t)i;
    item_begin(p, i);
    int rc =
        job->array_task(job->in + at * job->in_size, job->out + at * job->out_size, job->context);
    stranger_leave(p);
    return rc;
}

static void array_run(struct place *p, struct mp__task *task, const struct mp__job *job)
{
    uint32_t i = atomic_load(&task->from);
    while (i < task->count) {
        int rc =
            p->limit == 0 ? array_items_run(p, task, job, &i) : array_item_run(p, task, job, i);
        if (i == task->count)
            return;
        if (rc != 0)
            array_item_fail(p, task, i, rc);
        item_end(p, i++);
    }
}

/* ---- a worker's life ------------------------------------------------------------------------ */

static void task_run(struct place *p, uint32_t index)
{
    struct mp__task *task = mp__task_at(p->board, index);
    struct mp__job *job = mp__job_of(task);
    p->limit = job->limit;
    mp__task_text_clear(&p->me->item);
    mp__fail(0);
    if (job->task != NULL)
        list_run(p, task, job);
    else
        array_run(p, task, job);
    mp__stdio_flush();
    mp__task_finish(p->board, task);
    atomic_store(&p->me->task, 0);
    mp__step("worker.cleared");
}

static void signals_restore(const struct mp__signals *signals)
{
    sigaction(SIGCHLD, &signals->child, NULL);
    sigaction(SIGCONT, &signals->go_on, NULL);
    pthread_sigmask(SIG_SETMASK, &signals->mask, NULL);
}

/* Its parent, as it sees it, is who made the pool; who ends when the supervisor ends. */
static void parent_adopt(void)
{
    mp_process *supervisor = mp__crew_here->supervisor, *parent = supervisor->parent;
    parent->before = getppid();
    mp__process_current->parent = parent;
}

static bool worker_begin(struct place *p)
{
    const struct mp__crew_options *options = &mp__crew_here->options;
    parent_adopt();
    signals_restore(&mp__crew_here->signals);
    int rc = options->initializer != NULL ? options->initializer(options->initarg) : 0;
    stranger_leave(p);
    atomic_store(&p->me->refusal, rc);
    atomic_store(&p->me->state, rc == 0 ? MP__WORKER_READY : MP__WORKER_REFUSED);
    mp__step("worker.ready");
    if (rc == 0)
        atomic_fetch_add(&p->board->ready, 1);
    return rc == 0;
}

int mp__worker_main(void *arg)
{
    struct place p = {.pool = mp__crew_here->object,
                      .board = mp__crew_here->board,
                      .w = (uint32_t)(uintptr_t)arg,
                      .owner = mp__self_owner()};
    p.me = &p.board->worker[p.w];
    atomic_store(&p.me->pid, getpid()); /* the supervisor may die before it can */
    uint32_t limit = mp__crew_here->options.tasks_per_worker;
    if (!worker_begin(&p))
        return 1;
    uint32_t index = atomic_load(&p.me->task); /* what the one before it left */
    uint32_t n = 0;
    for (; limit == 0 || n < limit; n++) {
        if (index == 0)
            index = task_await(&p);
        if (index == 0)
            break;
        task_run(&p, index);
        index = 0;
    }
    atomic_store(&p.me->state, MP__WORKER_LEAVES);
    mp__step("worker.leaves");
    mp__log(MP_LOG_DEBUG, "worker exiting after %u tasks", n);
    return 0;
}
