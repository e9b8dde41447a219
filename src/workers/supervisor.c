/* The supervisor: a process with one thread that forks the workers, reaps them by their pids,
 * replaces them, kills those that run over their time, and ends when its parent ends.
 *
 * How it works
 *   It sleeps on its own gate, which is posted by its signal handler, by the owner, and by workers
 *   with news. The end of a worker is a SIGCHLD; on Linux that of the parent is a SIGCONT, which a
 *   stopped supervisor gets too; elsewhere it looks. All other signals are blocked, but for the one
 *   of Ctrl-Z where that stops the program, so that it stops with its workers: a sleep that ends
 *   more than a second late moves all deadlines by that much.
 *   Each round it reaps, looks where the board stands, fills empty places, looks at deadlines and
 *   prods idle workers if tasks wait. What it knows beside the board is in its own memory.
 *
 *   Its death ends the workers, which are bound to it; the owner finds it dead at its next slice.
 *
 *   Globals: the board's gate, for the signal handler.
 */
#include "workers/crew.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK (200 * MP__MS)      /* at the parent, where the system does not tell */
#define PROD (80 * MP__MS)       /* of idle workers while tasks wait */
#define GRACE MP__SECOND         /* for workers told to end */
#define FORK_AGAIN (20 * MP__MS) /* after a fork that failed */
#define FORK_NEVER MP__SECOND /* of those, with no worker left, or never all: the pool is broken */
#define LATE MP__SECOND

struct supervisor {
    struct mp__crew *crew;
    struct mp__object *pool;
    struct mp__board *board;
    pid_t parent;
    mp_process **process; /* by place; NULL: nobody */
    uint32_t alive;
    bool was_whole; /* every place had a worker once */
    uint32_t born_in_vain, ready_seen;
    mp__moment *deaths; /* the last restart_limit of them, a ring */
    uint32_t deaths_next;
    mp__moment fork_failed; /* the first of a row; 0: it did not */
    mp__moment fork_again;
    int64_t late; /* by how much the last sleep was too long, if it was stopped */
};

static mp__gate *supervisor_gate;

static void news(int signal_number)
{
    int error = errno;
    (void)signal_number;
    mp__gate_post(supervisor_gate);
    errno = error;
}

static void signals_take(struct mp__signals *signals)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = news;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    signals->mask = *mp__process_mask();
    sigaction(SIGCHLD, &action, &signals->child);
    sigaction(SIGCONT, &action, &signals->go_on);
    sigset_t open;
    sigemptyset(&open);
    sigaddset(&open, SIGCHLD);
    sigaddset(&open, SIGCONT);
    sigaction(SIGTSTP, NULL, &action);
    if (action.sa_handler == SIG_DFL && sigismember(&signals->mask, SIGTSTP) == 0)
        sigaddset(&open, SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &open, NULL);
}

static void break_pool(struct supervisor *s, const char *reason)
{
    if (mp__board_state(s->board) >= MP__BOARD_ENDING)
        return;
    snprintf(s->board->reason, sizeof s->board->reason, "%s", reason);
    atomic_store(&s->board->broken, 1);
    atomic_store(&s->board->end_signal, SIGKILL);
    mp__step("supervisor.broken");
    mp__board_raise(s->board, MP__BOARD_BROKEN);
}

/* ---- deaths --------------------------------------------------------------------------------- */

/* More than restart_limit deaths within the span break the pool. */
static void death_count(struct supervisor *s)
{
    uint32_t limit = s->crew->options.restart_limit;
    if (limit == 0)
        return;
    mp__moment now = mp__now(), oldest = s->deaths[s->deaths_next];
    s->deaths[s->deaths_next] = now;
    s->deaths_next = (s->deaths_next + 1) % limit;
    if (oldest != 0 && now - oldest <= s->crew->options.restart_span)
        break_pool(s, "more workers died than restart_limit allows");
}

/* Workers that die before they can take a task, one after the other, and none that can. */
static void birth_count(struct supervisor *s, bool in_vain)
{
    uint32_t ready = atomic_load(&s->board->ready);
    if (ready != s->ready_seen || !in_vain)
        s->born_in_vain = 0;
    s->ready_seen = ready;
    if (in_vain && ++s->born_in_vain > 2 * s->board->workers + 6)
        break_pool(s, "workers die before they can take a task");
}

static void refusal_report(struct supervisor *s, const struct mp__worker *worker, int32_t pid)
{
    char text[120];
    snprintf(text, sizeof text, "the initializer returned %d in worker %d",
             atomic_load((_Atomic int32_t *)&worker->refusal), (int)pid);
    break_pool(s, text);
}

static void worker_ended(struct supervisor *s, uint32_t w, int code)
{
    struct mp__worker *worker = &s->board->worker[w];
    enum mp__board_state state = mp__board_state(s->board);
    struct mp__death death = {
        .pid = mp_process_pid(s->process[w]), .end = code, .is_end = state >= MP__BOARD_ENDING};
    mp__log(MP_LOG_DEBUG, "cleaning up worker %u", w);
    mp_process_destroy(s->process[w]);
    s->process[w] = NULL;
    s->alive--;
    atomic_store(&worker->pid, 0); /* somebody else's from now on */
    mp__step("supervisor.reaped");
    mp__worker_harvest(s->pool, w, &death);
    uint32_t was = atomic_load(&worker->state);
    if (state >= MP__BOARD_LEAVING || was == MP__WORKER_LEAVES)
        return;
    if (was == MP__WORKER_REFUSED) {
        refusal_report(s, worker, death.pid);
        return;
    }
    birth_count(s, was == MP__WORKER_BEGINS);
    death_count(s);
}

static void workers_reap(struct supervisor *s)
{
    int code;
    for (uint32_t w = 0; w < s->board->workers; w++)
        if (s->process[w] != NULL && mp_process_exitcode(s->process[w], &code) == 1)
            worker_ended(s, w, code);
}

/* ---- births --------------------------------------------------------------------------------- */

static int worker_start(struct supervisor *s, uint32_t w)
{
    mp_process *p;
    struct mp__worker *worker = &s->board->worker[w];
    const struct mp__crew_options *options = &s->crew->options;
    mp_process_options how = {.daemon = options->daemonic ? MP_DAEMON_YES : MP_DAEMON_NO};
    int rc = mp_process_create(&p, mp__worker_main, (void *)(uintptr_t)w, 0, &how);
    if (rc != 0)
        return rc;
    if (options->name != NULL) {
        char name[80];
        snprintf(name, sizeof name, "%s-%.60s", options->name, p->lineage);
        mp_process_set_name(p, name);
    }
    atomic_store(&worker->state, MP__WORKER_BEGINS);
    rc = mp__process_start(p, MP__START_MASKED | MP__START_BOUND, &worker->owner);
    if (rc != 0) {
        mp_process_destroy(p);
        return rc;
    }
    mp__step("supervisor.forked");
    s->process[w] = p;
    s->alive++;
    atomic_store(&worker->pid, mp_process_pid(p));
    mp__log(MP_LOG_DEBUG, "added worker");
    return 0;
}

static void fork_failed(struct supervisor *s, int code)
{
    char text[120];
    mp__moment now = mp__now();
    bool can_wait = s->was_whole && s->alive > 0;
    if (s->fork_failed == 0 || can_wait)
        s->fork_failed = now;
    s->fork_again = now + FORK_AGAIN;
    if (can_wait || now - s->fork_failed < FORK_NEVER)
        return;
    snprintf(text, sizeof text, "no worker can be started: %s", mp_strerror(code));
    break_pool(s, text);
}

/* A task that a dead worker left in a place that cannot be filled goes to any worker there is. */
static void task_hand_over(struct supervisor *s)
{
    for (uint32_t w = 0; w < s->board->workers && !mp__any_left_over(s->board); w++) {
        uint32_t index = atomic_load(&s->board->worker[w].task);
        if (s->process[w] != NULL || index == 0)
            continue;
        struct mp__task *task = mp__task_at(s->board, index);
        uint32_t serial = mp__task_serial(atomic_load(&task->word));
        atomic_store(&s->board->worker[w].task, 0);
        atomic_store(&task->word, mp__task_word(serial, 0, MP__TASK_QUEUED));
        uint64_t count = (atomic_load(&s->board->left_over) >> 32) + 1;
        atomic_store(&s->board->left_over, count << 32 | index);
        mp__idle_wake(s->board, s->board->workers);
    }
}

static void workers_start(struct supervisor *s)
{
    if (s->fork_again != 0 && !mp__moment_passed(s->fork_again))
        return;
    for (uint32_t w = 0; w < s->board->workers; w++) {
        int rc = s->process[w] == NULL ? worker_start(s, w) : 0;
        if (rc != 0) {
            fork_failed(s, rc);
            task_hand_over(s);
            return;
        }
    }
    s->was_whole = true;
    s->fork_failed = s->fork_again = 0;
}

/* ---- deadlines ------------------------------------------------------------------------------ */

/* Condemns the worker if its item's time is over; gives when it will be. */
static mp__moment deadline_look(struct supervisor *s, uint32_t w, int64_t late)
{
    struct mp__worker *worker = &s->board->worker[w];
    uint64_t run = atomic_load(&worker->run);
    if ((run & 3) != MP__RUN_RUNNING || s->process[w] == NULL)
        return MP__NEVER;
    int64_t deadline = atomic_load(&worker->deadline);
    if (late > 0)
        atomic_compare_exchange_strong(&worker->deadline, &deadline, deadline + late);
    deadline += late;
    if (!mp__moment_passed(deadline))
        return deadline;
    uint64_t condemned = (run & ~UINT64_C(3)) | MP__RUN_CONDEMNED;
    if (atomic_compare_exchange_strong(&worker->run, &run, condemned)) {
        mp__step("supervisor.condemned");
        mp_process_kill(s->process[w]);
    }
    return MP__NEVER;
}

static mp__moment deadlines_look(struct supervisor *s, int64_t late)
{
    mp__moment first = MP__NEVER;
    for (uint32_t w = 0; w < s->board->workers; w++) {
        mp__moment deadline = deadline_look(s, w, late);
        if (deadline < first)
            first = deadline;
    }
    return first;
}

/* ---- the end -------------------------------------------------------------------------------- */

static bool is_busy(struct supervisor *s, uint32_t w)
{
    uint32_t index = atomic_load(&s->board->worker[w].task);
    uint64_t word = index != 0 ? atomic_load(&mp__task_at(s->board, index)->word) : 0;
    return mp__task_state(word) == MP__TASK_CLAIMED && mp__task_worker(word) == w;
}

static bool is_drained(struct supervisor *s)
{
    /* the list first: who claimed from it had written that down before */
    if (atomic_load(&s->board->inputs) > 0 || mp__any_left_over(s->board) ||
        !mp__queue_is_empty(s->board))
        return false;
    for (uint32_t w = 0; w < s->board->workers; w++)
        if (is_busy(s, w))
            return false;
    return true;
}

static void workers_signal(struct supervisor *s, int signal_number)
{
    for (uint32_t w = 0; w < s->board->workers; w++)
        if (s->process[w] != NULL)
            mp__process_signal(s->process[w], signal_number);
}

/* Ends the workers by a signal, and by SIGKILL those that are left after some time. */
static void workers_end(struct supervisor *s, int signal_number)
{
    mp__moment end = mp__moment_in(signal_number == SIGKILL ? 0 : GRACE);
    workers_signal(s, signal_number);
    while (s->alive > 0) {
        bool patient = !mp__moment_passed(end) && getppid() == s->parent;
        if (!patient)
            workers_signal(s, SIGKILL);
        mp__moment slice = mp__moment_in(MP__SLICE_FIRST);
        mp__gate_wait(&s->board->supervise, patient && end < slice ? end : slice);
        workers_reap(s);
    }
}

static void workers_dismiss(struct supervisor *s)
{
    for (uint32_t w = 0; w < s->board->workers; w++)
        mp__gate_post(&s->board->worker[w].gate);
    workers_signal(s, SIGCONT); /* one that is stopped would never leave */
}

/* ---- rounds --------------------------------------------------------------------------------- */

/* True when the supervisor is to end. */
static bool round_act(struct supervisor *s)
{
    workers_reap(s);
    if (getppid() != s->parent) {
        workers_end(s, SIGKILL);
        return true;
    }
    if (mp__board_state(s->board) == MP__BOARD_CLOSED && s->was_whole && is_drained(s) &&
        mp__board_raise(s->board, MP__BOARD_LEAVING))
        workers_dismiss(s);
    enum mp__board_state state = mp__board_state(s->board);
    if (state >= MP__BOARD_ENDING) {
        workers_end(s, (int)atomic_load(&s->board->end_signal));
        return true;
    }
    if (state == MP__BOARD_LEAVING)
        return s->alive == 0;
    bool was_whole = s->was_whole;
    workers_start(s);
    if (!was_whole && s->was_whole)
        mp__gate_post(&s->board->supervise); /* closed already, perhaps */
    return false;
}

static mp__moment sooner(mp__moment a, mp__moment b)
{
    return a < b ? a : b;
}

static void round_sleep(struct supervisor *s)
{
    mp__moment deadline = deadlines_look(s, s->late);
    s->late = 0;
    mp__moment until = sooner(deadline, mp__moment_in(LOOK));
    if (!mp__queue_is_empty(s->board) && mp__idle_any(s->board)) {
        mp__idle_wake(s->board, 1);
        until = sooner(until, mp__moment_in(PROD));
    }
    if (s->fork_again != 0)
        until = sooner(until, s->fork_again);
    if (mp__board_state(s->board) >= MP__BOARD_ENDING)
        until = 0;
    /* a worker that sets an earlier deadline from now on posts the gate; others are seen here */
    atomic_store(&s->board->next_look, until);
    deadline = deadlines_look(s, 0);
    until = sooner(until, deadline);
    if (until == 0)
        return;
    mp__gate_wait(&s->board->supervise, until);
    int64_t late = mp__now() - until;
    s->late = late > LATE ? late : 0;
}

/* A supervisor that has no memory or no parent any more leaves nothing to put in order. */
static bool supervisor_begin(struct supervisor *s, struct mp__crew *crew)
{
    const struct mp__crew_options *options = &crew->options;
    s->crew = mp__crew_here = crew;
    s->pool = crew->object;
    s->board = crew->board;
    supervisor_gate = &s->board->supervise;
    s->parent = mp_process_pid(mp_parent_process());
    crew->supervisor = mp__process_current;
    s->process = calloc(options->workers, sizeof(mp_process *));
    s->deaths = calloc((size_t)options->restart_limit + 1, sizeof *s->deaths);
    if (s->process == NULL || s->deaths == NULL)
        return false;
    signals_take(&crew->signals);
    mp__parent_signal(SIGCONT);
    return true;
}

int mp__supervisor_main(void *arg)
{
    struct supervisor s;
    memset(&s, 0, sizeof s);
    bool began = supervisor_begin(&s, arg);
    while (began && !round_act(&s))
        round_sleep(&s);
    free(s.process);
    free(s.deaths);
    if (!began)
        return 1;
    mp__step("supervisor.ending");
    mp__board_raise(s.board, MP__BOARD_ENDED);
    mp__gate_post(&s.board->done);
    return 0;
}
