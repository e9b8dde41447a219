/* Python's TestPoolWorkerLifetime, TestPoolNotLeakOnFailure, TestInitializers, and the pools of
 * TestStdinBadfiledescriptor and MiscTestCase. */
#include "parity_pool_kit.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_pool_worker_lifetime(void **state)
{
    (void)state;
    enum { WORKERS = 3, TASKS = 100, LIFE = 10 };
    const mp_pool_options options = {.maxtasksperchild = LIFE};
    mp_async_result *squares[TASKS], *pids[TASKS];
    int64_t before[WORKERS], after[WORKERS], runner[TASKS];
    mp_obj value;
    new_meeting(WORKERS);
    mp_pool *pool = new_pool_with(WORKERS, &options);
    pids_of_workers(pool, WORKERS, before);
    for (int i = 0; i < TASKS; i++) {
        assert_mp_result(mp_pool_apply_async(pool, sqr, MP(i), &squares[i], NULL), 0);
        assert_mp_result(mp_pool_apply_async(pool, give_pid, MP_NONE, &pids[i], NULL), 0);
    }
    for (int i = 0; i < TASKS; i++) {
        assert_mp_result(mp_async_result_get(squares[i], &value, MP_FOREVER), 0);
        check(owned_int(&value) == i * i);
        assert_mp_result(mp_async_result_get(pids[i], &value, MP_FOREVER), 0);
        runner[i] = owned_int(&value);
        int tasks = 1;
        for (int earlier = 0; earlier < i; earlier++)
            tasks += runner[earlier] == runner[i];
        check(tasks <= LIFE);
        mp_async_result_destroy(squares[i]);
        mp_async_result_destroy(pids[i]);
    }
    pids_of_workers(pool, WORKERS, after);
    for (int i = 0; i < WORKERS; i++)
        for (int k = 0; k < WORKERS; k++)
            check(before[i] != after[k]);
    end_pool(pool);
    mp_barrier_destroy(meeting);
}

static void test_pool_worker_lifetime_early_close(void **state)
{
    (void)state;
    enum { TASKS = 6 };
    const mp_pool_options options = {.maxtasksperchild = 1};
    mp_pool *pool = new_pool_with(3, &options);
    mp_async_result *results[TASKS];
    for (int i = 0; i < TASKS; i++)
        assert_mp_result(mp_pool_apply_async(pool, sqr, MP_TUPLE(i, 0.1), &results[i], NULL), 0);
    end_pool(pool);
    for (int i = 0; i < TASKS; i++) {
        mp_obj value;
        assert_mp_result(mp_async_result_get(results[i], &value, MP_NOWAIT), 0);
        check(owned_int(&value) == i * i);
        mp_async_result_destroy(results[i]);
    }
}

/* What Python refuses at run time is no value of the option's type; 0 is Python's None. */
static void test_pool_maxtasksperchild_invalid(void **state)
{
    (void)state;
    const mp_pool_options options = {.maxtasksperchild = 0};
    mp_pool *pool = new_pool_with(1, &options);
    mp_obj items = range(300), pids;
    const mp_map_options one_by_one = {.chunksize = 1};
    assert_mp_result(mp_pool_map(pool, give_pid, items, &pids, &one_by_one), 0);
    for (size_t i = 0; i < 300; i++)
        check(mp_obj_equal(pids.items[i], pids.items[0]));
    mp_obj_free(&pids);
    mp_obj_free(&items);
    end_pool(pool);
}

static mp_pool *idle, *busy;

static int leave_a_pool_open(void *arg)
{
    (void)arg;
    new_meeting(4);
    idle = new_pool(4);
    busy = new_pool(2);
    int64_t workers[4];
    pids_of_workers(idle, 4, workers);
    for (int i = 0; i < 100; i++)
        assert_mp_result(mp_pool_apply_async(busy, sqr, MP_TUPLE(i, 1000.0), NULL, NULL), 0);
    return 0;
}

static int leave_a_pool_open_and_exit(void *arg)
{
    exit(leave_a_pool_open(arg));
}

static void test_a_pool_left_open_at_exit(void **state)
{
    (void)state;
    mp_process *process;
    child_must_succeed(leave_a_pool_open_and_exit, NULL);
    child_must_succeed(leave_a_pool_open, NULL);
    assert_mp_result(mp_process_create(&process, leave_a_pool_open, NULL, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    finish_process_with(process, 0);
}

/* How many processes this one may start, up to `most`. */
static int processes_to_have(int most)
{
    pid_t pids[16];
    int n = 0;
    check(most <= 16);
    while (n < most && (pids[n] = fork()) >= 0) {
        if (pids[n] == 0)
            for (;;)
                (void)pause();
        n++;
    }
    for (int i = 0; i < n; i++) {
        check(kill(pids[i], SIGKILL) == 0);
        check(waitpid(pids[i], NULL, 0) == pids[i]);
    }
    return n;
}

/* A pool that cannot have its workers says so sooner or later; what runs until then is its own. */
static void pool_gets_broken(mp_pool *pool)
{
    double end = clock_seconds() + 20;
    int rc;
    do {
        rc = mp_pool_apply(pool, sqr, MP(2), NULL);
        check(clock_seconds() < end);
    } while (rc == 0 || rc == MP_EDIED);
    assert_mp_error(rc, MP_EBROKENPOOL);
}

enum { CANNOT_TELL = 77 };

/* As a user of its own that may have so many processes besides this one. */
static int make_a_pool_of_five(void *arg)
{
    int allowed = *(const int *)arg;
    rlim_t limit = (rlim_t)allowed + 1;
    const struct rlimit processes = {.rlim_cur = limit, .rlim_max = limit};
    if (setrlimit(RLIMIT_NPROC, &processes) != 0 || setuid(60000 + (uid_t)getpid() % 4096) != 0)
        return CANNOT_TELL;
    if (processes_to_have(allowed + 1) != allowed)
        return CANNOT_TELL;
    mp_pool *pool;
    int rc = mp_pool_create(&pool, 5, NULL);
    if (allowed == 0)
        assert_mp_error(rc, -EAGAIN);
    if (rc != -EAGAIN) {
        assert_mp_result(rc, 0);
        pool_gets_broken(pool);
        assert_mp_error(mp_pool_apply(pool, sqr, MP(2), NULL), MP_EBROKENPOOL);
        mp_pool_destroy(pool);
    }
    check(processes_to_have(allowed + 1) == allowed);
    check(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}

static void test_release_unused_processes(void **state)
{
    (void)state;
    if (getuid() != 0) {
        print_message("SKIPPED: only root can become a user with a limit of processes\n");
        skip();
    }
    for (int allowed = 0; allowed < 6; allowed++) {
        int status = child_wait(child_fork(make_a_pool_of_five, &allowed));
        if (status == CANNOT_TELL) {
            print_message("SKIPPED: no user with a limit of processes can be had here\n");
            skip();
        }
        check(status == 0);
    }
}

struct notes {
    _Atomic int initialized, value;
};

struct initarg {
    struct notes *notes;
    int value;
};

static int note_value(void *arg)
{
    const struct initarg *initarg = arg;
    atomic_fetch_add(&initarg->notes->initialized, 1);
    atomic_store(&initarg->notes->value, initarg->value);
    return 0;
}

static void test_pool_initializer(void **state)
{
    (void)state;
    enum { WORKERS = 4 };
    struct notes *notes = shared_memory(sizeof *notes);
    struct initarg initarg = {notes, 1};
    const mp_pool_options options = {.initializer = note_value, .initarg = &initarg};
    mp_pool *pool = new_pool_with(1, &options);
    initarg.value = 2; /* too late */
    end_pool(pool);
    check(atomic_load(&notes->initialized) == 1 && atomic_load(&notes->value) == 1);

    int64_t pids[WORKERS];
    atomic_store(&notes->initialized, 0);
    new_meeting(WORKERS);
    pool = new_pool_with(WORKERS, &options);
    pids_of_workers(pool, WORKERS, pids);
    pids_of_workers(pool, WORKERS, pids);
    check(atomic_load(&notes->initialized) == WORKERS && atomic_load(&notes->value) == 2);
    end_pool(pool);
    mp_barrier_destroy(meeting);
    mp_raw_free(notes);
}

static void test_pool_initializer_in_replacements(void **state)
{
    (void)state;
    struct notes *notes = shared_memory(sizeof *notes);
    struct initarg initarg = {notes, 1};
    const mp_pool_options options = {
        .initializer = note_value, .initarg = &initarg, .maxtasksperchild = 1};
    mp_pool *pool = new_pool_with(1, &options);
    for (int i = 0; i < 10; i++) {
        assert_mp_result(mp_pool_apply(pool, sqr, MP(i), NULL), 0);
        check(atomic_load(&notes->initialized) >= i + 1);
    }
    end_pool(pool);
    mp_raw_free(notes);
}

static int fail_to_begin(void *arg)
{
    (void)arg;
    return 3;
}

static int die_at_birth(void *arg)
{
    (void)arg;
    return raise(SIGKILL);
}

/* CPython starts new workers for ever, and map never returns. */
static void test_an_initializer_that_fails(void **state)
{
    (void)state;
    static mp_initializer *const failing[] = {fail_to_begin, die_at_birth};
    for (int i = 0; i < 2; i++) {
        const mp_pool_options options = {.initializer = failing[i]};
        mp_async_result *result;
        mp_obj results = MP(1);
        mp_pool *pool = new_pool_with(3, &options);
        int rc = mp_pool_apply_async(pool, sqr, MP(3), &result, NULL);
        if (rc == 0) {
            assert_mp_error(mp_async_result_get(result, NULL, MP_FOREVER), MP_EBROKENPOOL);
            mp_async_result_destroy(result);
        } else {
            assert_mp_error(rc, MP_EBROKENPOOL);
        }
        assert_mp_error(mp_pool_map(pool, sqr, MP_LIST(1, 2, 3), &results, NULL), MP_EBROKENPOOL);
        mp_obj_free(&results);
        end_broken_pool(pool);
    }
}

static int use_a_pool(void *arg)
{
    (void)arg;
    mp_obj squares;
    mp_pool *pool = new_pool(4);
    assert_mp_result(mp_pool_map(pool, sqr, MP_LIST(0, 1, 2, 3, 4, 5, 6), &squares, NULL), 0);
    take_squares(&squares, 7);
    end_pool(pool);
    return 0;
}

static void test_pool_in_process(void **state)
{
    (void)state;
    mp_process *process;
    assert_mp_result(mp_process_create(&process, use_a_pool, NULL, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    finish_process_with(process, 0);
}

static void test_large_pool(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(200);
    mp_obj items = range(1000), results;
    int64_t sum = 0;
    MP_WITH_POOL(pool) {
        assert_mp_result(mp_pool_map(pool, identity, items, &results, NULL), 0);
    }
    check(results.len == 1000);
    for (size_t i = 0; i < 1000; i++)
        sum += results.items[i].i;
    check(sum == 499500);
    mp_obj_free(&results);
    mp_obj_free(&items);
    mp_pool_destroy(pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestPoolWorkerLifetime.test_pool_worker_lifetime: worn-out workers are "
                     "replaced, and all results are right",
                     test_pool_worker_lifetime),
        support_test("TestPoolWorkerLifetime.test_pool_worker_lifetime_early_close: all tasks run "
                     "after close",
                     test_pool_worker_lifetime_early_close),
        support_test("TestPoolWorkerLifetime.test_pool_maxtasksperchild_invalid: 0 is no limit",
                     test_pool_maxtasksperchild_invalid),
        support_test("TestPoolWorkerLifetime."
                     "test_worker_finalization_via_atexit_handler_of_multiprocessing: pools left "
                     "open at exit hang nobody",
                     test_a_pool_left_open_at_exit),
        support_test("TestPoolNotLeakOnFailure.test_release_unused_processes: too few processes "
                     "are an error, and nothing stays",
                     test_release_unused_processes),
        support_test("TestInitializers.test_pool_initializer: runs once in each worker",
                     test_pool_initializer),
        support_test("TestInitializers.test_pool_initializer: runs in replacements too",
                     test_pool_initializer_in_replacements),
        support_test("TestInitializers.test_pool_initializer: a failing one breaks the pool",
                     test_an_initializer_that_fails),
        support_test("TestStdinBadfiledescriptor.test_pool_in_process: a pool of a child's own",
                     test_pool_in_process),
        support_test("MiscTestCase.test_large_pool: 200 workers", test_large_pool),
    };
    return support_run_processes("TestPoolWorkerLifetime", tests);
}
