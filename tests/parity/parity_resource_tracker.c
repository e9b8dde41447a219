/* Python's TestResourceTracker, restated for a tracker that is nobody's child. */
#include "base/sanitized.h"
#include "parity.h"
#include "support/trees.h"

#include "memory/tracker.h"

#include <errno.h>
#include <mp/shared_memory.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char name[2][64];
static struct signal_pipe ready, go;

static mp_shared_memory *block_create(int i)
{
    mp_shared_memory *block = NULL;
    assert_mp_ok(mp_shared_memory_create(&block, name[i], 10));
    return block;
}

static void block_end(mp_shared_memory *block)
{
    assert_mp_result(mp_shared_memory_unlink(block), 0);
    mp_shared_memory_destroy(block);
}

static void create_and_end(void)
{
    block_end(block_create(0));
}

static bool was_printed(const char *text)
{
    return strstr(tree_printed(), text) != NULL;
}

/* ---- what is left ---------------------------------------------------------------------------- */

static int leave_two(void *unused)
{
    (void)unused;
    (void)block_create(0);
    (void)block_create(1);
    pipe_tell(&ready, 'r');
    (void)pause();
    return 1;
}

static int terminate_who_leaves_two(void)
{
    char path[66];
    pid_t pid = child_fork(leave_two, NULL);
    check(pipe_await(&ready) == 'r');
    (void)snprintf(path, sizeof path, "/%s", name[0]);
    check(shm_unlink(path) == 0);
    check(kill(pid, SIGTERM) == 0);
    check(child_wait(pid) == -SIGTERM);
    return 0;
}

/* Of the two names one is gone already: Python counts it, and tells that it failed to remove it.
   Named semaphores, its other resource, do not exist here. */
static void test_resource_tracker(void **state)
{
    (void)state;
    pipe_open(&ready);
    check(tree_run(terminate_who_leaves_two) == 0);
    pipe_close(&ready);
    check(!segment_exists(name[0]) && !segment_exists(name[1]));
    check(was_printed("resource_tracker: There appear to be 1 leaked shared_memory objects"));
}

static int leave_none(void)
{
    create_and_end();
    return 0;
}

static int leave_one(void)
{
    (void)block_create(0);
    return 0;
}

/* Nobody is there to take an exit code from it: it says what it found, or nothing. */
static void test_resource_tracker_exit_code(void **state)
{
    (void)state;
    check(tree_run(leave_none) == 0);
    check(strcmp(tree_printed(), "") == 0);
    check(tree_run(leave_one) == 0);
    check(was_printed("1 leaked shared_memory objects"));
}

/* Its limit is above what a name of shared memory can be. */
static void test_too_long_name_resource(void **state)
{
    (void)state;
    char long_name[4200];
    mp_shared_memory *block;
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_mp_error(mp_shared_memory_create(&block, long_name, 10), MP_EINVAL);
    assert_mp_error(mp__tracker_note(MP__TRACKED_FILE, long_name), -ENAMETOOLONG);
}

/* ---- deaths of the tracker ------------------------------------------------------------------- */

static int signal_to_send;

/* A signal that does not end it is not even noticed. */
static int send_a_signal(void)
{
    create_and_end();
    pid_t first = tree_tracker();
    check(first > 0);
    if (signal_to_send == SIGKILL)
        tree_kill_tracker();
    else
        check(kill(first, signal_to_send) == 0);
    mp_shared_memory *block = block_create(0);
    pid_t second = tree_tracker();
    check(second > 0 && (second == first) == (signal_to_send != SIGKILL));
    block_end(block);
    return 0;
}

static void check_death(int signal_number, bool should_die)
{
    signal_to_send = signal_number;
    check(tree_run(send_a_signal) == 0);
    const char *told = strstr(tree_printed(), "resource_tracker: process died");
    check((told != NULL) == should_die);
    check(told == NULL || strstr(told + 1, "resource_tracker: process died") == NULL); /* once */
}

static void test_resource_tracker_sigint(void **state)
{
    (void)state;
    check_death(SIGINT, false);
}

static void test_resource_tracker_sigterm(void **state)
{
    (void)state;
    check_death(SIGTERM, false);
}

static void test_resource_tracker_sigkill(void **state)
{
    (void)state;
    check_death(SIGKILL, true);
}

static int keep_a_mask(void)
{
    sigset_t before, mask, after;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    check(pthread_sigmask(SIG_BLOCK, &mask, &before) == 0);
    check(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    create_and_end();
    check(pthread_sigmask(SIG_BLOCK, NULL, &after) == 0);
    for (int i = 1; i < 32; i++)
        check(sigismember(&after, i) == sigismember(&mask, i));
    return 0;
}

static void test_resource_tracker_blocked_signals(void **state)
{
    (void)state;
    check(tree_run(keep_a_mask) == 0);
}

/* ---- children -------------------------------------------------------------------------------- */

static int use_the_parents_tracker(void *arg)
{
    pid_t *parents = arg;
    create_and_end();
    check(tree_tracker() == *parents);
    return 0;
}

static int reuse_in_children(void)
{
    create_and_end();
    pid_t tracker = tree_tracker();
    check(tracker > 0);
    finish_process_with(start_process(use_the_parents_tracker, &tracker, sizeof tracker), 0);
    check(child_wait(child_fork(use_the_parents_tracker, &tracker)) == 0);
    check(tree_tracker() == tracker);
    return 0;
}

static void test_resource_tracker_reused(void **state)
{
    (void)state;
    check(tree_run(reuse_in_children) == 0);
    check(strcmp(tree_printed(), "") == 0);
}

/* It ends with the last of them: when tree_run returns, it has. */
static void test_resource_tracker_mp_fork_reuse_and_prompt_reap(void **state)
{
    (void)state;
    double start = clock_seconds();
    check(tree_run(reuse_in_children) == 0);
    check(clock_seconds() - start < 20);
}

static int wait_for_go(void *unused)
{
    (void)unused;
    check(close(STDERR_FILENO) == 0);
    return pipe_await(&go) == 'g' ? 0 : 1;
}

static int end_before_the_child(void)
{
    (void)block_create(0);
    (void)child_fork(wait_for_go, NULL);
    return 0;
}

static int report_and_end_before_the_child(void *unused)
{
    (void)unused;
    int rc = end_before_the_child();
    pipe_tell(&ready, 'r');
    return rc;
}

/* The exit of the parent waits neither for the child, which holds the channel, nor for the tracker. */
static void test_resource_tracker_fork_deadlock(void **state)
{
    (void)state;
    pipe_open(&ready);
    pipe_open(&go);
    check(child_wait(child_fork(report_and_end_before_the_child, NULL)) == 0);
    mp_shared_memory *block = NULL; /* the test's own tracker has it, and does not end yet */
    assert_mp_ok(mp_shared_memory_attach(&block, name[0]));
    block_end(block);
    pipe_tell(&go, 'g');
    pipe_close(&ready);
    pipe_close(&go);
}

/* Python's raw children leave the tree; here they are of it like any other: what they may still be
   using stays until they have ended, and no longer. */
static int child_outlives(void)
{
    check(child_wait(child_fork(report_and_end_before_the_child, NULL)) == 0);
    check(pipe_await(&ready) == 'r');
    check(segment_exists(name[0]));
    pipe_tell(&go, 'g');
    return 0;
}

static void test_resource_tracker_raw_fork_prompt_reap(void **state)
{
    (void)state;
    pipe_open(&ready);
    pipe_open(&go);
    check(tree_run(child_outlives) == 0);
    check(!segment_exists(name[0]));
    pipe_close(&ready);
    pipe_close(&go);
}

static void note_and_forget(int thread)
{
    (void)thread;
    assert_mp_ok(mp__tracker_note(MP__TRACKED_FILE, "/nothing"));
    mp__tracker_forget(MP__TRACKED_FILE, "/nothing");
}

static int create_in_child(void *unused)
{
    (void)unused;
    create_and_end();
    return 0;
}

static int fork_while_the_lock_is_held(void)
{
    fork_among_threads(note_and_forget, create_in_child, 200);
    return 0;
}

static void test_resource_tracker_lock_reinit_after_fork(void **state)
{
    (void)state;
    if (SANITIZED) {
        print_message("SKIPPED: the sanitizer's allocator does not survive a fork among threads\n");
        skip();
    }
    check(tree_run(fork_while_the_lock_is_held) == 0);
}

static int end_beside_a_stopped_tracker(void *unused)
{
    (void)unused;
    (void)block_create(0);
    check(kill(tree_tracker(), SIGSTOP) == 0);
    return 0;
}

/* A tracker that hangs holds up nobody's end; Python waits for a second there. */
static int end_and_let_it_go_on(void)
{
    check(child_wait(child_fork(end_beside_a_stopped_tracker, NULL)) == 0);
    check(segment_exists(name[0]));
    check(kill(tree_tracker(), SIGCONT) == 0);
    return 0;
}

static void test_resource_tracker_safety_net_timeout(void **state)
{
    (void)state;
    check(tree_run(end_and_let_it_go_on) == 0);
    check(!segment_exists(name[0]));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestResourceTracker: resource_tracker", test_resource_tracker),
        support_test("TestResourceTracker: resource_tracker_sigint", test_resource_tracker_sigint),
        support_test("TestResourceTracker: resource_tracker_sigterm",
                     test_resource_tracker_sigterm),
        support_test("TestResourceTracker: resource_tracker_sigkill",
                     test_resource_tracker_sigkill),
        support_test("TestResourceTracker: resource_tracker_reused", test_resource_tracker_reused),
        support_test("TestResourceTracker: too_long_name_resource", test_too_long_name_resource),
        support_test("TestResourceTracker: resource_tracker_exit_code",
                     test_resource_tracker_exit_code),
        support_test("TestResourceTracker: resource_tracker_blocked_signals",
                     test_resource_tracker_blocked_signals),
        support_test("TestResourceTracker: resource_tracker_fork_deadlock",
                     test_resource_tracker_fork_deadlock),
        support_test("TestResourceTracker: resource_tracker_mp_fork_reuse_and_prompt_reap",
                     test_resource_tracker_mp_fork_reuse_and_prompt_reap),
        support_test("TestResourceTracker: resource_tracker_raw_fork_prompt_reap",
                     test_resource_tracker_raw_fork_prompt_reap),
        support_test("TestResourceTracker: resource_tracker_lock_reinit_after_fork",
                     test_resource_tracker_lock_reinit_after_fork),
        support_test("TestResourceTracker: resource_tracker_safety_net_timeout",
                     test_resource_tracker_safety_net_timeout),
    };
    for (int i = 0; i < 2; i++)
        (void)snprintf(name[i], sizeof name[i], "mp_parity.%ld.%d", (long)getpid(), i);
    trees_begin();
    return support_run_processes("TestResourceTracker", tests);
}
