/* Pools where memory ends: what finds no room is told, and the pool lives. Runs in a small arena. */
#include "pool_kit.h"

#include <errno.h>
#include <mp/synchronize.h>
#include <stdlib.h>
#include <string.h>

enum { HUGE = 32 << 20, LARGE = 200000, MEBIBYTE = 1 << 20 };

static mp_event *go;

static char *text_of(size_t size, char c)
{
    char *text = malloc(size);
    check(text != NULL);
    memset(text, c, size);
    return text;
}

/* A str of so many bytes, 'a' in all of them. */
static int give_text(mp_obj arg, mp_obj *result)
{
    int64_t size;
    assert_mp_result(mp_obj_as_int(arg, &size), 0);
    char *text = text_of((size_t)size, 'a');
    int rc = mp_task_return(result, MP_STRN(text, (size_t)size));
    free(text);
    return rc;
}

static int give_length(mp_obj arg, mp_obj *result)
{
    assert_mp_result(mp_event_wait(go, MP_FOREVER), 0);
    *result = MP((int64_t)arg.len);
    return 0;
}

static bool is_text(mp_obj o, size_t size)
{
    return o.type == MP_TYPE_STR && o.len == size && o.s[0] == 'a' && o.s[size - 1] == 'a';
}

static void test_a_huge_result_fails_its_item_alone(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mp_obj results;
    int status[3];
    const mp_map_options options = {.status = status};
    assert_mp_error(mp_pool_apply(pool, give_text, MP(HUGE), NULL), -ENOMEM);
    pool_works(pool);
    assert_mp_error(mp_pool_map(pool, give_text, MP_LIST(10, HUGE, LARGE), &results, &options),
                    -ENOMEM);
    check(status[0] == 0 && status[1] == -ENOMEM && status[2] == 0);
    check(results.len == 3 && is_text(results.items[0], 10) && is_text(results.items[2], LARGE));
    check(results.items[1].type == MP_TYPE_NONE);
    mp_obj_free(&results);
    pool_works(pool);
    end_pool(pool);
}

static void test_a_huge_argument_is_refused(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    mp_obj results = MP(1);
    mp_async_result *result;
    mp_imap *imap;
    char *text = text_of(HUGE, 'a');
    mp_obj huge = MP_STRN(text, HUGE);
    assert_mp_error(mp_pool_apply(pool, give_length, huge, NULL), -ENOMEM);
    assert_mp_error(mp_pool_apply_async(pool, give_length, huge, &result, NULL), -ENOMEM);
    assert_mp_error(mp_pool_map(pool, give_length, MP_LIST(1, huge), &results, NULL), -ENOMEM);
    check(results.type == MP_TYPE_NONE);
    assert_mp_error(mp_pool_map_async(pool, give_length, MP_LIST(huge), &result, NULL), -ENOMEM);
    assert_mp_error(mp_pool_imap(pool, give_length, MP_LIST(huge), &imap, NULL), -ENOMEM);
    free(text);
    pool_works(pool);
    end_pool(pool);
}

/* Hands in until there is no room, and gives how many went in. */
static int fill(mp_pool *pool, mp_async_result **results, int most)
{
    char *text = text_of(LARGE, 'a');
    int n = 0, rc = 0;
    while (n < most) {
        rc =
            mp_pool_apply_async(pool, give_length, MP_STRN(text, (size_t)LARGE), &results[n], NULL);
        if (rc != 0)
            break;
        n++;
    }
    assert_mp_error(rc, -ENOMEM);
    free(text);
    return n;
}

static void test_what_was_handed_in_is_done_when_memory_is_full(void **state)
{
    (void)state;
    enum { MOST = 1000 };
    mp_async_result *results[MOST];
    assert_mp_result(mp_event_create(&go), 0);
    mp_pool *pool = new_pool(2);
    int first = 0;
    for (int round = 0; round < 4; round++) {
        assert_mp_result(mp_event_clear(go), 0);
        int n = fill(pool, results, MOST);
        check(n > 10 && n >= first * 3 / 4); /* what the first took is free again */
        if (round == 0)
            first = n;
        assert_mp_result(mp_event_set(go), 0);
        for (int i = 0; i < n; i++) {
            mp_obj value;
            assert_mp_result(mp_async_result_get(results[i], &value, MP_FOREVER), 0);
            check(take_int(&value) == LARGE);
            mp_async_result_destroy(results[i]);
        }
        pool_works(pool);
    }
    end_pool(pool);
    mp_event_destroy(go);
}

static void test_results_that_find_no_room_are_told(void **state)
{
    (void)state;
    enum { ITEMS = 100 };
    mp_pool *pool = new_pool(2);
    mp_obj sizes[ITEMS], results;
    int status[ITEMS];
    const mp_map_options options = {.status = status, .chunksize = 3};
    for (int i = 0; i < ITEMS; i++)
        sizes[i] = MP(MEBIBYTE);
    for (int round = 0; round < 2; round++) {
        int fine = 0;
        assert_mp_error(mp_pool_map(pool, give_text, mp_obj_list(sizes, ITEMS), &results, &options),
                        -ENOMEM);
        check(results.len == ITEMS);
        for (int i = 0; i < ITEMS; i++) {
            check(status[i] == 0 || status[i] == -ENOMEM);
            check(status[i] == 0 ? is_text(results.items[i], MEBIBYTE)
                                 : results.items[i].type == MP_TYPE_NONE);
            fine += status[i] == 0;
        }
        check(fine > 2);
        mp_obj_free(&results);
        pool_works(pool);
    }
    end_pool(pool);
}

static int a_hundred(void *context, mp_obj *item)
{
    int *n = context;
    *item = MP(LARGE);
    return (*n)++ < 100;
}

static void test_a_generator_waits_for_room(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mp_imap *imap;
    int n = 0;
    assert_mp_result(mp_pool_imap_from(pool, give_text, a_hundred, &n, &imap, NULL), 0);
    for (int i = 0; i < 100; i++) {
        mp_obj value;
        assert_mp_result(mp_imap_next(imap, &value, MP_FOREVER), 1);
        check(is_text(value, LARGE));
        mp_obj_free(&value);
    }
    assert_mp_result(mp_imap_next(imap, NULL, MP_FOREVER), 0);
    mp_imap_destroy(imap);
    end_pool(pool);
}

static void test_memory_is_used_again(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        mp_pool *pool = new_pool(2);
        for (int i = 0; i < 200; i++) {
            mp_obj value;
            mp_async_result *dropped;
            assert_mp_result(mp_pool_apply(pool, give_text, MP(LARGE), &value), 0);
            check(is_text(value, LARGE));
            mp_obj_free(&value);
            assert_mp_result(mp_pool_apply(pool, give_text, MP(LARGE), NULL), 0);
            assert_mp_result(mp_pool_apply_async(pool, give_text, MP(LARGE), &dropped, NULL), 0);
            assert_mp_result(mp_async_result_wait(dropped, MP_FOREVER), 0);
            mp_async_result_destroy(dropped);
        }
        end_pool(pool);
    }
}

/* ---- many small tasks ----------------------------------------------------------------------- */

static int wait_or_not(mp_obj arg, mp_obj *result)
{
    if (mp_obj_equal(arg, MP(1)))
        assert_mp_result(mp_event_wait(go, MP_FOREVER), 0);
    *result = arg;
    return 0;
}

/* Never more than a hundred are in flight, but for the first one, which takes as long as all. */
static void test_a_long_task_that_nobody_wants_keeps_no_others_memory(void **state)
{
    (void)state;
    enum { TASKS = 150000 };
    assert_mp_result(mp_event_create(&go), 0);
    mp_pool *pool = new_pool(2);
    assert_mp_result(mp_pool_apply_async(pool, wait_or_not, MP(1), NULL, NULL), 0);
    for (int i = 0; i < TASKS; i++) {
        assert_mp_result(mp_pool_apply_async(pool, wait_or_not, MP(0), NULL, NULL), 0);
        if (i % 100 == 0)
            assert_mp_result(mp_pool_apply(pool, wait_or_not, MP(0), NULL), 0);
    }
    assert_mp_result(mp_event_set(go), 0);
    end_pool(pool);
    mp_event_destroy(go);
}

static int add_one(const void *item, void *result, void *context)
{
    (void)context;
    *(char *)result = (char)(*(const char *)item + 1);
    return 0;
}

/* The records of the chunks would fill the arena twice over. */
static void test_an_array_in_chunks_of_one_item_takes_the_pieces_that_fit(void **state)
{
    (void)state;
    enum { COUNT = 500000 };
    mp_pool *pool = new_pool(2);
    char *items = malloc(COUNT), *results = calloc(COUNT, 1);
    const mp_map_options options = {.chunksize = 1};
    check(items != NULL && results != NULL);
    for (int i = 0; i < COUNT; i++)
        items[i] = (char)(i % 100);
    assert_mp_result(mp_pool_map_array(pool, add_one, items, COUNT, 1, results, 1, &options), 0);
    for (int i = 0; i < COUNT; i++)
        check(results[i] == i % 100 + 1);
    free(items);
    free(results);
    end_pool(pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a huge result fails its item alone", test_a_huge_result_fails_its_item_alone),
        support_test("a huge argument is refused", test_a_huge_argument_is_refused),
        support_test("what was handed in is done when memory is full",
                     test_what_was_handed_in_is_done_when_memory_is_full),
        support_test("results that find no room are told, and the others are right",
                     test_results_that_find_no_room_are_told),
        support_test("a generator waits for room", test_a_generator_waits_for_room),
        support_test("memory is used again", test_memory_is_used_again),
        support_test("a long task that nobody wants keeps no other's memory",
                     test_a_long_task_that_nobody_wants_keeps_no_others_memory),
        support_test("an array in chunks of one item takes the pieces that fit",
                     test_an_array_in_chunks_of_one_item_takes_the_pieces_that_fit),
    };
    return support_run_processes("pools in a small arena", tests);
}
