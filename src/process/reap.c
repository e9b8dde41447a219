/* How children end: noticing it, their exit codes, and waiting for it.
 *
 * How it works
 *   Only waitpid(the child's own pid) is ever called, without blocking and under the registry's
 *   lock, so each child is reaped once; who waits does so outside the lock, for a notice, and
 *   looks again. If somebody else reaped the child (a waitpid(-1) of the application, or SIGCHLD
 *   ignored), waitpid says so, and the exit record in the child's slot still tells the code; a
 *   child that left none ended in an unknown way.
 *   Reaping frees the child's slot, which from then on is nobody's or somebody else's. After a
 *   child that did not end by itself, what it held in the heap is swept, and who sleeps for a lock
 *   of its is woken to take over; if the heap is busy for long, the next sweep and the sleepers'
 *   own slices do the same.
 */
#include "process/process.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

static void registry_remove(struct mp__registry *registry, const mp_process *p)
{
    for (mp_process **at = &registry->children; *at != NULL; at = &(*at)->next)
        if (*at == p) {
            *at = p->next;
            return;
        }
}

static int code_of(int status)
{
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* Under the lock; true if the child has ended. */
static bool process_reap(mp_process *p, struct mp__killed *killed)
{
    int status = 0;
    if (p->life != MP__RUNNING)
        return true;
    pid_t got = waitpid(p->child.pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno != ECHILD))
        return false;
    if (got > 0)
        p->exit_code = code_of(status);
    else if (!mp__life_exit_recorded(p->owner, &p->exit_code))
        p->exit_code = MP_EXIT_UNKNOWN;
    if (p->exit_code < 0 && killed->count < MP__KILLED_MAX)
        killed->owners[killed->count++] = p->owner;
    mp__life_release(p->owner);
    p->life = MP__ENDED;
    registry_remove((struct mp__registry *)(void *)mp__self->room, p);
    mp__process_release(p);
    return true;
}

void mp__killed_bury(const struct mp__killed *killed)
{
    if (killed->count > 0)
        mp__heap_bury(killed->owners, killed->count);
}

void mp__children_reap(struct mp__registry *registry, struct mp__killed *killed)
{
    mp_process *next;
    for (mp_process *p = registry->children; p != NULL; p = next) {
        next = p->next;
        process_reap(p, killed);
    }
}

/* Looks once, whether the child has ended. */
static bool child_ended(mp_process *p)
{
    struct mp__killed killed = {.count = 0};
    mp__registry_lock();
    bool ended = process_reap(p, &killed);
    mp__registry_unlock();
    mp__killed_bury(&killed);
    return ended;
}

/* Waits for a notice of the child's end, with what is known of the child now. */
static void child_await(mp_process *p, mp__moment until)
{
    mp__registry_lock();
    bool running = p->life == MP__RUNNING;
    if (running && until != MP__NEVER)
        mp__child_sentinel(&p->child, false); /* without one the wait is made of naps */
    struct mp__child child = p->child;
    mp__registry_unlock();
    if (running)
        mp__child_await(&child, until);
}

int mp__process_join(mp_process *p, mp__moment until)
{
    /* for ever means mostly that it still runs: wait first, look then */
    if (until == MP__NEVER)
        child_await(p, until);
    while (!child_ended(p)) {
        if (mp__moment_passed(until))
            return MP_ETIMEOUT;
        child_await(p, until);
    }
    return 0;
}

int mp_process_join(mp_process *p, double timeout)
{
    mp__moment until;
    int rc = mp__process_verdict(p, MP__CALL_JOIN);
    if (rc == 0)
        rc = mp__moment_of(timeout, &until);
    if (rc == 0 && p == mp__process_current->parent)
        rc = mp__parent_await(p->before, until) ? 0 : MP_ETIMEOUT;
    else if (rc == 0)
        rc = mp__process_join(p, until);
    return rc != 0 ? mp__fail(rc) : 0;
}

int mp_process_is_alive(mp_process *p)
{
    int rc = mp__process_verdict(p, MP__CALL_ALIVE);
    if (rc != 0)
        return mp__fail(rc);
    if (p == mp__process_current)
        return 1;
    return p == mp__process_current->parent ? getppid() == p->before : !child_ended(p);
}

int mp_process_exitcode(mp_process *p, int *code)
{
    int rc = mp__process_verdict(p, MP__CALL_EXITCODE);
    if (rc != 0)
        return mp__fail(rc);
    if (p == mp__process_current || p->life == MP__INITIAL || !child_ended(p))
        return 0;
    if (code != NULL)
        *code = p->exit_code;
    return 1;
}

int mp__process_signal(mp_process *p, int signal_number)
{
    int rc = mp__process_verdict(p, MP__CALL_SIGNAL);
    if (rc != 0)
        return mp__fail(rc);
    struct mp__killed killed = {.count = 0};
    mp__registry_lock();
    /* not reaped, so the number is still the child's */
    if (!process_reap(p, &killed) && kill(p->child.pid, signal_number) != 0 && errno != ESRCH)
        rc = -errno;
    mp__registry_unlock();
    mp__killed_bury(&killed);
    return rc != 0 ? mp__fail(rc) : 0;
}

int mp_process_terminate(mp_process *p)
{
    return mp__process_signal(p, SIGTERM);
}

int mp_process_kill(mp_process *p)
{
    return mp__process_signal(p, SIGKILL);
}

int mp_process_interrupt(mp_process *p)
{
    return mp__process_signal(p, SIGINT);
}

int mp__process_sentinel(mp_process *p)
{
    int rc = mp__process_verdict(p, MP__CALL_SENTINEL);
    if (rc != 0)
        return rc;
    struct mp__killed killed = {.count = 0};
    mp__registry_lock();
    int fd = mp__child_sentinel(&p->child, process_reap(p, &killed));
    mp__registry_unlock();
    mp__killed_bury(&killed);
    return fd;
}

int mp__process_has_ended(mp_process *p)
{
    int rc = mp__process_verdict(p, MP__CALL_SENTINEL);
    return rc != 0 ? rc : child_ended(p);
}

int mp_process_sentinel(mp_process *p)
{
    int fd = mp__process_sentinel(p);
    return fd < 0 ? mp__fail(fd) : fd;
}

int mp_process_close(mp_process *p)
{
    int rc = mp__process_verdict(p, MP__CALL_CLOSE);
    if (rc != 0)
        return mp__fail(rc);
    struct mp__killed killed = {.count = 0};
    mp__registry_lock();
    bool ended = process_reap(p, &killed); /* or never started */
    if (ended) {
        mp__child_forget(&p->child);
        p->life = MP__CLOSED;
    }
    mp__registry_unlock();
    mp__killed_bury(&killed);
    return ended ? 0 : mp__failf(MP_ESTATE, "cannot close a process while it is still running");
}

int mp_active_children(mp_process **buf, size_t cap)
{
    if (buf == NULL && cap > 0)
        return mp__fail(MP_EINVAL);
    int n = 0;
    struct mp__killed killed = {.count = 0};
    struct mp__registry *registry = mp__registry_lock();
    mp__children_reap(registry, &killed);
    for (mp_process *p = registry->children; p != NULL; p = p->next) {
        if (p->how & MP__START_HIDDEN)
            continue;
        if ((size_t)n < cap) {
            p->references++;
            buf[n] = p;
        }
        n++;
    }
    mp__registry_unlock();
    mp__killed_bury(&killed);
    return n;
}

/* Daemonic children that will not go by SIGTERM are killed after this long. */
#define GRACE (5 * MP__SECOND)

/* True if there were any that had not been told yet. */
static bool daemons_tell(struct mp__registry *registry, struct mp__killed *killed)
{
    bool any = false;
    mp_process *next;
    for (mp_process *p = registry->children; p != NULL; p = next) {
        next = p->next;
        /* reaped before: its number may be another's by now */
        if (!p->daemonic || p->told_to_end || process_reap(p, killed))
            continue;
        mp__log(MP_LOG_INFO, "calling terminate() for daemon %s", p->name);
        kill(p->child.pid, SIGTERM);
        p->told_to_end = any = true;
    }
    return any;
}

/* The daemonic ones first; children may be started as long as others are waited for. */
static mp_process *child_to_finish(struct mp__registry *registry)
{
    mp_process *p = registry->children;
    while (p != NULL && !p->daemonic)
        p = p->next;
    return p != NULL ? p : registry->children;
}

static void child_finish(mp_process *p, mp__moment grace)
{
    mp__log(MP_LOG_INFO, "calling join() for process %s", p->name);
    if (p->daemonic && mp__process_join(p, grace) == MP_ETIMEOUT)
        mp__process_signal(p, SIGKILL);
    mp__process_join(p, MP__NEVER);
}

void (*mp__managers_finish)(void), (*mp__crews_finish)(void);

void mp__children_finish(void)
{
    mp_process *p;
    mp__moment grace = 0;
    mp__log(MP_LOG_INFO, "process shutting down");
    if (mp__managers_finish != NULL)
        mp__managers_finish();
    if (mp__crews_finish != NULL)
        mp__crews_finish();
    struct mp__registry *registry = mp__registry_lock();
    do {
        struct mp__killed killed = {.count = 0};
        if (daemons_tell(registry, &killed))
            grace = mp__moment_in(GRACE);
        p = child_to_finish(registry);
        if (p != NULL)
            p->references++;
        mp__registry_unlock();
        mp__killed_bury(&killed);
        if (p != NULL)
            child_finish(p, grace);
        mp__registry_lock();
        if (p != NULL)
            mp__process_release(p);
    } while (p != NULL);
    mp__registry_unlock();
}
