/* Who passes for dead: corpses do; the stopped, the exec'ed and those who closed all do not. */
#include "kill/harness.h"

#include <mp/mp.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    atomic_int ready;
    _Atomic mp__owner owner;
};

static struct scene *scene;
static mp_lock *lock;

static void scene_begin(void)
{
    if (scene == NULL)
        scene = kill_shared(sizeof *scene);
    atomic_store(&scene->ready, 0);
    assert_mp_ok(mp_lock_create(&lock));
}

static void scene_end(void)
{
    mp_lock_destroy(lock);
}

/* Takes the lock, says so, and goes on as `then` has it. */
static int hold_and(void *then)
{
    check(mp_lock_acquire(lock, MP_FOREVER) >= 0);
    atomic_store(&scene->owner, mp__self_owner());
    if (then != NULL)
        ((void (*)(void))(uintptr_t)then)();
    atomic_store(&scene->ready, 1);
    (void)pause();
    return 0;
}

static pid_t holder_start(void (*then)(void))
{
    scene_begin();
    pid_t pid = child_fork(hold_and, (void *)(uintptr_t)then);
    assert_true(kill_await(&scene->ready));
    return pid;
}

/* Who gave its byte of the life file up, knowing or not, is known by its start time alone. */
static void need_start_times(void)
{
    uint64_t start;
    if (mp__process_trace(getpid(), &start) == MP__TRACE_RUNS)
        return;
    print_message("start times of processes cannot be read here\n");
    skip();
}

/* Its lock is its own, and it is not dead. */
static void assert_alive(void)
{
    assert_false(mp__dead(atomic_load(&scene->owner)));
    assert_mp_error(mp_lock_acquire(lock, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_error(mp_lock_acquire(lock, 0.05), MP_ETIMEOUT);
}

static void assert_dead(void)
{
    assert_true(mp__dead(atomic_load(&scene->owner)));
    assert_mp_result(mp_lock_acquire(lock, MP_NOWAIT), MP_RECOVERED);
    assert_mp_result(mp_lock_release(lock), 0);
}

static void end_holder(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_dead(); /* a corpse */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(mp__dead(atomic_load(&scene->owner)));
    scene_end();
}

static void test_one_that_runs_is_alive_and_a_corpse_is_dead(void **state)
{
    (void)state;
    pid_t pid = holder_start(NULL);
    assert_alive();
    end_holder(pid);
}

static void test_a_stopped_process_is_alive(void **state)
{
    (void)state;
    pid_t pid = holder_start(NULL);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
    assert_alive();
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_alive();
    end_holder(pid);
}

static void close_all(void)
{
    for (int fd = 0; fd < 1024; fd++)
        (void)close(fd);
}

static void test_one_that_closed_all_descriptors_is_alive(void **state)
{
    (void)state;
    need_start_times();
    pid_t pid = holder_start(close_all);
    assert_alive();
    end_holder(pid);
}

static void become_another_program(void)
{
    char *const arguments[] = {(char *)(uintptr_t) "sleep", (char *)(uintptr_t) "1000", NULL};
    atomic_store(&scene->ready, 1);
    (void)execv("/bin/sleep", arguments);
    check(false);
}

static void await_program(pid_t pid, const char *wanted)
{
    struct kill_clock clock;
    char path[64], name[32];
    kill_clock_start(&clock);
    do {
        (void)snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        name[0] = '\0';
        if (fgets(name, sizeof name, file) != NULL)
            name[strcspn(name, "\n")] = '\0';
        (void)fclose(file);
        assert_true(kill_clock_tick(&clock, KILL_HANG_SECONDS));
    } while (strcmp(name, wanted) != 0);
}

static void test_one_that_became_another_program_is_alive(void **state)
{
    (void)state;
    need_start_times();
    pid_t pid = holder_start(become_another_program);
    await_program(pid, "sleep");
    assert_alive();
    end_holder(pid);
}

static void *stay(void *unused)
{
    (void)unused;
    (void)pause();
    return NULL;
}

/* The first thread ends; the process shows as a zombie, and is none. */
static void leave_a_thread_behind(void)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, stay, NULL) == 0);
    close_all(); /* the byte lock is not to be what tells */
    atomic_store(&scene->ready, 1);
    pthread_exit(NULL);
}

static char state_of(pid_t pid)
{
    char path[64], text[512] = "";
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    (void)fclose(file);
    const char *end = strrchr(text, ')');
    assert_non_null(end);
    return end[2];
}

static void test_one_whose_first_thread_ended_is_alive(void **state)
{
    (void)state;
    struct kill_clock clock;
    need_start_times();
    pid_t pid = holder_start(leave_a_thread_behind);
    kill_clock_start(&clock);
    while (state_of(pid) != 'Z')
        assert_true(kill_clock_tick(&clock, KILL_HANG_SECONDS));
    assert_alive();
    end_holder(pid);
}

/* The looker's own descriptor may be gone too, and another file may have its number. */
static void test_a_looker_that_lost_its_descriptor_kills_nobody(void **state)
{
    (void)state;
    pid_t pid = holder_start(NULL);
    int fds[128], n = 0;
    pid_t looker = fork();
    if (looker == 0) {
        close_all();
        while (n < 128 && (fds[n] = open("/dev/null", O_RDWR)) >= 0)
            n++;
        bool wrong =
            mp__dead(atomic_load(&scene->owner)) || mp_lock_acquire(lock, 0.05) != MP_ETIMEOUT;
        _exit(wrong);
    }
    assert_int_equal(child_wait(looker), 0);
    assert_alive();
    end_holder(pid);
}

static void test_a_looker_without_free_descriptors_kills_nobody(void **state)
{
    (void)state;
    need_start_times();
    pid_t pid = holder_start(close_all);
    pid_t looker = fork();
    if (looker == 0) {
        uint64_t word;
        const struct rlimit none = {0, 0};
        bool wrong = mp__self_word(&word) != 0 || setrlimit(RLIMIT_NOFILE, &none) != 0 ||
                     mp__dead(atomic_load(&scene->owner)) ||
                     mp_lock_acquire(lock, 0.05) != MP_ETIMEOUT;
        _exit(wrong);
    }
    assert_int_equal(child_wait(looker), 0);
    assert_alive();
    end_holder(pid);
}

/* ---- numbers that are used again -------------------------------------------------------------- */

static int last_pid_set(pid_t pid)
{
    char text[32];
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int n = snprintf(text, sizeof text, "%ld", (long)pid);
    ssize_t written = write(fd, text, (size_t)n);
    (void)close(fd);
    return written == n ? 0 : -1;
}

static int idle(void *unused)
{
    (void)unused;
    (void)pause();
    return 0;
}

static pid_t fork_with_number(pid_t wanted)
{
    for (int i = 0; i < 50; i++) {
        if (last_pid_set(wanted - 1) != 0)
            return -1;
        pid_t pid = child_fork(idle, NULL);
        if (pid == wanted)
            return pid;
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    return -1;
}

static void test_another_process_with_the_number_of_the_dead_is_not_it(void **state)
{
    (void)state;
    need_start_times();
    pid_t pid = holder_start(NULL);
    kill_nap(30000); /* start times are counted in hundredths of a second */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    pid_t other = fork_with_number(pid);
    if (other < 0) {
        scene_end();
        print_message("process numbers cannot be chosen here\n");
        skip();
    }
    assert_dead();
    assert_int_equal(kill(other, SIGKILL), 0);
    assert_int_equal(waitpid(other, NULL, 0), other);
    scene_end();
}

/* A slot that is used again names nobody who had it before. */
static void test_who_had_a_slot_before_is_dead(void **state)
{
    (void)state;
    static mp__owner owner[MP__SLOTS];
    unsigned n = 0;
    while (n < MP__SLOTS && mp__life_take(mp__self_owner(), &owner[n]) == 0)
        n++;
    assert_true(n > 4000);
    for (unsigned i = 0; i < n; i++) {
        mp__owner again;
        assert_false(mp__dead(owner[i]));
        mp__life_release(owner[i]);
        assert_true(mp__dead(owner[i]) && mp__gone(owner[i]));
        assert_mp_ok(mp__life_take(mp__self_owner(), &again));
        assert_int_equal(again % MP__SLOTS, owner[i] % MP__SLOTS);
        assert_true(again != owner[i] && mp__dead(owner[i]) && !mp__dead(again));
        owner[i] = again;
    }
    for (unsigned i = 0; i < n; i++)
        mp__life_release(owner[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("one that runs is alive and a corpse is dead",
                     test_one_that_runs_is_alive_and_a_corpse_is_dead),
        support_test("a stopped process is alive", test_a_stopped_process_is_alive),
        support_test("one that closed all descriptors is alive",
                     test_one_that_closed_all_descriptors_is_alive),
        support_test("one that became another program is alive",
                     test_one_that_became_another_program_is_alive),
        support_test("one whose first thread ended is alive",
                     test_one_whose_first_thread_ended_is_alive),
        support_test("a looker that lost its descriptor kills nobody",
                     test_a_looker_that_lost_its_descriptor_kills_nobody),
        support_test("a looker without free descriptors kills nobody",
                     test_a_looker_without_free_descriptors_kills_nobody),
        support_test("another process with the number of the dead is not it",
                     test_another_process_with_the_number_of_the_dead_is_not_it),
        support_test("who had a slot before is dead", test_who_had_a_slot_before_is_dead),
    };
    return support_run_processes("signs of life", tests);
}
