/* The programs, asserts and watchdog of the tests. */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mp/synchronize.h>

/* How it works. The program leads a process group of its own, so that one kill reaches everything a
 * test started. Failed checks of children travel through the report pipe, which is made once, lies
 * out of the way of tests that close 0, 1 and 2, and is non-blocking at both ends: a line is
 * shorter than PIPE_BUF and thus arrives whole or not at all. cmocka catches SIGSEGV and its kind
 * by a jump back into the runner; a forked child takes the default actions back, or it would go on
 * with the rest of the tests. */

enum { TIME_LIMIT = 45, LEAK_PATIENCE = 10, REPORT_FD = 100, LINE_SIZE = 512 };

static pid_t runner;
static pthread_t runner_thread;
static struct signal_pipe reports;
static int descriptors_before, processes_before, names_before;
static bool was_open[1024];

static void restore_default_actions(void)
{
    static const int caught[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS, SIGALRM};
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        (void)signal(caught[i], SIG_DFL);
}

/* In a signal handler: only what is safe there. */
static void end_program(int signal_number)
{
    (void)signal_number;
    static const char text[] = "\nthe time limit has passed; failed checks of children:\n";
    char line[LINE_SIZE];
    ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
    while ((n = read(reports.read_fd, line, sizeof line)) > 0)
        n = write(STDERR_FILENO, line, (size_t)n);
    (void)kill(0, SIGKILL);
}

static int move_away(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, REPORT_FD);
    if (moved < 0)
        return fd;
    (void)close(fd);
    return moved;
}

void support_begin(void)
{
    int ends[2];
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    runner = getpid();
    runner_thread = pthread_self();
    if (setpgid(0, 0) < 0 && getpgrp() != runner) {
        perror("setpgid");
        exit(1);
    }
    if (pipe(ends) < 0) {
        perror("pipe");
        exit(1);
    }
    reports.read_fd = move_away(ends[0]);
    reports.write_fd = move_away(ends[1]);
    (void)fcntl(reports.read_fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(reports.write_fd, F_SETFL, O_NONBLOCK);
    (void)pthread_atfork(NULL, NULL, restore_default_actions);
}

int support_group_setup(void **state)
{
    (void)state;
    mp_lock *lock;
    assert_mp_ok(mp_lock_create(&lock));
    mp_lock_destroy(lock);
    return 0;
}

void support_time_limit(unsigned seconds)
{
    const char *text = getenv("LIBMP_TEST_TIME_LIMIT");
    unsigned long asked = text ? strtoul(text, NULL, 10) : 0;
    seconds *= SUPPORT_TIME_FACTOR;
    (void)alarm(asked > seconds ? (unsigned)asked : seconds);
}

int support_setup(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = end_program};
    sigset_t alarm_only;
    (void)sigemptyset(&alarm_only);
    (void)sigaddset(&alarm_only, SIGALRM);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
    support_time_limit(TIME_LIMIT);

    descriptors_before = census_open_descriptors();
    for (int fd = 0; fd < 1024; fd++)
        was_open[fd] = fcntl(fd, F_GETFD) >= 0;
    processes_before = census_group_processes();
    names_before = census_shared_names();
    return 0;
}

static void print_new_descriptors(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        char path[64], target[256];
        if (was_open[fd] || fcntl(fd, F_GETFD) < 0)
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[n < 0 ? 0 : n] = '\0';
        print_error("descriptor %d is new: %s\n", fd, target);
    }
}

/* A process that was told to end, or whose parent was, needs a moment. Time in which the machine
 * stands still does not count. */
static bool processes_are_gone(void)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    double last = clock_seconds(), waited = 0;
    while (census_group_processes() > processes_before) {
        double now = clock_seconds();
        waited += now - last < 0.05 ? now - last : 0.05;
        last = now;
        if (waited > LEAK_PATIENCE)
            return false;
        (void)nanosleep(&moment, NULL);
    }
    return true;
}

int support_teardown(void **state)
{
    (void)state;
    char text[4 * LINE_SIZE];
    bool clean = true;
    if (!processes_are_gone()) {
        print_error("the test left %d processes\n", census_group_processes() - processes_before);
        census_end_group_processes();
        clean = false;
    }
    if (census_open_descriptors() != descriptors_before) {
        print_error("%d descriptors were open before the test, %d after it\n", descriptors_before,
                    census_open_descriptors());
        print_new_descriptors();
        clean = false;
    }
    if (census_shared_names() != names_before) {
        print_error("%d names in /dev/shm before the test, %d after it\n", names_before,
                    census_shared_names());
        clean = false;
    }
    while (support_reports(text, sizeof text)) {
        print_error("%s", text);
        clean = false;
    }
    (void)alarm(0);
    return clean ? 0 : -1;
}

bool support_reports(char *text, size_t size)
{
    ssize_t n = read(reports.read_fd, text, size - 1);
    text[n < 0 ? 0 : n] = '\0';
    return n > 0;
}

void support_fail(const char *file, int line, const char *format, ...)
{
    char text[LINE_SIZE];
    va_list list;
    size_t used = (size_t)snprintf(text, sizeof text / 2, "%s:%d: ", file, line);
    if (used > sizeof text / 2 - 1)
        used = sizeof text / 2 - 1;
    va_start(list, format);
    (void)vsnprintf(text + used, sizeof text - used - 1, format, list);
    va_end(list);
    if (getpid() != runner) {
        char *end = text + strlen(text);
        *end++ = '\n';
        ssize_t ignored = write(reports.write_fd, text, (size_t)(end - text));
        (void)ignored;
        _exit(CHILD_FAILED);
    }
    print_error("%s\n", text);
    while (support_reports(text, sizeof text))
        print_error("%s", text);
    if (pthread_equal(pthread_self(), runner_thread))
        _fail(file, line);
    print_error("a thread of the test failed; the program ends\n");
    (void)fflush(NULL);
    (void)kill(0, SIGKILL);
    abort();
}

static const char *result_name(int result, char *buffer, size_t size)
{
    if (result >= 0)
        (void)snprintf(buffer, size, "%d", result);
    else
        (void)snprintf(buffer, size, "%s", mp_error_name(result));
    return buffer;
}

int support_result_ok(int result, const char *expr, const char *file, int line)
{
    if (result < 0)
        support_fail(file, line, "%s gave %s: %s (%s)", expr, mp_error_name(result),
                     mp_strerror(result), mp_error_detail());
    return result;
}

void support_result_is(int result, int expected, const char *expr, const char *file, int line)
{
    char gave[64], wanted[64];
    if (result == expected)
        return;
    support_fail(file, line, "%s gave %s, not %s (%s)", expr,
                 result_name(result, gave, sizeof gave),
                 result_name(expected, wanted, sizeof wanted), result < 0 ? mp_error_detail() : "");
}
