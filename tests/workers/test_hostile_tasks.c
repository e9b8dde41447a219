/* Tasks that crash, leave, stop, fork, and take the floor from under their worker: each costs the
 * item that does it, at most, and the pool is complete again afterwards. */
#include "harm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mp/sharedctypes.h>
#include <mp/timeout.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longer than an honest item takes on a machine that stands still for a moment: it is waited for. */
#define LIMIT 3.0
/* Longer than anything but a hang: nobody waits for it. */
#define LONG_LIMIT 30.0

/* ---- crashes -------------------------------------------------------------------------------- */

static void test_a_task_may_crash(void **state)
{
    (void)state;
    crew_survives(crash_without_core, 0, MP_EDIED, "killed by SIGSEGV");
    crew_survives(crash_without_core, LONG_LIMIT, MP_EDIED, "killed by SIGSEGV");
}

static char core_directory[] = "/tmp/libmp-core-XXXXXX";

static int crash_with_core(void)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_CORE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    check(setrlimit(RLIMIT_CORE, &limit) == 0);
    check(chdir(core_directory) == 0);
    return crash();
}

/* Gives the bytes that the files of the directory take on the disk, and removes it. */
static long long remove_core_directory(void)
{
    long long bytes = 0;
    struct stat status;
    DIR *directory = opendir(core_directory);
    check(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        check(fstatat(dirfd(directory), entry->d_name, &status, 0) == 0);
        bytes += (long long)status.st_blocks * 512;
        check(unlinkat(dirfd(directory), entry->d_name, 0) == 0);
    }
    check(closedir(directory) == 0 && rmdir(core_directory) == 0);
    return bytes;
}

/* Where the system can, the core leaves the shared memory out. */
#ifdef MP_PORTABLE
static const bool shared_memory_is_left_out = false;
#else
static const bool shared_memory_is_left_out = true;
#endif

static void test_a_task_may_crash_and_leave_a_core(void **state)
{
    (void)state;
    enum { SHARED = 64 << 20 };
    struct rlimit limit;
    void *shared;
    support_time_limit(100); /* disks may be slow */
    check(getrlimit(RLIMIT_CORE, &limit) == 0);
    if (limit.rlim_max != RLIM_INFINITY)
        print_message("cores are limited to %llu bytes here\n", (unsigned long long)limit.rlim_max);
    assert_mp_result(mp_raw_alloc(&shared, SHARED), 0);
    memset(shared, 1, SHARED);
    check(mkdtemp(core_directory) != NULL);
    crew_survives(crash_with_core, LONG_LIMIT, MP_EDIED, "killed by SIGSEGV");
    long long bytes = remove_core_directory();
    if (bytes == 0)
        print_message("no core was written here\n");
    check(bytes < SHARED || !shared_memory_is_left_out);
    mp_raw_free(shared);
}

static int give_up(void)
{
    leave_no_core();
    (void)signal(SIGABRT, SIG_DFL);
    abort();
}

static void test_a_task_may_abort(void **state)
{
    (void)state;
    crew_survives(give_up, 0, MP_EDIED, "killed by SIGABRT");
}

static void test_a_task_may_be_killed(void **state)
{
    (void)state;
    crew_survives(be_killed, 0, MP_EDIED, "killed by SIGKILL");
}

/* ---- ways to leave -------------------------------------------------------------------------- */

static int call_exit(void)
{
    exit(73);
}

static int call_exit_at_once(void)
{
    _exit(74);
}

static void test_a_task_may_exit(void **state)
{
    (void)state;
    crew_survives(call_exit, 0, MP_EDIED, "[^0-9]*73");
    crew_survives(call_exit_at_once, 0, MP_EDIED, "[^0-9]*74");
}

static int leave_thread(void)
{
    pthread_exit(NULL);
}

/* The last thread's end is the process's. In the portable form a worker has one more, and lives on
 * to its deadline. */
static void test_a_task_may_end_its_thread(void **state)
{
    (void)state;
#ifdef MP_PORTABLE
    crew_survives(leave_thread, LIMIT, MP_EDEADLINE, NULL);
#else
    crew_survives(leave_thread, LONG_LIMIT, MP_EDIED, "[^0-9]*0");
#endif
}

static void *end_process(void *arg)
{
    (void)arg;
    _exit(75);
}

static int leave_by_another_thread(void)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, end_process, NULL) == 0);
    for (;;)
        (void)pause();
}

static void test_a_thread_of_a_task_may_exit(void **state)
{
    (void)state;
    crew_survives(leave_by_another_thread, 0, MP_EDIED, "[^0-9]*75");
}

/* ---- under a deadline ----------------------------------------------------------------------- */

static int stop_itself(void)
{
    return kill(getpid(), SIGSTOP);
}

static void test_a_task_that_stops_is_ended_at_its_deadline(void **state)
{
    (void)state;
    crew_survives(stop_itself, LIMIT, MP_EDEADLINE, NULL);
}

static int block_all_signals_and_stay(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    check(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0);
    for (;;)
        (void)pause();
}

static void test_a_task_that_blocks_all_signals_is_ended_at_its_deadline(void **state)
{
    (void)state;
    crew_survives(block_all_signals_and_stay, LIMIT, MP_EDEADLINE, NULL);
}

static int block_all_signals(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    return pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static void test_a_task_may_leave_all_signals_blocked(void **state)
{
    (void)state;
    crew_survives(block_all_signals, 0, 0, NULL);
}

/* ---- children of its own -------------------------------------------------------------------- */

/* The child returns from the task as if it were the worker; the worker sees it end. */
static int fork_and_return_in_both(void)
{
    int status;
    pid_t child = fork();
    check(child >= 0);
    if (child == 0)
        return 0;
    check(waitpid(child, &status, 0) == child);
    return 0;
}

static void test_a_forked_child_of_a_task_is_no_worker(void **state)
{
    (void)state;
    crew_survives(fork_and_return_in_both, 0, 0, NULL);
}

/* The worker dies; the child returns from the task when that is over. */
static int die_and_have_the_child_return(void)
{
    pid_t worker = getpid(), child = fork();
    check(child >= 0);
    if (child > 0)
        return be_killed();
    atomic_store(&crew_notes()->guest, (int)getpid());
    while (getppid() == worker)
        mp_sleep(0.001);
    return 0;
}

static bool goes(pid_t pid)
{
    char path[64], line[256];
    double end = clock_seconds() + 20;
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    while (clock_seconds() < end) {
        FILE *file = fopen(path, "r");
        size_t n = file != NULL ? fread(line, 1, sizeof line - 1, file) : 0;
        if (file != NULL)
            (void)fclose(file);
        line[n] = '\0';
        const char *name_end = strrchr(line, ')');
        if (name_end == NULL || name_end[2] == 'Z' || name_end[2] == 'X')
            return true;
        mp_sleep(0.001);
    }
    return false;
}

static void test_nor_is_it_when_the_worker_has_died(void **state)
{
    (void)state;
    struct crew crew = crew_start(die_and_have_the_child_return, 0);
    for (int time = 0; time < 2; time++) {
        crew_map(&crew, MP_EDIED, "killed by SIGKILL");
        crew_is_complete(&crew);
        while (atomic_load(&crew.notes->guest) == 0)
            mp_sleep(0.001);
        check(goes((pid_t)atomic_load(&crew.notes->guest)));
    }
    crew_end(&crew);
}

static int leave_a_guest(void)
{
    pid_t child = fork();
    check(child >= 0);
    while (child == 0)
        (void)pause();
    atomic_store(&crew_notes()->guest, (int)child);
    return 0;
}

/* Nobody waits for it, not even the end of the pool, and it is left alone. */
static void test_a_child_of_a_task_may_stay(void **state)
{
    (void)state;
    pid_t guests[2];
    struct crew crew = crew_start(leave_a_guest, 0);
    for (int time = 0; time < 2; time++) {
        crew_map(&crew, 0, NULL);
        guests[time] = (pid_t)atomic_load(&crew.notes->guest);
        crew_is_complete(&crew);
    }
    crew_end(&crew);
    for (int time = 0; time < 2; time++)
        check(kill(guests[time], SIGKILL) == 0);
}

/* ---- the floor under the worker ------------------------------------------------------------- */

static int close_every_descriptor(void)
{
    for (int fd = 0; fd < 4096; fd++)
        (void)close(fd);
    return 0;
}

static void test_a_task_may_close_every_descriptor(void **state)
{
    (void)state;
    crew_survives(close_every_descriptor, 0, 0, NULL);
}

static int close_every_descriptor_and_crash(void)
{
    (void)close_every_descriptor();
    return crash_without_core();
}

static void test_a_task_may_crash_after_that(void **state)
{
    (void)state;
    crew_survives(close_every_descriptor_and_crash, 0, MP_EDIED, "killed by SIGSEGV");
}

/* In their place stands something else, at which the library must not look. */
static int put_others_in_the_place_of_descriptors(void)
{
    int null = open("/dev/null", O_RDWR);
    check(null >= 0);
    for (int fd = 0; fd < 256; fd++)
        if (fd != null)
            (void)dup2(null, fd);
    return 0;
}

static void test_a_task_may_replace_every_descriptor(void **state)
{
    (void)state;
    crew_survives(put_others_in_the_place_of_descriptors, 0, 0, NULL);
}

static int go_elsewhere(void)
{
    return chdir("/");
}

static void test_a_task_may_change_its_directory(void **state)
{
    (void)state;
    char before[4096], after[4096];
    check(getcwd(before, sizeof before) != NULL);
    crew_survives(go_elsewhere, 0, 0, NULL);
    check(getcwd(after, sizeof after) != NULL && strcmp(before, after) == 0);
}

static int signal_its_parent(void)
{
    static const int asked[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        check(kill(getppid(), asked[i]) == 0);
    return 0;
}

/* Ctrl-C goes to all processes of a group; the one that looks after the workers stays. */
static void test_a_task_may_ask_its_parent_to_end(void **state)
{
    (void)state;
    crew_survives(signal_its_parent, 0, 0, NULL);
}

/* ---- an array ------------------------------------------------------------------------------- */

static int square_or_crash(const void *item, void *result, void *context)
{
    int i = *(const int *)item;
    if (i == *(const int *)context)
        return crash_without_core();
    *(int *)result = i * i;
    return 0;
}

static void test_a_task_over_an_array_may_crash(void **state)
{
    (void)state;
    enum { N = 1000, CRASHES = 613 };
    static int numbers[N], squares[N], status[N];
    const mp_map_options options = {.chunksize = 100,
                                    .status = status,
                                    .context = &(int){CRASHES},
                                    .context_size = sizeof(int)};
    struct crew crew = crew_start(crash_without_core, 0);
    for (int i = 0; i < N; i++)
        numbers[i] = i;
    assert_mp_error(mp_pool_map_array(crew.pool, square_or_crash, numbers, N, sizeof *numbers,
                                      squares, sizeof *squares, &options),
                    MP_EDIED);
    check(strstr(mp_error_detail(), " killed by SIGSEGV while running item 613") != NULL);
    for (int i = 0; i < N; i++) {
        check(status[i] == (i == CRASHES ? MP_EDIED : 0));
        check(i == CRASHES || squares[i] == i * i);
    }
    crew_is_complete(&crew);
    crew_end(&crew);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a task may crash", test_a_task_may_crash),
        support_test("a task may crash and leave a core", test_a_task_may_crash_and_leave_a_core),
        support_test("a task may abort", test_a_task_may_abort),
        support_test("a task may be killed", test_a_task_may_be_killed),
        support_test("a task may exit", test_a_task_may_exit),
        support_test("a task may end its thread", test_a_task_may_end_its_thread),
        support_test("a thread of a task may exit", test_a_thread_of_a_task_may_exit),
        support_test("a task that stops is ended at its deadline",
                     test_a_task_that_stops_is_ended_at_its_deadline),
        support_test("a task that blocks all signals is ended at its deadline",
                     test_a_task_that_blocks_all_signals_is_ended_at_its_deadline),
        support_test("a task may leave all signals blocked",
                     test_a_task_may_leave_all_signals_blocked),
        support_test("a forked child of a task is no worker",
                     test_a_forked_child_of_a_task_is_no_worker),
        support_test("nor is it when the worker has died", test_nor_is_it_when_the_worker_has_died),
        support_test("a child of a task may stay", test_a_child_of_a_task_may_stay),
        support_test("a task may close every descriptor", test_a_task_may_close_every_descriptor),
        support_test("a task may crash after that", test_a_task_may_crash_after_that),
        support_test("a task may replace every descriptor",
                     test_a_task_may_replace_every_descriptor),
        support_test("a task may change its directory", test_a_task_may_change_its_directory),
        support_test("a task may ask its parent to end", test_a_task_may_ask_its_parent_to_end),
        support_test("a task over an array may crash", test_a_task_over_an_array_may_crash),
    };
    return support_run_processes("hostile tasks", tests);
}
