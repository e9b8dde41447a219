/* How threads of the owner wait for work.
 *
 * How it works
 *   Workers post one gate of the board when watched work is done. Of the waiting threads one leads,
 *   and sleeps on that gate; the others sleep on a condition of this process. The leader that wakes
 *   raises `turns` and wakes all, so that each looks again, and one of them leads. A waiter notes
 *   `turns` before it looks, and does not sleep if it has grown since. All sleeps are slices: after
 *   one that ran out, or once the board says that it ended, the waiter looks whether the supervisor
 *   is alive.
 */
#include "workers/crew.h"

#include <time.h>

bool mp__crew_is_helper(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->wait_lock);
    bool is = crew->has_helper && pthread_equal(crew->helper, pthread_self());
    pthread_mutex_unlock(&crew->wait_lock);
    return is;
}

void mp__waiters_wake(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->wait_lock);
    atomic_fetch_add(&crew->turns, 1);
    pthread_cond_broadcast(&crew->wait_cond);
    bool leads = crew->leads;
    pthread_mutex_unlock(&crew->wait_lock);
    if (leads)
        mp__gate_post(&crew->board->done);
}

static bool lead_until(struct mp__crew *crew, mp__moment end)
{
    crew->leads = true;
    pthread_mutex_unlock(&crew->wait_lock);
    bool woken = mp__gate_wait(&crew->board->done, end);
    pthread_mutex_lock(&crew->wait_lock);
    crew->leads = false;
    atomic_fetch_add(&crew->turns, 1);
    pthread_cond_broadcast(&crew->wait_cond);
    return woken;
}

static bool follow_until(struct mp__crew *crew, mp__moment end)
{
    struct timespec t = {(time_t)(end / MP__SECOND), (long)(end % MP__SECOND)};
    return pthread_cond_timedwait(&crew->wait_cond, &crew->wait_lock, &t) == 0;
}

/* False: the slice ran out. */
static bool crew_sleep(struct mp__crew *crew, uint64_t turns, mp__moment end)
{
    bool woken = true;
    pthread_mutex_lock(&crew->wait_lock);
    if (atomic_load(&crew->turns) == turns)
        woken = crew->leads ? follow_until(crew, end) : lead_until(crew, end);
    pthread_mutex_unlock(&crew->wait_lock);
    return woken;
}

bool mp__crew_is_dead(struct mp__crew *crew)
{
    return mp__board_state(crew->board) == MP__BOARD_ENDED ||
           mp_process_exitcode(crew->supervisor, NULL) == 1 ||
           mp__dead(atomic_load(&crew->board->supervisor));
}

/* True if the crew has just been found to be over. */
static bool death_look(struct mp__crew *crew)
{
    if (atomic_load(&crew->over) || !mp__crew_is_dead(crew))
        return false;
    mp__crew_settle(crew);
    return true;
}

static bool spin_until_ready(bool (*ready)(void *), void *arg)
{
    struct mp__spin spin;
    bool gained = false;
    if (!mp__spin_begin(&spin, MP__SPIN_WAKE))
        return false;
    do
        gained = ready(arg);
    while (!gained && mp__spin_again(&spin));
    mp__spin_ended(&spin, gained);
    return gained;
}

int mp__crew_await_anyhow(struct mp__crew *crew, bool (*ready)(void *arg), void *arg,
                          mp__moment until)
{
    int64_t slice = MP__SLICE_FIRST;
    if (spin_until_ready(ready, arg))
        return 0;
    for (;;) {
        uint64_t turns = atomic_load(&crew->turns);
        if (ready(arg))
            return 0;
        if (mp__moment_passed(until))
            return MP_ETIMEOUT;
        if (!crew_sleep(crew, turns, mp__slice_end(&slice, until)) ||
            mp__board_state(crew->board) == MP__BOARD_ENDED)
            death_look(crew);
    }
}

int mp__crew_await(struct mp__crew *crew, bool (*ready)(void *arg), void *arg, mp__moment until)
{
    if (ready(arg))
        return 0;
    if (mp__moment_passed(until)) /* who only asks, again and again, learns of the end too */
        return death_look(crew) && ready(arg) ? 0 : MP_ETIMEOUT;
    if (mp__crew_is_helper(crew))
        return MP_ESTATE;
    return mp__crew_await_anyhow(crew, ready, arg, until);
}

void mp__work_expect(struct mp__work *work)
{
    struct mp__task *lead = mp__task_at(work->crew->board, work->lead);
    atomic_fetch_or(&lead->finished, MP__WATCHED);
}

static bool work_ready(void *work)
{
    return mp__work_is_ready(work);
}

int mp__work_await(struct mp__work *work, mp__moment until)
{
    if (mp__work_is_ready(work))
        return 0;
    mp__work_expect(work);
    return mp__crew_await(work->crew, work_ready, work, until);
}
