/* Nothing is left of a whole group that is killed at once, nor of children without their parent. */
#include "kill/harness.h"

#include <mp/mp.h>

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 200, CHILDREN = 3 };

struct scene {
    atomic_int ready, over; /* it is never over */
    _Atomic int32_t child[CHILDREN];
};

static struct scene *scene;

/* ---- what a group does ----------------------------------------------------------------------- */

struct things {
    mp_lock *lock;
    mp_condition *condition;
    mp_array *array;
};

static int work(void *arg)
{
    const struct things *things = arg;
    atomic_fetch_add(&scene->ready, 1);
    for (unsigned i = 0; !atomic_load(&scene->over); i++) {
        (void)mp_condition_acquire(things->condition, MP_FOREVER);
        (void)mp_condition_notify_all(things->condition);
        (void)mp_condition_wait(things->condition, 0.001);
        (void)mp_condition_release(things->condition);
        MP_WITH_LOCK(things->lock) {
            MP_ARRAY(char, things->array)[i % 100000]++;
        }
        void *block = NULL;
        (void)mp_raw_alloc(&block, 1 + i * 4097 % 300000);
        mp_raw_free(block);
    }
    return 0;
}

/* Ordinary or daemonic children, and the group's leader works along. */
static int lead(void *daemonic)
{
    static struct things things;
    const mp_process_options options = {.daemon = daemonic != NULL ? MP_DAEMON_YES : MP_DAEMON_NO};
    check(setpgid(0, 0) == 0);
    check(mp_lock_create(&things.lock) == 0);
    check(mp_condition_create(&things.condition, NULL) == 0);
    check(mp_array_create(&things.array, 'b', 100000, NULL) == 0);
    for (int i = 0; i < CHILDREN; i++) {
        mp_process *process;
        check(mp_process_create(&process, work, &things, 0, &options) == 0);
        check(mp_process_start(process) == 0);
        atomic_store(&scene->child[i], mp_process_pid(process));
    }
    return work(&things);
}

static pid_t group_start(bool daemonic)
{
    memset((void *)scene, 0, sizeof *scene);
    pid_t leader = child_fork(lead, daemonic ? scene : NULL);
    struct kill_clock clock;
    kill_clock_start(&clock);
    while (atomic_load(&scene->ready) <= CHILDREN)
        assert_true(kill_clock_tick(&clock, 10));
    return leader;
}

/* ---- what is left of it ---------------------------------------------------------------------- */

static bool names_pid(const char *name, pid_t pid)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%ld", (long)pid);
    for (const char *at = name; (at = strstr(at, digits)) != NULL; at++)
        if ((at == name || !isdigit((unsigned char)at[-1])) && !isdigit((unsigned char)at[n]))
            return true;
    return false;
}

static int names_of(const char *folder, pid_t pid)
{
    int count = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += names_pid(entry->d_name, pid);
    (void)closedir(dir);
    return count;
}

static int names_left(pid_t leader)
{
    int count = names_of("/dev/shm", leader) + names_of("/tmp", leader);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = (pid_t)atomic_load(&scene->child[i]);
        count += names_of("/dev/shm", pid) + names_of("/tmp", pid);
    }
    return count;
}

/* The orphans come to this process, which reaps them; how many did not end in time is returned. */
static int children_left(double limit, double *last)
{
    struct kill_clock clock;
    int left = CHILDREN;
    kill_clock_start(&clock);
    while (left > 0) {
        while (left > 0 && waitpid(-1, NULL, WNOHANG) > 0)
            left--;
        if (left > 0 && !kill_clock_tick(&clock, limit))
            break;
    }
    if (clock.counted > *last)
        *last = clock.counted;
    return left;
}

static void rounds_run(bool daemonic, bool whole_group)
{
    int clean = 0, processes = 0, names = 0;
    double last = 0;
    kill_prepare();
    (void)kill_count(1000);
    if (scene == NULL)
        scene = kill_shared(sizeof *scene);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    for (int i = 0; i < ROUNDS; i++) {
        pid_t leader = group_start(daemonic);
        int before = names_left(leader);
        kill_pause(kill_rng(), 3000);
        assert_int_equal(kill(whole_group ? -leader : leader, SIGKILL), 0);
        assert_int_equal(waitpid(leader, NULL, 0), leader);
        int left = children_left(1, &last);
        (void)kill(-leader, SIGKILL);
        int more = names_left(leader) - before;
        processes += left;
        names += more;
        clean += left == 0 && more == 0;
        while (left > 0 && waitpid(-1, NULL, 0) > 0)
            left--;
    }
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
    print_message("| %-17s | clean rounds %d of %d, processes left %d, names left %d, "
                  "last child gone after %.1f ms |\n",
                  whole_group ? "group killed" : "parent killed", clean, ROUNDS, processes, names,
                  last * 1e3);
    assert_int_equal(clean, ROUNDS);
}

static void test_nothing_is_left_of_a_group_killed_at_once(void **state)
{
    (void)state;
    rounds_run(false, true);
}

static void test_daemonic_children_go_with_their_parent(void **state)
{
    (void)state;
    rounds_run(true, false);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("nothing is left of a group killed at once",
                     test_nothing_is_left_of_a_group_killed_at_once),
        support_test("daemonic children go with their parent",
                     test_daemonic_children_go_with_their_parent),
    };
    return support_run_processes("group", tests);
}
