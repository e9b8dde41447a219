/* Threads and processes that wait for a shared object while a test does something to it. */
#ifndef TESTS_SYNC_WAITERS_H
#define TESTS_SYNC_WAITERS_H

#include "support/support.h"

#include <pthread.h>
#include <stdatomic.h>

/* A call that waits, in a thread of this process or in a process of its own. */
struct waiter {
    int (*call)(void *object);
    void *object;
    bool is_process;
    pthread_t thread;
    pid_t pid;
    _Atomic pid_t id;
    struct signal_pipe pipe;
    int result;
};

/* Starts the call and returns once it sleeps. */
void waiter_start_thread(struct waiter *waiter, int (*call)(void *object), void *object);
void waiter_start_process(struct waiter *waiter, int (*call)(void *object), void *object);

/* What the call returned in the end. */
int waiter_finish(struct waiter *waiter);

#endif
