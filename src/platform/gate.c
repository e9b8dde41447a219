/* Gates: POSIX semaphores used as parking places, waited for in slices of the monotonic clock. */
#include "platform/platform.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

_Static_assert(sizeof(mp__gate) == 32, "shared layouts count on 32-byte gates");

int mp__gate_init(mp__gate *gate)
{
    return sem_init(&gate->sem, 1, 0) == 0 ? 0 : -errno;
}

void mp__gate_drain(mp__gate *gate)
{
    while (sem_trywait(&gate->sem) == 0)
        ;
}

static struct timespec timespec_of(int64_t ns)
{
    struct timespec t = {(time_t)(ns / MP__SECOND), (long)(ns % MP__SECOND)};
    return t;
}

#if defined(__GLIBC_PREREQ) && !defined(MP_PORTABLE)
#if __GLIBC_PREREQ(2, 30)
#define HAS_CLOCKWAIT
#endif
#endif

#ifdef HAS_CLOCKWAIT
static bool sem_wait_until(sem_t *sem, mp__moment until)
{
    struct timespec end = timespec_of(until);
    return sem_clockwait(sem, CLOCK_MONOTONIC, &end) == 0;
}
#else
/* Counted on the real-time clock: when that is set back, one slice gets longer, no wait does, as
   waiters look at the monotonic clock between slices. That one is read first: who is held up
   between the two sleeps longer, not too short. */
static bool sem_wait_until(sem_t *sem, mp__moment until)
{
    int64_t span = until - mp__now();
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    int64_t now = (int64_t)wall.tv_sec * MP__SECOND + wall.tv_nsec;
    if (span < 0)
        span = 0;
    struct timespec end = timespec_of(span < MP__NEVER - now ? now + span : MP__NEVER);
    return sem_timedwait(sem, &end) == 0;
}
#endif

bool mp__gate_wait(mp__gate *gate, mp__moment until)
{
    bool woken = sem_wait_until(&gate->sem, until);
    /* pairs with the fence in mp__gate_post: the token is gone before the state is looked at */
    atomic_thread_fence(memory_order_seq_cst);
    return woken;
}

void mp__gate_post(mp__gate *gate)
{
    /* the state has changed before the tokens are counted: if one still lies there, its taker
       has yet to look at the state */
    atomic_thread_fence(memory_order_seq_cst);
    int tokens = 0;
    if (sem_getvalue(&gate->sem, &tokens) != 0 || tokens <= 0)
        sem_post(&gate->sem);
}
