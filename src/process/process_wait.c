/* What mp_wait needs to know of a process: its sentinel, or where that may err, its end itself. */
#include "process/process.h"
#include "wire/wire.h"

static int sentinel_of(const mp_waitable *item, int *fd)
{
    *fd = mp__process_sentinel(item->process);
    return *fd < 0 ? *fd : 0;
}

static int has_ended(const mp_waitable *item)
{
    return mp__process_has_ended(item->process);
}

static const struct mp__wait_class by_sentinel = {.descriptor = sentinel_of};
static const struct mp__wait_class by_asking = {.ready = has_ended};

void mp__process_wait_register(void)
{
    mp__wait_register(MP_WAIT_PROCESS, mp__child_sentinels_are_exact ? &by_sentinel : &by_asking);
}
