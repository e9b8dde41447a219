/* The roster of a pool's workers; roster.h tells how. */
#include "kill/roster.h"

#include <mp/process.h>

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct line {
    _Alignas(64) _Atomic int32_t pid;
    _Atomic uint32_t state;
    _Atomic uint64_t start;
};

struct roster {
    _Atomic uint32_t births;
    struct line supervisor;
    struct line worker[ROSTER_LINES];
};

static struct roster *roster;
static struct line *mine; /* in a worker */
static struct rng dice;   /* a worker's own */

void roster_prepare(void)
{
    if (roster == NULL)
        roster = kill_shared(sizeof *roster);
    memset((void *)roster, 0, sizeof *roster);
}

/* ---- looking up processes -------------------------------------------------------------------- */

struct look {
    char state;
    int parent;
    unsigned long long start;
};

/* False: there is no such process. Through its first thread: of /proc/PID/stat an emulator shows a
   process one of its own making, with a start that others do not see. */
static bool look_up(pid_t pid, struct look *look)
{
    char path[64], line[1024];
    (void)snprintf(path, sizeof path, "/proc/%ld/task/%ld/stat", (long)pid, (long)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t n = fread(line, 1, sizeof line - 1, file);
    (void)fclose(file);
    line[n] = '\0';
    const char *end = strrchr(line, ')');
    return end != NULL && sscanf(end + 1,
                                 " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                                 "%*d %*d %*d %llu",
                                 &look->state, &look->parent, &look->start) == 3;
}

static bool line_runs(const struct line *line)
{
    struct look look;
    pid_t pid = (pid_t)atomic_load(&line->pid);
    return pid != 0 && look_up(pid, &look) && look.start == atomic_load(&line->start) &&
           look.state != 'Z' && look.state != 'X';
}

static void line_write(struct line *line, pid_t pid)
{
    struct look look;
    check(look_up(pid, &look));
    atomic_store(&line->pid, 0);
    atomic_store(&line->start, look.start);
    atomic_store(&line->state, ROSTER_IDLE);
    atomic_store(&line->pid, pid);
}

/* ---- in workers ------------------------------------------------------------------------------ */

void roster_set(enum roster_state state)
{
    if (mine != NULL)
        atomic_store(&mine->state, (uint32_t)state);
}

static void linger_at_step(const char *name)
{
    (void)name;
    if (rng_below(&dice, 16) != 0)
        return;
    uint32_t state = atomic_load(&mine->state);
    roster_set(ROSTER_AT_STEP);
    mp__moment end = mp__now() + (int64_t)rng_below(&dice, 50000);
    while (mp__now() < end)
        ;
    atomic_store(&mine->state, state);
}

/* The supervisor may be dead by now, and the parent who inherits orphans. Workers that begin at the
   same time note the same, and the number last: it is never 0 again. */
static void supervisor_note(pid_t pid)
{
    struct look look;
    mp_process *maker = mp_parent_process();
    if (!look_up(pid, &look) || (maker != NULL && look.parent != mp_process_pid(maker)))
        return;
    atomic_store(&roster->supervisor.start, look.start);
    atomic_store(&roster->supervisor.pid, pid);
}

int roster_sign(void *lingers)
{
    uint32_t birth = atomic_fetch_add(&roster->births, 1);
    struct line *line = &roster->worker[birth % ROSTER_LINES];
    if (roster_supervisor() == 0)
        supervisor_note(getppid());
    line_write(line, getpid());
    mine = line;
    dice = rng_start(kill_seed() + birth);
    if (lingers != NULL && *(const bool *)lingers)
        mp__step_hook = linger_at_step;
    return 0;
}

/* ---- looking on ------------------------------------------------------------------------------ */

int roster_births(void)
{
    return (int)atomic_load(&roster->births);
}

int roster_count(void)
{
    int count = 0;
    for (int i = 0; i < ROSTER_LINES; i++)
        count += line_runs(&roster->worker[i]);
    return count;
}

bool roster_await(int workers)
{
    struct kill_clock clock;
    kill_clock_start(&clock);
    while (roster_births() < workers || roster_count() < workers)
        if (!kill_clock_tick(&clock, KILL_HANG_SECONDS))
            return false;
    return true;
}

pid_t roster_supervisor(void)
{
    return (pid_t)atomic_load(&roster->supervisor.pid);
}

int roster_left(double limit, double *took)
{
    struct kill_clock clock;
    int left;
    kill_clock_start(&clock);
    while ((left = line_runs(&roster->supervisor) + roster_count()) > 0)
        if (!kill_clock_tick(&clock, limit))
            break;
    *took = clock.counted;
    return left;
}

static void line_kill(const struct line *line)
{
    if (line_runs(line))
        (void)kill((pid_t)atomic_load(&line->pid), SIGKILL);
}

void roster_inherit_orphans(bool on)
{
    check(prctl(PR_SET_CHILD_SUBREAPER, on, 0, 0, 0) == 0);
}

int roster_reap_all(double limit, double *took)
{
    struct kill_clock clock;
    pid_t ended;
    bool in_time = true;
    int late = 0;
    kill_clock_start(&clock);
    while (in_time && (ended = waitpid(-1, NULL, WNOHANG)) >= 0)
        in_time = ended > 0 || kill_clock_tick(&clock, limit);
    if (took != NULL)
        *took = clock.counted;
    if (in_time)
        return 0;
    line_kill(&roster->supervisor);
    for (int i = 0; i < ROSTER_LINES; i++)
        line_kill(&roster->worker[i]);
    while (waitpid(-1, NULL, 0) > 0)
        late++;
    return late;
}

/* ---- killing --------------------------------------------------------------------------------- */

static bool is_victim(const struct line *line)
{
    struct look look;
    pid_t pid = (pid_t)atomic_load(&line->pid);
    return pid != 0 && look_up(pid, &look) && look.parent == roster_supervisor() &&
           look.start == atomic_load(&line->start) && look.state != 'Z';
}

/* The first that is seen in the state within some time, else any. */
static struct line *victim_choose(struct rng *rng, enum roster_state wanted)
{
    uint64_t first = rng_below(rng, ROSTER_LINES);
    mp__moment end = mp__now() + 300 * MP__MS / 1000;
    do
        for (uint64_t k = 0; k < ROSTER_LINES && wanted != ROSTER_IDLE; k++) {
            struct line *line = &roster->worker[(first + k) % ROSTER_LINES];
            if (atomic_load(&line->pid) != 0 && atomic_load(&line->state) == (uint32_t)wanted &&
                is_victim(line))
                return line;
        }
    while (wanted != ROSTER_IDLE && mp__now() < end);
    for (uint64_t k = 0; k < ROSTER_LINES; k++) {
        struct line *line = &roster->worker[(first + k) % ROSTER_LINES];
        if (is_victim(line))
            return line;
    }
    return NULL;
}

int roster_kill_one(struct rng *rng)
{
    struct line *line = victim_choose(rng, (enum roster_state)rng_below(rng, ROSTER_STATES));
    if (line == NULL)
        return -1;
    int state = (int)atomic_load(&line->state);
    pid_t pid = (pid_t)atomic_exchange(&line->pid, 0);
    return pid != 0 && kill(pid, SIGKILL) == 0 ? state : -1;
}

/* ---- memory ---------------------------------------------------------------------------------- */

struct mp__heap_count heap_after_sweep(void)
{
    struct mp__heap_count count;
    mp__heap_sweep();
    assert_true(mp__heap_is_valid(&count));
    assert_int_equal(count.building, 0);
    return count;
}

void assert_heap_is_as_before(const struct mp__heap_count *before)
{
    struct mp__heap_count after = heap_after_sweep();
    assert_int_equal(after.blocks, before->blocks);
    assert_int_equal(after.runs, before->runs);
}
