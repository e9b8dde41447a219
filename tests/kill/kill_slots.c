/* The table of live processes under SIGKILL: starters and their children, and no place lost. */
#include "kill/harness.h"

#include <mp/mp.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 4, LEFT_FREE = 150 };

/* Who works where, for the others to ask after. */
struct names {
    _Atomic mp__owner owner[WORKERS];
    atomic_int child_runs[WORKERS];
    _Atomic uint64_t children, children_killed, killed_unborn, born_dead;
};

static struct names *names;

static unsigned slots_take(mp__owner *owner, unsigned most)
{
    unsigned n = 0;
    while (n < most && mp__life_take(mp__self_owner(), &owner[n]) == 0)
        n++;
    return n;
}

static void slots_give(const mp__owner *owner, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        mp__life_release(owner[i]);
}

static void begin(struct kill_worker *me)
{
    atomic_store(&names->owner[me->index], mp__self_owner());
}

static void died(struct kill_worker *w)
{
    atomic_store(&names->owner[w->index], 0);
}

/* Those who live for certain must not pass for dead. The harness says beforehand whom it kills, and
   that all may leave. */
static void ask_after_the_others(struct kill_worker *me)
{
    for (int i = 0; i < WORKERS; i++) {
        uint64_t changes = atomic_load(&kill_board->changes);
        mp__owner owner = atomic_load(&names->owner[i]);
        bool alive = owner != 0 && !kill_is_dying(&kill_board->worker[i]);
        bool dead = alive && mp__dead(owner);
        if (dead && changes == atomic_load(&kill_board->changes) && !atomic_load(&kill_board->stop))
            atomic_fetch_add(&me->false_deaths, 1);
    }
}

static int child_main(void *arg)
{
    if (arg != NULL)
        atomic_store((atomic_int *)arg, 1);
    if (mp__dead(mp__self_owner()))
        atomic_fetch_add(&names->born_dead, 1);
    return 7;
}

/* The child may be killed anywhere between its fork and its end. */
static void start_one(struct kill_worker *me, bool to_be_killed)
{
    mp_process *process;
    int code = 0;
    atomic_int *runs = &names->child_runs[me->index];
    atomic_store(runs, 0);
    check(mp_process_create(&process, child_main, runs, 0, NULL) == 0);
    kill_set_role(me, STARTER);
    int rc = mp_process_start(process);
    check(rc == 0);
    atomic_fetch_add(&names->children, 1);
    if (to_be_killed) {
        kill_pause(&me->rng, 500);
        check(mp_process_kill(process) == 0);
    }
    check(mp_process_join(process, MP_FOREVER) == 0);
    check(mp_process_exitcode(process, &code) == 1);
    mp_process_destroy(process);
    kill_set_role(me, BYSTANDER);
    if (code == -SIGKILL && to_be_killed) {
        atomic_fetch_add(&names->children_killed, 1);
        atomic_fetch_add(&names->killed_unborn, !atomic_load(runs));
    } else if (code != 7)
        atomic_fetch_add(&me->wrong, 1);
}

/* A plain fork that enters the table by itself, or does not. */
static int enter(void *arg)
{
    uint64_t word;
    (void)arg;
    mp__step_hook = NULL;
    check(mp__self_word(&word) == 0);
    check(!mp__dead(mp__self_owner()));
    return 0;
}

static void turn(struct kill_worker *me)
{
    uint64_t way = rng_below(&me->rng, 4);
    ask_after_the_others(me);
    if (way == 0)
        check(child_wait(child_fork(enter, NULL)) == 0);
    else
        start_one(me, way == 1);
    ask_after_the_others(me);
}

/* Orphans of killed starters live a moment longer. */
static unsigned slots_free_in_the_end(void)
{
    static mp__owner owner[MP__SLOTS];
    struct kill_clock clock;
    unsigned n;
    kill_clock_start(&clock);
    do {
        n = slots_take(owner, MP__SLOTS);
        slots_give(owner, n);
    } while (n < MP__SLOTS - 1 && kill_clock_tick(&clock, 5));
    return n;
}

static void starters_run(const struct kill_plan *plan)
{
    static mp__owner filler[MP__SLOTS];
    struct kill_result result;
    kill_prepare();
    for (int i = 0; i < WORKERS; i++)
        atomic_store(&names->owner[i], 0);
    /* few are left, so that starters have to take slots of the dead */
    unsigned n = slots_take(filler, MP__SLOTS - 1 - LEFT_FREE);
    kill_run(plan, &result);
    slots_give(filler, n);
    kill_print("slots", &result);
    kill_assert_clean(plan, &result);
}

static void test_no_slot_is_lost_and_no_life_denied(void **state)
{
    (void)state;
    const struct kill_plan plan = {
        .workers = WORKERS,
        .kills = kill_count(300),
        .turn = turn,
        .begin = begin,
        .died = died,
        .wanted = 1 << STARTER,
    };
    names = kill_shared(sizeof *names);
    /* of few kills none may have met a child */
    for (int i = 0; i < KILL_RUNS_MOST && atomic_load(&names->children_killed) == 0; i++)
        starters_run(&plan);
    print_message(
        "| slots             | children %llu, of which killed %llu, before they ran %llu |\n",
        (unsigned long long)atomic_load(&names->children),
        (unsigned long long)atomic_load(&names->children_killed),
        (unsigned long long)atomic_load(&names->killed_unborn));
    assert_int_equal(atomic_load(&names->born_dead), 0);
    assert_true(atomic_load(&names->children_killed) > 0);
    assert_int_equal(slots_free_in_the_end(), MP__SLOTS - 1);
}

/* ---- a starter killed around the fork, its child too or not ----------------------------------- */

struct scene {
    atomic_int reached, go;
    _Atomic int32_t child;
    const char *step;
    bool in_child;
};

static struct scene *scene;

static void stop_at_step(const char *name)
{
    if (strcmp(name, scene->step) != 0)
        return;
    atomic_store(&scene->child, getpid());
    atomic_store(&scene->reached, 1);
    while (!atomic_load(&scene->go))
        kill_nap(100);
}

static int starter_main(void *arg)
{
    (void)arg;
    mp_process *process;
    check(mp_process_create(&process, child_main, NULL, 0, NULL) == 0);
    mp__step_hook = stop_at_step;
    check(mp_process_start(process) == 0);
    return mp_process_join(process, MP_FOREVER);
}

/* Kills the starter, and the child if told, while one of them stands at the step. */
static void kill_starter_at(const char *step, bool child_too)
{
    memset((void *)scene, 0, sizeof *scene);
    scene->step = step;
    pid_t starter = child_fork(starter_main, NULL);
    assert_true(kill_await(&scene->reached));
    pid_t other = (pid_t)atomic_load(&scene->child);
    assert_int_equal(kill(starter, SIGKILL), 0);
    assert_int_equal(waitpid(starter, NULL, 0), starter);
    if (child_too && other != starter)
        assert_int_equal(kill(other, SIGKILL), 0);
    static mp__owner owner[MP__SLOTS];
    unsigned n = slots_take(owner, MP__SLOTS);
    bool orphan_lives = !child_too && other != starter && strcmp(step, "life.live") == 0;
    /* of a child that is not yet LIVE the slot is taken, and the child will leave */
    if (!child_too)
        assert_int_equal(n, MP__SLOTS - 1 - orphan_lives);
    slots_give(owner, n);
    atomic_store(&scene->go, 1);
    assert_int_equal(slots_free_in_the_end(), MP__SLOTS - 1);
}

static void test_a_starter_killed_around_its_fork_leaves_no_slot_behind(void **state)
{
    (void)state;
    static const char *const steps[] = {"life.taken", "process.forked", "life.held", "life.live"};
    kill_prepare();
    scene = kill_shared(sizeof *scene);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        kill_starter_at(steps[i], false);
        kill_starter_at(steps[i], true);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("no slot is lost and no life denied", test_no_slot_is_lost_and_no_life_denied),
        support_test("a starter killed around its fork leaves no slot behind",
                     test_a_starter_killed_around_its_fork_leaves_no_slot_behind),
    };
    uint64_t start;
    /* without start times an orphan's corpse keeps its slot until it is reaped */
    if (mp__process_trace(getpid(), &start) == MP__TRACE_UNKNOWN)
        kill_reap_orphans();
    return support_run_processes("slots", tests);
}
