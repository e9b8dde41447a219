/* Waiting for several futures.
 *
 * How it works
 *   Futures of one executor are waited for as one; those of several in slices, on the executor of
 *   the first of them that is not done.
 */
#include "futures/futures.h"

#define SLICE (10 * MP__MS)

int mp__futures_check(mp_future *const *fs, size_t n)
{
    int rc = fs == NULL && n > 0 ? mp__fail(MP_EINVAL) : 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = mp__future_check(fs[i]);
    return rc;
}

static struct mp__crew *crew_of(mp_future *future)
{
    return mp__work_crew(mp__future_work(future));
}

bool mp__futures_are_of_one(mp_future *const *fs, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (crew_of(fs[i]) != crew_of(fs[0]))
            return false;
    return true;
}

static struct mp__crew *crew_to_await(mp_future *const *fs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!mp__future_is_done(fs[i]))
            return crew_of(fs[i]);
    return crew_of(fs[0]);
}

/* Each executor may have died, not only the one that is being waited on. */
static void deaths_look(mp_future *const *fs, size_t n)
{
    const struct mp__crew *last = NULL;
    for (size_t i = 0; i < n; i++) {
        if (crew_of(fs[i]) == last || mp__future_is_done(fs[i]))
            continue;
        last = crew_of(fs[i]);
        mp__work_await(mp__future_work(fs[i]), 0);
    }
}

int mp__futures_await(mp_future *const *fs, size_t n, bool are_of_one, bool (*ready)(void *arg),
                      void *arg, mp__moment until)
{
    for (;;) {
        mp__moment slice = are_of_one ? until : mp__moment_in(SLICE);
        struct mp__crew *crew = are_of_one ? crew_of(fs[0]) : crew_to_await(fs, n);
        int rc = mp__crew_await(crew, ready, arg, slice < until ? slice : until);
        if (rc == 0 || rc == MP_ESTATE || mp__moment_passed(until))
            return mp__await_report(rc);
        if (!are_of_one)
            deaths_look(fs, n);
    }
}

/* Which of the futures are done, and whether that is enough. */
struct wait {
    mp_future *const *fs;
    size_t n;
    mp_return_when when;
    size_t low; /* all before it are done */
};

static bool wait_is_over(void *arg)
{
    struct wait *wait = arg;
    while (wait->low < wait->n && mp__future_is_done(wait->fs[wait->low]))
        wait->low++;
    if (wait->low == wait->n || (wait->when == MP_FIRST_COMPLETED && wait->low > 0))
        return true;
    if (wait->when == MP_ALL_COMPLETED)
        return false;
    for (size_t i = 0; i < wait->n; i++)
        if (wait->when == MP_FIRST_COMPLETED ? mp__future_is_done(wait->fs[i])
                                             : mp__future_failed(wait->fs[i]))
            return true;
    return false;
}

/* One after the other, so that only the one that is waited for wakes this thread. */
static int wait_for_all(struct wait *wait, mp__moment until)
{
    int rc = 0;
    for (size_t i = 0; i < wait->n && rc == 0; i++) {
        struct wait one = {&wait->fs[i], 1, MP_ALL_COMPLETED, 0};
        mp__work_expect(mp__future_work(wait->fs[i]));
        rc = mp__futures_await(one.fs, 1, true, wait_is_over, &one, until);
    }
    return rc;
}

static int wait_for_one(struct wait *wait, mp__moment until)
{
    for (size_t i = 0; i < wait->n; i++)
        mp__work_expect(mp__future_work(wait->fs[i]));
    bool are_of_one = mp__futures_are_of_one(wait->fs, wait->n);
    return mp__futures_await(wait->fs, wait->n, are_of_one, wait_is_over, wait, until);
}

int mp_futures_wait(mp_future *const *fs, size_t n, mp_return_when return_when, bool *done,
                    double timeout)
{
    mp__moment until;
    struct wait wait = {fs, n, return_when, 0};
    int rc = mp__futures_check(fs, n);
    if (rc != 0)
        return rc;
    if (mp__moment_of(timeout, &until) != 0 || (unsigned)return_when > MP_FIRST_EXCEPTION)
        return mp__fail(MP_EINVAL);
    if (n > 0)
        rc = return_when == MP_ALL_COMPLETED ? wait_for_all(&wait, until)
                                             : wait_for_one(&wait, until);
    if (rc == MP_ESTATE)
        return rc;
    int count = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_done = mp__future_is_done(fs[i]);
        count += is_done;
        if (done != NULL)
            done[i] = is_done;
    }
    return count;
}
