/* The life file as an unlinked temporary file; start times are not known. */
#include "platform/platform.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

int mp__lifefile_open(struct mp__lifefile *file)
{
    return mp__lifefile_open_temporary(file);
}

uint64_t mp__boot_now(void)
{
    return 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the Linux form fills it in */
enum mp__trace mp__process_trace(pid_t pid, uint64_t *start)
{
    (void)start;
    return kill(pid, 0) != 0 && errno == ESRCH ? MP__TRACE_GONE : MP__TRACE_UNKNOWN;
}

pid_t mp__process_id(void)
{
    return getpid();
}
