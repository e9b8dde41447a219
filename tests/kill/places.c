/* Counting who is inside at the same time, one bit for each worker. */
#include "kill/places.h"

#include <mp/mp.h>

enum { PLACES = 3 };

static const struct places *p;
static _Atomic uint64_t *taken;

void places_prepare(void)
{
    if (taken == NULL)
        taken = kill_shared(sizeof *taken);
    atomic_store(taken, 0);
}

static int bits_count(uint64_t bits)
{
    int n = 0;
    for (; bits != 0; bits &= bits - 1)
        n++;
    return n;
}

void places_enter(struct kill_worker *me, int most)
{
    uint64_t bits, changes;
    atomic_fetch_or(taken, UINT64_C(1) << me->index);
    do {
        changes = atomic_load(&kill_board->changes);
        bits = atomic_load(taken) & ~atomic_load(&kill_board->dying);
    } while (changes != atomic_load(&kill_board->changes));
    if (bits_count(bits) > most)
        atomic_fetch_add(&me->violations, 1);
}

void places_leave(struct kill_worker *me)
{
    atomic_fetch_and(taken, ~(UINT64_C(1) << me->index));
}

void places_died(struct kill_worker *w)
{
    places_leave(w);
}

static void turn(struct kill_worker *me)
{
    int rc = p->take(MP_FOREVER);
    check(rc == 0 || rc == MP_RECOVERED);
    if (rc == MP_RECOVERED)
        atomic_fetch_add(&me->recovered, 1);
    kill_set_role(me, HOLDER);
    places_enter(me, PLACES);
    kill_work(&me->rng);
    kill_dawdle(me, 8);
    places_leave(me);
    kill_set_role(me, WAKER); /* so that who dies as a holder surely had one */
    kill_released(me, p->give());
}

/* How many can be had at once, and how many of them with a notice. */
static int take_all(uint64_t *recovered)
{
    int n = 0, rc;
    while (n <= PLACES && (rc = p->take(MP_NOWAIT)) >= 0) {
        *recovered += rc == MP_RECOVERED;
        n++;
    }
    return n;
}

void places_test(const struct places *which)
{
    p = which;
    kill_prepare();
    places_prepare();
    struct kill_result result;
    const struct kill_plan plan = {
        .workers = 6,
        .kills = kill_count(300),
        .turn = turn,
        .died = places_died,
        .wanted = 1 << WAITER | 1 << WOKEN | 1 << HOLDER | 1 << WAKER,
    };
    p->make(PLACES);
    kill_run(&plan, &result);
    int had = result.hangs == 0 ? take_all(&result.recovered) : 0;
    kill_print(p->name, &result);
    kill_assert_clean(&plan, &result);
    assert_int_equal(had, PLACES);
    for (int i = 0; i < PLACES; i++)
        assert_mp_result(p->give(), 0);
    assert_int_equal(p->value(), PLACES);
    assert_true(result.recovered >= result.by_role[HOLDER]);
    p->end();
}
