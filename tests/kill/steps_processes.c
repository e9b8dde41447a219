/* Scenarios: processes that start, end, and enter by themselves. */
#include "kill/steps.h"

#include <mp/mp.h>

#include <signal.h>
#include <unistd.h>

static unsigned slots_take_all(void)
{
    static mp__owner owner[MP__SLOTS];
    unsigned n = 0;
    while (n < MP__SLOTS && mp__life_take(mp__self_owner(), &owner[n]) == 0)
        n++;
    for (unsigned i = 0; i < n; i++)
        mp__life_release(owner[i]);
    return n;
}

/* A child whose parent was killed ends soon, and then only this process lives. */
void steps_slots_are_free(void)
{
    struct kill_clock clock;
    unsigned n;
    kill_clock_start(&clock);
    while ((n = slots_take_all()) != MP__SLOTS - 1)
        if (!kill_clock_tick(&clock, STEPS_BOUND))
            fail_msg("%u slots are free in the end", n);
}

static int return_7(void *unused)
{
    (void)unused;
    return 7;
}

static int use_a_lock(void *unused)
{
    (void)unused;
    mp_lock *lock;
    check(mp_lock_create(&lock) == 0);
    atomic_store(&steps_stage->object, (uintptr_t)lock);
    mp_lock_destroy(lock);
    atomic_store(&steps_stage->object, 0);
    return 7;
}

static int sleep_for_ever(void *unused)
{
    (void)unused;
    (void)pause();
    return 0;
}

static mp_process *start(mp_target *target)
{
    mp_process *process;
    check(mp_process_create(&process, target, NULL, 0, NULL) == 0);
    check(mp_process_start(process) == 0);
    return process;
}

static int join(mp_process *process)
{
    int code = 0;
    check(mp_process_join(process, MP_FOREVER) == 0);
    check(mp_process_exitcode(process, &code) == 1);
    mp_process_destroy(process);
    return code;
}

static void start_and_join(void)
{
    check(join(start(return_7)) == 7);
}

static void start_one_that_may_die(void)
{
    int code = join(start(use_a_lock));
    check(code == (atomic_load(&steps_stage->died) ? -SIGKILL : 7));
}

/* Its parent sweeps up after it, and wakes heirs. */
static void start_and_kill(void)
{
    const mp_process_options options = {.daemon = MP_DAEMON_YES};
    mp_process *process;
    check(mp_process_create(&process, sleep_for_ever, NULL, 0, &options) == 0);
    check(mp_process_start(process) == 0);
    check(mp_process_kill(process) == 0);
    check(join(process) == -SIGKILL);
}

static void enter(void)
{
    uint64_t word;
    check(mp__self_word(&word) == 0);
}

static void lock_and_slots(void)
{
    mp_lock_destroy((mp_lock *)atomic_load(&steps_stage->object));
    steps_slots_are_free();
}

static void hear(int level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static void say(void)
{
    check(mp_log_set(MP_LOG_INFO, hear, NULL) == 0);
    mp_log(MP_LOG_INFO, "a line");
    check(mp_log_set(MP_LOG_INFO, NULL, NULL) == 0);
}

const struct scenario steps_processes[] = {
    {.name = "process, the log", .actor = say, .finish = say},
    {.name = "process, start and join", .actor = start_and_join, .finish = steps_slots_are_free},
    {.name = "process, the child",
     .actor = start_one_that_may_die,
     .finish = lock_and_slots,
     .whose = IN_ITS_CHILDREN},
    {.name = "process, killed", .actor = start_and_kill, .finish = steps_slots_are_free},
    {.name = "process, entering", .actor = enter, .finish = steps_slots_are_free, .enters = true},
};
const size_t steps_processes_count = sizeof steps_processes / sizeof *steps_processes;
