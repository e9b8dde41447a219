/* Fork locks: a child finds them free, and whole what they guard. */
#include "support/support.h"

#include "platform/platform.h"

#include <unistd.h>

static void note_inherited(void);
static struct mp__fork_lock plain = MP__FORK_LOCK(NULL);
static struct mp__fork_lock with_hook = MP__FORK_LOCK(note_inherited);

static int inherited;
static long first, second; /* equal while the plain lock is free */

static void note_inherited(void)
{
    mp__fork_lock_take(&plain);
    inherited++;
    mp__fork_lock_give(&plain);
}

static int look(void *unused)
{
    (void)unused;
    mp__fork_lock_take(&plain);
    check(first == second);
    mp__fork_lock_give(&plain);
    return 0;
}

static struct signal_pipe taken, forking;

static void *change_during_a_fork(void *unused)
{
    (void)unused;
    mp__fork_lock_take(&plain);
    first++;
    pipe_tell(&taken, 't');
    check(pipe_await(&forking) == 'f');
    check(child_await_sleep(getpid())); /* in the fork, or behind it */
    second++;
    mp__fork_lock_give(&plain);
    return NULL;
}

static void test_a_fork_waits_until_what_a_lock_guards_is_whole(void **state)
{
    (void)state;
    pthread_t thread;
    pipe_open(&taken);
    pipe_open(&forking);
    check(pthread_create(&thread, NULL, change_during_a_fork, NULL) == 0);
    check(pipe_await(&taken) == 't');
    pipe_tell(&forking, 'f');
    child_must_succeed(look, NULL);
    check(pthread_join(thread, NULL) == 0);
    child_must_succeed(look, NULL);
    pipe_close(&taken);
    pipe_close(&forking);
}

static int count_inherited(void *expected)
{
    check(inherited == *(int *)expected);
    mp__fork_lock_take(&with_hook);
    mp__fork_lock_give(&with_hook);
    return 0;
}

static void test_what_a_lock_has_for_a_child_runs_in_the_child_with_all_locks_free(void **state)
{
    (void)state;
    child_must_succeed(count_inherited, &(int){0}); /* nobody has taken it yet */
    mp__fork_lock_take(&with_hook);
    mp__fork_lock_give(&with_hook);
    child_must_succeed(count_inherited, &(int){1});
    check(inherited == 0);
}

static void change_both(int number)
{
    (void)number;
    mp__fork_lock_take(&plain);
    first++;
    second++;
    mp__fork_lock_give(&plain);
}

static void test_forks_among_threads_find_all_whole(void **state)
{
    (void)state;
    fork_among_threads(change_both, look, 200);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("fork locks: a fork waits until what a lock guards is whole",
                     test_a_fork_waits_until_what_a_lock_guards_is_whole),
        support_test("fork locks: what a lock has for a child runs there, all locks free",
                     test_what_a_lock_has_for_a_child_runs_in_the_child_with_all_locks_free),
        support_test("fork locks: forks among threads find all whole",
                     test_forks_among_threads_find_all_whole),
    };
    return support_run("fork locks", tests);
}
