/* Children by one call, and whole programs in a child. */
#include "children.h"

#include "platform/platform.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

mp_process *new_process(mp_target *target, void *arg, mp_daemon daemon)
{
    mp_process *process;
    const mp_process_options options = {.daemon = daemon};
    assert_mp_result(mp_process_create(&process, target, arg, 0, &options), 0);
    return process;
}

mp_process *start_process(mp_target *target, void *arg)
{
    mp_process *process = new_process(target, arg, MP_DAEMON_INHERIT);
    assert_mp_result(mp_process_start(process), 0);
    return process;
}

mp_process *start_daemon(mp_target *target, void *arg)
{
    mp_process *process = new_process(target, arg, MP_DAEMON_YES);
    assert_mp_result(mp_process_start(process), 0);
    return process;
}

int finish_process(mp_process *process)
{
    int code = MP_EXIT_UNKNOWN - 1;
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    assert_mp_result(mp_process_exitcode(process, &code), 1);
    mp_process_destroy(process);
    return code;
}

int leave_with(void *status)
{
    return status != NULL ? *(int *)status : 0;
}

int stay(void *unused)
{
    (void)unused;
    while (pause() < 0)
        ;
    return 1;
}

int program(int (*body)(void *arg), void *arg)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0)
        exit(body(arg));
    return child_wait(pid);
}

bool runs(pid_t pid)
{
    uint64_t start;
    if (kill(pid, 0) != 0)
        return false;
    return mp__process_trace(pid, &start) != MP__TRACE_GONE;
}
