/* Python's TestBarrier on a managed Barrier: five parties, the test's own process among them. There
 * is no action: no function can be sent to the server. */
#include "managers/managers_kit.h"
#include "parity.h"

#include <mp/mp.h>

enum { PARTIES = 5, LATE = PARTIES / 2, LISTS = 3 };

static const double default_timeout = 30.0;

/* What Python's test counts in lists is counted in managed lists. */
struct meeting {
    mp_proxy *barrier, *second;
    mp_list *results[LISTS];
    int passes;
};

static mp_proxy *new_barrier(int parties, double timeout)
{
    mp_proxy *barrier;
    assert_mp_result(mp_manager_proxy(manager, "Barrier", MP_TUPLE(parties),
                                      MP_DICT("timeout", timeout), &barrier),
                     0);
    return barrier;
}

static struct meeting new_meeting(double timeout)
{
    struct meeting meeting = {.barrier = new_barrier(PARTIES, timeout)};
    for (int i = 0; i < LISTS; i++)
        meeting.results[i] = new_list(manager, MP_NONE);
    return meeting;
}

static void end_meeting(struct meeting *meeting)
{
    mp_proxy_destroy(meeting->barrier);
    mp_proxy_destroy(meeting->second);
    for (int i = 0; i < LISTS; i++)
        mp_list_destroy(meeting->results[i]);
}

/* The body runs in PARTIES - 1 processes and here. */
static void hold_meeting(struct meeting *meeting, mp_target *body)
{
    mp_process *others[PARTIES - 1];
    for (int i = 0; i < PARTIES - 1; i++)
        others[i] = start_process(body, meeting, sizeof *meeting);
    check(body(meeting) == 0);
    for (int i = 0; i < PARTIES - 1; i++)
        finish_process_with(others[i], 0);
}

static void add(const struct meeting *meeting, int list)
{
    assert_mp_result(mp_list_append(meeting->results[list], MP_TRUE), 0);
}

static int count(const struct meeting *meeting, int list)
{
    return assert_mp_ok(mp_list_len(meeting->results[list]));
}

static int64_t pass(mp_proxy *barrier)
{
    return call_int(barrier, "wait", MP_NONE);
}

static int64_t attribute(mp_proxy *barrier, const char *name)
{
    return call_int(barrier, "__getattribute__", MP_TUPLE(name));
}

static bool broken(mp_proxy *barrier)
{
    return call_bool(barrier, "__getattribute__", MP_TUPLE("broken"));
}

/* ---- passing --------------------------------------------------------------------------------- */

static int pass_in_lockstep(void *arg)
{
    const struct meeting *meeting = arg;
    check(attribute(meeting->barrier, "parties") == PARTIES);
    for (int i = 0; i < meeting->passes; i++) {
        add(meeting, 0);
        check(count(meeting, 1) == i * PARTIES);
        (void)pass(meeting->barrier);
        add(meeting, 1);
        check(count(meeting, 0) == (i + 1) * PARTIES);
        (void)pass(meeting->barrier);
    }
    check(attribute(meeting->barrier, "n_waiting") == 0);
    check(!broken(meeting->barrier));
    return 0;
}

static void run_lockstep(int passes)
{
    struct meeting meeting = new_meeting(default_timeout);
    meeting.passes = passes;
    hold_meeting(&meeting, pass_in_lockstep);
    check(count(&meeting, 1) == passes * PARTIES);
    end_meeting(&meeting);
}

static void test_barrier(void **state)
{
    (void)state;
    run_lockstep(1);
}

static void test_barrier_10(void **state)
{
    (void)state;
    run_lockstep(10);
}

static int record_place(void *arg)
{
    const struct meeting *meeting = arg;
    int64_t place = pass(meeting->barrier);
    assert_mp_result(mp_list_append(meeting->results[0], MP(place)), 0);
    return 0;
}

static void test_wait_return(void **state)
{
    (void)state;
    struct meeting meeting = new_meeting(default_timeout);
    hold_meeting(&meeting, record_place);
    assert_mp_result(mp_list_sort(meeting.results[0], false), 0);
    assert_list_is(meeting.results[0], MP_LIST(0, 1, 2, 3, 4));
    end_meeting(&meeting);
}

static void test_single_thread(void **state)
{
    (void)state;
    mp_proxy *barrier = new_proxy(manager, "Barrier", MP_TUPLE(1));
    check(pass(barrier) == 0);
    check(pass(barrier) == 0);
    mp_proxy_destroy(barrier);
}

/* ---- abort and reset ------------------------------------------------------------------------- */

/* One party leaves after the first pass and aborts; the others were to pass again. */
static void pass_or_abort(const struct meeting *meeting)
{
    if (pass(meeting->barrier) == LATE) {
        assert_call(meeting->barrier, "abort", MP_NONE, MP_NONE);
    } else {
        assert_raises(meeting->barrier, "wait", MP_NONE, MP_EBROKEN);
        add(meeting, 1);
    }
}

static int take_part_in_abort(void *arg)
{
    pass_or_abort(arg);
    return 0;
}

static void test_abort(void **state)
{
    (void)state;
    struct meeting meeting = new_meeting(default_timeout);
    hold_meeting(&meeting, take_part_in_abort);
    check(count(&meeting, 1) == PARTIES - 1);
    check(broken(meeting.barrier));
    assert_raises(meeting.barrier, "wait", MP_TUPLE(0), MP_EBROKEN);
    end_meeting(&meeting);
}

static int take_part_in_reset(void *arg)
{
    const struct meeting *meeting = arg;
    if (pass(meeting->barrier) == LATE) {
        while (attribute(meeting->barrier, "n_waiting") < PARTIES - 1)
            mp_sleep(0.001);
        assert_call(meeting->barrier, "reset", MP_NONE, MP_NONE);
    } else {
        assert_raises(meeting->barrier, "wait", MP_NONE, MP_EBROKEN);
        add(meeting, 1);
    }
    (void)pass(meeting->barrier);
    add(meeting, 2);
    return 0;
}

static void test_reset(void **state)
{
    (void)state;
    struct meeting meeting = new_meeting(default_timeout);
    hold_meeting(&meeting, take_part_in_reset);
    check(count(&meeting, 1) == PARTIES - 1);
    check(count(&meeting, 2) == PARTIES);
    check(!broken(meeting.barrier));
    end_meeting(&meeting);
}

static int take_part_in_abort_and_reset(void *arg)
{
    const struct meeting *meeting = arg;
    pass_or_abort(meeting);
    if (pass(meeting->second) == LATE)
        assert_call(meeting->barrier, "reset", MP_NONE, MP_NONE);
    (void)pass(meeting->second);
    (void)pass(meeting->barrier);
    add(meeting, 2);
    return 0;
}

static void test_abort_and_reset(void **state)
{
    (void)state;
    struct meeting meeting = new_meeting(default_timeout);
    meeting.second = new_proxy(manager, "Barrier", MP_TUPLE(PARTIES));
    hold_meeting(&meeting, take_part_in_abort_and_reset);
    check(count(&meeting, 1) == PARTIES - 1);
    check(count(&meeting, 2) == PARTIES);
    end_meeting(&meeting);
}

/* ---- timeouts -------------------------------------------------------------------------------- */

/* One party comes when the barrier is broken; the first to give up has waited its whole time. */
static void come_late(const struct meeting *meeting, mp_obj timeout)
{
    if (call_int(meeting->barrier, "wait", MP_TUPLE(default_timeout)) == LATE) {
        while (!broken(meeting->barrier))
            mp_sleep(0.01);
    }
    assert_raises(meeting->barrier, "wait", MP_TUPLE(timeout), MP_EBROKEN);
    add(meeting, 0);
}

static int take_part_in_timeout(void *arg)
{
    come_late(arg, MP(0.5));
    return 0;
}

static void test_timeout(void **state)
{
    (void)state;
    struct meeting meeting = new_meeting(default_timeout);
    double start = clock_seconds();
    hold_meeting(&meeting, take_part_in_timeout);
    check(clock_seconds() - start >= 0.5);
    check(count(&meeting, 0) == PARTIES);
    end_meeting(&meeting);
}

static int take_part_in_default_timeout(void *arg)
{
    come_late(arg, MP_NONE);
    return 0;
}

static void test_default_timeout(void **state)
{
    (void)state;
    struct meeting meeting = new_meeting(0.5);
    double start = clock_seconds();
    hold_meeting(&meeting, take_part_in_default_timeout);
    check(clock_seconds() - start >= 0.5);
    check(count(&meeting, 0) == PARTIES);
    end_meeting(&meeting);
}

/* A negative timeout is none at all: whoever is not the last breaks the barrier. */
static void test_negative_timeout(void **state)
{
    (void)state;
    mp_proxy *barrier = new_proxy(manager, "Barrier", MP_TUPLE(2));
    assert_raises(barrier, "wait", MP_TUPLE(-1), MP_EBROKEN);
    check(broken(barrier));
    assert_call(barrier, "reset", MP_NONE, MP_NONE);
    check(!broken(barrier));
    mp_proxy_destroy(barrier);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("TestBarrier.test_barrier (manager): is passed in lockstep", test_barrier),
        served_test("TestBarrier.test_barrier_10 (manager): ten times", test_barrier_10),
        served_test("TestBarrier.test_wait_return (manager): every place once", test_wait_return),
        served_test("TestBarrier.test_abort (manager): breaks it for those who wait", test_abort),
        served_test("TestBarrier.test_reset (manager): lets those who wait out, and is whole",
                    test_reset),
        served_test("TestBarrier.test_abort_and_reset (manager): is whole again",
                    test_abort_and_reset),
        served_test("TestBarrier.test_timeout (manager): breaks it for all", test_timeout),
        served_test("TestBarrier.test_default_timeout (manager): so does the barrier's own",
                    test_default_timeout),
        served_test("TestBarrier.test_single_thread (manager): one party never waits",
                    test_single_thread),
        served_test("TestBarrier (manager): a negative timeout is none at all",
                    test_negative_timeout),
    };
    return managers_run("TestBarrier (manager)", tests);
}
