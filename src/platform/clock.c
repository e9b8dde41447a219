/* The monotonic clock, moments, and waiting for one. */
#include "platform/platform.h"

#include <errno.h>
#include <mp/timeout.h>
#include <time.h>

mp__moment mp__now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MP__SECOND + now.tv_nsec;
}

mp__moment mp__moment_in(int64_t span)
{
    if (span <= 0)
        return 0;
    mp__moment now = mp__now();
    return span >= MP__NEVER - now ? MP__NEVER : now + span;
}

int mp__moment_of(double seconds, mp__moment *until)
{
    int64_t span;
    int rc = mp__span_of(seconds, &span);
    if (rc == 0)
        *until = span == MP__NEVER ? MP__NEVER : mp__moment_in(span);
    return rc;
}

bool mp__moment_passed(mp__moment until)
{
    return until != MP__NEVER && (until == 0 || mp__now() >= until);
}

mp__moment mp__slice_end(int64_t *slice, mp__moment until)
{
    mp__moment end = mp__now() + *slice;
    if (*slice < 8 * MP__SLICE_FIRST)
        *slice *= 2;
    return end < until ? end : until;
}

void mp_sleep(double seconds)
{
    mp__moment until;
    if (mp__moment_of(seconds, &until) != 0)
        return;
    while (!mp__moment_passed(until)) {
        int64_t left = until == MP__NEVER ? 3600 * MP__SECOND : until - mp__now();
        if (left <= 0)
            return;
        struct timespec span = {(time_t)(left / MP__SECOND), (long)(left % MP__SECOND)};
        nanosleep(&span, NULL);
    }
}

#define POLL_MOST (MP__SECOND * 3600 * 24)

int mp__poll_time(mp__moment until)
{
    if (until == MP__NEVER)
        return -1;
    int64_t left = until == 0 ? 0 : until - mp__now();
    if (left <= 0)
        return 0;
    if (left > POLL_MOST)
        left = POLL_MOST;
    return (int)((left + MP__MS - 1) / MP__MS);
}
