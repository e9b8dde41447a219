/* The tracker removes what a tree of processes left, however it ended, and nothing else. */
#include "base/sanitized.h"
#include "support/support.h"
#include "support/trees.h"

#include "memory/arena.h"
#include "memory/tracker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 2000 };

static struct signal_pipe ready, go;
static pid_t runner;

/* ---- names and the things that bear them ----------------------------------------------------- */

static const char *name_of(int number)
{
    static char name[2][64];
    char *to = name[number % 2];
    (void)snprintf(to, sizeof name[0], "mp_tracker.%ld.%d", (long)runner, number);
    return to;
}

static void segment_make(int number)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/%s", name_of(number));
    int fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    check(fd >= 0);
    check(close(fd) == 0);
}

static void segment_remove(int number)
{
    char path[160];
    (void)snprintf(path, sizeof path, "/%s", name_of(number));
    (void)shm_unlink(path);
}

static void note(int number)
{
    assert_mp_ok(mp__tracker_note(MP__TRACKED_SEGMENT, name_of(number)));
}

static void forget(int number)
{
    mp__tracker_forget(MP__TRACKED_SEGMENT, name_of(number));
}

static void note_and_make(int number)
{
    note(number);
    segment_make(number);
}

static bool was_printed(const char *text)
{
    return strstr(tree_printed(), text) != NULL;
}

/* ---- what is removed ------------------------------------------------------------------------- */

static char folder[64], inner_folder[96], file[128];

static void file_make(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    check(fd >= 0);
    check(close(fd) == 0);
}

/* The folders are noted outermost first, the file before its folder is empty. */
static int leave_one_of_each(void)
{
    assert_mp_ok(mp__tracker_note(MP__TRACKED_FOLDER, folder));
    check(mkdir(folder, 0700) == 0);
    assert_mp_ok(mp__tracker_note(MP__TRACKED_FOLDER, inner_folder));
    check(mkdir(inner_folder, 0700) == 0);
    assert_mp_ok(mp__tracker_note(MP__TRACKED_FILE, file));
    file_make(file);
    note_and_make(1);
    return 0;
}

static void test_what_an_ended_process_left_is_removed_and_told(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/mp tracker:%ld\nx", (long)runner);
    (void)snprintf(inner_folder, sizeof inner_folder, "%s/inner", folder);
    (void)snprintf(file, sizeof file, "%s/file", inner_folder);
    check(tree_run(leave_one_of_each) == 0);
    check(!segment_exists(name_of(1)));
    check(access(folder, F_OK) != 0 && errno == ENOENT);
    check(was_printed("1 leaked file objects") && was_printed("2 leaked folder objects"));
    check(was_printed("1 leaked shared_memory objects"));
}

static int leave_a_segment_and_be_killed(void)
{
    note_and_make(1);
    return raise(SIGKILL);
}

static void test_what_a_killed_process_left_is_removed(void **state)
{
    (void)state;
    check(tree_run(leave_a_segment_and_be_killed) == -SIGKILL);
    check(!segment_exists(name_of(1)));
}

static int note_nothing_that_is(void)
{
    note(1);
    note(2);
    return 0;
}

static void test_a_name_that_never_came_to_be_is_no_leak(void **state)
{
    (void)state;
    check(tree_run(note_nothing_that_is) == 0);
    check(strcmp(tree_printed(), "") == 0);
}

static int leave_a_forgotten_one(void)
{
    note_and_make(1);
    note_and_make(2);
    forget(1);
    forget(3);
    return 0;
}

static void test_what_was_forgotten_stays(void **state)
{
    (void)state;
    check(tree_run(leave_a_forgotten_one) == 0);
    check(segment_exists(name_of(1)) && !segment_exists(name_of(2)));
    check(was_printed("1 leaked shared_memory objects"));
    segment_remove(1);
}

static int note_twice_forget_once(void)
{
    note_and_make(1);
    note(1);
    forget(1);
    note_and_make(2);
    note(2);
    forget(2);
    forget(2);
    return 0;
}

static void test_a_name_is_forgotten_as_often_as_it_was_noted(void **state)
{
    (void)state;
    check(tree_run(note_twice_forget_once) == 0);
    check(!segment_exists(name_of(1)) && segment_exists(name_of(2)));
    segment_remove(2);
}

static int note_many(void)
{
    for (int i = 0; i < MANY; i++)
        note(i);
    for (int i = 0; i < MANY; i++)
        if (i % 10 != 3)
            forget(i);
    for (int i = 0; i < MANY; i++)
        segment_make(i);
    return 0;
}

static void test_of_many_names_the_right_ones_go(void **state)
{
    (void)state;
    int wrong = 0;
    check(tree_run(note_many) == 0);
    for (int i = 0; i < MANY; i++) {
        wrong += segment_exists(name_of(i)) == (i % 10 == 3);
        segment_remove(i);
    }
    check(wrong == 0);
    check(was_printed("200 leaked shared_memory objects"));
}

static int note_names_at_the_limit(void)
{
    static char longest[4002];
    memset(longest, 'x', sizeof longest - 1);
    assert_mp_error(mp__tracker_note(MP__TRACKED_FILE, longest), -ENAMETOOLONG);
    mp__tracker_forget(MP__TRACKED_FILE, longest);
    longest[4000] = '\0';
    assert_mp_ok(mp__tracker_note(MP__TRACKED_FILE, longest));
    assert_mp_ok(mp__tracker_note(MP__TRACKED_SEGMENT, longest));
    note_and_make(1);
    return 0;
}

static void test_the_longest_name_fits_and_a_longer_one_is_refused(void **state)
{
    (void)state;
    check(tree_run(note_names_at_the_limit) == 0);
    check(!segment_exists(name_of(1)));
}

/* ---- when ------------------------------------------------------------------------------------ */

static int outlive_the_parent(void *unused)
{
    (void)unused;
    check(pipe_await(&ready) == 'r');
    forget(1);
    note_and_make(2);
    check(segment_exists(name_of(1)) && segment_exists(name_of(3)));
    return 0;
}

static int leave_an_orphan(void)
{
    note_and_make(1);
    note_and_make(3);
    (void)child_fork(outlive_the_parent, NULL);
    pipe_tell(&go, 'g');
    return raise(SIGKILL);
}

static void *let_the_orphan_go_on(void *unused)
{
    (void)unused;
    check(pipe_await(&go) == 'g');
    pipe_tell(&ready, 'r');
    return NULL;
}

static void test_a_name_stays_until_the_last_process_of_the_tree_has_ended(void **state)
{
    (void)state;
    pthread_t thread;
    pipe_open(&ready);
    pipe_open(&go);
    check(pthread_create(&thread, NULL, let_the_orphan_go_on, NULL) == 0);
    check(tree_run(leave_an_orphan) == -SIGKILL);
    check(pthread_join(thread, NULL) == 0);
    pipe_close(&ready);
    pipe_close(&go);
    check(segment_exists(name_of(1)));
    check(!segment_exists(name_of(2)) && !segment_exists(name_of(3)));
    segment_remove(1);
}

/* A program that a process becomes, or starts, is not of the tree: it has no end of the channel. */
static int become_another_program(void *unused)
{
    (void)unused;
    note_and_make(1);
    pipe_tell(&go, 'g');
    check(close(ready.write_fd) == 0);
    check(dup2(ready.read_fd, STDIN_FILENO) == STDIN_FILENO);
    check(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO) == STDERR_FILENO);
    (void)execlp("cat", "cat", (char *)NULL);
    return 1;
}

static void test_an_exec_leaves_the_tree(void **state)
{
    (void)state;
    pipe_open(&ready);
    pipe_open(&go);
    pid_t pid = child_fork(become_another_program, NULL);
    check(pipe_await(&go) == 'g');
    while (segment_exists(name_of(1))) /* cat waits for its input meanwhile */
        check(waitpid(pid, NULL, WNOHANG) == 0);
    pipe_close(&ready);
    pipe_close(&go);
    check(child_wait(pid) == 0);
}

static int make_everybody_wait(void)
{
    sigset_t set;
    pid_t tracker;
    note_and_make(1);
    tracker = tree_tracker();
    check(tracker > 0);
    check(getsid(tracker) != getsid(0) && getpgid(tracker) != getpgid(0));
    const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGALRM, SIGUSR1};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        check(kill(tracker, signals[i]) == 0);
    note_and_make(2);
    check(tree_tracker() == tracker);
    check(waitpid(-1, NULL, 0) < 0 && errno == ECHILD); /* it is nobody's child */
    sigemptyset(&set);
    check(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
    check(sigismember(&set, SIGTERM) == 0);
    return 0;
}

static void test_signals_do_not_end_it(void **state)
{
    (void)state;
    check(tree_run(make_everybody_wait) == 0);
    check(!segment_exists(name_of(1)) && !segment_exists(name_of(2)));
    check(!was_printed("died"));
}

static int count_descriptors_of(pid_t pid)
{
    char path[64];
    int count = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *dir = opendir(path);
    check(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    (void)closedir(dir);
    return count;
}

static int look_at_the_tracker(void)
{
    uint64_t word;
    char path[64], where[64] = "";
    check(fcntl(STDIN_FILENO, F_DUPFD, 700) >= 0);
    check(mp__self_word(&word) == 0); /* with an arena, and the descriptor of signs of life */
    note(1);
    pid_t tracker = tree_tracker();
    double end = clock_seconds() + 20;
    while (count_descriptors_of(tracker) != 4) /* it closes the others at its start */
        check(clock_seconds() < end);
    (void)snprintf(path, sizeof path, "/proc/%ld/cwd", (long)tracker);
    check(readlink(path, where, sizeof where - 1) == 1 && where[0] == '/');
    return 0;
}

static void test_it_has_nothing_open_but_its_channel_and_standard_error(void **state)
{
    (void)state;
    check(tree_run(look_at_the_tracker) == 0);
}

static long resident_pages(pid_t pid)
{
    char path[64], text[64] = "";
    long size = 0, resident = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
    int fd = open(path, O_RDONLY);
    check(fd >= 0 && read(fd, text, sizeof text - 1) > 0 && close(fd) == 0);
    check(sscanf(text, "%ld %ld", &size, &resident) == 2);
    return resident;
}

/* Large pieces, and many small ones. */
static int take_much_memory(void)
{
    enum { LARGE = 64 << 20, SMALL = 1000, SMALL_ONES = 30000 };
    const struct timespec moment = {.tv_nsec = 1000000};
    char *large = malloc(LARGE);
    check(large != NULL);
    memset(large, 1, LARGE);
    for (int i = 0; i < SMALL_ONES; i++)
        memset(malloc(SMALL), 1, SMALL);
    note_and_make(1);
    pid_t tracker = tree_tracker();
    while (resident_pages(tracker) * sysconf(_SC_PAGESIZE) >
           16 << 20) /* or the time limit ends it */
        (void)nanosleep(&moment, NULL);
    check(large[LARGE - 1] == 1);
    note_and_make(2);
    return 0;
}

static void test_it_does_not_keep_the_memory_of_the_program(void **state)
{
    (void)state;
    if (SANITIZED || mp__boot_now() == 0) {
        print_message("SKIPPED: sanitizers and the portable form leave it all in place\n");
        skip();
    }
    check(tree_run(take_much_memory) == 0);
    check(!segment_exists(name_of(1)) && !segment_exists(name_of(2)));
}

/* ---- trackers that are gone ------------------------------------------------------------------ */

static int lose_the_tracker(void)
{
    note_and_make(1);
    note_and_make(2);
    forget(2);
    tree_kill_tracker();
    forget(7); /* nobody hears it, and no signal comes of it */
    note_and_make(3);
    check(tree_tracker() > 0);
    return 0;
}

static void test_after_a_kill_the_next_note_starts_another_that_knows_all(void **state)
{
    (void)state;
    check(tree_run(lose_the_tracker) == 0);
    check(!segment_exists(name_of(1)) && segment_exists(name_of(2)) && !segment_exists(name_of(3)));
    check(was_printed("process died unexpectedly, relaunching"));
    check(was_printed("2 leaked shared_memory objects"));
    segment_remove(2);
}

static int note_in_a_child(void *unused)
{
    (void)unused;
    note_and_make(2);
    return 0;
}

/* The tracker that the child starts knows the child's names only: it ends with the child. */
static int lose_the_tracker_in_a_child(void)
{
    note_and_make(1);
    tree_kill_tracker();
    check(child_wait(child_fork(note_in_a_child, NULL)) == 0);
    while (segment_exists(name_of(2)))
        check(segment_exists(name_of(1)));
    note_and_make(3);
    return 0;
}

static void test_a_child_tells_a_new_tracker_its_own_names_only(void **state)
{
    (void)state;
    check(tree_run(lose_the_tracker_in_a_child) == 0);
    for (int i = 1; i <= 3; i++)
        check(!segment_exists(name_of(i)));
}

static int close_everything(void)
{
    note(1);
    pid_t first = tree_tracker();
    for (int fd = 3; fd < 1024; fd++)
        (void)close(fd);
    int others = open("/dev/null", O_WRONLY);
    check(fcntl(others, F_DUPFD, 64) == 64); /* the number that the channel had */
    forget(5);
    while (tree_tracker() == first) /* it has seen the end of its tree */
        ;
    note_and_make(1);
    check(tree_tracker() > 0);
    check(fcntl(64, F_GETFD) == 0);
    return 0;
}

static void test_a_program_that_closed_its_channel_gets_another(void **state)
{
    (void)state;
    check(tree_run(close_everything) == 0);
    check(!segment_exists(name_of(1)));
}

static int run_out_of_descriptors(void)
{
    int last = 0;
    for (int fd; (fd = dup(STDIN_FILENO)) >= 0; last = fd)
        ;
    assert_mp_error(mp__tracker_note(MP__TRACKED_SEGMENT, name_of(1)), -EMFILE);
    check(close(last) == 0);
    assert_mp_error(mp__tracker_note(MP__TRACKED_SEGMENT, name_of(1)), -EMFILE);
    check(close(last - 1) == 0);
    note_and_make(1);
    return 0;
}

static void test_without_descriptors_it_is_an_error_that_passes(void **state)
{
    (void)state;
    check(tree_run(run_out_of_descriptors) == 0);
    check(!segment_exists(name_of(1)));
}

/* ---- threads --------------------------------------------------------------------------------- */

static void note_and_forget(int thread)
{
    char name[64];
    (void)snprintf(name, sizeof name, "mp_tracker.%ld.thread%d", (long)runner, thread);
    assert_mp_ok(mp__tracker_note(MP__TRACKED_SEGMENT, name));
    mp__tracker_forget(MP__TRACKED_SEGMENT, name);
}

static int note_one(void *unused)
{
    (void)unused;
    assert_mp_ok(mp__tracker_note(MP__TRACKED_SEGMENT, "mp_tracker_of_a_child"));
    return 0;
}

static int note_among_threads(void)
{
    fork_among_threads(note_and_forget, note_one, 200);
    return 0;
}

static void test_a_child_forked_among_noting_threads_can_note(void **state)
{
    (void)state;
    if (SANITIZED) {
        print_message("SKIPPED: the sanitizer's allocator does not survive a fork among threads\n");
        skip();
    }
    check(tree_run(note_among_threads) == 0);
    check(strcmp(tree_printed(), "") == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("tracker: what an ended process left is removed, and told",
                     test_what_an_ended_process_left_is_removed_and_told),
        support_test("tracker: what a killed process left is removed",
                     test_what_a_killed_process_left_is_removed),
        support_test("tracker: a name that never came to be is no leak",
                     test_a_name_that_never_came_to_be_is_no_leak),
        support_test("tracker: what was forgotten stays", test_what_was_forgotten_stays),
        support_test("tracker: a name is forgotten as often as it was noted",
                     test_a_name_is_forgotten_as_often_as_it_was_noted),
        support_test("tracker: of many names the right ones go",
                     test_of_many_names_the_right_ones_go),
        support_test("tracker: the longest name fits, and a longer one is refused",
                     test_the_longest_name_fits_and_a_longer_one_is_refused),
        support_test("tracker: a name stays until the last process of the tree has ended",
                     test_a_name_stays_until_the_last_process_of_the_tree_has_ended),
        support_test("tracker: an exec leaves the tree", test_an_exec_leaves_the_tree),
        support_test("tracker: signals do not end it", test_signals_do_not_end_it),
        support_test("tracker: it has nothing open but its channel and standard error",
                     test_it_has_nothing_open_but_its_channel_and_standard_error),
        support_test("tracker: it does not keep the memory of the program",
                     test_it_does_not_keep_the_memory_of_the_program),
        support_test("tracker: after a kill the next note starts another that knows all",
                     test_after_a_kill_the_next_note_starts_another_that_knows_all),
        support_test("tracker: a child tells a new tracker its own names only",
                     test_a_child_tells_a_new_tracker_its_own_names_only),
        support_test("tracker: a program that closed its channel gets another",
                     test_a_program_that_closed_its_channel_gets_another),
        support_test("tracker: without descriptors it is an error that passes",
                     test_without_descriptors_it_is_an_error_that_passes),
        support_test("tracker: a child forked among noting threads can note",
                     test_a_child_forked_among_noting_threads_can_note),
    };
    runner = getpid();
    return support_run("tracker", tests);
}
