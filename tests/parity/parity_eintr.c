/* Python's TestPollEintr: a join that signals interrupt. */
#include "parity.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t signals_seen;

static void count_signal(int signal_number)
{
    (void)signal_number;
    signals_seen++;
}

static int wait_for_event(void *arg)
{
    assert_mp_result(mp_event_wait(arg, MP_FOREVER), 0);
    return 3;
}

struct annoyance {
    pid_t target;
    mp_event *then;
};

/* The pauses give the target time to be back in its wait. */
static int annoy_then_set(void *arg)
{
    const struct annoyance *annoyance = arg;
    for (int i = 0; i < 20; i++) {
        check(kill(annoyance->target, SIGUSR1) == 0);
        mp_sleep(0.01);
    }
    assert_mp_ok(mp_event_set(annoyance->then));
    return 0;
}

static void test_poll_eintr(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = count_signal}, old;
    struct annoyance annoyance = {getpid(), new_event()};
    check(sigaction(SIGUSR1, &action, &old) == 0);
    signals_seen = 0;
    mp_process *process = start_process(wait_for_event, annoyance.then, 0);
    mp_process *annoyer = start_process(annoy_then_set, &annoyance, sizeof annoyance);
    finish_process_with(process, 3);
    check(signals_seen > 0);
    finish_process_with(annoyer, 0);

    signals_seen = 0;
    assert_mp_ok(mp_event_clear(annoyance.then));
    process = start_process(wait_for_event, annoyance.then, 0);
    annoyer = start_process(annoy_then_set, &annoyance, sizeof annoyance);
    assert_mp_result(mp_process_join(process, 30.0), 0);
    finish_process_with(process, 3);
    check(signals_seen > 0);
    finish_process_with(annoyer, 0);
    check(sigaction(SIGUSR1, &old, NULL) == 0);
    mp_event_destroy(annoyance.then);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestPollEintr.test_poll_eintr: a join goes on after handled signals",
                     test_poll_eintr),
    };
    return support_run_processes("TestPollEintr", tests);
}
