/* MP_WITH_* and MP_HOLD_*: held inside, free afterwards, however the block is left. */
#include "support/support.h"

#include <mp/sharedctypes.h>
#include <mp/synchronize.h>
#include <signal.h>
#include <unistd.h>

static mp_lock *lock;
static mp_rlock *rlock;
static mp_semaphore *semaphore;
static mp_bounded_semaphore *bounded;
static mp_condition *condition;
static mp_value *value;
static mp_array *array;

static int setup(void **state)
{
    assert_mp_result(support_setup(state), 0);
    assert_mp_result(mp_lock_create(&lock), 0);
    assert_mp_result(mp_rlock_create(&rlock), 0);
    assert_mp_result(mp_semaphore_create(&semaphore, 1, NULL), 0);
    assert_mp_result(mp_bounded_semaphore_create(&bounded, 1), 0);
    assert_mp_result(mp_condition_create(&condition, NULL), 0);
    assert_mp_result(mp_value_create(&value, 'i', NULL), 0);
    assert_mp_result(mp_array_create(&array, 'i', 3, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    mp_lock_destroy(lock);
    mp_rlock_destroy(rlock);
    mp_semaphore_destroy(semaphore);
    mp_bounded_semaphore_destroy(bounded);
    mp_condition_destroy(condition);
    mp_value_destroy(value);
    mp_array_destroy(array);
    return support_teardown(state);
}

static bool condition_is_held(void)
{
    int result = mp_condition_notify(condition, 0);
    check(result == 0 || result == MP_ESTATE);
    return result == 0;
}

static bool is_held_lock(void)
{
    return mp_lock_locked(lock);
}

static bool is_held_rlock(void)
{
    return mp_rlock_locked(rlock);
}

static bool is_held_semaphore(void)
{
    return mp_semaphore_locked(semaphore);
}

static bool is_held_bounded_semaphore(void)
{
    return mp_bounded_semaphore_locked(bounded);
}

static bool is_held_condition(void)
{
    return condition_is_held();
}

static bool is_held_value(void)
{
    return mp_rlock_locked(mp_value_get_lock(value));
}

static bool is_held_array(void)
{
    return mp_rlock_locked(mp_array_get_lock(array));
}

/* ---- leaving a block ----------------------------------------------------------------------- */

enum way { TO_THE_END, BY_BREAK, BY_CONTINUE, BY_RETURN, BY_GOTO, WAYS };

/* Goes through the block in the way given; the steps it took, in digits. */
#define LEAVE_WITH(name, GUARD, object)        \
    static int leave_with_##name(enum way way) \
    {                                          \
        int steps = 0;                         \
        for (int turn = 0; turn < 2; turn++) { \
            GUARD(object)                      \
            {                                  \
                check(is_held_##name());       \
                steps = steps * 10 + 1;        \
                if (way == BY_BREAK)           \
                    break;                     \
                if (way == BY_CONTINUE)        \
                    continue;                  \
                if (way == BY_RETURN)          \
                    return steps * 10 + 9;     \
                if (way == BY_GOTO)            \
                    goto out;                  \
                steps = steps * 10 + 2;        \
            }                                  \
            check(!is_held_##name());          \
            steps = steps * 10 + 3;            \
        }                                      \
        return steps;                          \
    out:                                       \
        check(!is_held_##name());              \
        return steps * 10 + 8;                 \
    }

/* The same to the end of the block around: here break and continue mean the loop. */
#define LEAVE_HOLD(name, GUARD, object)        \
    static int leave_hold_##name(enum way way) \
    {                                          \
        int steps = 0;                         \
        for (int turn = 0; turn < 2; turn++) { \
            check(!is_held_##name());          \
            GUARD(object);                     \
            check(is_held_##name());           \
            steps = steps * 10 + 1;            \
            if (way == BY_BREAK)               \
                break;                         \
            if (way == BY_CONTINUE)            \
                continue;                      \
            if (way == BY_RETURN)              \
                return steps * 10 + 9;         \
            if (way == BY_GOTO)                \
                goto out;                      \
            steps = steps * 10 + 2;            \
        }                                      \
        check(!is_held_##name());              \
        return steps;                          \
    out:                                       \
        check(!is_held_##name());              \
        return steps * 10 + 8;                 \
    }

#define BOTH(name, NAME, object)             \
    LEAVE_WITH(name, MP_WITH_##NAME, object) \
    LEAVE_HOLD(name, MP_HOLD_##NAME, object) \
    static bool still_held_##name(void)      \
    {                                        \
        return is_held_##name();             \
    }

BOTH(lock, LOCK, lock)
BOTH(rlock, RLOCK, rlock)
BOTH(semaphore, SEMAPHORE, semaphore)
BOTH(bounded_semaphore, BOUNDED_SEMAPHORE, bounded)
BOTH(condition, CONDITION, condition)
BOTH(value, VALUE, value)
BOTH(array, ARRAY, array)

struct guard {
    int (*leave_with)(enum way way);
    int (*leave_hold)(enum way way);
    bool (*is_held)(void);
};

#define GUARD_ROW(name)                                         \
    {                                                           \
        leave_with_##name, leave_hold_##name, still_held_##name \
    }
static const struct guard guards[] = {
    GUARD_ROW(lock),      GUARD_ROW(rlock), GUARD_ROW(semaphore), GUARD_ROW(bounded_semaphore),
    GUARD_ROW(condition), GUARD_ROW(value), GUARD_ROW(array),
};
enum { GUARDS = sizeof guards / sizeof *guards };

static void test_a_with_block_releases_however_it_is_left(void **state)
{
    (void)state;
    static const int steps[WAYS] = {123123, 1313, 1313, 19, 18};
    for (size_t i = 0; i < GUARDS; i++)
        for (enum way way = 0; way < WAYS; way++) {
            check(guards[i].leave_with(way) == steps[way]);
            check(!guards[i].is_held());
        }
}

static void test_a_hold_releases_at_the_end_of_its_block_however_it_is_left(void **state)
{
    (void)state;
    static const int steps[WAYS] = {1212, 1, 11, 19, 18};
    for (size_t i = 0; i < GUARDS; i++)
        for (enum way way = 0; way < WAYS; way++) {
            check(guards[i].leave_hold(way) == steps[way]);
            check(!guards[i].is_held());
        }
}

/* ---- blocks in blocks ---------------------------------------------------------------------- */

static void test_blocks_nest_and_stand_side_by_side(void **state)
{
    (void)state;
    MP_WITH_LOCK(lock) {
        MP_WITH_RLOCK(rlock) {
            MP_WITH_RLOCK(rlock) {
                MP_HOLD_SEMAPHORE(semaphore);
                MP_HOLD_BOUNDED_SEMAPHORE(bounded);
                check(mp_lock_locked(lock) && mp_rlock_locked(rlock));
                check(mp_semaphore_locked(semaphore) && mp_bounded_semaphore_locked(bounded));
            }
            check(!mp_semaphore_locked(semaphore) && !mp_bounded_semaphore_locked(bounded));
            check(mp_rlock_locked(rlock));
        }
        check(mp_lock_locked(lock) && !mp_rlock_locked(rlock));
    }
    check(!mp_lock_locked(lock));
    MP_WITH_LOCK(lock)
        check(mp_lock_locked(lock));
    check(!mp_lock_locked(lock));
}

static void test_the_inner_block_is_left_alone_by_break(void **state)
{
    (void)state;
    int reached = 0;
    MP_WITH_LOCK(lock) {
        MP_WITH_RLOCK(rlock) {
            break;
        }
        reached++;
        check(mp_lock_locked(lock) && !mp_rlock_locked(rlock));
    }
    check(reached == 1);
}

static mp_lock *lock_asked_for(int *asked)
{
    ++*asked;
    return lock;
}

static void test_the_object_is_evaluated_once(void **state)
{
    (void)state;
    int asked = 0;
    MP_WITH_LOCK(lock_asked_for(&asked)) {
        check(asked == 1);
    }
    check(asked == 1);
    {
        MP_HOLD_LOCK(lock_asked_for(&asked));
        check(asked == 2);
    }
    check(asked == 2);
}

static void test_a_condition_may_wait_inside_its_block(void **state)
{
    (void)state;
    MP_WITH_CONDITION(condition) {
        assert_mp_error(mp_condition_wait(condition, 0.01), MP_ETIMEOUT);
        check(condition_is_held());
        assert_mp_result(mp_condition_notify_all(condition), 0);
    }
    check(!condition_is_held());
}

/* ---- after a death ------------------------------------------------------------------------- */

static int hold_all_and_die(void *arg)
{
    (void)arg;
    MP_WITH_LOCK(lock) {
        MP_WITH_RLOCK(rlock) {
            MP_WITH_BOUNDED_SEMAPHORE(bounded) {
                MP_WITH_CONDITION(condition) {
                    MP_WITH_VALUE(value) {
                        MP_WITH_ARRAY(array) {
                            (void)raise(SIGKILL);
                        }
                    }
                }
            }
        }
    }
    return 1;
}

static int count_recovered(void)
{
    int told = 0;
    MP_WITH_LOCK(lock)
        told += mp_lock_recovered(lock);
    MP_WITH_RLOCK(rlock) {
        told += mp_rlock_recovered(rlock);
        MP_WITH_RLOCK(rlock)
            told += mp_rlock_recovered(rlock);
    }
    MP_WITH_BOUNDED_SEMAPHORE(bounded)
        told += mp_bounded_semaphore_recovered(bounded);
    MP_WITH_CONDITION(condition)
        told += mp_condition_recovered(condition);
    MP_WITH_VALUE(value)
        told += mp_rlock_recovered(mp_value_get_lock(value));
    MP_WITH_ARRAY(array)
        told += mp_rlock_recovered(mp_array_get_lock(array));
    return told;
}

static void test_the_first_block_after_a_death_can_know_of_it(void **state)
{
    (void)state;
    check(count_recovered() == 0);
    check(child_wait(child_fork(hold_all_and_die, NULL)) == -SIGKILL);
    check(count_recovered() == 7);
    check(count_recovered() == 0);
}

#define with_test(name, function)                 \
    {                                             \
        (name), (function), setup, teardown, NULL \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        with_test("MP_WITH: a block releases however it is left",
                  test_a_with_block_releases_however_it_is_left),
        with_test("MP_HOLD: releases at the end of its block, however it is left",
                  test_a_hold_releases_at_the_end_of_its_block_however_it_is_left),
        with_test("MP_WITH: blocks nest and stand side by side",
                  test_blocks_nest_and_stand_side_by_side),
        with_test("MP_WITH: the inner block alone is left by break",
                  test_the_inner_block_is_left_alone_by_break),
        with_test("MP_WITH: the object is evaluated once", test_the_object_is_evaluated_once),
        with_test("MP_WITH: a condition may wait inside its block",
                  test_a_condition_may_wait_inside_its_block),
        with_test("MP_WITH: the first block after a death can know of it",
                  test_the_first_block_after_a_death_can_know_of_it),
    };
    return support_run("MP_WITH", tests);
}
