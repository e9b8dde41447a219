/* How many CPUs there are; what this process may use of them is not known here. */
#include "platform/platform.h"

#include <unistd.h>

int mp__cpus_online(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

int mp__cpus_usable(void)
{
    return mp__cpus_online();
}
