/* Semaphore under SIGKILL: plain, whose units may die with their holders, and reclaiming. */
#include "kill/places.h"

#include <mp/mp.h>

enum { UNITS = 3 };

/* Where a worker stands with the one unit it takes. */
enum stage { HAS_NONE, TAKES, HAS_ONE, GIVES };

struct ledger {
    _Atomic uint32_t stage[KILL_WORKERS_MAX];
};

static mp_semaphore *semaphore;
static struct ledger *ledger;
static int lost_for_sure, lost_perhaps, replaced_on_suspicion;

static void turn(struct kill_worker *me)
{
    _Atomic uint32_t *stage = &ledger->stage[me->index];
    atomic_store(stage, TAKES);
    check(mp_semaphore_acquire(semaphore, MP_FOREVER) == 0);
    atomic_store(stage, HAS_ONE);
    kill_set_role(me, HOLDER);
    places_enter(me, UNITS);
    kill_work(&me->rng);
    kill_dawdle(me, 8);
    places_leave(me);
    atomic_store(stage, GIVES);
    check(mp_semaphore_release(semaphore) == 0);
    atomic_store(stage, HAS_NONE);
}

/* What the dead held is gone; where that is sure, another is put in its place. */
static void died(struct kill_worker *w)
{
    uint32_t stage = atomic_exchange(&ledger->stage[w->index], HAS_NONE);
    places_died(w);
    if (stage == HAS_ONE) {
        lost_for_sure++;
        assert_mp_ok(mp_semaphore_release(semaphore));
    } else if (stage == GIVES || (stage == TAKES && atomic_load(&w->role) != WAITER))
        lost_perhaps++;
}

static bool stalled(void)
{
    if (replaced_on_suspicion == lost_perhaps || mp_semaphore_get_value(semaphore) > 0)
        return false;
    replaced_on_suspicion++;
    assert_mp_ok(mp_semaphore_release(semaphore));
    return true;
}

/* What is held by one who is slow is not lost: time counts while nobody takes a turn. */
static void let_go(void)
{
    static struct kill_clock patience;
    static uint64_t seen;
    uint64_t turns = kill_turns();
    if (turns != seen) {
        seen = turns;
        kill_clock_start(&patience);
    } else if (!kill_clock_tick(&patience, KILL_SUSPICION)) {
        (void)stalled();
        kill_clock_start(&patience);
    }
}

static void test_only_units_of_the_dead_are_gone(void **state)
{
    (void)state;
    kill_prepare();
    places_prepare();
    struct kill_result result;
    const struct kill_plan plan = {
        .workers = 6,
        .kills = kill_count(300),
        .turn = turn,
        .died = died,
        .stalled = stalled,
        .let_go = let_go,
        .wanted = 1 << WAITER | 1 << WOKEN | 1 << HOLDER | 1 << WAKER,
    };
    ledger = kill_shared(sizeof *ledger);
    assert_mp_ok(mp_semaphore_create(&semaphore, UNITS, NULL));
    kill_run(&plan, &result);
    kill_print("semaphore", &result);
    int value = mp_semaphore_get_value(semaphore);
    print_message("| semaphore         | units lost for sure %d, perhaps %d, value %d of %d |\n",
                  lost_for_sure, lost_perhaps, value, UNITS + replaced_on_suspicion);
    kill_assert_clean(&plan, &result);
    assert_true(value <= UNITS + replaced_on_suspicion);
    assert_true(value >= UNITS + replaced_on_suspicion - lost_perhaps);
    mp_semaphore_destroy(semaphore);
}

static void make_plain(void)
{
    assert_mp_ok(mp_semaphore_create(&semaphore, 0, NULL));
}

static void end(void)
{
    mp_semaphore_destroy(semaphore);
}

static void take_one(void)
{
    check(mp_semaphore_acquire(semaphore, MP_FOREVER) == 0);
}

static void give_one(void)
{
    check(mp_semaphore_release(semaphore) == 0);
}

/* A unit that is there is owed to the survivor; if there is none, the dead had it or never gave
   it, or the survivor has it. */
static bool is_settled(bool victim_returned)
{
    (void)victim_returned;
    if (mp_semaphore_get_value(semaphore) > 0)
        return false;
    give_one();
    return true;
}

static void test_a_unit_finds_the_survivor(void **state)
{
    (void)state;
    kill_prepare();
    struct sparse_result result;
    const struct sparse_plan plan = {.prepare = make_plain,
                                     .sleep = take_one,
                                     .wake = give_one,
                                     .is_settled = is_settled,
                                     .clean_up = end};
    sparse_run(&plan, sparse_rounds(), &result);
    sparse_print("semaphore", &result);
    assert_int_equal(result.lost, 0);
}

static void make_reclaiming(unsigned count)
{
    const mp_semaphore_options options = {.reclaim = true};
    assert_mp_ok(mp_semaphore_create(&semaphore, count, &options));
}

static int take(double timeout)
{
    return mp_semaphore_acquire(semaphore, timeout);
}

static int give(void)
{
    return mp_semaphore_release(semaphore);
}

static int value(void)
{
    return mp_semaphore_get_value(semaphore);
}

static void test_reclaimed_units_come_back(void **state)
{
    (void)state;
    static const struct places places = {
        "semaphore/reclaim", make_reclaiming, end, take, give, value};
    places_test(&places);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("only units of the dead are gone", test_only_units_of_the_dead_are_gone),
        support_test("a unit finds the survivor", test_a_unit_finds_the_survivor),
        support_test("reclaimed units come back", test_reclaimed_units_come_back),
    };
    return support_run_processes("semaphore", tests);
}
