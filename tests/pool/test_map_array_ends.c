/* map_array of several pieces, whose pool is closed, terminated or dies on the way. Runs in an arena of
 * 32 MiB, of which a piece may have 4. */
#include "pool_kit.h"

#include <mp/sharedctypes.h>
#include <mp/synchronize.h>
#include <mp/timeout.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ITEM = 1024, COUNT = 12 << 10, HELD = 100, UNWRITTEN = 0x55555555 };

/* Made before the pools: item HELD tells that it came, and waits. */
static mp_semaphore *came;
static mp_event *go_on;

struct item {
    int64_t number;
    char rest[ITEM - sizeof(int64_t)];
};

static int square_number(const void *item, void *result, void *context)
{
    const struct item *it = item;
    (void)context;
    *(int64_t *)result = it->number * it->number;
    return 0;
}

static int square_or_wait(const void *item, void *result, void *context)
{
    if (((const struct item *)item)->number == HELD) {
        assert_mp_result(mp_semaphore_release(came), 0);
        assert_mp_result(mp_event_wait(go_on, MP_FOREVER), 0);
    }
    return square_number(item, result, context);
}

/* What one call works on; 12 MiB in three pieces. */
struct arrays {
    struct item *items;
    int64_t *results;
    int *status;
};

static struct arrays arrays_new(void)
{
    assert_mp_result(mp_semaphore_create(&came, 0, NULL), 0);
    assert_mp_result(mp_event_create(&go_on), 0);
    struct arrays a = {.items = calloc(COUNT, sizeof *a.items),
                       .results = calloc(COUNT, sizeof *a.results),
                       .status = calloc(COUNT, sizeof *a.status)};
    check(a.items != NULL && a.results != NULL && a.status != NULL);
    for (int64_t i = 0; i < COUNT; i++) {
        a.items[i].number = i;
        a.results[i] = -1;
        a.status[i] = UNWRITTEN;
    }
    return a;
}

static void arrays_free(struct arrays *a)
{
    free(a->items);
    free(a->results);
    free(a->status);
    mp_semaphore_destroy(came);
    mp_event_destroy(go_on);
}

static int map_arrays(mp_pool *pool, mp_array_task *task, struct arrays *a,
                      const mp_map_options *options)
{
    return mp_pool_map_array(pool, task, a->items, COUNT, sizeof *a->items, a->results,
                             sizeof *a->results, options);
}

static void arrays_are_squared(const struct arrays *a)
{
    for (int64_t i = 0; i < COUNT; i++)
        check(a->results[i] == i * i);
}

/* ---- closed --------------------------------------------------------------------------------- */

struct closer {
    mp_pool *pool;
    bool is_closed;
};

/* In the first piece, which waits for it. */
static void close_on_the_way(size_t done, size_t total, void *arg)
{
    struct closer *closer = arg;
    if (closer->is_closed)
        return;
    check(done < COUNT / 2 && total == COUNT);
    closer->is_closed = true;
    assert_mp_result(mp_pool_close(closer->pool), 0);
    assert_mp_result(mp_event_set(go_on), 0);
}

static void test_a_pool_that_is_closed_does_the_pieces_that_are_left(void **state)
{
    (void)state;
    struct arrays a = arrays_new();
    struct closer closer = {.pool = new_pool(2)};
    const mp_map_options options = {
        .status = a.status, .progress = close_on_the_way, .progress_arg = &closer};
    assert_mp_result(map_arrays(closer.pool, square_or_wait, &a, &options), 0);
    arrays_are_squared(&a);
    for (int i = 0; i < COUNT; i++)
        check(a.status[i] == 0);
    check(closer.is_closed);
    assert_mp_error(map_arrays(closer.pool, square_number, &a, NULL), MP_ESTATE);
    end_pool(closer.pool);
    arrays_free(&a);
}

static int sign_large(const void *item, void *result, void *context)
{
    (void)context;
    if (*(const char *)item == 0)
        assert_mp_result(mp_semaphore_release(came), 0);
    *(char *)result = (char)(*(const char *)item + 1);
    return 0;
}

static void *close_when_it_has_begun(void *pool)
{
    assert_mp_result(mp_semaphore_acquire(came, MP_FOREVER), 0);
    assert_mp_result(mp_pool_close(pool), 0);
    return NULL;
}

/* Each item is done before the next one has been copied in, often, so that the pool has nothing to do
 * in between. */
static void is_closed_while_it_copies(size_t item_size)
{
    enum { LARGE_COUNT = 40 };
    char *items = malloc(item_size * LARGE_COUNT), results[LARGE_COUNT];
    const mp_map_options options = {.chunksize = 1};
    check(items != NULL);
    for (size_t i = 0; i < LARGE_COUNT; i++)
        memset(items + i * item_size, (int)i, item_size);
    assert_mp_result(mp_semaphore_create(&came, 0, NULL), 0);
    for (int round = 0; round < 20; round++) {
        pthread_t closer;
        mp_pool *pool = new_pool(2);
        memset(results, 0, sizeof results);
        check(pthread_create(&closer, NULL, close_when_it_has_begun, pool) == 0);
        assert_mp_result(mp_pool_map_array(pool, sign_large, items, LARGE_COUNT, item_size, results,
                                           1, &options),
                         0);
        check(pthread_join(closer, NULL) == 0);
        for (int i = 0; i < LARGE_COUNT; i++)
            check(results[i] == i + 1);
        end_pool(pool);
    }
    mp_semaphore_destroy(came);
    free(items);
}

static void test_a_pool_that_is_closed_does_what_is_still_being_copied(void **state)
{
    (void)state;
    is_closed_while_it_copies((size_t)80 << 10); /* all in one piece */
    is_closed_while_it_copies((size_t)1 << 20);
}

/* ---- ended ---------------------------------------------------------------------------------- */

static int tell_parent(mp_obj arg, mp_obj *result)
{
    (void)arg;
    *result = MP((int64_t)getppid());
    return 0;
}

struct end {
    mp_pool *pool;
    pid_t supervisor; /* is killed; 0: the pool is terminated */
};

static void *end_on_the_way(void *arg)
{
    struct end *end = arg;
    assert_mp_result(mp_semaphore_acquire(came, MP_FOREVER), 0);
    if (end->supervisor != 0)
        check(kill(end->supervisor, SIGKILL) == 0);
    else
        assert_mp_result(mp_pool_terminate(end->pool), 0);
    return NULL;
}

/* Each has a code, and an entry that says the same; the last ones have `last`. */
static void check_codes(const struct arrays *a, mp_obj errors, int last)
{
    int code, done = 0;
    check(errors.type == MP_TYPE_LIST && errors.len == COUNT);
    for (int64_t i = 0; i < COUNT; i++) {
        const mp_obj *error = mp_obj_item(errors, (size_t)i);
        check(a->status[i] == 0 || a->status[i] == MP_EDIED || a->status[i] == last);
        done += a->status[i] == 0;
        check((a->status[i] == 0) == (error->type == MP_TYPE_NONE));
        if (a->status[i] == 0)
            check(a->results[i] == i * i);
        else
            assert_mp_result(mp_obj_unpack(*error, "is", &code, NULL), 0);
    }
    check(a->status[HELD] != 0 && a->status[COUNT - 1] == last);
    check(done < COUNT / 2);
}

static void is_ended(bool by_a_kill)
{
    struct arrays a = arrays_new();
    struct end end = {.pool = new_pool(2)};
    mp_obj pid, errors = MP_NONE;
    pthread_t ender;
    const mp_map_options options = {.chunksize = 10, .status = a.status, .errors = &errors};
    assert_mp_result(mp_pool_apply(end.pool, tell_parent, MP_NONE, &pid), 0);
    end.supervisor = by_a_kill ? (pid_t)take_int(&pid) : 0;
    check(pthread_create(&ender, NULL, end_on_the_way, &end) == 0);
    int rc = map_arrays(end.pool, square_or_wait, &a, &options);
    check(rc == MP_EDIED || (rc == MP_ECANCELLED && !by_a_kill));
    check(pthread_join(ender, NULL) == 0);
    check_codes(&a, errors, by_a_kill ? MP_EDIED : MP_ECANCELLED);
    int later = map_arrays(end.pool, square_number, &a, NULL);
    assert_mp_error(later, by_a_kill ? MP_EBROKENPOOL : MP_ESTATE);
    mp_obj_free(&errors);
    mp_pool_destroy(end.pool);
    arrays_free(&a);
}

static void test_a_supervisor_that_is_killed_leaves_a_code_for_each_item(void **state)
{
    (void)state;
    is_ended(true);
}

static void test_a_pool_that_is_terminated_leaves_a_code_for_each_item(void **state)
{
    (void)state;
    is_ended(false);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a pool that is closed does the pieces that are left",
                     test_a_pool_that_is_closed_does_the_pieces_that_are_left),
        support_test("a pool that is closed does what is still being copied in",
                     test_a_pool_that_is_closed_does_what_is_still_being_copied),
        support_test("a supervisor that is killed leaves a code for each item",
                     test_a_supervisor_that_is_killed_leaves_a_code_for_each_item),
        support_test("a pool that is terminated leaves a code for each item",
                     test_a_pool_that_is_terminated_leaves_a_code_for_each_item),
    };
    return support_run_processes("ends of map_array", tests);
}
