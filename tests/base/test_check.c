/* MP_CHECK and the guards end a program as an exception that nobody catches: what they print, with
 * which status they leave, and whose exit handlers run. */
#include "support/support.h"

#include <mp/context.h>
#include <mp/process.h>
#include <mp/sharedctypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a child said and how it ended. */
struct outcome {
    int status;
    char out[512], err[1024];
};

static void read_back(FILE *file, char *text, size_t size)
{
    ssize_t n = pread(fileno(file), text, size - 1, 0);
    check(n >= 0);
    text[n] = '\0';
    check(fclose(file) == 0);
}

/* Runs the body in a plain forked child, which is a program of its own to libmp. */
static struct outcome outcome_of(int (*body)(void *))
{
    struct outcome outcome;
    FILE *out = tmpfile(), *err = tmpfile();
    check(out != NULL && err != NULL);
    (void)fflush(NULL);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        (void)dup2(fileno(out), STDOUT_FILENO);
        (void)dup2(fileno(err), STDERR_FILENO);
        exit(body(NULL));
    }
    outcome.status = child_wait(pid);
    read_back(out, outcome.out, sizeof outcome.out);
    read_back(err, outcome.err, sizeof outcome.err);
    return outcome;
}

/* "file:line: expr: text (detail)" and nothing else. */
static void check_message(const char *text, int line, const char *rest)
{
    char expected[512];
    (void)snprintf(expected, sizeof expected, "%s:%d: %s\n", __FILE__, line, rest);
    assert_string_equal(text, expected);
}

static int calls;

static int give_next(void)
{
    return ++calls;
}

static void test_a_success_is_evaluated_once_and_yielded(void **state)
{
    (void)state;
    calls = 41;
    check(MP_CHECK(give_next()) == 42);
    check(calls == 42);
    check(MP_CHECK(0) == 0);
    check(MP_CHECK(MP_RECOVERED) == MP_RECOVERED);
}

enum { PLAIN_LINE = __LINE__ + 5 };

static int fail_without_detail(void *arg)
{
    mp_lock *lock = arg;
    MP_CHECK(mp_lock_release(lock));
    return 7;
}

static void test_a_failure_is_told_with_place_call_and_text(void **state)
{
    (void)state;
    struct outcome outcome = outcome_of(fail_without_detail);
    check(outcome.status == 1);
    check_message(outcome.err, PLAIN_LINE, "mp_lock_release(lock): an argument has no valid value");
}

enum { DETAIL_LINE = __LINE__ + 5 };

static int fail_with_detail(void *arg)
{
    (void)arg;
    MP_CHECK(mp_set_start_method("spawn"));
    return 7;
}

static void test_a_failure_is_told_with_its_detail_in_parentheses(void **state)
{
    (void)state;
    struct outcome outcome = outcome_of(fail_with_detail);
    check(outcome.status == 1);
    check_message(outcome.err, DETAIL_LINE,
                  "mp_set_start_method(\"spawn\"): an argument has no valid value (cannot find "
                  "context for 'spawn')");
}

static int say_and_fail(void *arg)
{
    (void)printf("said before");
    return fail_without_detail(arg);
}

static void test_what_was_printed_before_is_not_lost(void **state)
{
    (void)state;
    struct outcome outcome = outcome_of(say_and_fail);
    check(outcome.status == 1);
    assert_string_equal(outcome.out, "said before");
}

static int fail_once_then_twice(void *arg)
{
    (void)mp_lock_release(arg);
    return mp_check_(MP_ETYPE, "file.c", 3, "f()");
}

static void test_the_text_is_that_of_the_result_given(void **state)
{
    (void)state;
    struct outcome outcome = outcome_of(fail_once_then_twice);
    check(outcome.status == 1);
    assert_string_equal(outcome.err, "file.c:3: f(): the object or value is of another type\n");
}

static int fail_with_stale_detail(void *arg)
{
    (void)mp_set_start_method("spawn");
    return mp_check_(arg == NULL ? MP_ETYPE : 0, "file.c", 3, "f()");
}

static void test_the_detail_of_another_failure_is_not_told(void **state)
{
    (void)state;
    struct outcome outcome = outcome_of(fail_with_stale_detail);
    check(outcome.status == 1);
    assert_string_equal(outcome.err, "file.c:3: f(): the object or value is of another type\n");
}

/* ---- threads ------------------------------------------------------------------------------- */

static void *fail_in_thread(void *arg)
{
    (void)fail_without_detail(arg);
    return NULL;
}

static int wait_for_failing_thread(void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, fail_in_thread, arg) != 0)
        return 8;
    for (;;)
        (void)pause();
}

static void test_a_failure_in_a_thread_ends_the_whole_process(void **state)
{
    (void)state;
    struct outcome outcome = outcome_of(wait_for_failing_thread);
    check(outcome.status == 1);
    check_message(outcome.err, PLAIN_LINE, "mp_lock_release(lock): an argument has no valid value");
}

enum { THREADS = 8 };

static pthread_barrier_t all_here;

static void *fail_with_others(void *arg)
{
    (void)pthread_barrier_wait(&all_here);
    return fail_in_thread(arg);
}

static int wait_for_failing_threads(void *arg)
{
    pthread_t thread;
    if (pthread_barrier_init(&all_here, NULL, THREADS) != 0)
        return 8;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread, NULL, fail_with_others, arg) != 0)
            return 8;
    for (;;)
        (void)pause();
}

static void test_threads_that_fail_at_once_end_the_process_once(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        check(outcome_of(wait_for_failing_threads).status == 1);
}

/* ---- exit handlers ------------------------------------------------------------------------- */

static struct signal_pipe said;

static void say_own(void)
{
    pipe_tell(&said, 'o');
}

static void say_parents(void)
{
    pipe_tell(&said, 'p');
}

static int register_and_fail(void *arg)
{
    if (atexit(say_own) != 0)
        return 8;
    return fail_without_detail(arg);
}

static void test_the_first_process_runs_its_exit_handlers(void **state)
{
    (void)state;
    pipe_open(&said);
    check(outcome_of(register_and_fail).status == 1);
    check(pipe_await(&said) == 'o');
    pipe_close(&said);
}

/* Leaves with the exit code of a child started here, after removing its own handler's say. */
static int parent_of_failing_child(mp_target *target)
{
    mp_process *process;
    int code = 0;
    if (atexit(say_parents) != 0)
        return 8;
    MP_CHECK(mp_process_create(&process, target, NULL, 0, NULL));
    MP_CHECK(mp_process_start(process));
    MP_CHECK(mp_process_join(process, MP_FOREVER));
    MP_CHECK(mp_process_exitcode(process, &code));
    mp_process_destroy(process);
    return 40 + code;
}

static int parent_of_one_that_registers(void *arg)
{
    (void)arg;
    return parent_of_failing_child(register_and_fail);
}

static int parent_of_one_whose_thread_fails(void *arg)
{
    (void)arg;
    return parent_of_failing_child(wait_for_failing_thread);
}

static void test_a_child_leaves_with_1_and_runs_its_own_handlers_only(void **state)
{
    (void)state;
    pipe_open(&said);
    check(outcome_of(parent_of_one_that_registers).status == 41);
    check(close(said.write_fd) == 0);
    said.write_fd = -1;
    check(pipe_await(&said) == 'o');
    check(pipe_await(&said) == 'p');
    check(pipe_await(&said) == -1);
    pipe_close(&said);
}

static void test_a_thread_of_a_child_ends_the_child_with_1(void **state)
{
    (void)state;
    pipe_open(&said);
    check(outcome_of(parent_of_one_whose_thread_fails).status == 41);
    check(close(said.write_fd) == 0);
    said.write_fd = -1;
    check(pipe_await(&said) == 'p');
    check(pipe_await(&said) == -1);
    pipe_close(&said);
}

/* ---- what was held ------------------------------------------------------------------------- */

static int hold_and_fail(void *arg)
{
    MP_WITH_LOCK((mp_lock *)arg) {
        (void)fail_without_detail(NULL);
    }
    return 7;
}

static void test_a_lock_held_at_the_failure_is_told_to_the_next(void **state)
{
    (void)state;
    mp_lock *lock;
    assert_mp_result(mp_lock_create(&lock), 0);
    (void)fflush(NULL);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        (void)close(STDERR_FILENO);
        exit(hold_and_fail(lock));
    }
    check(child_wait(pid) == 1);
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), MP_RECOVERED);
    assert_mp_result(mp_lock_release(lock), 0);
    mp_lock_destroy(lock);
}

/* ---- the guards ---------------------------------------------------------------------------- */

#define GUARDED_BY(name, GUARD)           \
    static int enter_no_##name(void *arg) \
    {                                     \
        GUARD(arg)                        \
        {                                 \
            (void)puts("inside");         \
        }                                 \
        return 7;                         \
    }
GUARDED_BY(lock, MP_WITH_LOCK)
GUARDED_BY(rlock, MP_WITH_RLOCK)
GUARDED_BY(semaphore, MP_WITH_SEMAPHORE)
GUARDED_BY(bounded_semaphore, MP_WITH_BOUNDED_SEMAPHORE)
GUARDED_BY(condition, MP_WITH_CONDITION)
GUARDED_BY(value, MP_WITH_VALUE)
GUARDED_BY(array, MP_WITH_ARRAY)

static void test_a_guard_of_nothing_ends_the_program_before_its_block(void **state)
{
    (void)state;
    static int (*const bodies[])(void *) = {
        enter_no_lock,      enter_no_rlock, enter_no_semaphore, enter_no_bounded_semaphore,
        enter_no_condition, enter_no_value, enter_no_array,
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct outcome outcome = outcome_of(bodies[i]);
        check(outcome.status == 1);
        assert_string_equal(outcome.out, "");
        check(strstr(outcome.err, __FILE__) == outcome.err);
        check(strstr(outcome.err, mp_strerror(MP_EINVAL)) != NULL);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("MP_CHECK: a success is evaluated once and yielded",
                     test_a_success_is_evaluated_once_and_yielded),
        support_test("MP_CHECK: a failure is told with place, call and text",
                     test_a_failure_is_told_with_place_call_and_text),
        support_test("MP_CHECK: a failure is told with its detail in parentheses",
                     test_a_failure_is_told_with_its_detail_in_parentheses),
        support_test("MP_CHECK: what was printed before is not lost",
                     test_what_was_printed_before_is_not_lost),
        support_test("MP_CHECK: the text is that of the result given",
                     test_the_text_is_that_of_the_result_given),
        support_test("MP_CHECK: the detail of another failure is not told",
                     test_the_detail_of_another_failure_is_not_told),
        support_test("MP_CHECK: a failure in a thread ends the whole process",
                     test_a_failure_in_a_thread_ends_the_whole_process),
        support_test("MP_CHECK: threads that fail at once end the process once",
                     test_threads_that_fail_at_once_end_the_process_once),
        support_test("MP_CHECK: the first process runs its exit handlers",
                     test_the_first_process_runs_its_exit_handlers),
        support_test("MP_CHECK: a child leaves with 1 and runs its own handlers only",
                     test_a_child_leaves_with_1_and_runs_its_own_handlers_only),
        support_test("MP_CHECK: a thread of a child ends the child with 1",
                     test_a_thread_of_a_child_ends_the_child_with_1),
        support_test("MP_CHECK: a lock held at the failure is told to the next",
                     test_a_lock_held_at_the_failure_is_told_to_the_next),
        support_test("MP_CHECK: a guard of nothing ends the program before its block",
                     test_a_guard_of_nothing_ends_the_program_before_its_block),
    };
    return support_run_processes("MP_CHECK", tests);
}
