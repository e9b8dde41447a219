/* Python's TestStdinBadfiledescriptor: standard streams around a start. */
#include "parity.h"

#include <mp/queues.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int get_of_empty(void *arg)
{
    assert_mp_error(mp_queue_get_nowait(arg, NULL), MP_EEMPTY);
    return 0;
}

/* It makes the queue, and its child asks it. */
static int ask_an_empty_queue_in_a_child(void *arg)
{
    (void)arg;
    mp_queue *queue;
    mp_process *process;
    assert_mp_result(mp_queue_create(&queue, 0), 0);
    assert_mp_result(mp_process_create(&process, get_of_empty, queue, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    finish_process_with(process, 0);
    mp_queue_destroy(queue);
    return 0;
}

static void test_queue_in_process(void **state)
{
    (void)state;
    mp_process *process;
    assert_mp_result(mp_process_create(&process, ask_an_empty_queue_in_a_child, NULL, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    finish_process_with(process, 0);
}

static bool is_the_null_device(int fd)
{
    struct stat given, null_device;
    check(fstat(fd, &given) == 0 && stat("/dev/null", &null_device) == 0);
    return S_ISCHR(given.st_mode) && given.st_rdev == null_device.st_rdev;
}

static int find_stdin_empty(void *arg)
{
    (void)arg;
    check(is_the_null_device(STDIN_FILENO));
    check(getchar() == EOF);
    return 5;
}

/* Not daemonic: it starts one itself. */
static int start_one_more(void *arg)
{
    mp_process *process;
    check(is_the_null_device(STDIN_FILENO));
    assert_mp_result(mp_process_create(&process, find_stdin_empty, arg, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    finish_process_with(process, 5);
    return 6;
}

static int start_from_here(void *arg)
{
    mp_process *process;
    assert_mp_result(mp_process_create(&process, start_one_more, arg, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    finish_process_with(process, 6);
    return 0;
}

static int close_stdin_then_start(void *arg)
{
    check(close(STDIN_FILENO) == 0);
    return start_from_here(arg);
}

static int close_all_streams_then_start(void *arg)
{
    for (int fd = 0; fd <= 2; fd++)
        (void)close(fd);
    return start_from_here(arg);
}

static void test_process_in_process(void **state)
{
    (void)state;
    check(start_from_here(NULL) == 0);
    child_must_succeed(close_stdin_then_start, NULL);
    child_must_succeed(close_all_streams_then_start, NULL);
}

static int write_bar(void *unused)
{
    (void)unused;
    check(fputs("bar", stdout) >= 0);
    return 0;
}

/* stdout is a buffered file here, and "foo" stands in the buffer when the process starts. */
static int write_foo_and_start(void *arg)
{
    check(fflush(stdout) == 0);
    check(dup2(fileno((FILE *)arg), STDOUT_FILENO) == STDOUT_FILENO);
    check(setvbuf(stdout, NULL, _IOFBF, BUFSIZ) == 0);
    check(fputs("foo", stdout) >= 0);
    finish_process_with(start_process(write_bar, NULL, 0), 0);
    check(fflush(stdout) == 0);
    return 0;
}

static void test_flushing(void **state)
{
    (void)state;
    FILE *file = nameless_file();
    char text[64];
    child_must_succeed(write_foo_and_start, file);
    read_file(file, text, sizeof text);
    check(strcmp(text, "foobar") == 0);
    check(fclose(file) == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestStdinBadfiledescriptor.test_queue_in_process: a queue of a child's own",
                     test_queue_in_process),
        support_test("TestStdinBadfiledescriptor.test_queue_in_process: a process in a process, "
                     "with closed streams too",
                     test_process_in_process),
        support_test("TestStdinBadfiledescriptor.test_flushing: nothing is written twice",
                     test_flushing),
    };
    return support_run_processes("TestStdinBadfiledescriptor", tests);
}
