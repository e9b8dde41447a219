/* The table of live processes: a slot has one owner, who writes beside it what others may read. */
#include "stress/threads.h"

enum { TURNS = 60000, HELD = 32 };

/* What an owner of a slot writes, as plain data: nobody else has the slot meanwhile. */
static uint64_t written[MP__SLOTS];

static void slots_body(struct team_member *me)
{
    mp__owner held[HELD] = {0};
    uint64_t word;
    check(mp__self_word(&word) == 0);
    for (int i = 0; i < TURNS; i++) {
        mp__owner *owner = &held[rng_below(&me->rng, HELD)];
        if (*owner == 0) {
            check(mp__life_take(mp__owner_of(word), owner) == 0);
            written[*owner % MP__SLOTS] = *owner;
            mp__life_started(*owner, 1);
            check(!mp__dead(*owner) && !mp__gone(*owner));
            continue;
        }
        check(written[*owner % MP__SLOTS] == *owner);
        mp__life_release(*owner);
        check(mp__dead(*owner) && mp__gone(*owner));
        *owner = 0;
    }
    for (int i = 0; i < HELD; i++)
        if (held[i] != 0)
            mp__life_release(held[i]);
}

static void test_slots(void **state)
{
    (void)state;
    unsigned before = mp__life_count();
    team_run(slots_body);
    assert_int_equal(mp__life_count(), before);
}

static void ordinals_body(struct team_member *me)
{
    uint64_t word, again;
    check(mp__self_word(&word) == 0);
    check(mp__self_word(&again) == 0 && again == word);
    check(mp__owner_of(word) == mp__self_owner());
    (void)me;
}

static void test_threads_enter_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        team_run(ordinals_body);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("threads enter at once", test_threads_enter_at_once),
        support_test("a slot has one owner", test_slots),
    };
    return support_run("order: slots", tests);
}
