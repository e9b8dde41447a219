/* Event under SIGKILL: rounds that end when all others have seen the event of the round. */
#include "kill/harness.h"

#include <mp/mp.h>

enum { WORKERS = 4, EVENTS = 3 };

/* In round r worker r mod WORKERS sets event r mod EVENTS once all others have come to the round,
   having cleared the next one before. All of it may be done twice, should the setter die. */
struct rounds {
    _Atomic uint64_t now, come[WORKERS];
};

static struct rounds *rounds;
static mp_event *event[EVENTS];

static bool stopped(void)
{
    return atomic_load(&kill_board->stop);
}

static void set_in_round(const struct kill_worker *me, uint64_t r)
{
    for (int i = 0; i < WORKERS; i++)
        while (i != me->index && atomic_load(&rounds->come[i]) < r && !stopped())
            kill_nap(20);
    if (stopped())
        return;
    check(mp_event_clear(event[(r + 1) % EVENTS]) == 0);
    check(mp_event_set(event[r % EVENTS]) == 0);
    atomic_compare_exchange_strong(&rounds->now, &r, r + 1);
}

static void wait_in_round(struct kill_worker *me, uint64_t r)
{
    atomic_store(&rounds->come[me->index], r);
    check(mp_event_wait(event[r % EVENTS], MP_FOREVER) == 0);
    /* it is not cleared before this worker has come to the next round but one */
    if (!mp_event_is_set(event[r % EVENTS]))
        atomic_fetch_add(&me->wrong, 1);
    kill_set_role(me, BYSTANDER);
    while (atomic_load(&rounds->now) == r && !stopped())
        kill_nap(20);
}

static void turn(struct kill_worker *me)
{
    uint64_t r = atomic_load(&rounds->now);
    if (r % WORKERS == (uint64_t)me->index)
        set_in_round(me, r);
    else
        wait_in_round(me, r);
}

static void let_go(void)
{
    for (int i = 0; i < EVENTS; i++)
        (void)mp_event_set(event[i]);
}

static void test_nobody_sleeps_on_a_set_event(void **state)
{
    (void)state;
    kill_prepare();
    struct kill_result result;
    const struct kill_plan plan = {
        .workers = WORKERS,
        .kills = kill_count(300),
        .turn = turn,
        .let_go = let_go,
        .wanted = 1 << WAITER | 1 << WOKEN | 1 << WAKER,
    };
    rounds = kill_shared(sizeof *rounds);
    for (int i = 0; i < EVENTS; i++)
        assert_mp_ok(mp_event_create(&event[i]));
    kill_run(&plan, &result);
    kill_print("event", &result);
    kill_assert_clean(&plan, &result);
    for (int i = 0; i < EVENTS; i++)
        mp_event_destroy(event[i]);
}

static mp_event *flag;

static void make(void)
{
    assert_mp_ok(mp_event_create(&flag));
}

static void end(void)
{
    mp_event_destroy(flag);
}

static void sleep_once(void)
{
    check(mp_event_wait(flag, MP_FOREVER) == 0);
}

static void set(void)
{
    check(mp_event_set(flag) == 0);
}

static void pulse(void)
{
    set();
    check(mp_event_clear(flag) == 0);
}

/* Its word counts sets and clears: 0 says that the waker died before it could set. */
static bool is_settled(bool victim_returned)
{
    (void)victim_returned;
    struct mp__object *object = (struct mp__object *)(void *)flag;
    if (atomic_load(&object->word) != 0)
        return false;
    set();
    return true;
}

static void sparse_test(const char *name, void (*wake)(void))
{
    kill_prepare();
    struct sparse_result result;
    const struct sparse_plan plan = {.prepare = make,
                                     .sleep = sleep_once,
                                     .wake = wake,
                                     .all = true,
                                     .is_settled = is_settled,
                                     .clean_up = end};
    sparse_run(&plan, sparse_rounds(), &result);
    sparse_print(name, &result);
    assert_int_equal(result.lost, 0);
}

static void test_a_set_reaches_the_survivors(void **state)
{
    (void)state;
    sparse_test("event, set", set);
}

static void test_a_pulse_reaches_the_survivors(void **state)
{
    (void)state;
    sparse_test("event, pulse", pulse);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("nobody sleeps on a set event", test_nobody_sleeps_on_a_set_event),
        support_test("a set reaches the survivors", test_a_set_reaches_the_survivors),
        support_test("a pulse reaches the survivors", test_a_pulse_reaches_the_survivors),
    };
    return support_run_processes("event", tests);
}
