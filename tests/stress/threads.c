/* Starting and joining the threads of a stress test. */
#include "stress/threads.h"

#include <pthread.h>

struct task {
    struct team_member member;
    void (*body)(struct team_member *me);
    pthread_barrier_t *start;
};

static void *task_main(void *arg)
{
    struct task *task = arg;
    (void)pthread_barrier_wait(task->start);
    task->body(&task->member);
    return NULL;
}

void team_run(void (*body)(struct team_member *me))
{
    pthread_barrier_t start;
    pthread_t thread[THREADS];
    struct task task[THREADS];
    static uint64_t seed;
    if (seed == 0)
        seed = rng_seed();
    support_time_limit(200);
    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) {
        task[i] = (struct task){{i, rng_start(seed + (uint64_t)i)}, body, &start};
        assert_int_equal(pthread_create(&thread[i], NULL, task_main, &task[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    (void)pthread_barrier_destroy(&start);
}
