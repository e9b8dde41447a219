/* Lock under SIGKILL. */
#include "kill/harness.h"

#include <mp/mp.h>

static mp_lock *lock;

static void make(void)
{
    assert_mp_ok(mp_lock_create(&lock));
}

static void end(void)
{
    mp_lock_destroy(lock);
}

static int take(void)
{
    return mp_lock_acquire(lock, MP_FOREVER);
}

static int give(void)
{
    return mp_lock_release(lock);
}

int main(void)
{
    static const struct excluder lock_calls = {
        .name = "lock", .make = make, .end = end, .calls = {take, give}, .swept = true};
    return excluder_main(&lock_calls);
}
