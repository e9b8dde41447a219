/* Every public call of synchronize.h and sharedctypes.h with what it must refuse: nothing, another
 * kind of object, an object that was destroyed, no number for a timeout, no room for the result.
 * Each refusal has its code and changes nothing. */
#include "support/support.h"

#include <math.h>
#include <mp/context.h>
#include <mp/process.h>
#include <mp/sharedctypes.h>
#include <string.h>

enum kind { LOCK, RLOCK, SEMAPHORE, BOUNDED, CONDITION, EVENT, BARRIER, VALUE, ARRAY, KINDS };

static void *create(enum kind kind)
{
    void *object = NULL;
    int rc = -1;
    switch (kind) {
    case LOCK:
        rc = mp_lock_create((mp_lock **)&object);
        break;
    case RLOCK:
        rc = mp_rlock_create((mp_rlock **)&object);
        break;
    case SEMAPHORE:
        rc = mp_semaphore_create((mp_semaphore **)&object, 1, NULL);
        break;
    case BOUNDED:
        rc = mp_bounded_semaphore_create((mp_bounded_semaphore **)&object, 1);
        break;
    case CONDITION:
        rc = mp_condition_create((mp_condition **)&object, NULL);
        break;
    case EVENT:
        rc = mp_event_create((mp_event **)&object);
        break;
    case BARRIER:
        rc = mp_barrier_create((mp_barrier **)&object, 2, NULL, NULL, MP_FOREVER);
        break;
    case VALUE:
        rc = mp_value_create((mp_value **)&object, 'i', NULL);
        break;
    default:
        rc = mp_array_create((mp_array **)&object, 'i', 3, NULL);
        break;
    }
    assert_mp_result(rc, 0);
    return object;
}

static void call_destroy(enum kind kind, void *object)
{
    switch (kind) {
    case LOCK:
        mp_lock_destroy(object);
        break;
    case RLOCK:
        mp_rlock_destroy(object);
        break;
    case SEMAPHORE:
        mp_semaphore_destroy(object);
        break;
    case BOUNDED:
        mp_bounded_semaphore_destroy(object);
        break;
    case CONDITION:
        mp_condition_destroy(object);
        break;
    case EVENT:
        mp_event_destroy(object);
        break;
    case BARRIER:
        mp_barrier_destroy(object);
        break;
    case VALUE:
        mp_value_destroy(object);
        break;
    default:
        mp_array_destroy(object);
        break;
    }
}

/* ---- the calls ----------------------------------------------------------------------------- */

static char text[200];

static int is_never_called(void *arg)
{
    (void)arg;
    check(false);
    return 1;
}

/* What a call answers where it has no code to give. */
enum answer { CODE, FALSE_ANSWER, NULL_ANSWER, ZERO };

struct call {
    const char *name;
    enum kind kind;
    enum answer answer;
    int (*call)(void *object);
};

/* name, kind, answer, expression of `o`, which becomes 0 for a refusal without a code */
#define CALLS(X)                                                                    \
    X(lock_acquire, LOCK, CODE, mp_lock_acquire(o, MP_NOWAIT))                      \
    X(lock_acquire_forever, LOCK, CODE, mp_lock_acquire(o, MP_FOREVER))             \
    X(lock_release, LOCK, CODE, mp_lock_release(o))                                 \
    X(lock_locked, LOCK, FALSE_ANSWER, mp_lock_locked(o))                           \
    X(lock_recovered, LOCK, FALSE_ANSWER, mp_lock_recovered(o))                     \
    X(lock_repr, LOCK, CODE, mp_lock_repr(o, text, sizeof text))                    \
    X(rlock_acquire, RLOCK, CODE, mp_rlock_acquire(o, MP_NOWAIT))                   \
    X(rlock_acquire_forever, RLOCK, CODE, mp_rlock_acquire(o, MP_FOREVER))          \
    X(rlock_release, RLOCK, CODE, mp_rlock_release(o))                              \
    X(rlock_locked, RLOCK, FALSE_ANSWER, mp_rlock_locked(o))                        \
    X(rlock_recovered, RLOCK, FALSE_ANSWER, mp_rlock_recovered(o))                  \
    X(rlock_repr, RLOCK, CODE, mp_rlock_repr(o, text, sizeof text))                 \
    X(semaphore_acquire, SEMAPHORE, CODE, mp_semaphore_acquire(o, MP_NOWAIT))       \
    X(semaphore_release, SEMAPHORE, CODE, mp_semaphore_release(o))                  \
    X(semaphore_locked, SEMAPHORE, FALSE_ANSWER, mp_semaphore_locked(o))            \
    X(semaphore_get_value, SEMAPHORE, CODE, mp_semaphore_get_value(o))              \
    X(semaphore_repr, SEMAPHORE, CODE, mp_semaphore_repr(o, text, sizeof text))     \
    X(bounded_acquire, BOUNDED, CODE, mp_bounded_semaphore_acquire(o, MP_NOWAIT))   \
    X(bounded_release, BOUNDED, CODE, mp_bounded_semaphore_release(o))              \
    X(bounded_locked, BOUNDED, FALSE_ANSWER, mp_bounded_semaphore_locked(o))        \
    X(bounded_recovered, BOUNDED, FALSE_ANSWER, mp_bounded_semaphore_recovered(o))  \
    X(bounded_get_value, BOUNDED, CODE, mp_bounded_semaphore_get_value(o))          \
    X(bounded_repr, BOUNDED, CODE, mp_bounded_semaphore_repr(o, text, sizeof text)) \
    X(condition_acquire, CONDITION, CODE, mp_condition_acquire(o, MP_NOWAIT))       \
    X(condition_release, CONDITION, CODE, mp_condition_release(o))                  \
    X(condition_wait, CONDITION, CODE, mp_condition_wait(o, MP_NOWAIT))             \
    X(condition_wait_for, CONDITION, CODE,                                          \
      mp_condition_wait_for(o, is_never_called, NULL, MP_NOWAIT))                   \
    X(condition_notify, CONDITION, CODE, mp_condition_notify(o, 1))                 \
    X(condition_notify_none, CONDITION, CODE, mp_condition_notify(o, 0))            \
    X(condition_notify_all, CONDITION, CODE, mp_condition_notify_all(o))            \
    X(condition_recovered, CONDITION, FALSE_ANSWER, mp_condition_recovered(o))      \
    X(condition_repr, CONDITION, CODE, mp_condition_repr(o, text, sizeof text))     \
    X(event_set, EVENT, CODE, mp_event_set(o))                                      \
    X(event_clear, EVENT, CODE, mp_event_clear(o))                                  \
    X(event_is_set, EVENT, FALSE_ANSWER, mp_event_is_set(o))                        \
    X(event_wait, EVENT, CODE, mp_event_wait(o, MP_NOWAIT))                         \
    X(event_repr, EVENT, CODE, mp_event_repr(o, text, sizeof text))                 \
    X(barrier_wait, BARRIER, CODE, mp_barrier_wait(o, MP_NOWAIT))                   \
    X(barrier_reset, BARRIER, CODE, mp_barrier_reset(o))                            \
    X(barrier_abort, BARRIER, CODE, mp_barrier_abort(o))                            \
    X(barrier_parties, BARRIER, CODE, mp_barrier_parties(o))                        \
    X(barrier_n_waiting, BARRIER, CODE, mp_barrier_n_waiting(o))                    \
    X(barrier_broken, BARRIER, FALSE_ANSWER, mp_barrier_broken(o))                  \
    X(barrier_repr, BARRIER, CODE, mp_barrier_repr(o, text, sizeof text))           \
    X(value_ptr, VALUE, NULL_ANSWER, mp_value_ptr(o) != NULL)                       \
    X(value_get_lock, VALUE, NULL_ANSWER, mp_value_get_lock(o) != NULL)             \
    X(array_ptr, ARRAY, NULL_ANSWER, mp_array_ptr(o) != NULL)                       \
    X(array_get_lock, ARRAY, NULL_ANSWER, mp_array_get_lock(o) != NULL)             \
    X(array_len, ARRAY, ZERO, (int)mp_array_len(o))                                 \
    X(array_print, ARRAY, CODE, mp_array_print(o, stdout))                          \
    X(array_println, ARRAY, CODE, mp_array_println(o, stdout))

#define FUNCTION(name, kind, answer, expression) \
    static int call_##name(void *o)              \
    {                                            \
        return expression;                       \
    }
CALLS(FUNCTION)

#define ENTRY(name, kind, answer, expression) {#name, kind, answer, call_##name},
static const struct call calls[] = {CALLS(ENTRY)};
enum { ALL_CALLS = sizeof calls / sizeof *calls };

/* A call that gives a code leaves no detail of an earlier failure behind. */
static void check_refused(const struct call *call, void *object, int code)
{
    assert_mp_error(mp_set_start_method("an earlier failure"), MP_EINVAL);
    int result = call->call(object);
    int expected = call->answer == CODE ? code : 0;
    if (result != expected)
        print_error("%s gave %s, not %s\n", call->name, mp_error_name(result),
                    mp_error_name(expected));
    check(result == expected);
    check(call->answer != CODE || strstr(mp_error_detail(), "earlier") == NULL);
}

static void test_nothing_is_refused_as_a_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_CALLS; i++)
        check_refused(&calls[i], NULL, MP_EINVAL);
    for (enum kind kind = 0; kind < KINDS; kind++)
        call_destroy(kind, NULL);
}

/* The lock of a value or an array is the object itself. */
static bool is_fitting(enum kind wanted, enum kind given)
{
    return wanted == given || (wanted == RLOCK && (given == VALUE || given == ARRAY));
}

static void test_another_kind_is_refused_as_a_type(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        void *object = create(kind);
        for (size_t i = 0; i < ALL_CALLS; i++)
            if (!is_fitting(calls[i].kind, kind))
                check_refused(&calls[i], object, MP_ETYPE);
        call_destroy(kind, object);
    }
}

static void test_what_is_no_object_at_all_is_refused_as_a_type(void **state)
{
    (void)state;
    void *memory;
    mp_process *process;
    assert_mp_result(mp_raw_alloc(&memory, 200), 0);
    assert_mp_result(mp_process_create(&process, is_never_called, NULL, 0, NULL), 0);
    for (size_t i = 0; i < ALL_CALLS; i++) {
        check_refused(&calls[i], memory, MP_ETYPE);
        check_refused(&calls[i], process, MP_ETYPE);
        check_refused(&calls[i], text, MP_ETYPE);
    }
    for (enum kind kind = 0; kind < KINDS; kind++) {
        call_destroy(kind, memory);
        call_destroy(kind, process);
    }
    mp_process_destroy(process);
    mp_raw_free(memory);
}

static void test_the_destroyed_is_refused_as_closed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_CALLS; i++) {
        void *object = create(calls[i].kind);
        call_destroy(calls[i].kind, object);
        check_refused(&calls[i], object, MP_ECLOSED);
    }
}

/* Destroying something else as if it were of this kind does nothing. */
static void test_destroying_as_another_kind_does_nothing(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        mp_event *event = create(EVENT);
        mp_lock *lock = create(LOCK);
        if (kind != EVENT)
            call_destroy(kind, event);
        if (kind != LOCK)
            call_destroy(kind, lock);
        assert_mp_result(mp_event_set(event), 0);
        assert_mp_result(mp_lock_acquire(lock, MP_NOWAIT), 0);
        mp_event_destroy(event);
        mp_lock_destroy(lock);
    }
}

static void test_the_lock_of_a_value_is_not_destroyed_by_itself(void **state)
{
    (void)state;
    mp_value *value = create(VALUE);
    mp_array *array = create(ARRAY);
    mp_rlock_destroy(mp_value_get_lock(value));
    mp_rlock_destroy(mp_array_get_lock(array));
    assert_mp_result(mp_rlock_acquire(mp_value_get_lock(value), MP_NOWAIT), 0);
    assert_mp_result(mp_rlock_acquire(mp_array_get_lock(array), MP_NOWAIT), 0);
    mp_value_destroy(value);
    mp_array_destroy(array);
}

/* ---- timeouts ------------------------------------------------------------------------------ */

struct timed_call {
    enum kind kind;
    int (*call)(void *object, double timeout);
};

#define TIMED(name, expression)                      \
    static int timed_##name(void *o, double timeout) \
    {                                                \
        return expression;                           \
    }
TIMED(lock, mp_lock_acquire(o, timeout))
TIMED(rlock, mp_rlock_acquire(o, timeout))
TIMED(semaphore, mp_semaphore_acquire(o, timeout))
TIMED(bounded, mp_bounded_semaphore_acquire(o, timeout))
TIMED(condition, mp_condition_acquire(o, timeout))
TIMED(wait, mp_condition_wait(o, timeout))
TIMED(wait_for, mp_condition_wait_for(o, is_never_called, NULL, timeout))
TIMED(event, mp_event_wait(o, timeout))
TIMED(barrier, mp_barrier_wait(o, timeout))

static const struct timed_call timed_calls[] = {
    {LOCK, timed_lock},          {RLOCK, timed_rlock},         {SEMAPHORE, timed_semaphore},
    {BOUNDED, timed_bounded},    {CONDITION, timed_condition}, {CONDITION, timed_wait},
    {CONDITION, timed_wait_for}, {EVENT, timed_event},         {BARRIER, timed_barrier},
};
enum { ALL_TIMED_CALLS = sizeof timed_calls / sizeof *timed_calls };

static void test_no_number_is_no_timeout(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_TIMED_CALLS; i++) {
        void *object = create(timed_calls[i].kind);
        bool condition = timed_calls[i].kind == CONDITION;
        if (condition)
            assert_mp_result(mp_condition_acquire(object, MP_NOWAIT), 0);
        assert_mp_error(timed_calls[i].call(object, (double)NAN), MP_EINVAL);
        assert_mp_error(timed_calls[i].call(object, -(double)NAN), MP_EINVAL);
        if (condition)
            assert_mp_result(mp_condition_release(object), 0);
        if (condition)
            assert_mp_error(mp_condition_release(object), MP_ESTATE);
        call_destroy(timed_calls[i].kind, object);
    }
}

static void test_a_refused_timeout_takes_nothing(void **state)
{
    (void)state;
    mp_lock *lock = create(LOCK);
    mp_rlock *rlock = create(RLOCK);
    mp_semaphore *semaphore = create(SEMAPHORE);
    mp_bounded_semaphore *bounded = create(BOUNDED);
    mp_barrier *barrier = create(BARRIER);
    assert_mp_error(mp_lock_acquire(lock, (double)NAN), MP_EINVAL);
    assert_mp_error(mp_rlock_acquire(rlock, (double)NAN), MP_EINVAL);
    assert_mp_error(mp_semaphore_acquire(semaphore, (double)NAN), MP_EINVAL);
    assert_mp_error(mp_bounded_semaphore_acquire(bounded, (double)NAN), MP_EINVAL);
    assert_mp_error(mp_barrier_wait(barrier, (double)NAN), MP_EINVAL);
    check(!mp_lock_locked(lock) && !mp_rlock_locked(rlock));
    assert_mp_result(mp_semaphore_get_value(semaphore), 1);
    assert_mp_result(mp_bounded_semaphore_get_value(bounded), 1);
    assert_mp_result(mp_barrier_n_waiting(barrier), 0);
    check(!mp_barrier_broken(barrier));
    mp_lock_destroy(lock);
    mp_rlock_destroy(rlock);
    mp_semaphore_destroy(semaphore);
    mp_bounded_semaphore_destroy(bounded);
    mp_barrier_destroy(barrier);
}

static void hold_in_child(enum kind kind, void *object)
{
    if (kind == LOCK)
        assert_mp_result(mp_lock_acquire(object, MP_NOWAIT), 0);
    else if (kind == SEMAPHORE)
        assert_mp_result(mp_semaphore_acquire(object, MP_NOWAIT), 0);
    else if (kind == BOUNDED)
        assert_mp_result(mp_bounded_semaphore_acquire(object, MP_NOWAIT), 0);
}

static void test_less_than_no_time_is_no_time(void **state)
{
    (void)state;
    static const double none[] = {0.0, -0.0, -1e-9, -1.0, -1e300};
    static const struct timed_call waits[] = {{LOCK, timed_lock},
                                              {SEMAPHORE, timed_semaphore},
                                              {BOUNDED, timed_bounded},
                                              {EVENT, timed_event}};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        void *object = create(waits[i].kind);
        hold_in_child(waits[i].kind, object);
        for (size_t j = 0; j < sizeof none / sizeof *none; j++)
            assert_mp_error(waits[i].call(object, none[j]), MP_ETIMEOUT);
        assert_mp_error(waits[i].call(object, -MP_FOREVER), MP_ETIMEOUT);
        call_destroy(waits[i].kind, object);
    }
}

static void test_a_wait_lasts_its_time(void **state)
{
    (void)state;
    static const struct timed_call waits[] = {{LOCK, timed_lock},
                                              {SEMAPHORE, timed_semaphore},
                                              {BOUNDED, timed_bounded},
                                              {EVENT, timed_event}};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        void *object = create(waits[i].kind);
        hold_in_child(waits[i].kind, object);
        double start = clock_seconds();
        assert_mp_error(waits[i].call(object, 0.06), MP_ETIMEOUT);
        check(clock_seconds() - start >= 0.06);
        call_destroy(waits[i].kind, object);
    }
}

/* ---- constructors -------------------------------------------------------------------------- */

static void test_constructors_refuse_what_makes_no_sense(void **state)
{
    (void)state;
    mp_rlock *rlock = create(RLOCK);
    mp_lock *lock = create(LOCK);
    mp_condition *condition = NULL;
    mp_barrier *barrier = NULL;
    assert_mp_error(mp_lock_create(NULL), MP_EINVAL);
    assert_mp_error(mp_rlock_create(NULL), MP_EINVAL);
    assert_mp_error(mp_semaphore_create(NULL, 1, NULL), MP_EINVAL);
    assert_mp_error(mp_bounded_semaphore_create(NULL, 1), MP_EINVAL);
    assert_mp_error(mp_condition_create(NULL, rlock), MP_EINVAL);
    assert_mp_error(mp_condition_create_with_lock(NULL, lock), MP_EINVAL);
    assert_mp_error(mp_event_create(NULL), MP_EINVAL);
    assert_mp_error(mp_barrier_create(NULL, 2, NULL, NULL, MP_FOREVER), MP_EINVAL);
    assert_mp_error(mp_barrier_create(&barrier, 2, NULL, NULL, (double)NAN), MP_EINVAL);
    assert_mp_error(mp_condition_create_with_lock(&condition, NULL), MP_EINVAL);
    assert_mp_error(mp_condition_create_with_lock(&condition, (mp_lock *)(void *)rlock), MP_ETYPE);
    assert_mp_error(mp_condition_create(&condition, (mp_rlock *)(void *)lock), MP_ETYPE);
    mp_lock_destroy(lock);
    mp_rlock_destroy(rlock);
    assert_mp_error(mp_condition_create_with_lock(&condition, lock), MP_ECLOSED);
    assert_mp_error(mp_condition_create(&condition, rlock), MP_ECLOSED);
    check(condition == NULL && barrier == NULL);
}

static void test_a_predicate_must_be_given(void **state)
{
    (void)state;
    mp_condition *condition = create(CONDITION);
    assert_mp_result(mp_condition_acquire(condition, MP_NOWAIT), 0);
    assert_mp_error(mp_condition_wait_for(condition, NULL, NULL, MP_NOWAIT), MP_EINVAL);
    assert_mp_result(mp_condition_release(condition), 0);
    mp_condition_destroy(condition);
}

/* ---- texts --------------------------------------------------------------------------------- */

typedef int describe(void *object, char *buf, size_t n);

static void check_description(describe *describe_it, enum kind kind)
{
    void *object = create(kind);
    char whole[200], cut[200];
    int length = assert_mp_ok(describe_it(object, whole, sizeof whole));
    check(length > 0 && (size_t)length == strlen(whole));
    assert_mp_result(describe_it(object, NULL, 0), length);
    assert_mp_error(describe_it(object, NULL, 1), MP_EINVAL);
    for (size_t n = 1; n <= (size_t)length + 1; n++) {
        memset(cut, '#', sizeof cut);
        assert_mp_result(describe_it(object, cut, n), length);
        check(strlen(cut) == n - 1 && strncmp(cut, whole, n - 1) == 0);
        check(cut[n] == '#');
    }
    call_destroy(kind, object);
}

#define DESCRIBE(noun)                                            \
    static int describe_##noun(void *object, char *buf, size_t n) \
    {                                                             \
        return mp_##noun##_repr(object, buf, n);                  \
    }
DESCRIBE(lock)
DESCRIBE(rlock)
DESCRIBE(semaphore)
DESCRIBE(bounded_semaphore)
DESCRIBE(condition)
DESCRIBE(event)
DESCRIBE(barrier)

static void test_descriptions_are_cut_to_the_room_there_is(void **state)
{
    (void)state;
    check_description(describe_lock, LOCK);
    check_description(describe_rlock, RLOCK);
    check_description(describe_semaphore, SEMAPHORE);
    check_description(describe_bounded_semaphore, BOUNDED);
    check_description(describe_condition, CONDITION);
    check_description(describe_event, EVENT);
    check_description(describe_barrier, BARRIER);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("refusals: nothing is refused as a value", test_nothing_is_refused_as_a_value),
        support_test("refusals: another kind is refused as a type",
                     test_another_kind_is_refused_as_a_type),
        support_test("refusals: what is no object at all is refused as a type",
                     test_what_is_no_object_at_all_is_refused_as_a_type),
        support_test("refusals: the destroyed is refused as closed",
                     test_the_destroyed_is_refused_as_closed),
        support_test("refusals: destroying as another kind does nothing",
                     test_destroying_as_another_kind_does_nothing),
        support_test("refusals: the lock of a value is not destroyed by itself",
                     test_the_lock_of_a_value_is_not_destroyed_by_itself),
        support_test("refusals: no number is no timeout", test_no_number_is_no_timeout),
        support_test("refusals: a refused timeout takes nothing",
                     test_a_refused_timeout_takes_nothing),
        support_test("timeouts: less than no time is no time", test_less_than_no_time_is_no_time),
        support_test("timeouts: a wait lasts its time", test_a_wait_lasts_its_time),
        support_test("refusals: constructors refuse what makes no sense",
                     test_constructors_refuse_what_makes_no_sense),
        support_test("refusals: a predicate must be given", test_a_predicate_must_be_given),
        support_test("descriptions: are cut to the room there is",
                     test_descriptions_are_cut_to_the_room_there_is),
    };
    return support_run("refusals", tests);
}
