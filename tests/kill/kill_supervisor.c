/* The supervisor of a pool is killed: nobody waits for ever, no process is left, and no memory. */
#include "kill/chores.h"
#include "kill/execution.h"

#include <mp/futures.h>
#include <mp/mp.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 3, STORM_ROUNDS = 100, STORM_TASKS = 40, WAITERS = 4 };

/* Seconds in which all must be over. */
static const double at_most = 1;

static struct scene *scene;
static mp_pool *pool;
static mp_executor *executor;

static void scene_begin(void)
{
    if (scene == NULL)
        scene = kill_shared(sizeof *scene);
    memset((void *)scene, 0, sizeof *scene);
    kill_prepare();
    roster_prepare();
}

/* ---- tasks that never end -------------------------------------------------------------------- */

static int stay(mp_obj unused, mp_obj *result)
{
    (void)unused;
    (void)result;
    scene_stay(scene);
    return 0;
}

static int stay_item(const void *item, void *result, void *context)
{
    (void)item;
    (void)result;
    (void)context;
    scene_stay(scene);
    return 0;
}

/* ---- one call waits, and the supervisor is killed -------------------------------------------- */

static mp_async_result *asked;
static mp_imap *imap;
static mp_future *future[2];
static mp_completion *completion;
static atomic_int called;

static void nothing(void)
{
}

static void ask_one(void)
{
    assert_mp_ok(mp_pool_apply_async(pool, stay, MP_NONE, &asked, NULL));
}

static void ask_and_close(void)
{
    ask_one();
    assert_mp_ok(mp_pool_close(pool));
}

static void ask_for_imap(void)
{
    assert_mp_ok(mp_pool_imap(pool, stay, MP_LIST(1, 2), &imap, NULL));
}

static void ask_for_unordered(void)
{
    assert_mp_ok(mp_pool_imap_unordered(pool, stay, MP_LIST(1, 2), &imap, NULL));
}

static int two_at_most(void *context, mp_obj *item)
{
    int *given = context;
    *item = MP(*given);
    return (*given)++ < 2;
}

static void ask_for_generated(void)
{
    static int given;
    given = 0;
    assert_mp_ok(mp_pool_imap_from(pool, stay, two_at_most, &given, &imap, NULL));
}

static void ask_with_progress(void)
{
    const mp_map_options options = {.chunksize = 1};
    assert_mp_ok(mp_pool_map_async(pool, stay, MP_LIST(1, 2), &asked, &options));
}

static void failed(int code, const char *detail, void *unused)
{
    (void)detail;
    (void)unused;
    atomic_fetch_add(&called, code == MP_EDIED ? 1 : 100);
}

static void succeeded(mp_obj result, void *unused)
{
    (void)result;
    (void)unused;
    atomic_fetch_add(&called, 100);
}

static void ask_with_callback(void)
{
    const mp_task_options options = {.callback = succeeded, .error_callback = failed};
    atomic_store(&called, 0);
    assert_mp_ok(mp_pool_apply_async(pool, stay, MP_NONE, &asked, &options));
}

static void submit_two(void)
{
    for (int i = 0; i < 2; i++)
        assert_mp_ok(mp_executor_submit(executor, stay, MP_NONE, &future[i]));
}

static void submit_for_completion(void)
{
    submit_two();
    assert_mp_ok(mp_as_completed(future, 2, &completion, MP_FOREVER));
}

static int call_apply(void)
{
    return mp_pool_apply(pool, stay, MP_NONE, NULL);
}

static int call_map(void)
{
    int status[5];
    mp_obj results;
    int rc = mp_pool_map(pool, stay, MP_LIST(1, 2, 3, 4, 5), &results,
                         &(mp_map_options){.chunksize = 1, .status = status});
    for (int i = 0; i < 5; i++)
        check(status[i] == MP_EDIED || status[i] == MP_EBROKENPOOL);
    mp_obj_free(&results);
    return rc;
}

static int call_map_array(void)
{
    char items[100] = {0};
    return mp_pool_map_array(pool, stay_item, items, sizeof items, 1, NULL, 0, NULL);
}

static int call_get(void)
{
    return mp_async_result_get(asked, NULL, MP_FOREVER);
}

static int call_get_long(void)
{
    return mp_async_result_get(asked, NULL, 1000);
}

static int call_wait(void)
{
    assert_mp_result(mp_async_result_wait(asked, MP_FOREVER), 0);
    assert_true(mp_async_result_ready(asked));
    assert_mp_result(mp_async_result_successful(asked), 0);
    return mp_async_result_get(asked, NULL, MP_NOWAIT);
}

static int call_callback(void)
{
    int rc = call_get();
    check(atomic_load(&called) == 1);
    return rc;
}

/* The other result is lost too, and then comes the end. */
static int call_imap_next(void)
{
    int rc = mp_imap_next(imap, NULL, MP_FOREVER);
    assert_mp_error(mp_imap_next(imap, NULL, MP_FOREVER), MP_EDIED);
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 0);
    return rc;
}

static int call_join(void)
{
    assert_mp_error(mp_pool_join(pool, MP_FOREVER), MP_EBROKENPOOL);
    return call_get();
}

static int call_result(void)
{
    return mp_future_result(future[0], NULL, MP_FOREVER);
}

static int call_exception(void)
{
    int code = 0;
    assert_mp_result(mp_future_exception(future[1], &code, MP_FOREVER), 0);
    return code;
}

static int call_futures_wait(void)
{
    assert_mp_result(mp_futures_wait(future, 2, MP_ALL_COMPLETED, NULL, MP_FOREVER), 2);
    return mp_future_result(future[0], NULL, MP_NOWAIT);
}

static int call_completion_next(void)
{
    mp_future *done;
    assert_mp_result(mp_completion_next(completion, &done), 1);
    int rc = mp_future_result(done, NULL, MP_NOWAIT);
    assert_mp_result(mp_completion_next(completion, &done), 1);
    assert_mp_result(mp_completion_next(completion, &done), 0);
    return rc;
}

static int call_executor_map(void)
{
    return mp_executor_map(executor, stay, MP_LIST(1, 2), NULL, NULL, MP_FOREVER);
}

static int call_shutdown(void)
{
    assert_mp_error(mp_executor_shutdown(executor, true, false), MP_EBROKENPOOL);
    return mp_future_result(future[0], NULL, MP_NOWAIT);
}

/* What waits, and what was asked for before. Each wait ends with MP_EDIED. */
struct waiting {
    const char *name;
    void (*ask)(void);
    int (*call)(void);
    int tasks; /* that are at work before the supervisor is killed */
    bool of_executor;
};

static const struct waiting waitings[] = {
    {"apply", nothing, call_apply, 1, false},
    {"map", nothing, call_map, WORKERS, false},
    {"map_array", nothing, call_map_array, 1, false},
    {"get", ask_one, call_get, 1, false},
    {"get with a timeout", ask_one, call_get_long, 1, false},
    {"get of a map", ask_with_progress, call_get, 2, false},
    {"wait", ask_one, call_wait, 1, false},
    {"get with a callback", ask_with_callback, call_callback, 1, false},
    {"imap", ask_for_imap, call_imap_next, 2, false},
    {"imap_unordered", ask_for_unordered, call_imap_next, 2, false},
    {"imap of a generator", ask_for_generated, call_imap_next, 2, false},
    {"join", ask_and_close, call_join, 1, false},
    {"future's result", submit_two, call_result, 2, true},
    {"future's exception", submit_two, call_exception, 2, true},
    {"futures_wait", submit_two, call_futures_wait, 2, true},
    {"as_completed", submit_for_completion, call_completion_next, 2, true},
    {"executor's map", nothing, call_executor_map, 2, true},
    {"executor's shutdown", submit_two, call_shutdown, 2, true},
};

static void stage_make(bool of_executor)
{
    const mp_pool_options options = {.initializer = roster_sign};
    const mp_executor_options executor_options = {.initializer = roster_sign};
    pool = NULL;
    executor = NULL;
    if (of_executor)
        assert_mp_ok(mp_executor_create(&executor, WORKERS, &executor_options));
    else
        assert_mp_ok(mp_pool_create(&pool, WORKERS, &options));
}

static void stage_end(void)
{
    mp_async_result_destroy(asked);
    mp_imap_destroy(imap);
    mp_completion_destroy(completion);
    for (int i = 0; i < 2; i++) {
        mp_future_destroy(future[i]);
        future[i] = NULL;
    }
    asked = NULL;
    imap = NULL;
    completion = NULL;
    mp_pool_destroy(pool);
    mp_executor_destroy(executor);
}

/* Nothing can be handed in any more. */
static void assert_broken(bool closed)
{
    int expected = closed ? MP_ESTATE : MP_EBROKENPOOL;
    mp_obj o;
    if (executor != NULL) {
        mp_future *none;
        assert_mp_error(mp_executor_submit(executor, stay, MP_NONE, &none), expected);
        return;
    }
    assert_mp_error(mp_pool_apply(pool, stay, MP_NONE, NULL), expected);
    assert_mp_error(mp_pool_apply_async(pool, stay, MP_NONE, NULL, NULL), expected);
    assert_mp_error(mp_pool_map(pool, stay, MP_LIST(1), &o, NULL), expected);
    mp_async_result *none;
    assert_mp_error(mp_pool_map_async(pool, stay, MP_LIST(1), &none, NULL), expected);
    mp_imap *no_imap;
    assert_mp_error(mp_pool_imap(pool, stay, MP_LIST(1), &no_imap, NULL), expected);
    assert_mp_error(mp_pool_map_array(pool, stay_item, "", 1, 1, NULL, 0, NULL), expected);
}

static void supervisor_dies_below(const struct waiting *w, double *slowest, double *last)
{
    double took;
    scene_begin();
    struct execution execution = {scene, roster_supervisor, w->tasks, 1};
    struct mp__heap_count before = heap_after_sweep();
    stage_make(w->of_executor);
    w->ask();
    pid_t executioner = child_fork(execution_run, &execution);
    atomic_store(&scene->waiter[0], getpid());
    int rc = w->call();
    atomic_store(&scene->returned, 1);
    if (rc != MP_EDIED)
        fail_msg("%s returned %s", w->name, mp_error_name(rc));
    assert_int_equal(child_wait(executioner), 0);
    int left = roster_left(at_most, &took);
    if (left > 0 || atomic_load(&scene->took) > at_most)
        fail_msg("%s: %d processes are left, the call took %.0f ms", w->name, left,
                 atomic_load(&scene->took) * 1e3);
    *slowest = atomic_load(&scene->took) > *slowest ? atomic_load(&scene->took) : *slowest;
    *last = took > *last ? took : *last;
    assert_broken(w->call == call_join || w->call == call_shutdown);
    stage_end();
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_heap_is_as_before(&before);
}

static void test_whoever_waits_learns_that_the_supervisor_was_killed(void **state)
{
    (void)state;
    double slowest = 0, last = 0;
    size_t count = sizeof waitings / sizeof *waitings;
    support_time_limit(120);
    for (size_t i = 0; i < count; i++)
        supervisor_dies_below(&waitings[i], &slowest, &last);
    print_message(
        "| supervisor killed | %zu kinds of calls returned, the slowest after %.1f ms, last "
        "worker gone %.1f ms later |\n",
        count, slowest * 1e3, last * 1e3);
}

/* ---- several threads wait -------------------------------------------------------------------- */

struct wait_of_thread {
    int (*call)(void);
    int index;
};

static void *wait_in_thread(void *arg)
{
    const struct wait_of_thread *w = arg;
    atomic_store(&scene->waiter[w->index], (int)syscall(SYS_gettid));
    int rc = w->call();
    check(rc == MP_EDIED);
    atomic_fetch_add(&scene->returned, 1);
    return NULL;
}

static void test_so_do_all_threads_that_wait(void **state)
{
    (void)state;
    static struct wait_of_thread waits[WAITERS] = {
        {call_apply, 0}, {call_get, 1}, {call_map_array, 2}, {call_imap_next, 3}};
    pthread_t thread[WAITERS - 1];
    double took;
    scene_begin();
    struct execution execution = {scene, roster_supervisor, WORKERS, WAITERS};
    struct mp__heap_count before = heap_after_sweep();
    stage_make(false);
    ask_one();
    ask_for_imap();
    pid_t executioner = child_fork(execution_run, &execution);
    for (int i = 1; i < WAITERS; i++)
        assert_int_equal(pthread_create(&thread[i - 1], NULL, wait_in_thread, &waits[i]), 0);
    (void)wait_in_thread(&waits[0]);
    for (int i = 1; i < WAITERS; i++)
        assert_int_equal(pthread_join(thread[i - 1], NULL), 0);
    assert_int_equal(child_wait(executioner), 0);
    assert_true(atomic_load(&scene->took) <= at_most);
    assert_int_equal(roster_left(at_most, &took), 0);
    stage_end();
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_heap_is_as_before(&before);
}

/* ---- at random, under a stream --------------------------------------------------------------- */

static int kill_soon(void *arg)
{
    struct rng rng = rng_start(kill_seed() + *(const uint64_t *)arg);
    struct kill_clock clock;
    kill_clock_start(&clock);
    while (roster_supervisor() == 0)
        check(kill_clock_tick(&clock, 20));
    kill_pause(&rng, 8000);
    check(kill(roster_supervisor(), SIGKILL) == 0);
    return 0;
}

/* How many of the tasks came to nothing. */
static int storm(void)
{
    mp_async_result *result[STORM_TASKS] = {NULL};
    uint32_t number[STORM_TASKS];
    int lost = 0;
    for (int i = 0; i < STORM_TASKS; i++) {
        number[i] = chore_new(0);
        int rc = mp_pool_apply_async(pool, chore_do, MP(number[i]), &result[i], NULL);
        assert_true(rc == 0 || rc == MP_EBROKENPOOL);
    }
    for (int i = 0; i < STORM_TASKS; i++) {
        mp_obj o = MP_NONE;
        int code = result[i] == NULL ? MP_EBROKENPOOL : mp_async_result_get(result[i], &o, 20);
        if (code == MP_EBROKENPOOL)
            code = MP_EDIED;
        lost += code == MP_EDIED;
        chore_resolve(number[i], code, &o, code == MP_ETASK ? mp_error_code() : 0);
        mp_obj_free(&o);
        mp_async_result_destroy(result[i]);
    }
    return lost;
}

/* Elsewhere they look at their parent now and then, and most get done with all before they do. */
static bool workers_end_at_once(void)
{
    uint64_t start;
    return mp__process_trace(getpid(), &start) != MP__TRACE_UNKNOWN;
}

static void test_results_that_were_there_stay_when_the_supervisor_is_killed(void **state)
{
    (void)state;
    int lost = 0;
    double took, last = 0;
    struct chores_sum sum;
    support_time_limit(200);
    chores_prepare(STORM_ROUNDS * STORM_TASKS);
    for (uint64_t i = 0; i < STORM_ROUNDS; i++) {
        scene_begin();
        struct mp__heap_count before = heap_after_sweep();
        pid_t killer = child_fork(kill_soon, &i);
        stage_make(false);
        lost += storm();
        assert_int_equal(child_wait(killer), 0);
        assert_int_equal(roster_left(at_most, &took), 0);
        last = took > last ? took : last;
        stage_end();
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_heap_is_as_before(&before);
    }
    chores_count(&sum);
    chores_print("supervisor killed", &sum);
    print_message(
        "| supervisor killed | %d rounds, tasks lost %d, last worker gone after %.1f ms |\n",
        STORM_ROUNDS, lost, last * 1e3);
    assert_true(lost > 0 || !workers_end_at_once());
    assert_int_equal(
        sum.unresolved + sum.doubled + sum.rerun + sum.wrong + sum.strange + sum.invented, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("whoever waits learns that the supervisor was killed",
                     test_whoever_waits_learns_that_the_supervisor_was_killed),
        support_test("so do all threads that wait", test_so_do_all_threads_that_wait),
        support_test("results that were there stay when the supervisor is killed",
                     test_results_that_were_there_stay_when_the_supervisor_is_killed),
    };
    /* there an orphan's corpse passes for alive until it is reaped, too */
    if (!workers_end_at_once())
        kill_reap_orphans();
    return support_run_processes("supervisor", tests);
}
