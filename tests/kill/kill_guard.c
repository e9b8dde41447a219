/* The word lock under SIGKILL. */
#include "kill/harness.h"

struct guard {
    _Atomic uint64_t word;
    mp__gate gate;
};

static struct guard *guard;
static uint64_t me;

static void make(void)
{
    if (guard == NULL)
        guard = kill_shared(sizeof *guard);
    atomic_store(&guard->word, 0);
    assert_int_equal(mp__gate_init(&guard->gate), 0);
}

static void end(void)
{
    assert_int_equal(atomic_load(&guard->word) & MP__HOLDER_MASK, 0);
}

static int take(void)
{
    check(mp__self_word(&me) == 0);
    return mp__word_acquire(&guard->word, &guard->gate, me, MP__NEVER, NULL);
}

static int give(void)
{
    return mp__word_release(&guard->word, &guard->gate, me);
}

int main(void)
{
    static const struct excluder guard_calls = {
        .name = "guard", .make = make, .end = end, .calls = {take, give}};
    return excluder_main(&guard_calls);
}
