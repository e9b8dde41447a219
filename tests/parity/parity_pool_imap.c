/* Python's TestPool: imap and imap_unordered. */
#include "parity_pool_kit.h"

typedef int imap_function(mp_pool *pool, mp_task *task, mp_obj iterable, mp_imap **out,
                          const mp_map_options *options);
typedef int imap_from_function(mp_pool *pool, mp_task *task, mp_next *next, void *context,
                               mp_imap **out, const mp_map_options *options);

static mp_imap *imap_of_range(imap_function *imap, mp_pool *pool, int64_t n, size_t chunksize)
{
    mp_imap *iterator;
    mp_obj items = range(n);
    const mp_map_options options = {.chunksize = chunksize};
    assert_mp_result(imap(pool, sqr, items, &iterator, &options), 0);
    mp_obj_free(&items);
    return iterator;
}

static mp_imap *imap_of_generator(imap_from_function *imap, mp_pool *pool,
                                  struct generator *generator, size_t chunksize)
{
    mp_imap *iterator;
    const mp_map_options options = {.chunksize = chunksize};
    assert_mp_result(imap(pool, sqr, generate, generator, &iterator, &options), 0);
    return iterator;
}

static void next_is(mp_imap *iterator, int64_t expected)
{
    mp_obj value;
    assert_mp_result(mp_imap_next(iterator, &value, MP_FOREVER), 1);
    check(owned_int(&value) == expected);
}

static void ends(mp_imap *iterator)
{
    assert_mp_result(mp_imap_next(iterator, NULL, MP_FOREVER), 0);
    assert_mp_result(mp_imap_next(iterator, NULL, MP_NOWAIT), 0);
    mp_imap_destroy(iterator);
}

/* The value, which is freed, is the square of an int below n that has not been seen before. */
static void see(mp_obj *value, bool *seen, int64_t n)
{
    int64_t square = owned_int(value), root = 0;
    while (root * root < square)
        root++;
    check(root * root == square && root < n && !seen[root]);
    seen[root] = true;
}

static void next_is_new(mp_imap *iterator, bool *seen, int64_t n)
{
    mp_obj value;
    assert_mp_result(mp_imap_next(iterator, &value, MP_FOREVER), 1);
    see(&value, seen, n);
}

static void test_imap(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    static const struct {
        int64_t n;
        size_t chunksize;
    } runs[] = {{10, 0}, {1000, 1}, {1000, 100}, {1000, 7}, {1, 3}};
    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
        mp_imap *iterator = imap_of_range(mp_pool_imap, pool, runs[r].n, runs[r].chunksize);
        for (int64_t i = 0; i < runs[r].n; i++)
            next_is(iterator, i * i);
        ends(iterator);
    }
    end_pool(pool);
}

static void test_imap_of_a_generator(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    for (size_t chunksize = 0; chunksize < 300; chunksize += 100) {
        struct generator generator = {.total = 1000, .when = -1};
        mp_imap *iterator = imap_of_generator(mp_pool_imap_from, pool, &generator, chunksize);
        for (int64_t i = 0; i < 1000; i++)
            next_is(iterator, i * i);
        ends(iterator);
        check(generator.calls == 1001);
    }
    end_pool(pool);
}

/* Where the input fails at `when`, its items before are handed out, then the error, then the end.
 * CPython loses the items of the failing chunk that came before. */
static void generator_fails_at(mp_pool *pool, int64_t total, int64_t when, size_t chunksize)
{
    struct generator generator = {.total = total, .when = when};
    mp_imap *iterator = imap_of_generator(mp_pool_imap_from, pool, &generator, chunksize);
    for (int64_t i = 0; i < when; i++)
        next_is(iterator, i * i);
    assert_mp_error(mp_imap_next(iterator, NULL, MP_FOREVER), SAY_WHEN);
    ends(iterator);
}

static void test_imap_handle_iterable_exception(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    generator_fails_at(pool, 1, 0, 1);
    generator_fails_at(pool, 1, 0, 1);
    generator_fails_at(pool, 10, 3, 1);
    generator_fails_at(pool, 10, 3, 1);
    generator_fails_at(pool, 20, 7, 2);
    generator_fails_at(pool, 20, 7, 4);
    generator_fails_at(pool, 20, 8, 4);
    generator_fails_at(pool, 1000, 999, 10);
    end_pool(pool);
}

static void test_imap_unordered(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    for (size_t chunksize = 0; chunksize < 200; chunksize += 53) {
        bool seen[1000] = {false};
        mp_imap *iterator = imap_of_range(mp_pool_imap_unordered, pool, 1000, chunksize);
        for (int i = 0; i < 1000; i++)
            next_is_new(iterator, seen, 1000);
        ends(iterator);
    }
    end_pool(pool);
}

static void test_imap_unordered_of_a_generator(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    bool seen[1000] = {false};
    struct generator generator = {.total = 1000, .when = -1};
    mp_imap *iterator = imap_of_generator(mp_pool_imap_unordered_from, pool, &generator, 3);
    for (int i = 0; i < 1000; i++)
        next_is_new(iterator, seen, 1000);
    ends(iterator);
    check(generator.calls == 1001);
    end_pool(pool);
}

/* The error may come before items that went in before it, but none is lost. */
static void unordered_generator_fails_at(mp_pool *pool, int64_t total, int64_t when,
                                         size_t chunksize)
{
    bool seen[20] = {false};
    int64_t values = 0, errors = 0;
    struct generator generator = {.total = total, .when = when};
    mp_imap *iterator = imap_of_generator(mp_pool_imap_unordered_from, pool, &generator, chunksize);
    for (;;) {
        mp_obj value;
        int rc = mp_imap_next(iterator, &value, MP_FOREVER);
        if (rc == 0)
            break;
        if (rc == SAY_WHEN) {
            errors++;
            continue;
        }
        assert_mp_result(rc, 1);
        see(&value, seen, when);
        values++;
    }
    check(values == when && errors == 1);
    ends(iterator);
}

static void test_imap_unordered_handle_iterable_exception(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    unordered_generator_fails_at(pool, 1, 0, 1);
    unordered_generator_fails_at(pool, 1, 0, 1);
    unordered_generator_fails_at(pool, 10, 3, 1);
    unordered_generator_fails_at(pool, 10, 3, 1);
    unordered_generator_fails_at(pool, 20, 7, 2);
    unordered_generator_fails_at(pool, 20, 8, 4);
    end_pool(pool);
}

static int sqr_but_of_three(mp_obj arg, mp_obj *result)
{
    if (mp_obj_equal(arg, MP(3)))
        return mp_task_fail(RAISED, "foo");
    return sqr(arg, result);
}

static void test_imap_goes_on_after_a_failing_item(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(4);
    mp_obj items = range(10);
    for (size_t chunksize = 1; chunksize < 10; chunksize += 4) {
        mp_imap *iterator;
        const mp_map_options options = {.chunksize = chunksize};
        assert_mp_result(mp_pool_imap(pool, sqr_but_of_three, items, &iterator, &options), 0);
        for (int64_t i = 0; i < 3; i++)
            next_is(iterator, i * i);
        assert_mp_error(mp_imap_next(iterator, NULL, MP_FOREVER), MP_ETASK);
        check(mp_error_code() == RAISED);
        check_detail("foo");
        for (int64_t i = 4; i < 10; i++)
            next_is(iterator, i * i);
        ends(iterator);
    }
    mp_obj_free(&items);
    end_pool(pool);
}

static void test_next_gives_up(void **state)
{
    (void)state;
    go = new_event();
    mp_pool *pool = new_pool(2);
    for (size_t chunksize = 1; chunksize < 3; chunksize++) {
        mp_imap *iterator;
        mp_obj value = MP("untouched");
        const mp_map_options options = {.chunksize = chunksize};
        assert_mp_result(mp_event_clear(go), 0);
        assert_mp_result(mp_pool_imap(pool, sqr_once_told, MP_LIST(5, 6), &iterator, &options), 0);
        double start = clock_seconds();
        assert_mp_error(mp_imap_next(iterator, &value, 0.1), MP_ETIMEOUT);
        check(clock_seconds() - start >= 0.1);
        assert_mp_error(mp_imap_next(iterator, &value, MP_NOWAIT), MP_ETIMEOUT);
        assert_mp_error(mp_imap_next(iterator, &value, -1.0), MP_ETIMEOUT);
        check(mp_obj_equal(value, MP("untouched")));
        assert_mp_result(mp_event_set(go), 0);
        next_is(iterator, 25);
        next_is(iterator, 36);
        ends(iterator);
    }
    end_pool(pool);
    mp_event_destroy(go);
}

/* CPython's reads an endless input until memory is full. */
static void test_an_endless_input_is_read_as_it_is_used(void **state)
{
    (void)state;
    enum { PROCESSES = 2, AHEAD = 4, CHUNKSIZE = 3 };
    mp_pool *pool = new_pool(PROCESSES);
    struct generator generator = {.total = INT64_MAX, .when = -1};
    mp_imap *iterator = imap_of_generator(mp_pool_imap_from, pool, &generator, CHUNKSIZE);
    check(generator.calls == 0);
    for (int i = 0; i < 1000; i++) {
        next_is(iterator, (int64_t)i * i);
        check(generator.calls <= i + 1 + (PROCESSES * AHEAD + 1) * CHUNKSIZE);
    }
    mp_imap_destroy(iterator);
    end_pool(pool);
}

static void test_join_takes_what_is_left_of_a_generator(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    struct generator generator = {.total = 100, .when = -1};
    mp_imap *iterator = imap_of_generator(mp_pool_imap_from, pool, &generator, 1);
    next_is(iterator, 0);
    end_pool(pool);
    check(generator.calls == 101);
    for (int64_t i = 1; i < 100; i++)
        next_is(iterator, i * i);
    ends(iterator);
}

static mp_semaphore *begun;

static int tell_and_sqr(mp_obj arg, mp_obj *result)
{
    assert_mp_result(mp_semaphore_release(begun), 0);
    return sqr_once_told(arg, result);
}

static void test_an_iterator_given_back_runs_no_more(void **state)
{
    (void)state;
    go = new_event();
    begun = new_semaphore();
    mp_pool *pool = new_pool(1);
    mp_obj items = range(100);
    mp_imap *iterator;
    const mp_map_options options = {.chunksize = 1};
    assert_mp_result(mp_pool_imap(pool, tell_and_sqr, items, &iterator, &options), 0);
    take(begun);
    mp_imap_destroy(iterator);
    assert_mp_result(mp_event_set(go), 0);
    end_pool(pool);
    check(mp_semaphore_get_value(begun) == 0);
    mp_obj_free(&items);
    mp_event_destroy(go);
    mp_semaphore_destroy(begun);
}

struct recursive {
    mp_imap *iterator;
    int64_t left;
};

static int ask_itself(void *context, mp_obj *item)
{
    struct recursive *recursive = context;
    assert_mp_error(mp_imap_next(recursive->iterator, NULL, MP_NOWAIT), MP_ESTATE);
    *item = MP(recursive->left);
    return recursive->left-- > 0;
}

/* Python: ValueError: generator already executing. */
static void test_a_generator_cannot_ask_its_own_iterator(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    struct recursive recursive = {.left = 3};
    assert_mp_result(
        mp_pool_imap_from(pool, sqr, ask_itself, &recursive, &recursive.iterator, NULL), 0);
    next_is(recursive.iterator, 9);
    next_is(recursive.iterator, 4);
    next_is(recursive.iterator, 1);
    ends(recursive.iterator);
    end_pool(pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestPool.test_imap: results in order, then the end", test_imap),
        support_test("TestPool.test_imap: of a generator", test_imap_of_a_generator),
        support_test("TestPool.test_imap_handle_iterable_exception: a failing input is told at its "
                     "place, then the end",
                     test_imap_handle_iterable_exception),
        support_test("TestPool.test_imap_unordered: each result once", test_imap_unordered),
        support_test("TestPool.test_imap_unordered: of a generator",
                     test_imap_unordered_of_a_generator),
        support_test("TestPool.test_imap_unordered_handle_iterable_exception: a failing input is "
                     "told once, and loses nothing",
                     test_imap_unordered_handle_iterable_exception),
        support_test("IMapIterator.next: a failing item is told, and the next one comes",
                     test_imap_goes_on_after_a_failing_item),
        support_test("IMapIterator.next: TimeoutError leaves the iterator usable",
                     test_next_gives_up),
        support_test("TestPool.test_imap: an endless input is read as it is used",
                     test_an_endless_input_is_read_as_it_is_used),
        support_test("Pool.join: takes what is left of a generator",
                     test_join_takes_what_is_left_of_a_generator),
        support_test("IMapIterator: given back, it begins no more items",
                     test_an_iterator_given_back_runs_no_more),
        support_test("IMapIterator.next: refused within its own input",
                     test_a_generator_cannot_ask_its_own_iterator),
    };
    return support_run_processes("TestPool.imap", tests);
}
