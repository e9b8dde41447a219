/* Giving back memory that a forked process has no use for: POSIX does not say what there is. */
#include "platform/platform.h"

void mp__memory_shed(void)
{
}
