/* Threads and processes that wait: started, known to sleep, and asked for their result. */
#include "waiters.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *call_in_thread(void *arg)
{
    struct waiter *waiter = arg;
    atomic_store(&waiter->id, (pid_t)syscall(SYS_gettid));
    waiter->result = waiter->call(waiter->object);
    return NULL;
}

void waiter_start_thread(struct waiter *waiter, int (*call)(void *object), void *object)
{
    pthread_attr_t small;
    waiter->call = call;
    waiter->object = object;
    waiter->is_process = false;
    atomic_store(&waiter->id, 0);
    check(pthread_attr_init(&small) == 0);
    check(pthread_attr_setstacksize(&small, 256 * 1024) == 0);
    check(pthread_create(&waiter->thread, &small, call_in_thread, waiter) == 0);
    check(pthread_attr_destroy(&small) == 0);
    while (atomic_load(&waiter->id) == 0)
        (void)sched_yield();
    check(child_await_sleep(atomic_load(&waiter->id)));
}

static int call_in_process(void *arg)
{
    struct waiter *waiter = arg;
    pipe_tell(&waiter->pipe, 'w');
    int result = waiter->call(waiter->object);
    check(write(waiter->pipe.write_fd, &result, sizeof result) == sizeof result);
    return 0;
}

void waiter_start_process(struct waiter *waiter, int (*call)(void *object), void *object)
{
    waiter->call = call;
    waiter->object = object;
    waiter->is_process = true;
    pipe_open(&waiter->pipe);
    waiter->pid = child_fork(call_in_process, waiter);
    check(pipe_await(&waiter->pipe) == 'w');
    check(child_await_sleep(waiter->pid));
}

int waiter_finish(struct waiter *waiter)
{
    if (waiter->is_process) {
        check(child_wait(waiter->pid) == 0);
        check(read(waiter->pipe.read_fd, &waiter->result, sizeof waiter->result) ==
              sizeof waiter->result);
        pipe_close(&waiter->pipe);
    } else
        check(pthread_join(waiter->thread, NULL) == 0);
    return waiter->result;
}
