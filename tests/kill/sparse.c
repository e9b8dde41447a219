/* One wake for two sleepers with nobody else about, and the woken or the waker is killed.
 *
 * How it works
 *   Both sleepers are parked before the waker gets its word. A short random time later one of the
 *   two that matter is killed: the waker, or the sleeper that parked first, to whom the wake most
 *   likely goes. Then a survivor has to return, if something is owed to it: there is no other
 *   traffic that could wake it by chance.
 */
#include "kill/harness.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct sparse_stage {
    const struct sparse_plan *plan;
    atomic_int ready, go;
    atomic_int returned[2];
    struct kill_worker sleeper[2], waker;
};

static struct sparse_stage *stage;

static int sleeper_main(void *arg)
{
    struct kill_worker *me = arg;
    me->rng = rng_start((uint64_t)getpid());
    kill_follow_steps(me, 1);
    stage->plan->sleep();
    atomic_store(&stage->returned[me->index], 1);
    return 0;
}

static int waker_main(void *arg)
{
    (void)arg;
    uint64_t word;
    check(mp__self_word(&word) == 0);
    if (stage->plan->get_ready != NULL)
        stage->plan->get_ready();
    stage->waker.rng = rng_start((uint64_t)getpid());
    kill_follow_steps(&stage->waker, 1);
    atomic_store(&stage->ready, 1);
    while (!atomic_load(&stage->go))
        ;
    stage->plan->wake();
    return 0;
}

static pid_t waker_start(void)
{
    pid_t pid = child_fork(waker_main, NULL);
    assert_true(kill_await(&stage->ready));
    return pid;
}

static pid_t sleeper_start(int i)
{
    struct kill_clock clock;
    struct kill_worker *w = &stage->sleeper[i];
    w->index = i;
    atomic_store(&stage->returned[i], 0);
    kill_set_role(w, BYSTANDER);
    pid_t pid = child_fork(sleeper_main, w);
    kill_clock_start(&clock);
    while (atomic_load(&w->role) != WAITER)
        assert_true(kill_clock_tick(&clock, KILL_HANG_SECONDS));
    assert_true(child_await_sleep(pid));
    return pid;
}

static void end_child(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool survivors_are_back(const struct sparse_plan *plan, bool waker_died)
{
    bool first = atomic_load(&stage->returned[0]), second = atomic_load(&stage->returned[1]);
    if (!waker_died)
        return second;
    return plan->all ? first && second : first || second;
}

static bool await_survivors(const struct sparse_plan *plan, bool waker_died)
{
    struct kill_clock clock;
    kill_clock_start(&clock);
    while (!survivors_are_back(plan, waker_died))
        if (!kill_clock_tick(&clock, KILL_HANG_SECONDS))
            return survivors_are_back(plan, waker_died);
    return true;
}

static void round_run(const struct sparse_plan *plan, bool waker_dies, struct sparse_result *result)
{
    atomic_store(&stage->ready, 0);
    atomic_store(&stage->go, 0);
    plan->prepare();
    pid_t waker = plan->waker_first ? waker_start() : 0;
    pid_t first = sleeper_start(0), second = sleeper_start(1);
    if (waker == 0)
        waker = waker_start();

    atomic_store(&stage->go, 1);
    kill_pause(kill_rng(), waker_dies ? 150 : 400);
    mp__moment from = mp__now();
    end_child(waker_dies ? waker : first);
    if (waker_dies)
        result->wakers++;
    else {
        result->woken += atomic_load(&stage->sleeper[0].role) == WOKEN;
        assert_int_equal(child_wait(waker), 0);
    }
    bool victim_returned = !waker_dies && atomic_load(&stage->returned[0]);
    bool settled = plan->is_settled != NULL && plan->is_settled(victim_returned);
    if (!await_survivors(plan, waker_dies))
        result->lost++;
    double span = (double)(mp__now() - from) * 1e-9;
    if (!settled && span > result->worst)
        result->worst = span;
    end_child(second);
    if (waker_dies)
        end_child(first);
    if (plan->clean_up != NULL)
        plan->clean_up();
}

void sparse_run(const struct sparse_plan *plan, int rounds, struct sparse_result *result)
{
    if (stage == NULL)
        stage = kill_shared(sizeof *stage);
    memset(result, 0, sizeof *result);
    stage->plan = plan;
    for (; result->rounds < rounds && result->lost == 0; result->rounds++)
        round_run(plan, result->rounds % 2 == 1, result);
}

void sparse_print(const char *name, const struct sparse_result *r)
{
    print_message("| %-17s | one wake for two sleepers: %d rounds, %d wakers killed, %d sleepers "
                  "killed as they woke, lost %d, worst delay %.1f ms |\n",
                  name, r->rounds, r->wakers, r->woken, r->lost, r->worst * 1e3);
}

int sparse_rounds(void)
{
    int kills = kill_count(300);
    return kills > 300 ? 1000 : kills < 100 ? 20 : 60;
}
