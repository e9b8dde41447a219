/* Scenarios: conditions, events and barriers. */
#include "kill/steps.h"

#include <mp/mp.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

static mp_condition *condition;
static mp_event *event;
static mp_barrier *barrier;

/* ---- Condition ------------------------------------------------------------------------------- */

static void condition_make(void)
{
    assert_mp_ok(mp_condition_create(&condition, NULL));
}

static void condition_end(void)
{
    assert_mp_ok(mp_condition_acquire(condition, STEPS_BOUND));
    assert_mp_result(mp_condition_release(condition), 0);
    mp_condition_destroy(condition);
}

/* What is known of a run, besides where the actor is. */
enum { ACTOR_HAS_LOCK = 1, OTHER_HAS_LOCK = 2, ACTOR_IS_BACK = 3, OTHERS_BACK = 4, FIRST_HAS_LOCK };

static void wait_once(int flag)
{
    check(mp_condition_acquire(condition, MP_FOREVER) >= 0);
    steps_set(flag);
    check(mp_condition_wait(condition, MP_FOREVER) >= 0);
    check(mp_condition_release(condition) == 0);
}

static void actor_waits(void)
{
    check(mp_condition_acquire(condition, MP_FOREVER) >= 0);
    steps_set(ACTOR_HAS_LOCK);
    check(mp_condition_wait(condition, MP_FOREVER) >= 0);
    steps_set(ACTOR_IS_BACK);
    check(mp_condition_release(condition) == 0);
}

static void notify(unsigned n)
{
    check(mp_condition_acquire(condition, MP_FOREVER) >= 0);
    check(mp_condition_notify(condition, n) == 0);
    check(mp_condition_release(condition) == 0);
}

static void await_gone(void)
{
    while (!atomic_load(&steps_stage->gone))
        kill_nap(100);
}

static int notifier_main(void *unused)
{
    (void)unused;
    steps_await_actor();
    notify(1);
    return 0;
}

static void notifier(void)
{
    steps_partner(notifier_main, NULL);
}

/* The other waits behind the actor. There is one notification for the two: if the actor dies
   before it is back it is the other's. */
static int other_main(void *unused)
{
    (void)unused;
    steps_await(ACTOR_HAS_LOCK);
    wait_once(OTHER_HAS_LOCK);
    return 0;
}

static void await_other(void)
{
    struct kill_clock clock;
    kill_clock_start(&clock);
    while (!atomic_load(&steps_stage->flag[OTHER_HAS_LOCK]))
        check(kill_clock_tick(&clock, STEPS_BOUND));
}

/* One more for the other, if the actor had its own. */
static void notify_after_the_actor(void)
{
    await_gone();
    if (!atomic_load(&steps_stage->died) || atomic_load(&steps_stage->flag[ACTOR_IS_BACK]))
        notify(1);
}

static int notifier_of_two_main(void *unused)
{
    (void)unused;
    steps_await(ACTOR_HAS_LOCK);
    await_other();
    notify(1);
    notify_after_the_actor();
    return 0;
}

static void other_and_notifier(void)
{
    steps_partner(other_main, NULL);
    steps_partner(notifier_of_two_main, NULL);
}

static int counted_waiter_main(void *unused)
{
    (void)unused;
    wait_once(OTHER_HAS_LOCK);
    atomic_fetch_add(&steps_stage->flag[OTHERS_BACK], 1);
    return 0;
}

/* A notifier that died held the lock, or had notified both: one of them comes back by itself. */
static int late_notifier_main(void *unused)
{
    (void)unused;
    struct kill_clock clock;
    await_gone();
    kill_clock_start(&clock);
    while (atomic_load(&steps_stage->flag[OTHERS_BACK]) == 0)
        check(kill_clock_tick(&clock, STEPS_BOUND));
    if (atomic_load(&steps_stage->died))
        notify(2);
    return 0;
}

static void two_waiters(void)
{
    steps_parked_partner(counted_waiter_main, NULL);
    steps_parked_partner(counted_waiter_main, NULL);
    steps_partner(late_notifier_main, NULL);
}

static void notify_two(void)
{
    notify(2);
}

static void wait_in_vain(void)
{
    check(mp_condition_acquire(condition, MP_FOREVER) >= 0);
    check(mp_condition_wait(condition, 0.015) == MP_ETIMEOUT);
    check(mp_condition_release(condition) == 0);
}

static void wait_for_holder_that_died(void)
{
    check(mp_condition_acquire(condition, MP_FOREVER) >= 0);
    check(mp_condition_wait(condition, MP_FOREVER) == MP_RECOVERED);
    check(mp_condition_release(condition) == 0);
}

static int die_holding_main(void *unused)
{
    (void)unused;
    steps_await_actor();
    check(mp_condition_acquire(condition, MP_FOREVER) >= 0);
    return 0;
}

static void holder_that_dies(void)
{
    steps_partner(die_holding_main, NULL);
}

/* The first of three is stopped, notified and killed. The second is the actor, and as the third is
   stopped too until the actor is gone, it is the actor that passes the notification on. */
static pid_t first_waiter, third_waiter;

static int first_main(void *unused)
{
    (void)unused;
    wait_once(FIRST_HAS_LOCK);
    return 0;
}

/* Who is over already, woken by a death, may have been reaped. */
static void signal_to(pid_t pid, int number)
{
    check(kill(pid, number) == 0 || errno == ESRCH);
}

static int strander_main(void *unused)
{
    (void)unused;
    steps_await(ACTOR_HAS_LOCK);
    await_other();
    check(mp_condition_acquire(condition, MP_FOREVER) >= 0); /* so all three wait by now */
    signal_to(first_waiter, SIGSTOP);
    signal_to(third_waiter, SIGSTOP);
    check(mp_condition_notify(condition, 1) == 0);
    check(mp_condition_release(condition) == 0);
    signal_to(first_waiter, SIGKILL);
    await_gone();
    signal_to(third_waiter, SIGCONT);
    notify_after_the_actor();
    return 0;
}

static void strand(void)
{
    struct kill_clock clock;
    first_waiter = steps_victim(first_main, NULL);
    kill_clock_start(&clock);
    while (!atomic_load(&steps_stage->flag[FIRST_HAS_LOCK]))
        assert_true(kill_clock_tick(&clock, STEPS_BOUND));
    assert_true(child_await_sleep(first_waiter));
    third_waiter = steps_partner(other_main, NULL);
    steps_partner(strander_main, NULL);
}

/* ---- Event ----------------------------------------------------------------------------------- */

static void event_make(void)
{
    assert_mp_ok(mp_event_create(&event));
}

static void event_end(void)
{
    assert_mp_result(mp_event_set(event), 0);
    assert_mp_result(mp_event_wait(event, STEPS_BOUND), 0);
    mp_event_destroy(event);
}

static int set_main(void *unused)
{
    (void)unused;
    steps_await_actor();
    check(mp_event_set(event) == 0);
    return 0;
}

static void setter(void)
{
    steps_partner(set_main, NULL);
}

static void event_wait(void)
{
    check(mp_event_wait(event, MP_FOREVER) == 0);
}

static int sleeper_main(void *unused)
{
    (void)unused;
    event_wait();
    return 0;
}

static int set_after_death_main(void *unused)
{
    (void)unused;
    await_gone();
    struct mp__object *object = (struct mp__object *)(void *)event;
    if (atomic_load(&object->word) == 0)
        check(mp_event_set(event) == 0);
    return 0;
}

static void sleepers(void)
{
    steps_parked_partner(sleeper_main, NULL);
    steps_parked_partner(sleeper_main, NULL);
    steps_partner(set_after_death_main, NULL);
}

static void pulse(void)
{
    check(mp_event_set(event) == 0);
    check(mp_event_clear(event) == 0);
}

/* ---- Barrier --------------------------------------------------------------------------------- */

static int act(void *unused)
{
    (void)unused;
    return 0;
}

static void barrier_make(void)
{
    assert_mp_ok(mp_barrier_create(&barrier, 2, act, NULL, MP_FOREVER));
}

static int meet_in_the_end(void *unused)
{
    (void)unused;
    check(mp_barrier_wait(barrier, STEPS_BOUND) >= 0);
    return 0;
}

/* Whatever happened, a reset makes it whole. */
static void barrier_finish(void)
{
    assert_mp_result(mp_barrier_reset(barrier), 0);
    pid_t other = child_fork(meet_in_the_end, NULL);
    assert_mp_ok(mp_barrier_wait(barrier, STEPS_BOUND));
    assert_int_equal(child_wait(other), 0);
    mp_barrier_destroy(barrier);
}

static void meet(void)
{
    check(mp_barrier_wait(barrier, MP_FOREVER) >= 0);
}

static int meet_main(void *unused)
{
    (void)unused;
    int rc = mp_barrier_wait(barrier, MP_FOREVER);
    check(rc >= 0 || (rc == MP_EBROKEN && atomic_load(&steps_stage->died)));
    return 0;
}

/* Ends the wait of those who cannot know that the actor died on its way. */
static int abort_after_death_main(void *unused)
{
    (void)unused;
    await_gone();
    if (steps_died_at("barrier.coming"))
        check(mp_barrier_abort(barrier) == 0);
    return 0;
}

static int come_second_main(void *unused)
{
    (void)unused;
    steps_await_actor();
    return meet_main(NULL);
}

static void second_party(void)
{
    steps_partner(come_second_main, NULL);
    steps_partner(abort_after_death_main, NULL);
}

static void first_party(void)
{
    steps_parked_partner(meet_main, NULL);
    steps_partner(abort_after_death_main, NULL);
}

static int meet_broken_main(void *unused)
{
    (void)unused;
    check(mp_barrier_wait(barrier, MP_FOREVER) == MP_EBROKEN);
    return 0;
}

static void party_to_be_broken(void)
{
    steps_parked_partner(meet_broken_main, NULL);
}

static void reset(void)
{
    check(mp_barrier_reset(barrier) == 0);
}

static void break_it(void)
{
    check(mp_barrier_abort(barrier) == 0);
}

static void meet_in_vain(void)
{
    check(mp_barrier_wait(barrier, 0.015) == MP_EBROKEN);
}

const struct scenario steps_waits[] = {
    {.name = "condition, wait",
     .prepare = condition_make,
     .partners = notifier,
     .actor = actor_waits,
     .finish = condition_end},
    {.name = "condition, two wait",
     .prepare = condition_make,
     .partners = other_and_notifier,
     .actor = actor_waits,
     .finish = condition_end},
    {.name = "condition, notify two",
     .prepare = condition_make,
     .partners = two_waiters,
     .actor = notify_two,
     .finish = condition_end},
    {.name = "condition, wait in vain",
     .prepare = condition_make,
     .actor = wait_in_vain,
     .finish = condition_end},
    {.name = "condition, holder dies",
     .prepare = condition_make,
     .partners = holder_that_dies,
     .actor = wait_for_holder_that_died,
     .finish = condition_end},
    {.name = "condition, stranded",
     .prepare = condition_make,
     .partners = strand,
     .actor = actor_waits,
     .finish = condition_end},
    {.name = "event, wait",
     .prepare = event_make,
     .partners = setter,
     .actor = event_wait,
     .finish = event_end},
    {.name = "event, set and clear",
     .prepare = event_make,
     .partners = sleepers,
     .actor = pulse,
     .finish = event_end},
    {.name = "barrier, first",
     .prepare = barrier_make,
     .partners = second_party,
     .actor = meet,
     .finish = barrier_finish},
    {.name = "barrier, last",
     .prepare = barrier_make,
     .partners = first_party,
     .actor = meet,
     .finish = barrier_finish},
    {.name = "barrier, reset",
     .prepare = barrier_make,
     .partners = party_to_be_broken,
     .actor = reset,
     .finish = barrier_finish},
    {.name = "barrier, abort",
     .prepare = barrier_make,
     .partners = party_to_be_broken,
     .actor = break_it,
     .finish = barrier_finish},
    {.name = "barrier, timeout",
     .prepare = barrier_make,
     .actor = meet_in_vain,
     .finish = barrier_finish},
};
const size_t steps_waits_count = sizeof steps_waits / sizeof *steps_waits;
