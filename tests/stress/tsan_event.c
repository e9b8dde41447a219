/* Event: who was woken by a set sees what was written before it. */
#include "stress/threads.h"

#include <mp/mp.h>

enum { ROUNDS = 3000, EVENTS = 3 };

/* Written by the setter of a round, and read by all who waited for it. */
static long letter[EVENTS];
static mp_event *event[EVENTS];
static _Atomic int come[ROUNDS];

static void body(struct team_member *me)
{
    for (int r = 0; r < ROUNDS; r++) {
        /* release only: what the setter wrote can reach the others by the event alone */
        atomic_fetch_add_explicit(&come[r], 1, memory_order_release);
        if (r % THREADS != me->index) {
            check(mp_event_wait(event[r % EVENTS], MP_FOREVER) == 0);
            check(letter[r % EVENTS] == r);
            continue;
        }
        while (atomic_load_explicit(&come[r], memory_order_acquire) < THREADS)
            mp_sleep(0.00001);
        /* the next one was last read two rounds ago, by those who have come to this one since */
        check(mp_event_clear(event[(r + 1) % EVENTS]) == 0);
        letter[r % EVENTS] = r;
        check(mp_event_set(event[r % EVENTS]) == 0);
    }
}

static void test_event(void **state)
{
    (void)state;
    for (int i = 0; i < EVENTS; i++)
        assert_mp_ok(mp_event_create(&event[i]));
    team_run(body);
    for (int i = 0; i < EVENTS; i++)
        mp_event_destroy(event[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a set brings what was written before it", test_event),
    };
    return support_run("order: event", tests);
}
