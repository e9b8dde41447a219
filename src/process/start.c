/* How children begin, and how they leave.
 *
 * How it works
 *   The parent takes a slot for the child (STARTING), forks with all signals blocked and the
 *   registry locked, and enters the child in the registry. The child, before it runs anything
 *   else, holds its byte of the life file and turns its slot LIVE; if it cannot, somebody who
 *   found its starter dead has freed the slot, and the child leaves.
 *   A child leaves by exit(): the handlers it registered itself run, then the one that was
 *   registered before them, first thing in the child. That one ends the child's own children,
 *   flushes, writes the exit record and calls _exit, so the handlers of the parent never run.
 *
 *   A death of the starter leaves: before the fork a slot in STARTING, which the next starter that
 *   finds none free sweeps; after it a child as whole as any, an orphan.
 */
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a child was asked to leave with, where exit handlers are not told. */
static int leave_status = -1;

static void leave(int status)
{
    leave_status = status & 0xff;
    exit(leave_status);
}

static void child_last(int status)
{
    if (status < 0)
        status = leave_status;
    if (status < 0)
        return; /* exit() in the child on a libc that does not tell its status */
    mp__children_finish();
    mp__log(MP_LOG_INFO, "process exiting with exitcode %d", status);
    mp__stdio_flush();
    mp__life_record_exit(status);
    mp__step("process.recorded");
    _exit(status);
}

static void first_last(void)
{
    mp__children_finish();
}

static const char *name_of_this(void)
{
    return mp__process_current->name;
}

/* Once for all processes of the tree: a child has the less to write. */
__attribute__((constructor(101))) static void hooks_set(void)
{
    mp__self_name = name_of_this;
    mp__leave = leave;
    mp__exit_set_last(child_last);
    mp__process_wait_register();
}

/* How the child will see this process; made here, where the page is being written anyway. */
static void parent_describe(mp_process *p, pid_t pid)
{
    const mp_process *creator = mp__process_current;
    mp_process *parent = p + 1;
    parent->magic = MP__PROCESS_MAGIC;
    parent->type_name = "_ParentProcess";
    parent->daemonic = creator->daemonic;
    parent->life = MP__RUNNING;
    parent->child = (struct mp__child){.pid = pid, .sentinel = -1, .child_side = -1};
    parent->before = pid;
    strcpy(parent->name, creator->name);
    p->parent = parent;
}

/* Descriptors by which the parent watches others; the child's own side stays open. */
static void siblings_forget(mp_process *siblings)
{
    for (mp_process *p = siblings; p != NULL; p = p->next)
        mp__child_forget(&p->child);
}

/* What a child is told of the parent it comes from. */
struct origin {
    pid_t parent;
    mp_process *siblings;
    bool life_file_is_ours;
    sigset_t mask;
};

static sigset_t start_mask;

const sigset_t *mp__process_mask(void)
{
    return &start_mask;
}

/* Signals, and what comes of the parent's end. */
static int child_settle(mp_process *p, const struct origin *origin)
{
    if (p->how & MP__START_MASKED)
        start_mask = origin->mask;
    else
        pthread_sigmask(SIG_SETMASK, &origin->mask, NULL);
    if (p->how & MP__START_BOUND)
        return mp__parent_bind_hard(origin->parent);
    return p->daemonic ? mp__parent_bind(origin->parent) : 0;
}

const struct mp__fork_hooks *mp__fork_hooks;

static bool has_hooks(const mp_process *p)
{
    return mp__fork_hooks != NULL && !(p->how & MP__START_HIDDEN);
}

static void child_run(mp_process *p, const struct origin *origin)
{
    mp__step("process.forked");
    if (mp__life_adopt(p->owner, origin->life_file_is_ours) != 0)
        _exit(1);
    mp__child_inside(&p->child);
    siblings_forget(origin->siblings);
    mp__child_forget(&mp__process_current->child); /* the sentinel's side of the parent itself */
    mp__process_current = p;
    if (mp__exit_register_last() != 0)
        _exit(1);
    if (child_settle(p, origin) != 0)
        _exit(1);
    if (has_hooks(p))
        mp__fork_hooks->inside();
    mp__log(MP_LOG_INFO, "child process calling self.run()");
    leave(p->target(p->arg));
}

/* Under the registry's lock. */
static int child_fork(mp_process *p, struct mp__registry *registry, _Atomic mp__owner *owner)
{
    uint64_t me;
    struct origin origin = {.parent = getpid(), .siblings = registry->children};
    int rc = mp__self_word(&me);
    if (rc == 0)
        rc = mp__life_take(mp__owner_of(me), &p->owner);
    if (rc != 0)
        return rc;
    rc = mp__child_prepare(&p->child);
    if (rc != 0) {
        mp__life_release(p->owner);
        return rc;
    }
    if (owner != NULL)
        atomic_store(owner, p->owner);
    mp__step("process.announced");
    origin.life_file_is_ours = mp__life_file_is_ours();
    parent_describe(p, origin.parent);
    if (has_hooks(p))
        mp__fork_hooks->before();
    pid_t pid = mp__fork(&origin.mask);
    if (pid == 0)
        child_run(p, &origin);
    int error = pid < 0 ? errno : 0;
    if (pid > 0) {
        mp__life_started(p->owner, pid);
        mp__child_started(&p->child, pid);
    } else {
        mp__life_release(p->owner);
        mp__child_forget(&p->child);
    }
    pthread_sigmask(SIG_SETMASK, &origin.mask, NULL);
    if (has_hooks(p))
        mp__fork_hooks->after();
    return pid > 0 ? 0 : -error;
}

static void registry_add(struct mp__registry *registry, mp_process *p)
{
    mp_process **at = &registry->children;
    while (*at != NULL)
        at = &(*at)->next;
    *at = p;
    p->next = NULL;
    p->references++;
    p->life = MP__RUNNING;
    /* a child has its own last handler already; the first process joins its children at exit */
    if (!registry->exit_registered && mp__process_current->parent == NULL)
        registry->exit_registered = atexit(first_last) == 0;
}

int mp__process_start(mp_process *p, unsigned how, _Atomic mp__owner *owner)
{
    int rc = mp__process_verdict(p, MP__CALL_START);
    if (rc == 0 && mp__process_current->daemonic)
        rc = mp__failf(MP_ESTATE, "daemonic processes are not allowed to have children");
    else if (rc != 0)
        mp__fail(rc);
    if (rc != 0)
        return rc;
    mp__stdio_hold(); /* a reader that is slow holds up nobody else: the lock comes after */
    struct mp__killed killed = {.count = 0};
    struct mp__registry *registry = mp__registry_lock();
    mp__children_reap(registry, &killed);
    p->how = how;
    rc = p->life == MP__INITIAL ? child_fork(p, registry, owner) : MP_ESTATE;
    if (rc == 0)
        registry_add(registry, p);
    mp__registry_unlock();
    mp__stdio_give();
    mp__killed_bury(&killed);
    return rc != 0 ? mp__fail(rc) : 0;
}

int mp_process_start(mp_process *p)
{
    return mp__process_start(p, 0, NULL);
}
