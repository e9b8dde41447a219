/* What every test program needs beyond cmocka: asserts that know libmp's codes and work in any
 * process, children that report to the test, leak counts, a random source, a clock and a watchdog.
 *
 * A test program looks like this:
 *
 *     #include "support/support.h"
 *
 *     static void test_a_free_lock_is_acquired(void **state) { (void)state; ... }
 *
 *     int main(void)
 *     {
 *         static const struct CMUnitTest tests[] = {
 *             support_test("Lock: a free lock is acquired", test_a_free_lock_is_acquired),
 *         };
 *         return support_run("Lock", tests);
 *     }
 *
 * Before and after each test the open descriptors, the processes of this program's group and the
 * names in /dev/shm that carry its pid are counted; a difference fails the test. A test that takes
 * longer than its time limit ends the program and every process it started.
 */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <cmocka.h>

#include <mp/errors.h>

/* ---- Programs -------------------------------------------------------------------------------- */

/* An entry of the table of tests. */
#define support_test(name, function)                              \
    {                                                             \
        (name), (function), support_setup, support_teardown, NULL \
    }

/* Runs a table of tests; yields main's exit status. */
#define support_run(group, tests) \
    (support_begin(), cmocka_run_group_tests_name(group, tests, support_group_setup, NULL) != 0)

/* The same for programs that start libmp processes: one process is started and joined before the
 * first count, so that what the library opens once per program is no leak. */
#define support_run_processes(group, tests) \
    (support_begin(),                       \
     cmocka_run_group_tests_name(group, tests, support_group_setup_processes, NULL) != 0)

/* The exit status of a program that cannot run here: print why, then return this from main. */
enum { SUPPORT_SKIPPED = 77 };

void support_begin(void);
int support_group_setup(void **state);
int support_group_setup_processes(void **state);
int support_setup(void **state);
int support_teardown(void **state);

/* Gives the running test this many seconds from now, in place of 45: more with a sanitizer or a
 * launcher, which slow it down. LIBMP_TEST_TIME_LIMIT, if it is set to a larger number, wins. */
void support_time_limit(unsigned seconds);

/* ---- Asserts --------------------------------------------------------------------------------- */

/* These may be used in the test, in its threads, and in any process forked from it, however it was
 * forked. In the test a failure is a cmocka failure. In a child it writes one line for the test and
 * leaves by _exit(CHILD_FAILED); in another thread of the test it ends the program. cmocka's own
 * asserts may be used by the test's first thread only: in a child they would return into the
 * runner. */

enum { CHILD_FAILED = 99 };

/* The condition holds. */
#define check(condition) \
    ((condition) ? (void)0 : support_fail(__FILE__, __LINE__, "%s does not hold", #condition))

/* libmp said yes: the result is 0 or more, and is the value of the whole. */
#define assert_mp_ok(expr) support_result_ok((expr), #expr, __FILE__, __LINE__)

/* libmp gave exactly this: 0, a count, MP_RECOVERED or an error code. */
#define assert_mp_result(expr, expected) \
    support_result_is((expr), (expected), #expr, __FILE__, __LINE__)

/* libmp refused with this code. */
#define assert_mp_error(expr, code) support_result_is((expr), (code), #expr, __FILE__, __LINE__)

int support_result_ok(int result, const char *expr, const char *file, int line);
void support_result_is(int result, int expected, const char *expr, const char *file, int line);
_Noreturn void support_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads what failed checks in children have written so far, as text; true if there is any. The
 * teardown fails a test that left something unread. */
bool support_reports(char *text, size_t size);

/* ---- Children -------------------------------------------------------------------------------- */

/* Forks with plain fork(). The child runs the body and leaves by _exit with what it returns. */
pid_t child_fork(int (*body)(void *arg), void *arg);

/* Waits for the child: its exit status, or -N if signal N ended it. */
int child_wait(pid_t pid);

/* child_fork and child_wait; the child must have left with 0. */
#define child_must_succeed(body, arg) support_child_succeeds((body), (arg), __FILE__, __LINE__)
void support_child_succeeds(int (*body)(void *arg), void *arg, const char *file, int line);

/* While three threads, 0 to 2, do the one thing again and again, forks children one after the other
 * for the other; each must leave with 0. */
void fork_among_threads(void (*in_threads)(int thread), int (*in_child)(void *unused),
                        int children);

/* Returns once the process (or thread, by its id) sleeps in the kernel. Have it announce first that
 * the next thing it does is to wait: what it sleeps in is then that wait. False if it has ended. */
bool child_await_sleep(pid_t pid);
/* Returns once the process has ended, reaped or not, or its first thread has. */
void child_await_corpse(pid_t pid);

/* An exit handler can know what exit was given. */
bool support_has_on_exit(void);

/* A pipe whose ends every child inherits; one byte goes from tell to await. await gives the byte,
 * or -1 at the end of the stream. */
struct signal_pipe {
    int read_fd;
    int write_fd;
};
void pipe_open(struct signal_pipe *pipe);
void pipe_tell(const struct signal_pipe *pipe, char byte);
int pipe_await(const struct signal_pipe *pipe);
void pipe_close(struct signal_pipe *pipe);

/* ---- Leaks ----------------------------------------------------------------------------------- */

/* Of this process, below 1024. */
int census_open_descriptors(void);
/* Of this process's group, itself not counted; a child that nobody has reaped counts. */
int census_group_processes(void);
/* Kills those processes, and reaps the children among them. */
void census_end_group_processes(void);
/* In /dev/shm, that hold this process's pid as a number. */
int census_shared_names(void);

/* ---- Random numbers and time ----------------------------------------------------------------- */

struct rng {
    uint64_t state;
};

/* LIBMP_TEST_SEED, else another one each time; printed, so that a failure can be repeated. */
uint64_t rng_seed(void);
struct rng rng_start(uint64_t seed);
uint64_t rng_next(struct rng *rng);
/* 0 .. bound - 1 */
size_t rng_below(struct rng *rng, size_t bound);

/* Monotonic. */
double clock_seconds(void);

/* Something that takes `least` seconds or more, and less than `most`. Now and then the machine
 * stands still, and one try takes longer, but hardly each of twenty:
 *
 *     for (struct timing timing = {.most = 0.2}; try_again(&timing);)
 *         assert_mp_error(mp_queue_get(queue, NULL, MP_NOWAIT), MP_EEMPTY);
 *
 * ends after the first that was quick enough. It fails after one that was too quick, or twenty that
 * were all too slow. */
struct timing {
    double least, most;
    double began_at; /* the one that is going on */
    int count;
};
#define try_again(timing) support_try_again((timing), __FILE__, __LINE__)
bool support_try_again(struct timing *timing, const char *file, int line);

#endif
