/* Python's TestArray: shared arrays, with and without a lock. */
#include "parity.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH = 10 };

struct sequence {
    int *items;
    size_t length;
};

static int sum_prefixes(void *arg)
{
    const struct sequence *sequence = arg;
    for (size_t i = 1; i < sequence->length; i++)
        sequence->items[i] += sequence->items[i - 1];
    return 0;
}

static const int numbers[LENGTH] = {680, 626, 934, 821, 150, 233, 548, 982, 714, 831};

/* The same work on shared items by a child, and on a copy here. */
static void compare_with_a_copy(int *items)
{
    int copy[LENGTH];
    static const int slice[4] = {1, 2, 3, 4};
    struct sequence shared = {items, LENGTH}, own = {copy, LENGTH};
    memcpy(copy, numbers, sizeof copy);
    check(memcmp(items, copy, sizeof copy) == 0);
    memcpy(&items[4], slice, sizeof slice);
    memcpy(&copy[4], slice, sizeof slice);
    check(memcmp(items, copy, sizeof copy) == 0);
    check(sum_prefixes(&own) == 0);
    finish_process_with(start_process(sum_prefixes, &shared, sizeof shared), 0);
    check(memcmp(items, copy, sizeof copy) == 0);
}

/* The text of mp_array_print. */
static void check_printed(mp_array *array, const char *expected)
{
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    check(stream != NULL);
    assert_mp_ok(mp_array_print(array, stream));
    check(fclose(stream) == 0);
    check(strcmp(text, expected) == 0);
    free(text);
}

static void test_array(void **state)
{
    (void)state;
    mp_array *array;
    assert_mp_result(mp_array_create(&array, 'i', LENGTH, numbers), 0);
    check(mp_array_len(array) == LENGTH);
    check(MP_ARRAY(int, array)[3] == numbers[3]);
    check_printed(array, "[680, 626, 934, 821, 150, 233, 548, 982, 714, 831]");
    compare_with_a_copy(&MP_ARRAY(int, array)[0]);
    mp_array_destroy(array);
}

static void test_array_from_size(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        mp_array *array;
        assert_mp_result(mp_array_create(&array, 'i', LENGTH, NULL), 0);
        check(mp_array_len(array) == LENGTH);
        check_printed(array, "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]");
        for (int i = 0; i < LENGTH; i++)
            MP_ARRAY(int, array)[i] = i;
        check_printed(array, "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]");
        mp_array_destroy(array);
    }
}

static void test_rawarray(void **state)
{
    (void)state;
    int *items = shared_memory(sizeof numbers);
    for (int i = 0; i < LENGTH; i++)
        check(items[i] == 0);
    memcpy(items, numbers, sizeof numbers);
    compare_with_a_copy(items);
    mp_raw_free(items);
}

static int add_one_to_each(void *arg)
{
    mp_array *array = arg;
    for (int round = 0; round < 500; round++) {
        MP_WITH_ARRAY(array) {
            for (size_t i = 0; i < mp_array_len(array); i++)
                MP_ARRAY(int, array)[i] += 1;
        }
    }
    return 0;
}

static void test_getobj_getlock_obj(void **state)
{
    (void)state;
    mp_array *array, *other;
    assert_mp_result(mp_array_create(&array, 'i', LENGTH, NULL), 0);
    assert_mp_result(mp_array_create(&other, 'i', LENGTH, NULL), 0);
    mp_rlock *lock = mp_array_get_lock(array);
    check(lock != NULL && lock == mp_array_get_lock(array));
    check(lock != mp_array_get_lock(other));
    check(mp_array_ptr(array) == MP_ARRAY(int, array));
    MP_WITH_ARRAY(array) {
        MP_HOLD_ARRAY(array);
        check(mp_rlock_locked(lock) && !mp_rlock_locked(mp_array_get_lock(other)));
    }
    check(!mp_rlock_locked(lock));
    mp_process *process = start_process(add_one_to_each, array, 0);
    check(add_one_to_each(array) == 0);
    finish_process_with(process, 0);
    for (int i = 0; i < LENGTH; i++)
        check(MP_ARRAY(int, array)[i] == 1000);
    mp_array_destroy(array);
    mp_array_destroy(other);
}

static void test_invalid_typecode(void **state)
{
    (void)state;
    static const char invalid[] = "xzPsu \n";
    mp_array *array;
    for (size_t i = 0; i < sizeof invalid; i++)
        assert_mp_error(mp_array_create(&array, invalid[i], LENGTH, NULL), MP_EINVAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestArray.test_array: what a child does in place is read here", test_array),
        support_test("TestArray.test_array_from_size: zeroed, even in memory used before",
                     test_array_from_size),
        support_test("TestArray.test_rawarray: the same without a lock", test_rawarray),
        support_test("TestArray.test_getobj_getlock_obj: each array has its own recursive lock",
                     test_getobj_getlock_obj),
        support_test("TestArray.test_invalid_typecode: an unknown code is refused",
                     test_invalid_typecode),
    };
    return support_run_processes("TestArray", tests);
}
