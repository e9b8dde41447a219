/* A process that others wait for is killed while they wait. */
#include "kill/execution.h"

#include <signal.h>

void scene_stay(struct scene *scene)
{
    atomic_fetch_add(&scene->at_work, 1);
    while (!atomic_load(&scene->over))
        kill_nap(1000);
}

/* A sleep that is over soon was one for something on the way. */
static void await_wait(const atomic_int *waiter)
{
    check(kill_await(waiter));
    for (int i = 0; i < 2; i++) {
        check(child_await_sleep((pid_t)atomic_load(waiter)));
        kill_nap(3000);
    }
}

int execution_run(void *arg)
{
    const struct execution *e = arg;
    struct kill_clock clock;
    struct rng rng = rng_start(kill_seed());
    kill_clock_start(&clock);
    while (atomic_load(&e->scene->at_work) < e->at_work)
        check(kill_clock_tick(&clock, 20));
    for (int i = 0; i < e->waits; i++)
        await_wait(&e->scene->waiter[i]);
    kill_pause(&rng, 3000);
    check(kill(e->victim(), SIGKILL) == 0);
    kill_clock_start(&clock);
    while (atomic_load(&e->scene->returned) < e->waits)
        check(kill_clock_tick(&clock, 20));
    atomic_store(&e->scene->took, clock.counted);
    return 0;
}
