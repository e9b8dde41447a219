/* What mp_wait needs to know of a process: whether it has ended, and a descriptor that tells so. */
#include "process/process.h"
#include "wire/wire.h"

static int has_ended(const mp_waitable *item)
{
    return mp__process_has_ended(item->process);
}

/* Without an exact sentinel, or any, the process is asked in slices. */
static int sentinel_of(const mp_waitable *item, int *fd)
{
    *fd = mp__child_sentinels_are_exact ? mp__process_sentinel(item->process) : -1;
    if (*fd < 0)
        *fd = -1;
    return 0;
}

static const struct mp__wait_class process_class = {.ready = has_ended, .descriptor = sentinel_of};

void mp__process_wait_register(void)
{
    mp__wait_register(MP_WAIT_PROCESS, &process_class);
}
