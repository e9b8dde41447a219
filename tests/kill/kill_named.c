/* No name of shared memory is left of a whole group that is killed at once, nor any tracker. */
#include "kill/harness.h"
#include "support/trees.h"

#include <mp/shared_memory.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 200, MEMBERS = 3, NAMES = 6, TRACKER_BOUND = 10 };

/* Who has its sending end is of the group, or a tracker of it: it is their standard error. */
static struct signal_pipe group_pipe;
static atomic_uint *begun;

struct round {
    bool tracked;
    bool one_tracker; /* started before the members are, by all of whom it is shared */
};

static const char *group_name(pid_t leader, uint64_t number)
{
    static char name[64];
    (void)snprintf(name, sizeof name, "mp_group.%ld.%d", (long)leader, (int)number);
    return name;
}

/* ---- what a member does ---------------------------------------------------------------------- */

/* Others have made, removed or not yet filled what has the name: all of that is as it should be. */
static void turn(struct rng *rng, pid_t leader, bool tracked)
{
    const char *name = group_name(leader, rng_below(rng, NAMES));
    mp_shared_memory *block = NULL;
    int rc = rng_below(rng, 3) > 0 ? mp_shared_memory_create(&block, name, 1 + rng_below(rng, 9000))
                                   : mp_shared_memory_attach(&block, name);
    check(rc == 0 || rc == -EEXIST || rc == -ENOENT || rc == MP_EINVAL);
    if (rc != 0)
        return;
    if (!tracked)
        check(mp_shared_memory_track(block, false) == 0);
    *(volatile char *)mp_shared_memory_buf(block) = 1;
    if (rng_below(rng, 2) == 0) {
        rc = mp_shared_memory_unlink(block);
        check(rc == 0 || rc == -ENOENT);
    }
    mp_shared_memory_destroy(block);
}

static _Noreturn void work(struct rng rng, pid_t leader, bool tracked)
{
    atomic_fetch_add(begun, 1);
    for (;;)
        turn(&rng, leader, tracked);
}

static int lead(void *arg)
{
    const struct round *round = arg;
    pid_t leader = getpid();
    check(setpgid(0, 0) == 0);
    check(dup2(group_pipe.write_fd, STDERR_FILENO) == STDERR_FILENO);
    pipe_close(&group_pipe);
    if (round->one_tracker)
        trees_begin();
    for (int i = 1; i < MEMBERS; i++) {
        struct rng rng = rng_start(rng_next(kill_rng()));
        pid_t pid = fork();
        check(pid >= 0);
        if (pid == 0)
            work(rng, leader, round->tracked);
    }
    work(*kill_rng(), leader, round->tracked);
}

/* ---- what is left of it ---------------------------------------------------------------------- */

static int names_remove(pid_t leader)
{
    char prefix[64];
    int count = 0;
    DIR *names = opendir("/dev/shm");
    check(names != NULL);
    (void)snprintf(prefix, sizeof prefix, "mp_group.%ld.", (long)leader);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;) {
        char path[300];
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        (void)snprintf(path, sizeof path, "/%s", entry->d_name);
        count += shm_unlink(path) == 0;
    }
    (void)closedir(names);
    return count;
}

/* True once nobody has the other end of the pipe, and with it no tracker is left. */
static bool trackers_end(double *last)
{
    char text[1024];
    bool ended = false;
    struct kill_clock clock;
    struct pollfd item = {.fd = group_pipe.read_fd, .events = POLLIN};
    kill_clock_start(&clock);
    while (!ended) {
        ssize_t n = 1;
        if (poll(&item, 1, 0) == 1)
            n = read(group_pipe.read_fd, text, sizeof text - 1);
        ended = n <= 0;
        if (!ended && !kill_clock_tick(&clock, TRACKER_BOUND))
            break;
    }
    if (clock.counted > *last)
        *last = clock.counted;
    return ended;
}

struct outcome {
    int clean, names, trackers;
    double last;
};

static void round_run(const struct round *round, struct outcome *outcome)
{
    struct kill_clock clock;
    atomic_store(begun, 0);
    pipe_open(&group_pipe);
    (void)rng_next(kill_rng());
    pid_t leader = child_fork(lead, (void *)(uintptr_t)round);
    check(close(group_pipe.write_fd) == 0);
    group_pipe.write_fd = -1;
    kill_clock_start(&clock);
    while (atomic_load(begun) < MEMBERS)
        assert_true(kill_clock_tick(&clock, 10));
    kill_pause(kill_rng(), 5000);
    assert_int_equal(kill(-leader, SIGKILL), 0);
    assert_int_equal(waitpid(leader, NULL, 0), leader);
    bool ended = trackers_end(&outcome->last);
    int names = names_remove(leader);
    pipe_close(&group_pipe);
    outcome->clean += ended && names == 0;
    outcome->trackers += !ended;
    outcome->names += names;
}

static void rounds_run(const char *what, bool tracked, struct outcome *outcome)
{
    *outcome = (struct outcome){0};
    kill_prepare();
    (void)kill_count(1000);
    if (begun == NULL)
        begun = kill_shared(sizeof *begun);
    for (int i = 0; i < ROUNDS; i++) {
        const struct round round = {.tracked = tracked, .one_tracker = i % 2 == 0};
        round_run(&round, outcome);
    }
    print_message("| %-17s | clean rounds %d of %d, names left %d, trackers left %d, "
                  "last one gone after %.1f ms |\n",
                  what, outcome->clean, ROUNDS, outcome->names, outcome->trackers,
                  outcome->last * 1e3);
}

static void test_nothing_named_is_left_of_a_group_killed_at_once(void **state)
{
    (void)state;
    struct outcome outcome;
    rounds_run("named", true, &outcome);
    assert_int_equal(outcome.clean, ROUNDS);
}

static void test_without_tracking_names_are_left(void **state)
{
    (void)state;
    struct outcome outcome;
    rounds_run("named, untracked", false, &outcome);
    assert_int_equal(outcome.trackers, 0);
    assert_true(outcome.names > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("nothing named is left of a group killed at once",
                     test_nothing_named_is_left_of_a_group_killed_at_once),
        support_test("without tracking names are left", test_without_tracking_names_are_left),
    };
    return support_run("named", tests);
}
