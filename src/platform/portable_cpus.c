/* How many CPUs there are (what this process may use of them is not known here), and whether this
 * is its first thread. */
#include "platform/platform.h"

#include <pthread.h>
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

static pthread_t first_thread;

static void first_note(void)
{
    first_thread = pthread_self();
}

__attribute__((constructor(101))) static void first_watch(void)
{
    first_note();
    pthread_atfork(NULL, NULL, first_note);
}

bool mp__thread_is_first(void)
{
    return pthread_equal(first_thread, pthread_self()) != 0;
}
