/* Python's TestSharedCTypes: structs, numbers and strings that a child doubles. */
#include "parity.h"

#include <string.h>

enum { LENGTH = 10, STRING = 20 };

/* Padding before y, as in Python's. */
struct foo {
    int x;
    double y;
    long long z;
};

struct things {
    int *x;
    double *y;
    long long *z;
    struct foo *foo;
    double *array;
    char *string;
};

static int double_all(void *arg)
{
    const struct things *things = arg;
    size_t length = strlen(things->string);
    *things->x *= 2;
    *things->y *= 2;
    *things->z *= 2;
    things->foo->x *= 2;
    things->foo->y *= 2;
    check(2 * length < STRING);
    memcpy(things->string + length, things->string, length);
    for (int i = 0; i < LENGTH; i++)
        things->array[i] *= 2;
    return 0;
}

static void check_doubled(const struct things *things)
{
    check(*things->x == 14);
    const double third = 1.0 / 3.0; /* rounded, however wide the system reckons */
    check(*things->y == third * 2);
    check(*things->z == 1LL << 34);
    check(things->foo->x == 6);
    check(things->foo->y == 4.0);
    check(things->foo->z == 9);
    for (int i = 0; i < LENGTH; i++)
        check(things->array[i] == i * 2);
    check(strcmp(things->string, "hellohello") == 0);
}

static const struct foo first_foo = {.x = 3, .y = 2.0, .z = 9};
static const char first_string[STRING] = "hello";
static const double first_array[LENGTH] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

static void test_sharedctypes(void **state)
{
    (void)state;
    struct things things = {shared_memory(sizeof(int)),        shared_memory(sizeof(double)),
                            shared_memory(sizeof(long long)),  shared_memory(sizeof(struct foo)),
                            shared_memory(sizeof first_array), shared_memory(sizeof first_string)};
    *things.x = 7;
    *things.y = 1.0 / 3.0;
    *things.z = 1LL << 33;
    *things.foo = first_foo;
    memcpy(things.array, first_array, sizeof first_array);
    memcpy(things.string, first_string, sizeof first_string);
    finish_process_with(start_process(double_all, &things, sizeof things), 0);
    check_doubled(&things);
    mp_raw_free(things.x);
    mp_raw_free(things.y);
    mp_raw_free(things.z);
    mp_raw_free(things.foo);
    mp_raw_free(things.array);
    mp_raw_free(things.string);
}

struct locked_things {
    mp_value *x, *y, *z, *foo;
    mp_array *array, *string;
};

static struct things unlocked(const struct locked_things *locked)
{
    return (struct things){&MP_VALUE(int, locked->x),       &MP_VALUE(double, locked->y),
                           &MP_VALUE(long long, locked->z), &MP_VALUE(struct foo, locked->foo),
                           MP_ARRAY(double, locked->array), MP_ARRAY(char, locked->string)};
}

static int double_all_locked(void *arg)
{
    const struct locked_things *locked = arg;
    struct things things = unlocked(locked);
    MP_HOLD_VALUE(locked->x);
    MP_HOLD_VALUE(locked->y);
    MP_HOLD_VALUE(locked->z);
    MP_HOLD_VALUE(locked->foo);
    MP_HOLD_ARRAY(locked->array);
    MP_HOLD_ARRAY(locked->string);
    return double_all(&things);
}

static void test_synchronize(void **state)
{
    (void)state;
    struct locked_things locked;
    assert_mp_result(mp_value_create(&locked.x, 'i', &(int){7}), 0);
    assert_mp_result(mp_value_create(&locked.y, 'd', &(double){1.0 / 3.0}), 0);
    assert_mp_result(mp_value_create(&locked.z, 'q', &(long long){1LL << 33}), 0);
    assert_mp_result(mp_value_create_sized(&locked.foo, sizeof first_foo, &first_foo), 0);
    assert_mp_result(mp_array_create(&locked.array, 'd', LENGTH, first_array), 0);
    assert_mp_result(mp_array_create(&locked.string, 'c', STRING, first_string), 0);
    finish_process_with(start_process(double_all_locked, &locked, sizeof locked), 0);
    struct things things = unlocked(&locked);
    check_doubled(&things);
    check(!mp_rlock_locked(mp_value_get_lock(locked.foo)));
    check(!mp_rlock_locked(mp_array_get_lock(locked.string)));
    mp_value_destroy(locked.x);
    mp_value_destroy(locked.y);
    mp_value_destroy(locked.z);
    mp_value_destroy(locked.foo);
    mp_array_destroy(locked.array);
    mp_array_destroy(locked.string);
}

static void test_copy(void **state)
{
    (void)state;
    struct foo start = {.x = 2, .y = 5.0, .z = 1LL << 33};
    mp_value *foo, *bar;
    mp_array *foos;
    assert_mp_result(mp_value_create_sized(&foo, sizeof start, &start), 0);
    assert_mp_result(mp_value_create_sized(&bar, sizeof start, mp_value_ptr(foo)), 0);
    assert_mp_result(mp_array_create_sized(&foos, sizeof start, 1, mp_value_ptr(foo)), 0);
    MP_VALUE(struct foo, foo) = (struct foo){0};
    start = (struct foo){0};
    const struct foo *copies[] = {&MP_VALUE(struct foo, bar), &MP_ARRAY(struct foo, foos)[0]};
    for (int i = 0; i < 2; i++)
        check(copies[i]->x == 2 && copies[i]->y == 5.0 && copies[i]->z == 1LL << 33);
    mp_value_destroy(foo);
    mp_value_destroy(bar);
    mp_array_destroy(foos);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test(
            "TestSharedCTypes.test_sharedctypes: a child doubles numbers, a struct, a string",
            test_sharedctypes),
        support_test("TestSharedCTypes.test_synchronize: the same under locks", test_synchronize),
        support_test("TestSharedCTypes.test_copy: a copy is deep", test_copy),
    };
    return support_run_processes("TestSharedCTypes", tests);
}
