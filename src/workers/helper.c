/* The helper thread of a crew: gives work with a notice its notice when it is done.
 *
 * How it works
 *   Watched work stands in a list in the order in which it came there. As tasks are claimed in the
 *   order they were handed in, the helper looks from the front up to the first work that no worker
 *   has begun; through all of it when that order does not hold: work came late, or was cancelled.
 *   It holds a reference to each. It has all signals blocked, waits like any other thread of the
 *   owner, and ends when it was told to, the crew is over, and the list is empty and will stay so.
 *   If the crew was given back by one of the functions it calls, it is left to the helper.
 */
#include "workers/crew.h"

#include <errno.h>
#include <signal.h>

static void *helper_run(void *arg);

static int helper_start(struct mp__crew *crew)
{
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    int rc = pthread_create(&crew->helper, NULL, helper_run, crew);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    crew->has_helper = rc == 0;
    return -rc;
}

int mp__helper_ensure(struct mp__crew *crew)
{
    int rc = 0;
    pthread_mutex_lock(&crew->wait_lock);
    if (crew->helper_done)
        rc = MP_ESTATE;
    else if (!crew->has_helper)
        rc = helper_start(crew);
    crew->coming += rc == 0;
    pthread_mutex_unlock(&crew->wait_lock);
    return rc;
}

void mp__helper_forgo(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->wait_lock);
    crew->coming--;
    pthread_mutex_unlock(&crew->wait_lock);
    mp__waiters_wake(crew);
}

static uint64_t position_of(struct mp__work *work)
{
    return mp__task_at(work->crew->board, work->lead)->position;
}

void mp__helper_watch(struct mp__crew *crew, struct mp__work *work)
{
    pthread_mutex_lock(&crew->wait_lock);
    if (crew->watched == NULL)
        crew->is_unordered = false;
    else if (position_of(work) < crew->last_position)
        crew->is_unordered = true;
    crew->last_position = position_of(work);
    work->next = NULL;
    *crew->watched_end = work;
    crew->watched_end = &work->next;
    crew->progresses += work->notice.progress != NULL;
    crew->coming--;
    pthread_mutex_unlock(&crew->wait_lock);
    mp__waiters_wake(crew);
}

static bool is_queued(struct mp__work *work)
{
    struct mp__task *lead = mp__task_at(work->crew->board, work->lead);
    return mp__task_state(atomic_load(&lead->word)) == MP__TASK_QUEUED && !mp__work_is_done(work);
}

/* Under wait_lock: takes the first work that is done out of the list. */
static struct mp__work *watched_take(struct mp__crew *crew)
{
    unsigned cancels = atomic_load(&crew->cancels);
    bool all = crew->is_unordered || cancels != crew->cancels_seen;
    for (struct mp__work **at = &crew->watched; *at != NULL; at = &(*at)->next) {
        struct mp__work *work = *at;
        if (!all && is_queued(work))
            return NULL;
        if (!mp__work_is_done(work))
            continue;
        *at = work->next;
        if (crew->watched_end == &work->next)
            crew->watched_end = at;
        crew->progresses -= work->notice.progress != NULL;
        return work;
    }
    crew->cancels_seen = cancels;
    return NULL;
}

static void work_notify(struct mp__crew *crew, struct mp__work *work)
{
    struct mp__notice notice = work->notice;
    size_t total, done = mp__work_count(work, &total);
    if (notice.progress != NULL)
        notice.progress(done, total, notice.progress_arg);
    if (notice.done != NULL)
        notice.done(work, notice.arg);
    atomic_store(&work->held, false);
    mp__waiters_wake(crew);
    if (notice.after != NULL)
        notice.after(work, notice.arg);
    if (notice.drop != NULL)
        notice.drop(notice.arg);
    mp__work_release(work);
}

/* Tells how far the works are that want to know it. Only this thread takes works out of the
   list. */
static void progress_tell(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->wait_lock);
    for (struct mp__work *work = crew->watched; work != NULL; work = work->next) {
        struct mp__notice notice = work->notice;
        if (notice.progress == NULL)
            continue;
        pthread_mutex_unlock(&crew->wait_lock);
        size_t total, done = mp__work_count(work, &total);
        if (done < total)
            notice.progress(done, total, notice.progress_arg);
        pthread_mutex_lock(&crew->wait_lock);
    }
    pthread_mutex_unlock(&crew->wait_lock);
}

struct look {
    struct mp__crew *crew;
    struct mp__work *taken;
    bool ends, progress;
};

static bool helper_has_news(void *arg)
{
    struct look *look = arg;
    pthread_mutex_lock(&look->crew->wait_lock);
    look->taken = watched_take(look->crew);
    look->ends = look->crew->helper_ends && look->crew->watched == NULL &&
                 look->crew->coming == 0 && atomic_load(&look->crew->over);
    look->crew->helper_done = look->ends;
    bool began = !look->progress && look->crew->progresses > 0;
    look->progress = look->crew->progresses > 0;
    pthread_mutex_unlock(&look->crew->wait_lock);
    return look->taken != NULL || look->ends || began;
}

/* Somebody joins it, or it was left the crew, or both. */
static void helper_leave(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->wait_lock);
    bool inherits = crew->inherits;
    if (!crew->joined) {
        crew->joined = true;
        crew->has_helper = false;
        pthread_cond_broadcast(&crew->wait_cond);
        pthread_detach(pthread_self());
    }
    pthread_mutex_unlock(&crew->wait_lock);
    if (inherits)
        mp__crew_give_up_inherited(crew);
}

static void *helper_run(void *arg)
{
    struct look look = {.crew = arg};
    mp__moment told = mp__now();
    for (;;) {
        mp__moment until = look.progress ? mp__moment_in(MP__PROGRESS_SPAN) : MP__NEVER;
        mp__crew_await_anyhow(look.crew, helper_has_news, &look, until);
        if (look.taken != NULL)
            work_notify(look.crew, look.taken);
        else if (look.ends)
            break;
        if (look.progress && mp__now() - told >= MP__PROGRESS_SPAN) {
            progress_tell(look.crew);
            told = mp__now();
        }
    }
    helper_leave(look.crew);
    return NULL;
}

void mp__helper_inherit(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->wait_lock);
    crew->helper_ends = crew->inherits = true;
    pthread_mutex_unlock(&crew->wait_lock);
}

/* A notice for work that is under way: it has no other. */
int mp__work_watch(struct mp__work *work, const struct mp__notice *notice)
{
    struct mp__crew *crew = work->crew;
    int rc = mp__helper_ensure(crew);
    if (rc == MP_ESTATE)
        return 1;
    if (rc != 0)
        return mp__fail(rc);
    work->notice = *notice;
    mp__work_keep(work);
    mp__work_expect(work);
    mp__helper_watch(crew, work);
    return 0;
}

/* Of several threads that end it one joins it; none is started afterwards. */
void mp__helper_end(struct mp__crew *crew)
{
    if (mp__crew_is_helper(crew))
        return;
    pthread_mutex_lock(&crew->wait_lock);
    bool joins = crew->has_helper && !crew->joined;
    pthread_t helper = crew->helper;
    crew->helper_ends = true;
    crew->helper_done = crew->helper_done || !crew->has_helper;
    crew->joined = crew->joined || joins;
    pthread_mutex_unlock(&crew->wait_lock);
    mp__waiters_wake(crew);
    if (joins)
        pthread_join(helper, NULL);
    pthread_mutex_lock(&crew->wait_lock);
    if (joins)
        crew->has_helper = false;
    pthread_cond_broadcast(&crew->wait_cond);
    while (crew->has_helper)
        pthread_cond_wait(&crew->wait_cond, &crew->wait_lock);
    pthread_mutex_unlock(&crew->wait_lock);
}
