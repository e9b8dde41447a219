/* Python's TestAtExit: exit handlers of a child and of its parent. */
#include "parity.h"

#include <stdlib.h>
#include <unistd.h>

static struct signal_pipe said = {-1, -1};

/* Stays registered to the end of the program, where nobody listens any more. */
static void say_parent(void)
{
    if (said.write_fd >= 0)
        pipe_tell(&said, 'P');
}

static void say_child(void)
{
    pipe_tell(&said, 'C');
}

static int register_and_return(void *arg)
{
    check(atexit(say_child) == 0);
    return *(const int *)arg;
}

static int register_and_exit(void *arg)
{
    check(atexit(say_child) == 0);
    exit(*(const int *)arg);
}

static int exit_status_of(mp_target *target, int status)
{
    return finish_process(start_process(target, &status, sizeof status));
}

static void test_atexit(void **state)
{
    (void)state;
    static bool registered;
    if (!registered)
        check(atexit(say_parent) == 0);
    registered = true;
    pipe_open(&said);
    check(exit_status_of(register_and_return, 0) == 0);
    if (support_has_on_exit())
        check(exit_status_of(register_and_exit, 4) == 4);
    else
        print_message("SKIPPED: exit handlers know no status, where the child calls exit itself\n");
    check(close(said.write_fd) == 0);
    said.write_fd = -1;
    check(pipe_await(&said) == 'C');
    if (support_has_on_exit())
        check(pipe_await(&said) == 'C');
    check(pipe_await(&said) == -1);
    pipe_close(&said);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestAtExit.test_atexit: a child runs its own handlers, not its parent's",
                     test_atexit),
    };
    return support_run_processes("TestAtExit", tests);
}
