/* mp__fork among threads that print: no child hangs, and no text is lost or written twice. */
#include "support/support.h"

#include "platform/platform.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

static long forks = 300;

static pid_t fork_in_order(sigset_t *mask)
{
    mp__stdio_hold();
    pid_t pid = mp__fork(mask);
    if (pid != 0)
        mp__stdio_give();
    return pid;
}

/* ---- one thread ---------------------------------------------------------------------------- */

static int end_of_fork(pid_t pid, const sigset_t *mask)
{
    check(pid >= 0);
    check(pthread_sigmask(SIG_SETMASK, mask, NULL) == 0);
    return child_wait(pid);
}

static void test_all_signals_wait_until_the_mask_is_restored(void **state)
{
    (void)state;
    sigset_t usr1, mask, during, before;
    (void)sigemptyset(&usr1);
    (void)sigaddset(&usr1, SIGUSR1);
    check(pthread_sigmask(SIG_BLOCK, &usr1, &before) == 0);
    pid_t pid = fork_in_order(&mask);
    check(pthread_sigmask(SIG_SETMASK, NULL, &during) == 0);
    bool all_blocked = sigismember(&during, SIGTERM) == 1 && sigismember(&during, SIGCHLD) == 1 &&
                       sigismember(&during, SIGRTMAX) == 1;
    bool as_before = sigismember(&mask, SIGUSR1) == 1 && sigismember(&mask, SIGTERM) == 0;
    if (pid == 0)
        _exit(all_blocked && as_before ? 0 : 1);
    check(end_of_fork(pid, &mask) == 0);
    check(all_blocked && as_before);
    check(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

/* Runs the body in a child whose stdout is a file; the text that arrived there. */
static void printed_by(int (*body)(void *), char *text, size_t size)
{
    FILE *file = tmpfile();
    check(file != NULL);
    (void)fflush(NULL);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        (void)dup2(fileno(file), STDOUT_FILENO);
        exit(body(NULL));
    }
    check(child_wait(pid) == 0);
    ssize_t n = pread(fileno(file), text, size - 1, 0);
    check(n >= 0);
    text[n] = '\0';
    check(fclose(file) == 0);
}

static int print_fork_print(void *arg)
{
    (void)arg;
    sigset_t mask;
    static char buffer[BUFSIZ];
    (void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    (void)printf("before,");
    pid_t pid = fork_in_order(&mask);
    if (pid == 0) {
        (void)printf("child,");
        exit(0);
    }
    check(end_of_fork(pid, &mask) == 0);
    (void)printf("after");
    return 0;
}

static void test_what_was_printed_before_is_written_once_and_first(void **state)
{
    (void)state;
    char text[200];
    printed_by(print_fork_print, text, sizeof text);
    assert_string_equal(text, "before,child,after");
}

static int print_widely_around_fork(void *arg)
{
    (void)arg;
    sigset_t mask;
    static char buffer[BUFSIZ];
    check(freopen("/proc/self/fd/1", "a", stdout) != NULL); /* neither wide nor narrow yet */
    (void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    (void)wprintf(L"before,");
    pid_t pid = fork_in_order(&mask);
    if (pid == 0) {
        (void)wprintf(L"child,");
        mp__stdio_flush();
        _exit(0);
    }
    check(end_of_fork(pid, &mask) == 0);
    (void)wprintf(L"after");
    return 0;
}

static void test_wide_text_is_written_once_and_first_too(void **state)
{
    (void)state;
    char text[200];
    printed_by(print_widely_around_fork, text, sizeof text);
    assert_string_equal(text, "before,child,after");
}

static int read_fork_read(void *arg)
{
    (void)arg;
    sigset_t mask;
    FILE *file = tmpfile();
    check(file != NULL && fputs("xyz", file) >= 0 && fflush(file) == 0);
    check(dup2(fileno(file), STDIN_FILENO) == STDIN_FILENO);
    check(lseek(STDIN_FILENO, 0, SEEK_SET) == 0);
    check(getchar() == 'x');
    pid_t pid = fork_in_order(&mask);
    if (pid == 0)
        _exit(getchar() == EOF ? 0 : 1);
    check(end_of_fork(pid, &mask) == 0);
    check(getchar() == 'y');
    return 0;
}

static void test_what_the_parent_has_read_ahead_stays_with_the_parent(void **state)
{
    (void)state;
    child_must_succeed(read_fork_read, NULL);
}

static bool is_null_device(int fd)
{
    struct stat st, wanted;
    return fstat(fd, &st) == 0 && stat("/dev/null", &wanted) == 0 && st.st_ino == wanted.st_ino &&
           st.st_dev == wanted.st_dev;
}

static void fork_reads_nothing(void)
{
    sigset_t mask;
    char byte;
    pid_t pid = fork_in_order(&mask);
    if (pid == 0)
        _exit(is_null_device(STDIN_FILENO) && read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 1);
    check(end_of_fork(pid, &mask) == 0);
}

/* The application closes what it did not open, and another file gets its number. */
static int lose_the_kept_one(void *writable)
{
    FILE *file = tmpfile();
    int other = writable ? open("/dev/null", O_WRONLY) : fileno(file);
    int lost = 0;
    check(file != NULL && fputs("xyz", file) >= 0 && fflush(file) == 0);
    check(dup2(fileno(file), STDIN_FILENO) == STDIN_FILENO);
    fork_reads_nothing();
    for (int fd = MP__FD_FLOOR_KEPT; fd < 256; fd++)
        if (is_null_device(fd)) {
            check(dup2(other, fd) == fd);
            lost++;
        }
    check(lost == 1);
    check(lseek(STDIN_FILENO, 0, SEEK_SET) == 0);
    fork_reads_nothing();
    check(getchar() == 'x');
    return 0;
}

static void test_a_child_has_no_input_though_the_kept_descriptor_is_lost(void **state)
{
    (void)state;
    child_must_succeed(lose_the_kept_one, NULL);
    child_must_succeed(lose_the_kept_one, "with /dev/null, to write to");
}

/* ---- many threads -------------------------------------------------------------------------- */

static atomic_bool over;
static atomic_long printed[2];

static void *print_lines(void *arg)
{
    int letter = *(char *)arg;
    long n = 0;
    while (!atomic_load(&over)) {
        (void)printf("%c %ld\n", letter, n++);
        if (n % 16 == 0)
            (void)sched_yield();
    }
    atomic_store(&printed[letter - 'a'], n);
    return NULL;
}

static void *flush_everything(void *arg)
{
    (void)arg;
    while (!atomic_load(&over)) {
        (void)fflush(NULL);
        (void)sched_yield();
    }
    return NULL;
}

/* What the child finds in its buffers would come out in the file of the children. */
static _Noreturn void print_in_child(FILE *children, long i, const sigset_t *mask)
{
    (void)dup2(fileno(children), STDOUT_FILENO);
    (void)pthread_sigmask(SIG_SETMASK, mask, NULL);
    free(malloc(1000));
    (void)printf("c %ld\n", i);
    _exit(fflush(stdout) == 0 ? 0 : 1);
}

static void start_threads(pthread_t threads[3])
{
    static char letters[] = "ab";
    check(pthread_create(&threads[0], NULL, print_lines, &letters[0]) == 0);
    check(pthread_create(&threads[1], NULL, print_lines, &letters[1]) == 0);
    check(pthread_create(&threads[2], NULL, flush_everything, NULL) == 0);
}

/* Every line once and in order, for each of the letters. */
static void check_lines(FILE *file, const char *letters, const long *counts)
{
    char line[128];
    long next[2] = {0, 0};
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) {
        char letter, rest;
        long n;
        check(sscanf(line, "%c %ld%c", &letter, &n, &rest) == 3 && rest == '\n');
        const char *at = strchr(letters, letter);
        check(letter != '\0' && at != NULL && n == next[at - letters]++);
    }
    for (size_t i = 0; letters[i] != '\0'; i++)
        check(next[i] == counts[i]);
}

static int fork_among_printing_threads(void *arg)
{
    (void)arg;
    pthread_t threads[3];
    FILE *parents = tmpfile(), *children = tmpfile();
    static char buffer[BUFSIZ];
    check(parents != NULL && children != NULL);
    check(dup2(fileno(parents), STDOUT_FILENO) == STDOUT_FILENO);
    (void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    start_threads(threads);
    for (long i = 0; i < forks; i++) {
        sigset_t mask;
        pid_t pid = fork_in_order(&mask);
        if (pid == 0)
            print_in_child(children, i, &mask);
        check(end_of_fork(pid, &mask) == 0);
    }
    atomic_store(&over, true);
    for (int i = 0; i < 3; i++)
        check(pthread_join(threads[i], NULL) == 0);
    check(fflush(stdout) == 0);
    long counts[] = {atomic_load(&printed[0]), atomic_load(&printed[1])};
    check_lines(parents, "ab", counts);
    check_lines(children, "c", &forks);
    return 0;
}

static void test_forks_among_printing_threads_neither_hang_nor_double_a_line(void **state)
{
    (void)state;
    if (forks > 300)
        support_time_limit(280);
    child_must_succeed(fork_among_printing_threads, NULL);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        support_test("fork: all signals wait until the mask is restored",
                     test_all_signals_wait_until_the_mask_is_restored),
        support_test("fork: what was printed before is written once and first",
                     test_what_was_printed_before_is_written_once_and_first),
        support_test("fork: wide text is written once and first too",
                     test_wide_text_is_written_once_and_first_too),
        support_test("fork: what the parent has read ahead stays with the parent",
                     test_what_the_parent_has_read_ahead_stays_with_the_parent),
        support_test("fork: a child has no input though the kept descriptor is lost",
                     test_a_child_has_no_input_though_the_kept_descriptor_is_lost),
        support_test("fork: among printing threads no child hangs and no line is doubled",
                     test_forks_among_printing_threads_neither_hang_nor_double_a_line),
    };
    if (argc > 1)
        forks = strtol(argv[1], NULL, 10);
    sigset_t mask;
    pid_t pid = fork_in_order(&mask); /* the first one keeps a descriptor */
    if (pid == 0)
        _exit(0);
    check(end_of_fork(pid, &mask) == 0);
    return support_run("fork", tests);
}
