/* What the kill tests print: a line per primitive, and how long recovery takes. */
#include "kill/harness.h"

#include <mp/mp.h>

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- recovery -------------------------------------------------------------------------------- */

struct stage {
    atomic_int holds, done;
    atomic_int rc;
    _Atomic int64_t when;
    const struct kill_lock_calls *calls;
    struct kill_worker waiter;
};

static struct stage *stage;

static int hold_for_ever(void *arg)
{
    (void)arg;
    check(stage->calls->take() >= 0);
    atomic_store(&stage->holds, 1);
    for (;;)
        (void)pause();
}

static int wait_for_it(void *arg)
{
    (void)arg;
    kill_follow_steps(&stage->waiter, UINT_MAX);
    int rc = stage->calls->take();
    atomic_store(&stage->when, mp__now());
    atomic_store(&stage->rc, rc);
    atomic_store(&stage->done, 1);
    check(stage->calls->give() == 0);
    return 0;
}

static bool await_parked(pid_t pid)
{
    struct kill_clock clock;
    kill_clock_start(&clock);
    while (atomic_load(&stage->waiter.role) != WAITER)
        if (!kill_clock_tick(&clock, KILL_HANG_SECONDS))
            return false;
    return child_await_sleep(pid);
}

/* Seconds from the kill until the waiter has the lock. */
static double recovery_round(bool reaped)
{
    mp_process *process = NULL;
    pid_t holder;
    atomic_store(&stage->holds, 0);
    atomic_store(&stage->done, 0);
    atomic_store(&stage->waiter.role, BYSTANDER);
    if (reaped) {
        assert_mp_ok(mp_process_create(&process, hold_for_ever, NULL, 0, NULL));
        assert_mp_ok(mp_process_start(process));
        holder = mp_process_pid(process);
    } else
        holder = child_fork(hold_for_ever, NULL);
    assert_true(kill_await(&stage->holds));
    pid_t waiter = child_fork(wait_for_it, NULL);
    assert_true(await_parked(waiter));
    kill_pause(kill_rng(), 30000);
    mp__moment from = mp__now();
    assert_int_equal(kill(holder, SIGKILL), 0);
    if (reaped) {
        assert_mp_ok(mp_process_join(process, MP_FOREVER));
        mp_process_destroy(process);
    } else
        assert_int_equal(waitpid(holder, NULL, 0), holder);
    assert_true(kill_await(&stage->done));
    assert_mp_result(atomic_load(&stage->rc), MP_RECOVERED);
    assert_int_equal(child_wait(waiter), 0);
    return (double)(atomic_load(&stage->when) - from) * 1e-9;
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

void kill_measure_recovery(const struct kill_lock_calls *calls, int rounds, bool reaped,
                           struct kill_latency *latency)
{
    if (stage == NULL)
        stage = kill_shared(sizeof *stage);
    stage->calls = calls;
    double *spans = malloc((size_t)rounds * sizeof *spans);
    for (int i = 0; i < rounds; i++)
        spans[i] = recovery_round(reaped);
    qsort(spans, (size_t)rounds, sizeof *spans, by_size);
    *latency = (struct kill_latency){
        .rounds = rounds, .median = spans[rounds / 2], .worst = spans[rounds - 1]};
    free(spans);
}

/* ---- lines ----------------------------------------------------------------------------------- */

void kill_print_recovery(const char *name, const char *how, const struct kill_latency *latency)
{
    print_message("| %-17s | recovery %s: median %.2f ms, max %.2f ms, %d rounds |\n", name, how,
                  latency->median * 1e3, latency->worst * 1e3, latency->rounds);
}

void kill_print(const char *name, const struct kill_result *r)
{
    print_message(
        "| %-17s | seed %" PRIu64 " | kills %" PRIu64 ": holder %" PRIu64 ", waiter %" PRIu64
        ", woken %" PRIu64 ", waker %" PRIu64 ", bystander %" PRIu64 ", starter %" PRIu64
        " | turns %" PRIu64 " | recovered %" PRIu64 " | violations %" PRIu64 " | wrong %" PRIu64
        " | false deaths %" PRIu64 " | hangs %d | worst stall %.1f ms |\n",
        name, r->seed, r->kills, r->by_role[HOLDER], r->by_role[WAITER], r->by_role[WOKEN],
        r->by_role[WAKER], r->by_role[BYSTANDER], r->by_role[STARTER], r->turns, r->recovered,
        r->violations, r->wrong, r->false_deaths, r->hangs, r->worst_stall * 1e3);
}
