/* Python's TestValue: single shared values, with and without a lock. */
#include "parity.h"

struct values {
    int *i;
    double *d;
    short *h;
    long long *q;
    char *c;
};

static int set_second_values(void *arg)
{
    const struct values *values = arg;
    *values->i = 24234;
    *values->d = -4.25;
    *values->h = 234;
    *values->q = 1LL << 34;
    *values->c = 'y';
    return 0;
}

static void check_first_values(const struct values *values)
{
    check(*values->i == 4343);
    check(*values->d == 3.625);
    check(*values->h == -232);
    check(*values->q == 1LL << 33);
    check(*values->c == 'x');
}

static void check_second_values(const struct values *values)
{
    check(*values->i == 24234);
    check(*values->d == -4.25);
    check(*values->h == 234);
    check(*values->q == 1LL << 34);
    check(*values->c == 'y');
}

static mp_value *new_value(char typecode, const void *init)
{
    mp_value *value;
    assert_mp_result(mp_value_create(&value, typecode, init), 0);
    return value;
}

static void test_value(void **state)
{
    (void)state;
    mp_value *i = new_value('i', &(int){4343}), *d = new_value('d', &(double){3.625});
    mp_value *h = new_value('h', &(short){-232}), *q = new_value('q', &(long long){1LL << 33});
    mp_value *c = new_value('c', &(char){'x'});
    struct values values = {&MP_VALUE(int, i), &MP_VALUE(double, d), &MP_VALUE(short, h),
                            &MP_VALUE(long long, q), &MP_VALUE(char, c)};
    check_first_values(&values);
    finish_process_with(start_process(set_second_values, &values, sizeof values), 0);
    check_second_values(&values);
    mp_value_destroy(i);
    mp_value_destroy(d);
    mp_value_destroy(h);
    mp_value_destroy(q);
    mp_value_destroy(c);
}

static void test_rawvalue(void **state)
{
    (void)state;
    struct values values = {shared_memory(sizeof(int)), shared_memory(sizeof(double)),
                            shared_memory(sizeof(short)), shared_memory(sizeof(long long)),
                            shared_memory(sizeof(char))};
    check(*values.i == 0 && *values.d == 0.0 && *values.h == 0 && *values.q == 0 && *values.c == 0);
    *values.i = 4343;
    *values.d = 3.625;
    *values.h = -232;
    *values.q = 1LL << 33;
    *values.c = 'x';
    check_first_values(&values);
    finish_process_with(start_process(set_second_values, &values, sizeof values), 0);
    check_second_values(&values);
    mp_raw_free(values.i);
    mp_raw_free(values.d);
    mp_raw_free(values.h);
    mp_raw_free(values.q);
    mp_raw_free(values.c);
}

static int increment_under_its_lock(void *arg)
{
    mp_value *value = arg;
    for (int i = 0; i < 1000; i++) {
        MP_WITH_VALUE(value) {
            MP_VALUE(int, value) += 1;
        }
    }
    return 0;
}

static void test_getobj_getlock(void **state)
{
    (void)state;
    mp_value *value = new_value('i', &(int){5}), *other = new_value('i', NULL);
    mp_rlock *lock = mp_value_get_lock(value);
    check(lock != NULL && lock == mp_value_get_lock(value));
    check(lock != mp_value_get_lock(other));
    check(mp_value_ptr(value) == &MP_VALUE(int, value));
    check(MP_VALUE(int, value) == 5 && MP_VALUE(int, other) == 0);

    MP_WITH_VALUE(value) {
        check(mp_rlock_locked(lock) && !mp_rlock_locked(mp_value_get_lock(other)));
        MP_HOLD_VALUE(value);
        MP_VALUE(int, value) = 0;
    }
    check(!mp_rlock_locked(lock));
    mp_process *process = start_process(increment_under_its_lock, value, 0);
    check(increment_under_its_lock(value) == 0);
    finish_process_with(process, 0);
    check(MP_VALUE(int, value) == 2000);
    mp_value_destroy(value);
    mp_value_destroy(other);
}

static void test_invalid_typecode(void **state)
{
    (void)state;
    static const char valid[] = "cbBhHiIlLqQfd?", invalid[] = "xzPsu \n";
    static const size_t sizes[] = {
        sizeof(char),           sizeof(signed char), sizeof(unsigned char),      sizeof(short),
        sizeof(unsigned short), sizeof(int),         sizeof(unsigned),           sizeof(long),
        sizeof(unsigned long),  sizeof(long long),   sizeof(unsigned long long), sizeof(float),
        sizeof(double),         sizeof(bool)};
    mp_value *value;
    for (size_t i = 0; i < sizeof valid - 1; i++) {
        value = new_value(valid[i], NULL);
        check(mp_value_at_(value, sizes[i], __FILE__, __LINE__) == mp_value_ptr(value));
        mp_value_destroy(value);
    }
    for (size_t i = 0; i < sizeof invalid; i++)
        assert_mp_error(mp_value_create(&value, invalid[i], NULL), MP_EINVAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestValue.test_value: what a child writes is read here", test_value),
        support_test("TestValue.test_rawvalue: the same without a lock", test_rawvalue),
        support_test("TestValue.test_getobj_getlock: each value has its own recursive lock",
                     test_getobj_getlock),
        support_test("TestValue.test_invalid_typecode: an unknown code is refused",
                     test_invalid_typecode),
    };
    return support_run_processes("TestValue", tests);
}
