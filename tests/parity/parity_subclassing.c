/* Python's TestSubclassingProcess: processes with a state of their own, streams, exit codes. */
#include "parity.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What Python has as a subclass: a process, and what belongs to it. */
struct upper_caser {
    mp_process *process;
    int parent_end, child_end;
};

static int upper_caser_run(void *arg)
{
    const struct upper_caser *self = arg;
    char text[64];
    ssize_t n;
    (void)close(self->parent_end);
    while ((n = read(self->child_end, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            text[i] = (char)toupper((unsigned char)text[i]);
        check(write(self->child_end, text, (size_t)n) == n);
    }
    return 0;
}

static void upper_caser_start(struct upper_caser *self)
{
    int ends[2];
    check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    self->parent_end = ends[0];
    self->child_end = ends[1];
    self->process = start_process(upper_caser_run, self, 0);
    (void)close(self->child_end);
}

static void upper_caser_submit(struct upper_caser *self, const char *text, const char *expected)
{
    char answer[64] = "";
    size_t n = strlen(text);
    check(write(self->parent_end, text, n) == (ssize_t)n);
    check(read(self->parent_end, answer, sizeof answer - 1) == (ssize_t)n);
    check(strcmp(answer, expected) == 0);
}

static void test_subclassing(void **state)
{
    (void)state;
    struct upper_caser upper_caser;
    upper_caser_start(&upper_caser);
    upper_caser_submit(&upper_caser, "hello", "HELLO");
    upper_caser_submit(&upper_caser, "world", "WORLD");
    check(close(upper_caser.parent_end) == 0);
    finish_process_with(upper_caser.process, 0);
}

static void write_errors_to(FILE *file)
{
    check(dup2(fileno(file), STDERR_FILENO) == STDERR_FILENO);
    check(setvbuf(stderr, NULL, _IOFBF, BUFSIZ) == 0);
}

/* Raises what Python's test raises: an error nobody handles. */
static int fail_with_text(void *arg)
{
    write_errors_to(arg);
    (void)fputs("first line\n", stderr);
    MP_CHECK(MP_EDEADLINE);
    return 0;
}

static void test_stderr_flush(void **state)
{
    (void)state;
    FILE *file = nameless_file();
    char text[1024];
    finish_process_with(start_process(fail_with_text, file, 0), 1);
    read_file(file, text, sizeof text);
    check(strstr(text, "first line\n") == text);
    check(strstr(text, "parity_subclassing.c:") != NULL);
    check(strstr(text, "MP_EDEADLINE") != NULL);
    check(strstr(text, mp_strerror(MP_EDEADLINE)) != NULL);
    check(fclose(file) == 0);
}

struct ending {
    bool calls_exit;
    int status;
};

static int end_with_status(void *arg)
{
    const struct ending *ending = arg;
    if (ending->calls_exit)
        exit(ending->status);
    return ending->status;
}

static void test_sys_exit(void **state)
{
    (void)state;
    static const struct {
        int status, expected;
    } cases[] = {{0, 0}, {1, 1}, {8, 8}, {255, 255}, {256, 0}, {263, 7}, {-1, 255}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int calls_exit = 0; calls_exit < 2; calls_exit++) {
            struct ending ending = {calls_exit != 0, cases[i].status};
            finish_process_with(start_process(end_with_status, &ending, sizeof ending),
                                cases[i].expected);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestSubclassingProcess.test_subclassing: a target with a state of its own",
                     test_subclassing),
        support_test(
            "TestSubclassingProcess.test_stderr_flush: what a failing child said is written",
            test_stderr_flush),
        support_test("TestSubclassingProcess.test_sys_exit: the exit code is the status modulo 256",
                     test_sys_exit),
    };
    return support_run_processes("TestSubclassingProcess", tests);
}
