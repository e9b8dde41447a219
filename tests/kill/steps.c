/* The engine of the exhaustive kills; steps.h tells how. */
#include "kill/steps.h"

#include "kill/step_names.h"

#include <mp/mp.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAMES = sizeof step_names / sizeof *step_names, RUNS_MAX = 400, RUNS_OF_A_NAME = 3 };

struct steps_stage *steps_stage;

/* A child of the engine: a corpse until all is over, but reaped at once where corpses pass for
   alive. */
struct child {
    pid_t pid;
    bool ended, may_be_killed;
    int status;
};

static struct child partner[STEPS_PARTNERS];
static int partners;
static _Atomic uint32_t *killed; /* by name */
static struct kill_worker *parked_partner;

static int name_index(const char *name)
{
    for (int i = 0; i < NAMES; i++)
        if (strcmp(step_names[i], name) == 0)
            return i;
    support_fail(__FILE__, __LINE__, "the step \"%s\" is not in the sources", name);
}

bool steps_died_at(const char *name)
{
    return atomic_load(&steps_stage->died) && atomic_load(&steps_stage->name) == name_index(name);
}

static enum steps_whose whose;

static void count_or_die(const char *name)
{
    const char *what = strchr(name, '.') + 1;
    bool is_actor = getpid() == atomic_load(&steps_stage->actor_pid);
    if (is_actor)
        atomic_store(&steps_stage->parked, strcmp(what, "parking") == 0);
    if (is_actor != (whose == IN_THE_ACTOR))
        return;
    int only = atomic_load(&steps_stage->only);
    if (only != 0 && strcmp(step_names[only - 1], name) != 0)
        return;
    int n = atomic_fetch_add(&steps_stage->count, 1) + 1;
    if (n != atomic_load(&steps_stage->armed))
        return;
    atomic_store(&steps_stage->name, name_index(name));
    bool is_child = getppid() == atomic_load(&steps_stage->actor_pid);
    atomic_store(&steps_stage->generation, is_actor ? 0 : is_child ? 1 : 2);
    atomic_store(&steps_stage->died, 1);
    atomic_fetch_add(&killed[name_index(name)], 1);
    (void)raise(SIGKILL);
}

static int actor_main(void *arg)
{
    const struct scenario *s = arg;
    uint64_t word;
    atomic_store(&steps_stage->actor_pid, getpid());
    if (!s->enters)
        check(mp__self_word(&word) == 0);
    if (s->ready != NULL)
        s->ready();
    whose = s->whose;
    mp__step_hook = count_or_die;
    s->actor();
    mp__step_hook = NULL;
    return 0;
}

/* ---- partners -------------------------------------------------------------------------------- */

static pid_t partner_start(int (*body)(void *), void *arg, bool may_be_killed)
{
    assert_true(partners < STEPS_PARTNERS);
    partner[partners] =
        (struct child){.pid = child_fork(body, arg), .may_be_killed = may_be_killed};
    return partner[partners++].pid;
}

pid_t steps_partner(int (*body)(void *), void *arg)
{
    return partner_start(body, arg, false);
}

pid_t steps_victim(int (*body)(void *), void *arg)
{
    return partner_start(body, arg, true);
}

struct follower {
    int (*body)(void *);
    void *arg;
};

static int follow(void *arg)
{
    const struct follower *f = arg;
    kill_follow_steps(parked_partner, UINT32_MAX);
    return f->body(f->arg);
}

pid_t steps_parked_partner(int (*body)(void *), void *arg)
{
    struct follower f = {body, arg};
    struct kill_clock clock;
    kill_set_role(parked_partner, BYSTANDER);
    parked_partner->rng = rng_start(1);
    pid_t pid = steps_partner(follow, &f);
    kill_clock_start(&clock);
    while (atomic_load(&parked_partner->role) != WAITER)
        assert_true(kill_clock_tick(&clock, STEPS_BOUND));
    assert_true(child_await_sleep(pid));
    return pid;
}

static void await_any(const atomic_int *a, const atomic_int *b)
{
    struct kill_clock clock;
    kill_clock_start(&clock);
    while (!atomic_load(a) && !atomic_load(b))
        check(kill_clock_tick(&clock, STEPS_BOUND));
}

void steps_await_actor(void)
{
    await_any(&steps_stage->parked, &steps_stage->gone);
    (void)child_await_sleep((pid_t)atomic_load(&steps_stage->actor_pid));
}

void steps_set(int flag)
{
    atomic_store(&steps_stage->flag[flag], 1);
}

void steps_await(int flag)
{
    await_any(&steps_stage->flag[flag], &steps_stage->gone);
}

static bool was_killed(const struct child *c)
{
    return WIFSIGNALED(c->status) && WTERMSIG(c->status) == SIGKILL;
}

static bool corpses_pass_for_alive(void)
{
    uint64_t start;
    return mp__process_trace(getpid(), &start) == MP__TRACE_UNKNOWN;
}

static void reap_if_ended(struct child *c)
{
    if (!c->ended)
        c->ended = waitpid(c->pid, &c->status, WNOHANG) == c->pid;
}

/* False: it hangs. */
static bool reap(struct child *wanted)
{
    struct kill_clock clock;
    bool at_once = corpses_pass_for_alive();
    kill_clock_start(&clock);
    for (;;) {
        reap_if_ended(wanted);
        for (int i = 0; i < partners && at_once; i++)
            reap_if_ended(&partner[i]);
        if (wanted->ended)
            return true;
        if (!kill_clock_tick(&clock, STEPS_BOUND))
            return false;
    }
}

static void partners_join(const struct scenario *s)
{
    for (int i = 0; i < partners; i++) {
        if (!reap(&partner[i]))
            fail_msg("%s: after a death at step %d partner %d hangs", s->name,
                     atomic_load(&steps_stage->armed), i);
        bool victim = partner[i].may_be_killed && was_killed(&partner[i]);
        if (partner[i].status != 0 && !victim)
            fail_msg("%s: after a death at step %d (%s) partner %d left with %x", s->name,
                     atomic_load(&steps_stage->armed), step_names[atomic_load(&steps_stage->name)],
                     i, (unsigned)partner[i].status);
    }
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void heap_is_as_before(const struct scenario *s, const struct mp__heap_count *before)
{
    struct mp__heap_count now;
    mp__heap_sweep();
    bool valid = mp__heap_is_valid(&now);
    /* nobody knows of an object whose maker died between its last store and its return */
    if (steps_died_at("object.published") && now.blocks == before->blocks + 1)
        now.blocks--, now.runs = before->runs;
    if (!valid || now.building != 0 || now.blocks != before->blocks || now.runs != before->runs)
        fail_msg("%s: after a death at step %d (%s) and a sweep: %s, %zu being built, %zu blocks "
                 "instead of %zu, %zu runs instead of %zu",
                 s->name, atomic_load(&steps_stage->armed),
                 step_names[atomic_load(&steps_stage->name)], valid ? "valid" : "not valid",
                 now.building, now.blocks, before->blocks, now.runs, before->runs);
}

/* True if somebody died; `only` as in the stage. */
static bool run_once(const struct scenario *s, int only, int n)
{
    struct mp__heap_count before;
    partners = 0;
    memset((void *)steps_stage, 0, sizeof *steps_stage);
    atomic_store(&steps_stage->armed, n);
    atomic_store(&steps_stage->only, only);
    assert_true(mp__heap_is_valid(&before));
    if (s->prepare != NULL)
        s->prepare();
    if (s->partners != NULL)
        s->partners();
    struct child actor = {.pid = child_fork(actor_main, (void *)(uintptr_t)s)};
    if (!reap(&actor))
        fail_msg("%s: at step %d the actor hangs", s->name, n);
    atomic_store(&steps_stage->gone, 1);
    bool died = atomic_load(&steps_stage->died) != 0;
    if (died && s->whose == IN_THE_ACTOR ? !was_killed(&actor) : actor.status != 0)
        fail_msg("%s: the actor left with %x", s->name, (unsigned)actor.status);
    partners_join(s);
    if (s->finish != NULL)
        s->finish();
    heap_is_as_before(s, &before);
    return died;
}

static int run_each(const struct scenario *s)
{
    int runs = 0;
    for (int i = 0; i < NAMES; i++) {
        if (strncmp(step_names[i], s->each, strlen(s->each)) != 0)
            continue;
        for (int n = 1; n <= RUNS_OF_A_NAME && run_once(s, i + 1, n); n++)
            runs++;
    }
    return runs;
}

int steps_run(const struct scenario *s)
{
    int n = 1;
    whose = s->whose;
    if (s->each != NULL)
        return run_each(s);
    while (run_once(s, 0, n)) {
        n++;
        assert_true(n < RUNS_MAX);
    }
    return n - 1;
}

void steps_run_all(const struct scenario *scenarios, size_t count)
{
    (void)kill_count(1000);
    for (size_t i = 0; i < count; i++)
        print_message("  %s: killed at each of %d steps\n", scenarios[i].name,
                      steps_run(&scenarios[i]));
}

/* ---- the program ----------------------------------------------------------------------------- */

static void test_locks(void **state)
{
    (void)state;
    steps_run_all(steps_locks, steps_locks_count);
}

static void test_waits(void **state)
{
    (void)state;
    steps_run_all(steps_waits, steps_waits_count);
}

static void test_memory(void **state)
{
    (void)state;
    steps_run_all(steps_memory, steps_memory_count);
}

static void test_processes(void **state)
{
    (void)state;
    steps_run_all(steps_processes, steps_processes_count);
}

static void test_queue(void **state)
{
    (void)state;
    steps_run_all(steps_queue, steps_queue_count);
}

static void test_workers(void **state)
{
    (void)state;
    steps_run_all(steps_workers, steps_workers_count);
}

static void test_named(void **state)
{
    (void)state;
    steps_run_all(steps_named, steps_named_count);
}

static void test_every_step_killed_somebody(void **state)
{
    (void)state;
    int covered = 0;
    uint64_t deaths = 0;
    for (int i = 0; i < NAMES; i++) {
        uint32_t times = atomic_load(&killed[i]);
        covered += times > 0;
        deaths += times;
        if (times == 0)
            print_error("nobody was killed at the step \"%s\"\n", step_names[i]);
    }
    print_message("| steps             | covered %d of %d, deaths %llu |\n", covered, NAMES,
                  (unsigned long long)deaths);
    assert_int_equal(covered, NAMES);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("locks", test_locks),
        support_test("waits", test_waits),
        support_test("memory", test_memory),
        support_test("processes", test_processes),
        support_test("queue", test_queue),
        support_test("workers", test_workers),
        support_test("named", test_named),
        support_test("every step killed somebody", test_every_step_killed_somebody),
    };
    steps_stage = kill_shared(sizeof *steps_stage);
    killed = kill_shared(NAMES * sizeof *killed);
    parked_partner = kill_shared(sizeof *parked_partner);
    if (corpses_pass_for_alive())
        kill_reap_orphans();
    return support_run_processes("steps", tests);
}
