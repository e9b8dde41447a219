/* Barrier under SIGKILL: a party that died after arriving breaks it, and a reset mends it. */
#include "kill/harness.h"

#include <mp/mp.h>

#include <string.h>

enum { PARTIES = 4 };

struct meetings {
    _Atomic uint64_t held;           /* actions that were begun */
    _Atomic uint64_t given[PARTIES]; /* how often each place was given out */
};

static struct meetings *meetings;
static mp_barrier *barrier;
static mp_lock *repair;
static struct kill_worker *self;

static void begin(struct kill_worker *me)
{
    self = me;
}

static int action(void *arg)
{
    (void)arg;
    kill_set_role(self, HOLDER);
    atomic_fetch_add(&meetings->held, 1);
    kill_dawdle(self, 4);
    return 0;
}

static void mend(void)
{
    check(mp_lock_acquire(repair, MP_FOREVER) >= 0);
    if (mp_barrier_broken(barrier))
        check(mp_barrier_reset(barrier) == 0);
    check(mp_lock_release(repair) == 0);
}

/* A turn is a meeting that was held. */
static void turn(struct kill_worker *me)
{
    int rc;
    while ((rc = mp_barrier_wait(barrier, MP_FOREVER)) == MP_EBROKEN) {
        if (atomic_load(&kill_board->stop))
            return;
        atomic_fetch_add(&me->recovered, 1);
        mend();
        kill_set_role(me, BYSTANDER);
    }
    check(rc >= 0 && rc < PARTIES);
    atomic_fetch_add(&meetings->given[rc], 1);
}

static void let_go(void)
{
    (void)mp_barrier_abort(barrier);
}

static void meetings_run(const char *name, const struct kill_plan *plan, struct kill_result *result)
{
    kill_prepare();
    meetings = kill_shared(sizeof *meetings);
    assert_mp_ok(mp_lock_create(&repair));
    assert_mp_ok(mp_barrier_create(&barrier, PARTIES, action, NULL, MP_FOREVER));
    kill_run(plan, result);
    for (int i = 0; i < PARTIES; i++)
        result->wrong += atomic_load(&meetings->given[i]) > atomic_load(&meetings->held);
    kill_print(name, result);
    kill_assert_clean(plan, result);
    mp_barrier_destroy(barrier);
    mp_lock_destroy(repair);
}

static void meetings_test(const char *name, int workers)
{
    struct kill_result result = {.recovered = 0};
    const struct kill_plan plan = {
        .workers = workers,
        .kills = kill_count(300),
        .turn = turn,
        .begin = begin,
        .let_go = let_go,
        .replace_within = 20000,
        .wanted = 1 << WAITER | 1 << WOKEN | 1 << HOLDER | 1 << WAKER,
    };
    const int runs_most = plan.kills < 300 ? 1 : KILL_RUNS_MOST; /* to break one is rare chance */
    for (int runs = 0; result.recovered == 0 && runs < runs_most; runs++)
        meetings_run(name, &plan, &result);
    assert_true(result.recovered > 0 || plan.kills < 300);
}

static void test_meetings_go_on_after_deaths(void **state)
{
    (void)state;
    meetings_test("barrier", PARTIES);
}

static void test_meetings_go_on_with_more_users_than_parties(void **state)
{
    (void)state;
    meetings_test("barrier, 7 users", PARTIES + 3);
}

static void make(void)
{
    assert_mp_ok(mp_barrier_create(&barrier, 3, NULL, NULL, MP_FOREVER));
}

static void end(void)
{
    mp_barrier_destroy(barrier);
}

static void meet_once(void)
{
    int rc = mp_barrier_wait(barrier, MP_FOREVER);
    check(rc >= 0 || rc == MP_EBROKEN);
}

/* With two arrivals and not broken, the waker died before it arrived: nobody can know. */
static bool is_settled(bool victim_returned)
{
    if (victim_returned || mp_barrier_broken(barrier) || mp_barrier_n_waiting(barrier) != 2)
        return false;
    assert_mp_ok(mp_barrier_abort(barrier));
    return true;
}

static void test_an_arrival_reaches_the_survivors(void **state)
{
    (void)state;
    kill_prepare();
    struct sparse_result result;
    const struct sparse_plan plan = {.prepare = make,
                                     .sleep = meet_once,
                                     .wake = meet_once,
                                     .all = true,
                                     .is_settled = is_settled,
                                     .clean_up = end};
    sparse_run(&plan, sparse_rounds(), &result);
    sparse_print("barrier", &result);
    assert_int_equal(result.lost, 0);
}

/* ---- a party that is late for its meeting ---------------------------------------------------- */

static atomic_int *comes, *may_come;

static void stop_on_the_way(const char *step)
{
    if (strcmp(step, "barrier.coming") != 0)
        return;
    mp__step_hook = NULL;
    atomic_store(comes, 1);
    while (!atomic_load(may_come))
        kill_nap(100);
}

static int come_late(void *arg)
{
    (void)arg;
    mp__step_hook = stop_on_the_way;
    check(mp_barrier_wait(barrier, MP_FOREVER) == MP_EBROKEN);
    return 0;
}

static int come_in_time(void *arg)
{
    (void)arg;
    check(mp_barrier_wait(barrier, MP_FOREVER) >= 0);
    return 0;
}

static void test_a_late_comer_takes_nobodys_place_in_the_next_meeting(void **state)
{
    (void)state;
    kill_prepare();
    comes = kill_shared(2 * sizeof *comes);
    may_come = comes + 1;
    assert_mp_ok(mp_barrier_create(&barrier, 2, NULL, NULL, MP_FOREVER));
    pid_t late = child_fork(come_late, NULL);
    assert_true(kill_await(comes));
    assert_mp_ok(mp_barrier_reset(barrier));
    pid_t first = child_fork(come_in_time, NULL);
    while (mp_barrier_n_waiting(barrier) < 1)
        kill_nap(100);
    atomic_store(may_come, 1);
    assert_int_equal(child_wait(late), 0);
    pid_t second = child_fork(come_in_time, NULL);
    assert_int_equal(child_wait(first), 0);
    assert_int_equal(child_wait(second), 0);
    mp_barrier_destroy(barrier);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("meetings go on after deaths", test_meetings_go_on_after_deaths),
        support_test("meetings go on with more users than parties",
                     test_meetings_go_on_with_more_users_than_parties),
        support_test("a late comer takes nobody's place in the next meeting",
                     test_a_late_comer_takes_nobodys_place_in_the_next_meeting),
        support_test("an arrival reaches the survivors", test_an_arrival_reaches_the_survivors),
    };
    return support_run_processes("barrier", tests);
}
