/* The killer and the books on pools made by hand: both have to see what such pools lose. */
#include "kill/chores.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 4, TASKS = 3000, KILLS = 100, CHUNK = 8 };

/* Tasks are handed out by one counter, a chunk at a time; who takes one does it. */
struct counter_pool {
    _Atomic uint32_t next;
    _Atomic uint32_t chunk[WORKERS]; /* at work on it, by worker; TASKS: none */
    _Atomic uint8_t done[TASKS];     /* true: result and code are there */
    int code[TASKS];
    uint64_t result[TASKS];
};

static struct counter_pool *by_hand;

static void chunk_do(uint32_t first)
{
    for (uint32_t n = first; n < first + CHUNK && n < TASKS; n++) {
        int rc = chore_do_item(&n, &by_hand->result[n], NULL);
        by_hand->code[n] = rc == 0 ? 0 : MP_ETASK;
        atomic_store(&by_hand->done[n], 1);
    }
}

/* Nobody else waits for a killer who has no processor. */
static void killer_await(uint32_t first)
{
    uint32_t due = KILLS * first / TASKS;
    for (int i = 0; i < 50 && killer_kills() + 2 < due; i++)
        kill_nap(100);
}

/* A worker that takes the place of a dead one begins with its chunk, if it is told to. */
static bool begins_anew;

static int worker_main(void *place)
{
    _Atomic uint32_t *chunk = &by_hand->chunk[(uintptr_t)place];
    check(roster_sign(NULL) == 0);
    if (begins_anew && atomic_load(chunk) < TASKS)
        chunk_do(atomic_load(chunk));
    uint32_t first;
    while ((first = atomic_fetch_add(&by_hand->next, CHUNK)) < TASKS) {
        atomic_store(chunk, first);
        killer_await(first);
        chunk_do(first);
        atomic_store(chunk, TASKS);
    }
    return 0;
}

static pid_t worker_start(int place)
{
    return child_fork(worker_main, (void *)(uintptr_t)place);
}

/* Replaces the dead until all have left by themselves. */
static void workers_run(void)
{
    pid_t pid[WORKERS];
    int left = WORKERS;
    for (int i = 0; i < WORKERS; i++)
        pid[i] = worker_start(i);
    for (int i = 0; left > 0; i = (i + 1) % WORKERS) {
        int status;
        if (pid[i] == 0 || waitpid(pid[i], &status, WNOHANG) == 0) {
            kill_nap(100);
            continue;
        }
        bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        assert_true(was_killed || status == 0);
        left -= !was_killed;
        pid[i] = was_killed ? worker_start(i) : 0;
    }
}

static void torment(const char *name, bool anew, struct chores_sum *sum)
{
    support_time_limit(100);
    kill_prepare();
    roster_prepare();
    chores_prepare(TASKS);
    if (by_hand == NULL)
        by_hand = kill_shared(sizeof *by_hand);
    atomic_store(&by_hand->next, 0);
    for (uint32_t n = 0; n < TASKS; n++) {
        (void)chore_new(0);
        atomic_store(&by_hand->done[n], 0);
    }
    for (int i = 0; i < WORKERS; i++)
        atomic_store(&by_hand->chunk[i], TASKS);
    begins_anew = anew;
    pid_t killer = killer_start(KILLS, TASKS);
    workers_run();
    killer_stop(killer);
    for (uint32_t n = 0; n < TASKS; n++)
        if (atomic_load(&by_hand->done[n]))
            chore_resolve_item(n, by_hand->code[n], by_hand->result[n]);
    chores_count(sum);
    killer_print(name);
    chores_print(name, sum);
}

/* A killer who has no processor may come too late for a whole run. */
static void test_what_a_shared_counter_gave_to_the_dead_is_lost(void **state)
{
    (void)state;
    struct chores_sum sum = {.unresolved = 0};
    for (int i = 0; i < KILL_RUNS_MOST && sum.unresolved == 0; i++)
        torment("control: counter", false, &sum);
    assert_true(sum.unresolved > 0);
}

static void test_chunks_begun_anew_run_items_twice(void **state)
{
    (void)state;
    struct chores_sum sum = {.rerun = 0};
    for (int i = 0; i < KILL_RUNS_MOST && sum.rerun == 0; i++)
        torment("control: anew", true, &sum);
    assert_true(sum.rerun > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("what a shared counter gave to the dead is lost",
                     test_what_a_shared_counter_gave_to_the_dead_is_lost),
        support_test("chunks begun anew run items twice", test_chunks_begun_anew_run_items_twice),
    };
    return support_run_processes("pool control", tests);
}
