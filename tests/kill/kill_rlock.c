/* RLock under SIGKILL, taken once, twice or three times. */
#include "kill/harness.h"

#include <mp/mp.h>

static mp_rlock *rlock;
static unsigned levels;

static void make(void)
{
    assert_mp_ok(mp_rlock_create(&rlock));
}

static void end(void)
{
    mp_rlock_destroy(rlock);
}

static int take(void)
{
    int rc = mp_rlock_acquire(rlock, MP_FOREVER);
    for (unsigned i = 0; rc >= 0 && i < levels % 3; i++)
        check(mp_rlock_acquire(rlock, MP_FOREVER) == 0);
    return rc;
}

static int give(void)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < 1 + levels % 3; i++)
        rc = mp_rlock_release(rlock);
    levels++;
    return rc;
}

int main(void)
{
    static const struct excluder rlock_calls = {
        .name = "rlock", .make = make, .end = end, .calls = {take, give}, .swept = true};
    return excluder_main(&rlock_calls);
}
