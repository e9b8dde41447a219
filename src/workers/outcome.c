/* What is written into a job for an item that gave no result.
 *
 * How it works
 *   A list's item has a cell: FAILED with a text, or LOST with the dead worker's pid and end. An
 *   array's item has a byte of the status, and a piece in its task's list of failures for the rest;
 *   without memory for the piece the byte alone tells. A piece is named in the worker's record from
 *   before it belongs to the pool until its task refers to it, so a death between frees it.
 */
#include "workers/board.h"

#include <string.h>

enum { TEXT_MOST = 400 };

/* A piece of the pool with a text; 0: there is no memory for it. */
static uint32_t piece_of_text(struct mp__worker *me, struct mp__object *pool, const char *text)
{
    void *piece;
    size_t n = strlen(text);
    if (n == 0 || mp__piece_take(sizeof(struct mp__piece_head) + n + 1, &piece) != 0)
        return 0;
    uint32_t ref = mp__piece_ref(piece);
    memcpy(mp__piece_body(ref), text, n + 1);
    atomic_store(&me->piece, ref);
    mp__step("worker.text");
    mp__pool_join(piece, pool);
    return ref;
}

static void cell_fail(struct mp__cell *cell, int code, uint64_t a, uint64_t b, enum mp__form form)
{
    cell->code = code;
    cell->a = a;
    cell->b = b;
    /* release: as in cell.c */
    atomic_store_explicit(&cell->form, (uint32_t)form, memory_order_release);
}

/* Puts a failure at the head of the task's list. */
static void failure_add(struct mp__worker *me, struct mp__object *pool, struct mp__task *task,
                        const struct mp__failure *what, const char *text)
{
    struct mp__failure *failure;
    size_t n = strnlen(text, TEXT_MOST);
    if (mp__piece_take(sizeof *failure + n + 1, &failure) != 0)
        return;
    *failure = *what;
    failure->next = atomic_load(&task->failures);
    memcpy(failure->text, text, n);
    failure->text[n] = '\0';
    if (me != NULL)
        atomic_store(&me->piece, mp__piece_ref(failure));
    mp__pool_join(failure, pool);
    mp__step("worker.failure");
    atomic_store(&task->failures, mp__piece_ref(failure));
}

void mp__item_fail(struct mp__worker *me, struct mp__object *pool, struct mp__task *task,
                   uint32_t item, int code, int own_code, const char *text)
{
    struct mp__job *job = mp__job_of(task);
    if (job->task != NULL) {
        char some[TEXT_MOST + 1] = "";
        strncat(some, text, TEXT_MOST);
        uint32_t piece = piece_of_text(me, pool, some);
        cell_fail(&job->results[item], code, (uint32_t)own_code, piece, MP__FAILED);
    } else {
        struct mp__failure what = {.item = item, .code = code, .own_code = own_code};
        failure_add(me, pool, task, &what, text);
        job->status[item] = MP__WENT_WRONG;
    }
}

void mp__item_lose(struct mp__object *pool, struct mp__task *task, uint32_t item, int code,
                   const struct mp__death *death)
{
    struct mp__job *job = mp__job_of(task);
    if (job->task != NULL) {
        mp__cell_clear(&job->results[item]);
        cell_fail(&job->results[item], code, (uint64_t)(uint32_t)death->pid,
                  (uint64_t)(int64_t)death->end, MP__LOST);
    } else {
        struct mp__failure what = {
            .item = item, .code = code, .pid = death->pid, .end = death->end};
        failure_add(NULL, pool, task, &what, "");
        job->status[item] = code == MP_EDEADLINE ? MP__WAS_LATE : MP__WAS_LOST;
    }
}
