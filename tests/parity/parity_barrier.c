/* Python's TestBarrier: five parties, the test's own process among them. */
#include "parity.h"

#include <stdatomic.h>
#include <unistd.h>

enum { PARTIES = 5, LATE = PARTIES / 2 };

static const double default_timeout = 30.0;

/* Lies in shared memory. */
struct meeting {
    mp_barrier *barrier, *second;
    mp_lock *lock;
    int passes, output;
    double timeout;
    atomic_int counts[3];
    atomic_int places[PARTIES];
    atomic_int acted, waited_milliseconds;
};

static mp_barrier *new_barrier(double timeout)
{
    mp_barrier *barrier;
    assert_mp_result(mp_barrier_create(&barrier, PARTIES, NULL, NULL, timeout), 0);
    return barrier;
}

static struct meeting *new_meeting(mp_barrier *barrier)
{
    struct meeting *meeting = shared_memory(sizeof *meeting);
    meeting->barrier = barrier;
    return meeting;
}

static void end_meeting(struct meeting *meeting)
{
    mp_barrier_destroy(meeting->barrier);
    mp_barrier_destroy(meeting->second);
    mp_raw_free(meeting);
}

/* The body runs in PARTIES - 1 processes and here. */
static void hold_meeting(struct meeting *meeting, mp_target *body)
{
    mp_process *others[PARTIES - 1];
    for (int i = 0; i < PARTIES - 1; i++)
        others[i] = start_process(body, meeting, 0);
    check(body(meeting) == 0);
    for (int i = 0; i < PARTIES - 1; i++)
        finish_process_with(others[i], 0);
}

static int pass(mp_barrier *barrier)
{
    return assert_mp_ok(mp_barrier_wait(barrier, MP_FOREVER));
}

static int pass_in_lockstep(void *arg)
{
    struct meeting *meeting = arg;
    assert_mp_result(mp_barrier_parties(meeting->barrier), PARTIES);
    for (int i = 0; i < meeting->passes; i++) {
        atomic_fetch_add(&meeting->counts[0], 1);
        check(atomic_load(&meeting->counts[1]) == i * PARTIES);
        (void)pass(meeting->barrier);
        atomic_fetch_add(&meeting->counts[1], 1);
        check(atomic_load(&meeting->counts[0]) == (i + 1) * PARTIES);
        (void)pass(meeting->barrier);
    }
    assert_mp_result(mp_barrier_n_waiting(meeting->barrier), 0);
    check(!mp_barrier_broken(meeting->barrier));
    return 0;
}

static void run_lockstep(int passes)
{
    struct meeting *meeting = new_meeting(new_barrier(default_timeout));
    meeting->passes = passes;
    hold_meeting(meeting, pass_in_lockstep);
    check(atomic_load(&meeting->counts[1]) == passes * PARTIES);
    end_meeting(meeting);
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
    struct meeting *meeting = arg;
    int place = pass(meeting->barrier);
    check(place >= 0 && place < PARTIES);
    atomic_fetch_add(&meeting->places[place], 1);
    return 0;
}

static void test_wait_return(void **state)
{
    (void)state;
    struct meeting *meeting = new_meeting(new_barrier(default_timeout));
    hold_meeting(meeting, record_place);
    for (int i = 0; i < PARTIES; i++)
        check(atomic_load(&meeting->places[i]) == 1);
    end_meeting(meeting);
}

static int count_action(void *arg)
{
    struct meeting *meeting = arg;
    atomic_fetch_add(&meeting->acted, 1);
    return 0;
}

static int find_action_done(void *arg)
{
    struct meeting *meeting = arg;
    (void)pass(meeting->barrier);
    check(atomic_load(&meeting->acted) == 1);
    return 0;
}

static void test_action(void **state)
{
    (void)state;
    struct meeting *meeting = new_meeting(NULL);
    assert_mp_result(
        mp_barrier_create(&meeting->barrier, PARTIES, count_action, meeting, default_timeout), 0);
    hold_meeting(meeting, find_action_done);
    check(atomic_load(&meeting->acted) == 1);
    end_meeting(meeting);
}

static int fail_action(void *arg)
{
    (void)count_action(arg);
    return -1;
}

static int find_barrier_broken(void *arg)
{
    struct meeting *meeting = arg;
    assert_mp_error(mp_barrier_wait(meeting->barrier, MP_FOREVER), MP_EBROKEN);
    check(atomic_load(&meeting->acted) == 1);
    return 0;
}

static void test_action_fails(void **state)
{
    (void)state;
    struct meeting *meeting = new_meeting(NULL);
    assert_mp_result(
        mp_barrier_create(&meeting->barrier, PARTIES, fail_action, meeting, default_timeout), 0);
    hold_meeting(meeting, find_barrier_broken);
    check(mp_barrier_broken(meeting->barrier));
    end_meeting(meeting);
}

/* One party leaves after the first pass and aborts; the others were to pass again. */
static void pass_or_abort(struct meeting *meeting)
{
    if (pass(meeting->barrier) == LATE) {
        assert_mp_ok(mp_barrier_abort(meeting->barrier));
    } else {
        assert_mp_error(mp_barrier_wait(meeting->barrier, MP_FOREVER), MP_EBROKEN);
        atomic_fetch_add(&meeting->counts[1], 1);
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
    struct meeting *meeting = new_meeting(new_barrier(default_timeout));
    hold_meeting(meeting, take_part_in_abort);
    check(atomic_load(&meeting->counts[1]) == PARTIES - 1);
    check(mp_barrier_broken(meeting->barrier));
    assert_mp_error(mp_barrier_wait(meeting->barrier, MP_NOWAIT), MP_EBROKEN);
    end_meeting(meeting);
}

static int take_part_in_reset(void *arg)
{
    struct meeting *meeting = arg;
    if (pass(meeting->barrier) == LATE) {
        while (assert_mp_ok(mp_barrier_n_waiting(meeting->barrier)) < PARTIES - 1)
            mp_sleep(0.001);
        assert_mp_ok(mp_barrier_reset(meeting->barrier));
    } else {
        assert_mp_error(mp_barrier_wait(meeting->barrier, MP_FOREVER), MP_EBROKEN);
        atomic_fetch_add(&meeting->counts[1], 1);
    }
    (void)pass(meeting->barrier);
    atomic_fetch_add(&meeting->counts[2], 1);
    return 0;
}

static void test_reset(void **state)
{
    (void)state;
    struct meeting *meeting = new_meeting(new_barrier(default_timeout));
    hold_meeting(meeting, take_part_in_reset);
    check(atomic_load(&meeting->counts[1]) == PARTIES - 1);
    check(atomic_load(&meeting->counts[2]) == PARTIES);
    check(!mp_barrier_broken(meeting->barrier));
    end_meeting(meeting);
}

static int take_part_in_abort_and_reset(void *arg)
{
    struct meeting *meeting = arg;
    pass_or_abort(meeting);
    if (pass(meeting->second) == LATE)
        assert_mp_ok(mp_barrier_reset(meeting->barrier));
    (void)pass(meeting->second);
    (void)pass(meeting->barrier);
    atomic_fetch_add(&meeting->counts[2], 1);
    return 0;
}

static void test_abort_and_reset(void **state)
{
    (void)state;
    struct meeting *meeting = new_meeting(new_barrier(default_timeout));
    meeting->second = new_barrier(MP_FOREVER);
    hold_meeting(meeting, take_part_in_abort_and_reset);
    check(atomic_load(&meeting->counts[1]) == PARTIES - 1);
    check(atomic_load(&meeting->counts[2]) == PARTIES);
    end_meeting(meeting);
}

/* One party comes when the barrier is broken; the first to give up has waited its whole time. */
static int take_part_in_timeout(void *arg)
{
    struct meeting *meeting = arg;
    if (assert_mp_ok(mp_barrier_wait(meeting->barrier, default_timeout)) == LATE) {
        while (!mp_barrier_broken(meeting->barrier))
            mp_sleep(0.01);
    }
    double start = clock_seconds();
    assert_mp_error(mp_barrier_wait(meeting->barrier, meeting->timeout), MP_EBROKEN);
    int waited = (int)((clock_seconds() - start) * 1000.0);
    int longest = atomic_load(&meeting->waited_milliseconds);
    while (waited > longest &&
           !atomic_compare_exchange_weak(&meeting->waited_milliseconds, &longest, waited))
        ;
    atomic_fetch_add(&meeting->counts[0], 1);
    return 0;
}

static void run_timeout(double of_the_barrier, double of_the_call)
{
    struct meeting *meeting = new_meeting(new_barrier(of_the_barrier));
    meeting->timeout = of_the_call;
    hold_meeting(meeting, take_part_in_timeout);
    check(atomic_load(&meeting->counts[0]) == PARTIES);
    check(atomic_load(&meeting->waited_milliseconds) >= 450);
    end_meeting(meeting);
}

static void test_timeout(void **state)
{
    (void)state;
    run_timeout(default_timeout, 0.5);
}

static void test_default_timeout(void **state)
{
    (void)state;
    run_timeout(0.5, MP_FOREVER);
}

static void test_single_thread(void **state)
{
    (void)state;
    mp_barrier *barrier;
    assert_mp_result(mp_barrier_create(&barrier, 1, NULL, NULL, MP_FOREVER), 0);
    assert_mp_result(mp_barrier_wait(barrier, MP_FOREVER), 0);
    assert_mp_result(mp_barrier_wait(barrier, MP_NOWAIT), 0);
    mp_barrier_destroy(barrier);
    assert_mp_error(mp_barrier_create(&barrier, 0, NULL, NULL, MP_FOREVER), MP_EINVAL);
}

static int send_every_pass(void *arg)
{
    struct meeting *meeting = arg;
    for (int i = 0; i < meeting->passes; i++) {
        (void)pass(meeting->barrier);
        MP_WITH_LOCK(meeting->lock) {
            check(write(meeting->output, &i, sizeof i) == (ssize_t)sizeof i);
        }
    }
    return 0;
}

static void test_thousand(void **state)
{
    (void)state;
    struct meeting *meeting = new_meeting(new_barrier(default_timeout));
    mp_process *parties[PARTIES];
    struct signal_pipe numbers;
    pipe_open(&numbers);
    assert_mp_result(mp_lock_create(&meeting->lock), 0);
    meeting->passes = 1000;
    meeting->output = numbers.write_fd;
    for (int i = 0; i < PARTIES; i++)
        parties[i] = start_process(send_every_pass, meeting, 0);
    for (int i = 0; i < meeting->passes * PARTIES; i++) {
        int number;
        check(read(numbers.read_fd, &number, sizeof number) == (ssize_t)sizeof number);
        check(number == i / PARTIES);
    }
    for (int i = 0; i < PARTIES; i++)
        finish_process_with(parties[i], 0);
    pipe_close(&numbers);
    mp_lock_destroy(meeting->lock);
    end_meeting(meeting);
}

static void test_repr(void **state)
{
    (void)state;
    mp_barrier *barrier = new_barrier(MP_FOREVER);
    check_repr(barrier, barrier,
               "<(multiprocessing\\.synchronize\\.)?Barrier at 0x[0-9a-f]+: waiters=0/5>");
    assert_mp_ok(mp_barrier_abort(barrier));
    check_repr(barrier, barrier,
               "<(multiprocessing\\.synchronize\\.)?Barrier at 0x[0-9a-f]+: broken>");
    assert_mp_ok(mp_barrier_reset(barrier));
    check(!mp_barrier_broken(barrier));
    mp_barrier_destroy(barrier);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestBarrier.test_barrier: is passed in lockstep", test_barrier),
        support_test("TestBarrier.test_barrier_10: is passed in lockstep ten times",
                     test_barrier_10),
        support_test("TestBarrier.test_wait_return: each place is given once", test_wait_return),
        support_test("TestBarrier.test_action: runs once, before anyone returns", test_action),
        support_test("TestBarrier.test_action: a failing action breaks the barrier for all",
                     test_action_fails),
        support_test("TestBarrier.test_abort: breaks the barrier for all who wait", test_abort),
        support_test("TestBarrier.test_reset: frees who waits, and the barrier is usable at once",
                     test_reset),
        support_test("TestBarrier.test_abort_and_reset: a broken barrier is repaired",
                     test_abort_and_reset),
        support_test("TestBarrier.test_timeout: one late party breaks it for all", test_timeout),
        support_test("TestBarrier.test_default_timeout: the barrier's own limit does the same",
                     test_default_timeout),
        support_test("TestBarrier.test_single_thread: one party passes at once, none are refused",
                     test_single_thread),
        support_test("TestBarrier.test_thousand: no generation overtakes another", test_thousand),
        support_test("TestBarrier repr: says who waits, or that it is broken", test_repr),
    };
    return support_run_processes("TestBarrier", tests);
}
