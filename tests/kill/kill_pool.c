/* Pool and executor under SIGKILL: a stream of tasks of every kind, workers killed at random, every
 * task accounted for. */
#include "kill/chores.h"

#include <mp/futures.h>
#include <mp/mp.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 4, WINDOW = 50, FUTURES = 100, SLACK = 20000 };

/* Seconds after which a result counts as one that never comes. */
static const double patience = 30;

static mp_pool *pool;

/* Chores that are handed in together. */
struct lot {
    unsigned retries;
    size_t chunksize;
    int count;
    uint32_t number[WINDOW];
    mp_obj item[WINDOW];
    int status[WINDOW];
    mp_obj results, errors;
};

static unsigned some_retries(void)
{
    return rng_below(kill_rng(), 3) == 0 ? 2 : 0;
}

static void lot_begin(struct lot *lot)
{
    memset(lot, 0, sizeof *lot);
    lot->retries = some_retries();
    lot->chunksize = (size_t)rng_below(kill_rng(), 12);
}

static void lot_add(struct lot *lot)
{
    uint32_t number = chore_new(lot->retries);
    lot->number[lot->count] = number;
    lot->item[lot->count++] = MP(number);
}

static void lot_fill(struct lot *lot)
{
    lot_begin(lot);
    while (lot->count < WINDOW)
        lot_add(lot);
}

static int task_code_of(int code)
{
    return code == MP_ETASK ? mp_error_code() : 0;
}

/* ---- single tasks ---------------------------------------------------------------------------- */

struct singles {
    struct lot lot;
    mp_async_result *result[WINDOW];
};

static void succeeded(mp_obj result, void *number)
{
    (void)result;
    chore_called((uint32_t)(uintptr_t)number);
}

static void failed(int code, const char *detail, void *number)
{
    (void)code;
    (void)detail;
    chore_called((uint32_t)(uintptr_t)number);
}

static void singles_begin(struct singles *s)
{
    lot_fill(&s->lot);
    for (int i = 0; i < WINDOW; i++) {
        uint32_t number = s->lot.number[i];
        mp_task_options options = {.retries = s->lot.retries};
        if (i % 3 == 0) {
            options.callback = succeeded;
            options.error_callback = failed;
            options.callback_arg = (void *)(uintptr_t)number;
            chore_expect_call(number);
        }
        assert_mp_ok(mp_pool_apply_async(pool, chore_do, s->lot.item[i], &s->result[i], &options));
    }
}

static void singles_end(struct singles *s)
{
    for (int i = 0; i < WINDOW; i++) {
        mp_obj o = MP_NONE;
        int code = mp_async_result_get(s->result[i], &o, patience);
        if (code != MP_ETIMEOUT)
            chore_resolve(s->lot.number[i], code, &o, task_code_of(code));
        mp_obj_free(&o);
        mp_async_result_destroy(s->result[i]);
    }
}

static void apply_one(void)
{
    mp_obj o = MP_NONE;
    uint32_t number = chore_new(0);
    int code = mp_pool_apply(pool, chore_do, MP(number), &o);
    chore_resolve(number, code, &o, task_code_of(code));
    mp_obj_free(&o);
}

/* ---- maps ------------------------------------------------------------------------------------ */

static mp_map_options map_options(struct lot *lot)
{
    return (mp_map_options){.chunksize = lot->chunksize,
                            .retries = lot->retries,
                            .status = lot->status,
                            .errors = &lot->errors};
}

/* The call itself gives the first error in the order of the items. */
static void assert_first_error(const struct lot *lot, int rc)
{
    int i = 0;
    while (i < WINDOW && lot->status[i] == 0)
        i++;
    assert_int_equal(rc, i < WINDOW ? lot->status[i] : 0);
}

static void map_resolve(struct lot *lot, int rc)
{
    assert_first_error(lot, rc);
    for (int i = 0; i < WINDOW; i++) {
        int task_code = 0;
        if (lot->status[i] == MP_ETASK)
            assert_mp_ok(mp_obj_unpack(*mp_obj_item(lot->errors, (size_t)i), "is", &task_code,
                                       (const char **)NULL));
        chore_resolve(lot->number[i], lot->status[i], mp_obj_item(lot->results, (size_t)i),
                      task_code);
    }
    mp_obj_free(&lot->results);
    mp_obj_free(&lot->errors);
}

static void map_at_once(void)
{
    static struct lot lot;
    lot_fill(&lot);
    const mp_map_options options = map_options(&lot);
    map_resolve(&lot,
                mp_pool_map(pool, chore_do, mp_obj_list(lot.item, WINDOW), &lot.results, &options));
}

static mp_async_result *map_begin(struct lot *lot)
{
    mp_async_result *result;
    lot_fill(lot);
    const mp_map_options options = map_options(lot);
    assert_mp_ok(
        mp_pool_map_async(pool, chore_do, mp_obj_list(lot->item, WINDOW), &result, &options));
    return result;
}

static void map_end(struct lot *lot, mp_async_result *result)
{
    int rc = mp_async_result_get(result, &lot->results, patience);
    if (rc != MP_ETIMEOUT)
        map_resolve(lot, rc);
    mp_async_result_destroy(result);
}

static void map_arrays(uint32_t *items, uint64_t *results)
{
    static struct lot lot;
    lot_fill(&lot);
    memcpy(items, lot.number, sizeof lot.number);
    const mp_map_options options = map_options(&lot);
    int rc = mp_pool_map_array(pool, chore_do_item, items, WINDOW, sizeof *items, results,
                               sizeof *results, &options);
    assert_first_error(&lot, rc);
    for (int i = 0; i < WINDOW; i++)
        chore_resolve_item(lot.number[i], lot.status[i], results[i]);
    mp_obj_free(&lot.errors);
}

static void map_arrays_somewhere(void)
{
    static uint32_t items[WINDOW];
    static uint64_t results[WINDOW];
    void *shared_items, *shared_results;
    if (rng_below(kill_rng(), 3) == 0) {
        map_arrays(items, results);
        return;
    }
    assert_mp_ok(mp_raw_alloc(&shared_items, sizeof items));
    assert_mp_ok(mp_raw_alloc(&shared_results, sizeof results));
    map_arrays(shared_items, shared_results);
    mp_raw_free(shared_items);
    mp_raw_free(shared_results);
}

/* ---- one result after the other -------------------------------------------------------------- */

struct iteration {
    struct lot lot;
    mp_imap *imap;
    bool unordered;
};

static int lot_next(void *context, mp_obj *item)
{
    struct lot *lot = context;
    if (lot->count == WINDOW)
        return 0;
    lot_add(lot);
    *item = lot->item[lot->count - 1];
    return 1;
}

static void iteration_begin(struct iteration *it)
{
    lot_begin(&it->lot);
    it->unordered = rng_below(kill_rng(), 2) == 0;
    const mp_map_options options = {.chunksize = it->lot.chunksize, .retries = it->lot.retries};
    if (rng_below(kill_rng(), 2) == 0) {
        assert_mp_ok((it->unordered ? mp_pool_imap_unordered_from : mp_pool_imap_from)(
            pool, chore_do, lot_next, &it->lot, &it->imap, &options));
        return;
    }
    while (it->lot.count < WINDOW)
        lot_add(&it->lot);
    assert_mp_ok((it->unordered ? mp_pool_imap_unordered : mp_pool_imap)(
        pool, chore_do, mp_obj_list(it->lot.item, WINDOW), &it->imap, &options));
}

/* Where in the lot the n-th result belongs; -1: it does not say. */
static int place_of(const struct iteration *it, int n, int code, const mp_obj *o)
{
    uint32_t number;
    if (!it->unordered)
        return n;
    if (!chore_number_of(code, o, task_code_of(code), &number))
        return -1;
    for (int i = 0; i < it->lot.count; i++)
        if (it->lot.number[i] == number)
            return i;
    return -1;
}

/* Results that name nobody are those of the chores that nobody else named. */
static void nameless_resolve(const struct iteration *it, const bool *named, const int *codes,
                             int count)
{
    for (int i = 0; i < it->lot.count && count > 0; i++)
        if (!named[i])
            chore_resolve(it->lot.number[i], codes[--count], NULL, 0);
}

static void iteration_end(struct iteration *it)
{
    bool named[WINDOW] = {false};
    int nameless[WINDOW], count = 0, n, rc = 0;
    for (n = 0; n < WINDOW; n++) {
        mp_obj o = MP_NONE;
        rc = mp_imap_next(it->imap, &o, patience);
        if (rc == 0 || rc == MP_ETIMEOUT)
            break;
        int code = rc == 1 ? 0 : rc, i = place_of(it, n, code, &o);
        if (i >= 0) {
            chore_resolve(it->lot.number[i], code, &o, task_code_of(code));
            named[i] = true;
        } else
            nameless[count++] = code;
        mp_obj_free(&o);
    }
    nameless_resolve(it, named, nameless, count);
    if (n == WINDOW)
        assert_mp_result(mp_imap_next(it->imap, NULL, patience), 0);
    mp_imap_destroy(it->imap);
}

/* ---- the stream ------------------------------------------------------------------------------ */

static void turn(void)
{
    static struct singles singles;
    static struct lot mapped;
    static struct iteration iteration;
    singles_begin(&singles);
    iteration_begin(&iteration);
    mp_async_result *map = map_begin(&mapped);
    map_arrays_somewhere();
    apply_one();
    singles_end(&singles);
    if (rng_below(kill_rng(), 4) == 0)
        map_at_once();
    iteration_end(&iteration);
    map_end(&mapped, map);
}

/* Whether there are as many workers as there should be: each holds one of these until all do. */
static atomic_int *here;

static int meet(mp_obj unused, mp_obj *result)
{
    struct kill_clock clock;
    (void)unused;
    kill_clock_start(&clock);
    atomic_fetch_add(here, 1);
    while (atomic_load(here) < WORKERS)
        if (!kill_clock_tick(&clock, 20))
            return mp_task_fail(atomic_load(here), "only so many came");
    *result = MP((long)getpid());
    return 0;
}

static void assert_full_strength(void)
{
    mp_async_result *result[WORKERS];
    int64_t pid[WORKERS];
    atomic_store(here, 0);
    for (int i = 0; i < WORKERS; i++)
        assert_mp_ok(mp_pool_apply_async(pool, meet, MP_NONE, &result[i], NULL));
    for (int i = 0; i < WORKERS; i++) {
        mp_obj o;
        assert_mp_result(mp_async_result_get(result[i], &o, patience), 0);
        assert_mp_ok(mp_obj_as_int(o, &pid[i]));
        mp_obj_free(&o);
        mp_async_result_destroy(result[i]);
        for (int k = 0; k < i; k++)
            assert_true(pid[k] != pid[i]);
    }
}

/* 10,000 tasks for 300 kills, 100 for each of more than 1,000. */
static uint32_t tasks_for(int kills)
{
    return (uint32_t)kills * (kills < 1000 ? 34 : 100);
}

/* Enough for a killer who has to wait for a processor. */
static uint32_t tasks_most(int kills)
{
    return 20 * tasks_for(kills) + SLACK;
}

static void torment(const char *name, int kills, unsigned maxtasksperchild)
{
    bool lingers = true;
    struct chores_sum sum;
    uint32_t tasks = tasks_for(kills), most = tasks_most(kills);
    const mp_pool_options options = {
        .initializer = roster_sign, .initarg = &lingers, .maxtasksperchild = maxtasksperchild};
    kill_prepare();
    roster_prepare();
    chores_prepare(most);
    struct mp__heap_count before = heap_after_sweep();
    assert_mp_ok(mp_pool_create(&pool, WORKERS, &options));
    pid_t killer = killer_start(kills, tasks);
    while (chores_so_far() < tasks ||
           (killer_kills() < (uint32_t)kills && chores_so_far() < most - SLACK))
        turn();
    killer_stop(killer);
    assert_full_strength();
    assert_mp_ok(mp_pool_close(pool));
    assert_mp_result(mp_pool_join(pool, patience), 0); /* all callbacks have run */
    chores_count(&sum);
    killer_print(name);
    chores_print(name, &sum);
    chores_assert_clean(&sum, killer_kills());
    assert_int_equal(killer_kills(), kills);
    mp_pool_destroy(pool);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_heap_is_as_before(&before);
}

static void test_every_task_of_a_stream_is_resolved_once(void **state)
{
    (void)state;
    torment("pool", kill_count(300), 0);
}

static void test_so_it_is_where_workers_wear_out(void **state)
{
    (void)state;
    torment("pool, worn out", kill_count(300) / 3, 7);
}

/* ---- futures --------------------------------------------------------------------------------- */

static void futures_turn(mp_executor *executor)
{
    static mp_future *future[FUTURES];
    uint32_t number[FUTURES];
    const mp_task_options options = {.retries = some_retries()};
    for (int i = 0; i < FUTURES; i++) {
        number[i] = chore_new(options.retries);
        assert_mp_ok(
            mp_executor_submit_with(executor, chore_do, MP(number[i]), &future[i], &options));
    }
    assert_mp_result(mp_futures_wait(future, FUTURES, MP_ALL_COMPLETED, NULL, patience), FUTURES);
    for (int i = 0; i < FUTURES; i++) {
        mp_obj o = MP_NONE;
        int code = mp_future_result(future[i], &o, MP_NOWAIT);
        chore_resolve(number[i], code, &o, task_code_of(code));
        mp_obj_free(&o);
        mp_future_destroy(future[i]);
    }
}

static void test_a_death_breaks_its_future_only(void **state)
{
    (void)state;
    bool lingers = true;
    int kills = kill_count(300) / 3;
    struct chores_sum sum;
    mp_executor *executor;
    uint32_t tasks = tasks_for(kills), most = tasks_most(kills);
    const mp_executor_options options = {.initializer = roster_sign, .initarg = &lingers};
    kill_prepare();
    roster_prepare();
    chores_prepare(most);
    struct mp__heap_count before = heap_after_sweep();
    assert_mp_ok(mp_executor_create(&executor, WORKERS, &options));
    pid_t killer = killer_start(kills, tasks);
    while (chores_so_far() < tasks ||
           (killer_kills() < (uint32_t)kills && chores_so_far() < most - SLACK))
        futures_turn(executor);
    killer_stop(killer);
    chores_count(&sum);
    killer_print("executor");
    chores_print("executor", &sum);
    chores_assert_clean(&sum, killer_kills());
    mp_executor_destroy(executor);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_heap_is_as_before(&before);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("every task of a stream is resolved once",
                     test_every_task_of_a_stream_is_resolved_once),
        support_test("so it is where workers wear out", test_so_it_is_where_workers_wear_out),
        support_test("a death breaks its future only", test_a_death_breaks_its_future_only),
    };
    here = kill_shared(sizeof *here);
    return support_run_processes("pool", tests);
}
