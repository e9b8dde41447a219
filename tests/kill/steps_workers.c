/* Scenarios: pools and executors whose workers, supervisor or owner is killed.
 *
 * A stream is what an owner does with a pool of two workers, from its making to its end. Whoever
 * of the workers is killed on the way, at most one item may be lost, none that has retries; without
 * its supervisor everything ends, but what came to a result is right. Of an owner that is killed
 * nothing is left. */
#include "kill/roster.h"
#include "kill/steps.h"

#include <mp/futures.h>
#include <mp/mp.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 2, LARGE = 70000, MANY = 150, ITEMS = 10 };

static mp_pool *pool;
static int lost; /* items, in this run */

/* ---- tasks ----------------------------------------------------------------------------------- */

static int square(mp_obj arg, mp_obj *result)
{
    int64_t x;
    check(mp_obj_as_int(arg, &x) == 0);
    *result = MP(x * x);
    return 0;
}

static int make_large(mp_obj arg, mp_obj *result)
{
    static unsigned char bytes[LARGE];
    int64_t x;
    check(mp_obj_as_int(arg, &x) == 0);
    memset(bytes, (int)x, sizeof bytes);
    return mp_task_return(result, MP_BYTES(bytes, sizeof bytes));
}

static int fail_as_told(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    return mp_task_fail(7, "as it was told");
}

static int die(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    return raise(SIGKILL);
}

/* The third of five. */
static int square_or_die(mp_obj arg, mp_obj *result)
{
    int64_t x;
    check(mp_obj_as_int(arg, &x) == 0);
    return x == 2 ? die(arg, result) : square(arg, result);
}

static int stay(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    atomic_fetch_add(&steps_stage->flag[0], 1);
    while (pause() != 0)
        ;
    return 0;
}

static int square_item(const void *item, void *result, void *context)
{
    const int *x = item;
    int *y = result;
    (void)context;
    if (*x == 4)
        return mp_task_fail(4, "not this one");
    *y = *x * *x;
    return 0;
}

static int refuse(void *unused)
{
    (void)unused;
    return 5;
}

/* ---- what may come of it --------------------------------------------------------------------- */

static bool supervisor_died(void)
{
    return atomic_load(&steps_stage->died) && atomic_load(&steps_stage->generation) == 1;
}

static bool worker_died(void)
{
    return atomic_load(&steps_stage->died) && atomic_load(&steps_stage->generation) > 1;
}

static bool is_broken(int code)
{
    return supervisor_died() && (code == MP_EDIED || code == MP_EBROKENPOOL);
}

/* For what has retries: the death of one worker does not matter. */
static void expect_saved(int code, int expected)
{
    check(code == expected || is_broken(code));
}

static void expect(int code, int expected)
{
    if (code == expected || is_broken(code))
        return;
    check(worker_died() && code == MP_EDIED);
    check(++lost == 1);
}

static void expect_square(int code, const mp_obj *o, int64_t x)
{
    int64_t y;
    expect(code, 0);
    check(code != 0 || (mp_obj_as_int(*o, &y) == 0 && y == x * x));
}

static void expect_large(int code, const mp_obj *o, int x)
{
    expect(code, 0);
    if (code != 0)
        return;
    check(o->type == MP_TYPE_BYTES && o->len == LARGE);
    for (size_t i = 0; i < LARGE; i++)
        check(o->bytes[i] == (unsigned char)x);
}

/* What was not begun when all was ended. */
static void expect_anything(int code)
{
    check(code == 0 || code == MP_EDIED || code == MP_ECANCELLED || code == MP_EBROKENPOOL);
}

/* ---- streams --------------------------------------------------------------------------------- */

static bool pool_make_with(mp_initializer *initializer, unsigned maxtasksperchild)
{
    const mp_pool_options options = {.initializer = initializer,
                                     .maxtasksperchild = maxtasksperchild};
    lost = 0;
    return mp_pool_create(&pool, WORKERS, &options) == 0;
}

static void pool_make(void)
{
    check(pool_make_with(roster_sign, 0));
}

static void pool_end(void)
{
    check(mp_pool_close(pool) == 0);
    int rc = mp_pool_join(pool, MP_FOREVER);
    check(rc == 0 || is_broken(rc));
    mp_pool_destroy(pool);
}

static void apply_square(int64_t x)
{
    mp_obj o = MP_NONE;
    int code = mp_pool_apply(pool, square, MP(x), &o);
    expect_square(code, &o, x);
    mp_obj_free(&o);
}

static void apply_large(int x)
{
    mp_obj o = MP_NONE;
    int code = mp_pool_apply(pool, make_large, MP(x), &o);
    expect_large(code, &o, x);
    mp_obj_free(&o);
}

static void apply_retried(mp_task *task)
{
    mp_async_result *result = NULL;
    const mp_task_options options = {.retries = 1};
    int code = mp_pool_apply_async(pool, task, MP(3), &result, &options);
    expect_saved(code == 0 ? mp_async_result_get(result, NULL, MP_FOREVER) : code, 0);
    mp_async_result_destroy(result);
}

static void one_task(void)
{
    pool_make();
    apply_large(5);
    mp_pool_destroy(pool);
}

static void one_death(void)
{
    pool_make();
    expect(mp_pool_apply(pool, die, MP_NONE, NULL), MP_EDIED);
    apply_square(2);
    mp_pool_destroy(pool);
}

static void tasks(void)
{
    pool_make();
    apply_square(3);
    apply_large(4);
    expect(mp_pool_apply(pool, fail_as_told, MP_NONE, NULL), MP_ETASK);
    apply_retried(square);
    apply_retried(make_large);
    pool_end();
}

static void map_of(mp_task *task, const mp_map_options *options, int deadly)
{
    int status[5];
    mp_obj results = MP_NONE;
    mp_map_options o = *options;
    o.status = status;
    int rc = mp_pool_map(pool, task, MP_LIST(0, 1, 2, 3, 4), &results, &o);
    for (int i = 0; i < 5 && results.type == MP_TYPE_LIST; i++)
        if (i == deadly)
            expect(status[i], MP_EDIED);
        else if (task == make_large)
            expect_large(status[i], mp_obj_item(results, (size_t)i), i);
        else
            expect_square(status[i], mp_obj_item(results, (size_t)i), i);
    if (results.type != MP_TYPE_LIST)
        check(is_broken(rc));
    mp_obj_free(&results);
}

static void maps(void)
{
    pool_make();
    map_of(square, &(mp_map_options){.chunksize = 2}, -1);
    map_of(make_large, &(mp_map_options){.chunksize = 3}, -1);
    pool_end();
}

static void deaths(void)
{
    pool_make();
    expect(mp_pool_apply(pool, die, MP_NONE, NULL), MP_EDIED);
    map_of(square_or_die, &(mp_map_options){.chunksize = 5}, 2);
    map_of(square_or_die, &(mp_map_options){.chunksize = 5, .retries = 1}, 2);
    apply_square(6);
    pool_end();
}

static void array_map(int *items, int *results)
{
    int status[ITEMS] = {0};
    const mp_map_options options = {.chunksize = 3, .status = status};
    for (int i = 0; i < ITEMS; i++)
        items[i] = i;
    int rc = mp_pool_map_array(pool, square_item, items, ITEMS, sizeof *items, results,
                               sizeof *results, &options);
    if (rc == MP_EBROKENPOOL && is_broken(rc))
        return;
    for (int i = 0; i < ITEMS; i++) {
        expect(status[i], i == 4 ? MP_ETASK : 0);
        check(status[i] != 0 || results[i] == i * i);
    }
}

static void arrays(void)
{
    int items[ITEMS], results[ITEMS];
    void *shared;
    pool_make();
    array_map(items, results);
    check(mp_raw_alloc(&shared, 2 * ITEMS * sizeof(int)) == 0);
    atomic_store(&steps_stage->object, (uintptr_t)shared);
    array_map(shared, (int *)shared + ITEMS);
    atomic_store(&steps_stage->object, 0);
    mp_raw_free(shared);
    pool_end();
}

static void deadlines(void)
{
    mp_async_result *result = NULL;
    const mp_task_options options = {.task_timeout = 0.02};
    pool_make();
    int code = mp_pool_apply_async(pool, stay, MP_NONE, &result, &options);
    expect(code == 0 ? mp_async_result_get(result, NULL, MP_FOREVER) : code, MP_EDEADLINE);
    mp_async_result_destroy(result);
    apply_square(6);
    pool_end();
}

static void worn_out(void)
{
    check(pool_make_with(roster_sign, 1));
    for (int64_t i = 0; i < 3; i++)
        apply_square(i);
    pool_end();
}

static int next_number(void *context, mp_obj *item)
{
    int *next = context;
    if (*next == 6)
        return 0;
    *item = MP(*next);
    (*next)++;
    return 1;
}

/* Some results are not waited for. */
static void iterations(void)
{
    int next = 0, code;
    mp_imap *imap = NULL;
    mp_obj o;
    pool_make();
    code = mp_pool_imap_from(pool, square, next_number, &next, &imap, NULL);
    check(code == 0 || is_broken(code));
    for (int i = 0; i < 2 && imap != NULL; i++) {
        o = MP_NONE;
        code = mp_imap_next(imap, &o, MP_FOREVER);
        if (code == 0)
            check(supervisor_died());
        else
            expect_square(code == 1 ? 0 : code, &o, i);
        mp_obj_free(&o);
    }
    mp_imap_destroy(imap);
    imap = NULL;
    code = mp_pool_imap_unordered(pool, make_large, MP_LIST(1, 2, 3), &imap, NULL);
    check(code == 0 || is_broken(code));
    while (imap != NULL && (code = mp_imap_next(imap, NULL, MP_FOREVER)) != 0)
        expect(code, 1);
    mp_imap_destroy(imap);
    pool_end();
}

static void terminated(void)
{
    mp_async_result *result[4] = {NULL};
    pool_make();
    for (int i = 0; i < 4; i++) {
        int code = mp_pool_apply_async(pool, i < 2 ? stay : square, MP(1), &result[i], NULL);
        check(code == 0 || is_broken(code));
    }
    while (atomic_load(&steps_stage->flag[0]) < 2 && !atomic_load(&steps_stage->died))
        kill_nap(100);
    check(mp_pool_terminate(pool) == 0);
    for (int i = 0; i < 4; i++) {
        expect_anything(result[i] != NULL ? mp_async_result_get(result[i], NULL, MP_FOREVER) : 0);
        mp_async_result_destroy(result[i]);
    }
    mp_pool_destroy(pool);
}

static void many(void)
{
    static mp_async_result *result[MANY];
    memset(result, 0, sizeof result);
    pool_make();
    for (int i = 0; i < MANY; i++) {
        int code = mp_pool_apply_async(pool, square, MP(i), &result[i], NULL);
        check(code == 0 || is_broken(code));
    }
    for (int i = 0; i < MANY; i++) {
        mp_obj o = MP_NONE;
        if (result[i] != NULL)
            expect_square(mp_async_result_get(result[i], &o, MP_FOREVER), &o, i);
        mp_obj_free(&o);
        mp_async_result_destroy(result[i]);
    }
    pool_end();
}

/* Results that nobody wants, or not any more. */
static void unwanted(void)
{
    pool_make();
    for (int i = 0; i < 4; i++) {
        mp_async_result *result = NULL;
        int code = mp_pool_apply_async(pool, make_large, MP(i), i % 2 == 0 ? &result : NULL, NULL);
        check(code == 0 || is_broken(code));
        mp_async_result_destroy(result);
    }
    pool_end();
}

static atomic_int called;

static void succeeded(mp_obj result, void *unused)
{
    (void)result;
    (void)unused;
    atomic_fetch_add(&called, 1);
}

static void failed(int code, const char *detail, void *unused)
{
    (void)detail;
    (void)unused;
    expect(code, 0);
    atomic_fetch_add(&called, 1);
}

static void callbacks(void)
{
    const mp_task_options options = {.callback = succeeded, .error_callback = failed};
    int handed_in = 0;
    atomic_store(&called, 0);
    pool_make();
    for (int i = 0; i < 3; i++) {
        int code = mp_pool_apply_async(pool, square, MP(i), NULL, &options);
        check(code == 0 || is_broken(code));
        handed_in += code == 0;
    }
    pool_end();
    check(atomic_load(&called) == handed_in);
}

static void futures(void)
{
    const mp_executor_options options = {.initializer = roster_sign};
    mp_executor *executor;
    mp_future *future[4];
    int n = 0;
    lost = 0;
    check(mp_executor_create(&executor, WORKERS, &options) == 0);
    for (int i = 0; i < 4; i++) {
        int code = mp_executor_submit(executor, square, MP(i), &future[n]);
        check(code == 0 || is_broken(code));
        n += code == 0;
    }
    bool cancelled = n == 4 && mp_future_cancel(future[3]) == 1;
    check(mp_futures_wait(future, (size_t)n, MP_ALL_COMPLETED, NULL, MP_FOREVER) == n);
    for (int i = 0; i < n; i++) {
        mp_obj o = MP_NONE;
        int code = mp_future_result(future[i], &o, MP_NOWAIT);
        if (i == 3 && cancelled)
            check(code == MP_ECANCELLED);
        else
            expect_square(code, &o, i);
        mp_obj_free(&o);
        mp_future_destroy(future[i]);
    }
    mp_executor_destroy(executor);
}

static void refused(void)
{
    check(pool_make_with(refuse, 0));
    int code = mp_pool_apply(pool, square, MP(1), NULL);
    check(code == MP_EBROKENPOOL || is_broken(code));
    mp_pool_destroy(pool);
}

/* The owner itself has to put in order what its supervisor leaves. */
static void orphaned(void)
{
    mp_async_result *result;
    pool_make();
    check(mp_pool_apply_async(pool, stay, MP_NONE, &result, NULL) == 0);
    check(kill_await(&steps_stage->flag[0]));
    check(kill(roster_supervisor(), SIGKILL) == 0);
    check(mp_async_result_get(result, NULL, MP_FOREVER) == MP_EDIED);
    check(mp_pool_apply(pool, square, MP(1), NULL) == MP_EBROKENPOOL);
    mp_async_result_destroy(result);
    mp_pool_destroy(pool);
}

/* ---- before and after ------------------------------------------------------------------------ */

/* Elsewhere corpses are reaped at once, by the first process of this program. */
static bool corpses_are_dead(void)
{
    uint64_t start;
    return mp__process_trace(getpid(), &start) != MP__TRACE_UNKNOWN;
}

static void prepare(void)
{
    roster_prepare();
    if (corpses_are_dead())
        roster_inherit_orphans(true);
}

static void finish(void)
{
    double took;
    if (corpses_are_dead()) {
        assert_int_equal(roster_reap_all(1, &took), 0);
        roster_inherit_orphans(false);
    } else {
        assert_int_equal(roster_left(1, &took), 0);
    }
    mp_raw_free((void *)atomic_load(&steps_stage->object));
    steps_slots_are_free();
}

#define BELOW(stream, steps)                                          \
    {                                                                 \
        "pool, " #stream ", below: " steps, prepare, NULL, stream,    \
            .finish = finish, .whose = IN_ITS_CHILDREN, .each = steps \
    }
#define OWNER(stream, steps)                                       \
    {                                                              \
        "pool, " #stream ", owner: " steps, prepare, NULL, stream, \
            .finish = finish, .whose = IN_THE_ACTOR, .each = steps \
    }
#define ALL(stream)                                                                 \
    BELOW(stream, "worker."), BELOW(stream, "supervisor."), OWNER(stream, "crew."), \
        OWNER(stream, "job.")

const struct scenario steps_workers[] = {
    {"pool, one task, owner", prepare, NULL, one_task, .finish = finish},
    {"pool, arrays, owner", prepare, NULL, arrays, .finish = finish},
    {"pool, futures, owner", prepare, NULL, futures, .finish = finish},
    {"pool, orphaned, owner", prepare, NULL, orphaned, .finish = finish},
    {"pool, one task, below", prepare, NULL, one_task, .finish = finish, .whose = IN_ITS_CHILDREN},
    {"pool, one death, below", prepare, NULL, one_death, .finish = finish,
     .whose = IN_ITS_CHILDREN},
    ALL(tasks),
    ALL(maps),
    ALL(deaths),
    ALL(arrays),
    ALL(deadlines),
    ALL(worn_out),
    ALL(iterations),
    ALL(terminated),
    ALL(many),
    ALL(unwanted),
    ALL(callbacks),
    ALL(futures),
    ALL(refused),
    OWNER(orphaned, "supervisor."),
    OWNER(orphaned, "worker."),
    OWNER(orphaned, "crew."),
};
const size_t steps_workers_count = sizeof steps_workers / sizeof *steps_workers;
