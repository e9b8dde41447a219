/* A whole program with a manager is killed at once: no socket, no folder, no named memory and no
 * process is left of it.
 *
 * The test itself makes no manager: each program that it forks is a tree of its own, with its own
 * tracker, which must be gone as well. */
#include "kill/harness.h"
#include "managers/managers_kit.h"

#include <mp/mp.h>

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 200, CLIENTS = 2, SEGMENTS = 4, NAME_SIZE = 48 };

/* Seconds in which all must be gone. */
static const double at_most = 5;

struct scene {
    char prefix[NAME_SIZE]; /* of the names of this round's named memory */
    atomic_int ready, over; /* it is never over */
    atomic_int segments;
};

static struct scene *scene;

/* ---- what a program does --------------------------------------------------------------------- */

static mp_dict *dict;
static mp_proxy *queue;

/* A new one of named memory, which may stay. */
static void make_segment(void)
{
    char name[NAME_SIZE + 16];
    mp_shared_memory *memory;
    (void)snprintf(name, sizeof name, "%s%d", scene->prefix, atomic_fetch_add(&scene->segments, 1));
    assert_mp_result(mp_shared_memory_create(&memory, name, 4096), 0);
    memset(mp_shared_memory_buf(memory), 1, 4096);
    if (atomic_load(&scene->segments) > SEGMENTS)
        assert_mp_result(mp_shared_memory_unlink(memory), 0);
    mp_shared_memory_destroy(memory);
}

/* Where the server is the first to die, the others need not say so. */
static void stay_if_dead(int rc)
{
    if (rc != MP_EDIED)
        assert_mp_ok(rc);
    while (rc == MP_EDIED)
        (void)pause();
}

static int work(void *unused)
{
    (void)unused;
    atomic_fetch_add(&scene->ready, 1);
    for (int i = 0; !atomic_load(&scene->over); i++) {
        mp_list *list = NULL;
        stay_if_dead(mp_manager_list(manager, MP_LIST(1, 2), &list));
        stay_if_dead(mp_dict_set(dict, MP(i % 10), mp_obj_proxy(mp_list_proxy(list))));
        mp_list_destroy(list);
        stay_if_dead(call(queue, "put", MP_TUPLE(i)));
        stay_if_dead(call(queue, "get", MP_NONE));
        make_segment();
    }
    return 0;
}

/* Made in the server by its clients: it has named memory too. */
static int make_memory(void **self, mp_obj args, mp_obj kwargs)
{
    (void)self;
    (void)args;
    (void)kwargs;
    make_segment();
    return 0;
}

static const mp_managed_method no_methods[] = {{0}};
static const mp_managed_type memory_type = {.create = make_memory, .methods = no_methods};

static int lead(void *unused)
{
    (void)unused;
    (void)setpgid(0, 0);
    assert_mp_result(mp_manager_register("Memory", &memory_type), 0);
    manager = new_manager();
    dict = new_dict(manager, MP_NONE);
    queue = new_proxy(manager, "Queue", MP_NONE);
    (void)new_proxy(manager, "Memory", MP_NONE);
    for (int i = 0; i < CLIENTS; i++) {
        mp_process *process;
        assert_mp_result(mp_process_create(&process, work, NULL, 0, NULL), 0);
        assert_mp_result(mp_process_start(process), 0);
    }
    return work(NULL);
}

/* ---- what is left of it ---------------------------------------------------------------------- */

static int segments_left(void)
{
    int count = 0;
    DIR *names = opendir("/dev/shm");
    if (names == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(names)) != NULL;)
        count += strncmp(entry->d_name, scene->prefix, strlen(scene->prefix)) == 0;
    (void)closedir(names);
    return count;
}

/* The orphans come to this process, which reaps them, the tracker among them. */
static bool all_reaped(void)
{
    pid_t ended;
    while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
        ;
    return ended < 0;
}

struct remains {
    int processes, names, segments;
    double last; /* seconds until all was gone, the longest of the rounds */
};

/* True if there are none. */
static bool remains_of_round(struct remains *remains)
{
    struct kill_clock clock;
    bool reaped;
    kill_clock_start(&clock);
    while ((!(reaped = all_reaped()) || managers_names() > 0 || segments_left() > 0) &&
           kill_clock_tick(&clock, at_most))
        ;
    int names = managers_names(), segments = segments_left();
    remains->processes += !reaped;
    remains->names += names;
    remains->segments += segments;
    remains->last = clock.counted > remains->last ? clock.counted : remains->last;
    return reaped && names == 0 && segments == 0;
}

/* Some are killed on their way to what they are, the others at work. */
static void choose_the_moment(int round)
{
    struct kill_clock clock;
    if (round % 3 == 0) {
        kill_pause(kill_rng(), 20000);
        return;
    }
    kill_clock_start(&clock);
    while (atomic_load(&scene->ready) <= CLIENTS)
        assert_true(kill_clock_tick(&clock, 20));
    kill_pause(kill_rng(), 5000);
}

static void rounds_run(const char *name, bool whole_group)
{
    int clean = 0, at_work = 0;
    struct remains remains = {.processes = 0};
    support_time_limit(300);
    kill_prepare();
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    for (int i = 0; i < ROUNDS; i++) {
        memset((void *)scene, 0, sizeof *scene);
        (void)snprintf(scene->prefix, sizeof scene->prefix, "libmp-test-%ld-%d-", (long)getpid(),
                       i);
        pid_t leader = child_fork(lead, NULL);
        (void)setpgid(leader, leader);
        choose_the_moment(i);
        at_work += atomic_load(&scene->ready) > CLIENTS;
        assert_int_equal(kill(whole_group ? -leader : leader, SIGKILL), 0);
        assert_int_equal(waitpid(leader, NULL, 0), leader);
        if (!whole_group)
            (void)kill(-leader, SIGKILL); /* the clients, which go on; the server may be gone */
        clean += remains_of_round(&remains);
        (void)kill(-leader, SIGKILL);
    }
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
    print_message("| %-17s | clean rounds %d of %d, %d of them killed at work, left: processes %d, "
                  "names %d, segments %d, last gone after %.1f ms |\n",
                  name, clean, ROUNDS, at_work, remains.processes, remains.names, remains.segments,
                  remains.last * 1e3);
    assert_int_equal(clean, ROUNDS);
    assert_true(at_work >= ROUNDS / 2);
}

static void test_nothing_is_left_of_a_program_killed_at_once(void **state)
{
    (void)state;
    rounds_run("program killed", true);
}

static void test_nothing_is_left_of_one_whose_first_process_is_killed_first(void **state)
{
    (void)state;
    rounds_run("first process", false);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        manager_test("nothing is left of a program killed at once",
                     test_nothing_is_left_of_a_program_killed_at_once),
        manager_test("nothing is left of one whose first process is killed first",
                     test_nothing_is_left_of_one_whose_first_process_is_killed_first),
    };
    scene = kill_shared(sizeof *scene);
    support_begin();
    managers_begin();
    return managers_end(cmocka_run_group_tests_name("manager's group", tests, NULL, NULL));
}
