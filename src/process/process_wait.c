/* What mp_wait needs to know of a process: its sentinel. */
#include "process/process.h"
#include "wire/wire.h"

static int sentinel_of(const mp_waitable *item, int *fd)
{
    *fd = mp__process_sentinel(item->process);
    return *fd < 0 ? *fd : 0;
}

static const struct mp__wait_class process_class = {.descriptor = sentinel_of};

void mp__process_wait_register(void)
{
    mp__wait_register(MP_WAIT_PROCESS, &process_class);
}
