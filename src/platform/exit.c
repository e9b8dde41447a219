/* A handler that runs between those a process registered itself and those it inherited. */
#include "platform/platform.h"

#include <errno.h>
#include <stdlib.h>

static void (*last_handler)(int status);

void mp__exit_set_last(void (*last)(int status))
{
    last_handler = last;
}

#ifdef __GLIBC__
static void exit_with_status(int status, void *unused)
{
    (void)unused;
    last_handler(status & 0xff); /* glibc hands on what exit was given */
}

int mp__exit_register_last(void)
{
    return on_exit(exit_with_status, NULL) == 0 ? 0 : -ENOMEM;
}
#else
static void exit_without_status(void)
{
    last_handler(-1);
}

int mp__exit_register_last(void)
{
    return atexit(exit_without_status) == 0 ? 0 : -ENOMEM;
}
#endif
