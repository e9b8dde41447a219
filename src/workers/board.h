/* What the processes of a pool share: its board, tasks, workers' records, jobs and cells; for the
 * files of this folder.
 *
 * Three sorts of processes work on it: the owner, who made the pool and hands in jobs, the
 * supervisor, and the workers. A job is one call's work: a single task, a list of objects, an
 * array.
 * It is cut into tasks, each a run of items that one worker does one after the other.
 *
 * TASKS lie in a table of pages that stay tasks for the life of the board, so a late look at one
 * finds a task, if not the one it looked for. Only the word of a task decides:
 *     FREE -> QUEUED         by the owner, everything else in the task being written
 *     QUEUED -> CLAIMED(w)   by worker w, one CAS; w is the place of a worker, not a process: who
 *                            takes a dead worker's place goes on with its task
 *     CLAIMED(w) -> DONE     by worker w, or by the supervisor once it has reaped w
 *     QUEUED -> DONE         by the owner, one CAS: cancelled
 *     CLAIMED(w) -> QUEUED   by the supervisor, if it cannot fill the dead worker's place; it is
 *                            found in left_over then, no longer in the list
 *     DONE -> FREE           by the owner; the serial in the word grows
 * Queued tasks form a list in the order they were handed in; the owner appends, and `head` names
 * the last task that was passed. It moves by CAS, with a count that makes late ones fail; a task is
 * used again only when it was passed, so nobody who stands at the head can be led astray.
 *
 * A WORKER writes into its record what it is about to do before it does it: the task it is about to
 * claim, 2i+1 before it runs item i, 2i+2 when i's result is complete, the piece it is about to
 * hand over. What a death of the worker leaves, and what the supervisor makes of it (harvest.c):
 *     before the CAS             a record that names a task that is not this worker's: cleared
 *     claimed, an item even      nothing is lost; the next worker in the place goes on behind it
 *     claimed, an item odd       that item is lost: run again, or reported; the rest goes on
 *     between DONE and the count the count may miss one: it is counted again, as one too many only
 *                                wakes the owner early
 *     with a piece               it belongs to the result that refers to it, or is freed: by a
 *                                sweep if it was not the pool's yet, else by the harvest, if it is
 *                                still the dead worker's: every piece of a pool begins with its
 *                                author
 * With a time limit an item ends by CAS of `run`, RUNNING -> IDLE; the supervisor condemns by CAS,
 * RUNNING -> CONDEMNED, before it kills, so it never kills the next item.
 *
 * A death of the supervisor ends the workers, and leaves every record to the owner, who harvests
 * them likewise. A death of the owner ends supervisor and workers; the board and all its pieces go
 * with the next sweep once all of them are dead.
 */
#ifndef MP__BOARD_H
#define MP__BOARD_H

#include "memory/memory.h"
#include "workers/workers.h"

enum { MP__TASK_PAGES = 20 };
#define MP__TASKS_FIRST 64u /* in the first page; each page has twice as many as the one before */
#define MP__ITEMS_MAX ((size_t)UINT32_MAX)

/* What every piece of a pool begins with. */
struct mp__piece_head {
    mp__owner author;
};
/* Signs a piece that this process took and makes it the pool's. */
static inline void mp__pool_join(void *piece, struct mp__object *pool)
{
    ((struct mp__piece_head *)piece)->author = mp__self_owner();
    mp__piece_join(piece, pool);
}
static inline void *mp__piece_body(uint32_t ref)
{
    return (struct mp__piece_head *)mp__piece_at(ref) + 1;
}

/* An object on its way, or what came instead of it; its form is written last. */
enum mp__form {
    MP__EMPTY,
    MP__NONE,
    MP__BOOL,
    MP__INT,
    MP__FLOAT,
    MP__SHORT,  /* a pickle of `code` bytes in a and b */
    MP__NEAR,   /* a pickle of a bytes at address b, in the job's own memory */
    MP__PIECE,  /* a pickle of a bytes in the body of the piece b */
    MP__FAILED, /* code; a: the task's own code, b: a piece with a text, or 0 */
    MP__LOST,   /* code; a: the worker's pid, b: how it ended, as an exit code */
};
struct mp__cell {
    _Atomic uint32_t form;
    int32_t code;
    uint64_t a, b;
};

/* A failure of an item of an array, in a list of its task, the latest first. */
struct mp__failure {
    struct mp__piece_head head;
    uint32_t next; /* piece */
    uint32_t item;
    int32_t code, own_code;
    int32_t pid, end;
    char text[];
};

/* The codes that a byte of an array's status stands for. */
enum { MP__WELL, MP__WENT_WRONG, MP__WAS_LOST, MP__WAS_LATE };

/* One call's work: a piece, written by the owner before its tasks are queued, and freed by it once
   all of them are done. */
struct mp__job {
    struct mp__piece_head head;
    mp_task *task; /* or NULL: */
    mp_array_task *array_task;
    int64_t limit; /* nanoseconds that an item may run; 0: no limit */
    uint32_t retries;
    uint32_t items, tasks;
    struct mp__cell *args, *results;
    unsigned char *room; /* of a single task: for its result */
    size_t room_size;
    const char *in; /* of arrays */
    char *out;
    size_t in_size, out_size;
    void *context;
    unsigned char *status;
};

enum mp__task_state { MP__TASK_FREE, MP__TASK_QUEUED, MP__TASK_CLAIMED, MP__TASK_DONE };

/* serial:32 | place of the worker:16 | state:16 */
static inline uint64_t mp__task_word(uint32_t serial, uint32_t worker, enum mp__task_state state)
{
    return (uint64_t)serial << 32 | (uint64_t)worker << 16 | (uint64_t)state;
}
static inline uint32_t mp__task_serial(uint64_t word)
{
    return (uint32_t)(word >> 32);
}
static inline uint32_t mp__task_worker(uint64_t word)
{
    return (uint32_t)(word >> 16) & 0xffff;
}
static inline enum mp__task_state mp__task_state(uint64_t word)
{
    return (enum mp__task_state)(word & 0xffff);
}

struct mp__task {
    _Atomic uint64_t word;
    _Atomic uint64_t finished;  /* of a job's first task: serial:32 | watched:1 | tasks done:31 */
    _Atomic uint32_t next;      /* in the list of queued tasks; 0: the last */
    uint32_t lead, lead_serial; /* the job's first task */
    uint32_t sibling;          /* the owner's: the job's next task, or the next free one; 0: none */
    uint32_t job;              /* piece */
    uint32_t first, count;     /* its items */
    _Atomic uint32_t from;     /* the first of them that has yet to run */
    uint32_t lost;             /* how often that one was lost */
    _Atomic uint32_t failures; /* of an array's items: the latest one's piece */
    uint64_t position;         /* the owner's: how many were queued before */
};
_Static_assert(sizeof(struct mp__task) == 64, "a task is a cache line");

#define MP__WATCHED (UINT64_C(1) << 31)
#define MP__TASKS_DONE (MP__WATCHED - 1)

enum mp__worker_state {
    MP__WORKER_BEGINS,
    MP__WORKER_READY,   /* its initializer is done */
    MP__WORKER_REFUSED, /* its initializer failed */
    MP__WORKER_LEAVES,  /* at its own will */
};
enum mp__run { MP__RUN_IDLE, MP__RUN_RUNNING, MP__RUN_CONDEMNED };

/* The place of a worker. */
struct mp__worker {
    _Alignas(64) _Atomic uint64_t item; /* its own line: written twice per item */
    _Atomic uint64_t run;               /* enum mp__run | number of the item in its life << 2 */
    _Atomic int64_t deadline;
    _Atomic uint32_t task;  /* 0: none */
    _Atomic uint32_t piece; /* 0: none */
    _Atomic uint32_t state;
    _Atomic int32_t refusal;
    _Alignas(64) _Atomic mp__owner owner; /* 0: nobody works here */
    _Atomic int32_t pid;
    mp__gate gate;
};

/* Where the whole pool stands; it only grows. */
enum mp__board_state {
    MP__BOARD_OPEN,
    MP__BOARD_CLOSED,  /* by the owner: nothing more is handed in */
    MP__BOARD_LEAVING, /* by the supervisor: all is done, workers leave */
    MP__BOARD_ENDING,  /* by the owner: workers are ended */
    MP__BOARD_BROKEN,  /* by the supervisor */
    MP__BOARD_ENDED,   /* by the supervisor, its last act: no worker is left */
};

struct mp__board {
    _Atomic uint32_t state;
    _Atomic uint32_t broken; /* it was, before it ended */
    uint32_t workers;
    _Atomic uint32_t inputs; /* lazy inputs that may still hand in tasks after close */
    _Atomic uint32_t end_signal;
    _Atomic uint32_t ready;     /* how many workers ever were */
    _Atomic uint64_t left_over; /* count:32 | task:32 that the supervisor queued again, or 0 */
    _Atomic mp__owner supervisor;
    _Atomic uint32_t pages[MP__TASK_PAGES];
    char reason[160];                   /* written before the state is BROKEN */
    _Atomic int64_t next_look;          /* when the supervisor looks at deadlines again */
    _Alignas(64) _Atomic uint64_t head; /* count:32 | task:32 */
    _Alignas(64) _Atomic uint64_t idle[(MP__WORKERS_MAX + 63) / 64]; /* a bit for each worker */
    mp__gate done;      /* for the owner: a watched job is done */
    mp__gate supervise; /* for the supervisor */
    struct mp__worker worker[];
};

static inline struct mp__board *mp__board_of(struct mp__object *object)
{
    return mp__heap_attached(object);
}

int mp__board_make(uint32_t workers, struct mp__object **out);
/* Raises the state; false if it stood there or beyond. */
bool mp__board_raise(struct mp__board *board, enum mp__board_state to);
static inline enum mp__board_state mp__board_state(struct mp__board *board)
{
    return (enum mp__board_state)atomic_load(&board->state);
}

/* ---- tasks (tasks.c) ---------------------------------------------------------------------- */

static inline struct mp__task *mp__task_at(struct mp__board *board, uint32_t index)
{
    uint32_t i = index + MP__TASKS_FIRST;
    uint32_t page = 31 - (uint32_t)__builtin_clz(i) - 6;
    struct mp__task *first =
        mp__piece_at(atomic_load_explicit(&board->pages[page], memory_order_acquire));
    /* acquire: the page was zeroed before. Its head takes the room of one task. */
    return first + 1 + (i - (MP__TASKS_FIRST << page));
}
static inline struct mp__job *mp__job_of(const struct mp__task *task)
{
    return mp__piece_at(task->job);
}

/* The owner, one thread at a time: makes a written task the last of the list. */
void mp__task_queue(struct mp__board *board, uint32_t index, uint32_t *tail);
/* Moves the head over what is claimed; gives the position of the task it stands at. */
uint64_t mp__queue_pass(struct mp__board *board);
bool mp__queue_is_empty(struct mp__board *board);
static inline bool mp__any_left_over(struct mp__board *board)
{
    return (uint32_t)atomic_load(&board->left_over) != 0;
}
/* Claims the first queued task for place w: its index, or 0. */
uint32_t mp__task_claim(struct mp__board *board, uint32_t w);
/* A claimed task has no item left to run. */
void mp__task_finish(struct mp__board *board, struct mp__task *task);
/* Counts a task of the job that began with `lead`; `tasks` of them make it whole. */
void mp__task_count(struct mp__board *board, struct mp__task *lead, uint32_t serial,
                    uint32_t tasks);
/* Wakes up to n idle workers. */
void mp__idle_wake(struct mp__board *board, uint32_t n);
static inline bool mp__idle_any(struct mp__board *board)
{
    for (uint32_t i = 0; i < (board->workers + 63) / 64; i++)
        if (atomic_load_explicit(&board->idle[i], memory_order_relaxed) != 0) /* a hint */
            return true;
    return false;
}

/* ---- cells (cell.c) ----------------------------------------------------------------------- */

/* The bytes that `o` takes beside its cell; or why it cannot be written, with a detail. */
int mp__cell_measure(mp_obj o, size_t *size);
/* Writes what was measured, the bytes at `memory`. */
void mp__cell_write(struct mp__cell *cell, mp_obj o, void *memory, size_t size);
/* Gives the object in a cell that has one: owned, or a scalar. -ENOMEM; MP_EPICKLE. */
int mp__cell_read(const struct mp__cell *cell, mp_obj *out);
static inline uint32_t mp__cell_form(const struct mp__cell *cell)
{
    return atomic_load_explicit((_Atomic uint32_t *)&cell->form, memory_order_acquire);
}
/* Makes a pickle of `size` bytes in a piece of the pool the cell's. */
void mp__cell_hand_over(struct mp__cell *cell, uint32_t piece, size_t size);
uint32_t mp__cell_piece(const struct mp__cell *cell); /* that it refers to, or 0 */
/* Frees that piece, and makes the cell EMPTY. */
void mp__cell_clear(struct mp__cell *cell);

/* ---- items without a result (outcome.c) --------------------------------------------------- */

struct mp__death {
    int32_t pid;
    int end;     /* exit code, or minus the signal */
    bool is_end; /* the pool ends: nothing is run again */
};
void mp__item_lose(struct mp__object *pool, struct mp__task *task, uint32_t item, int code,
                   const struct mp__death *death);
void mp__item_fail(struct mp__worker *me, struct mp__object *pool, struct mp__task *task,
                   uint32_t item, int code, int own_code, const char *text);

/* What a task said with mp_task_fail (task.c). */
/* At the beginning of a task: from now on a text belongs to the item whose number stands there when
   it is said. */
void mp__task_text_clear(const _Atomic uint64_t *item);
const char *mp__task_text(void);
void mp__task_text_name(int code); /* says what the code is, if nothing was said */

/* ---- what the dead leave (harvest.c) ------------------------------------------------------ */

/* Worker w has been reaped, or is dead and will not be: puts its record and task in order. */
void mp__worker_harvest(struct mp__object *pool, uint32_t w, const struct mp__death *death);

#endif
