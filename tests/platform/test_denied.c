/* Life files and start times where a filter denies the calls they are best made with. */
#include "support/support.h"

#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __has_include
#if __has_include(<linux/seccomp.h>)
#define HAS_FILTERS
#include <linux/filter.h>
#include <linux/seccomp.h>
#endif
#endif

enum { NOT_HERE = 3 };

/* From now on, and for ever, these two calls fail in this process; false if that cannot be. */
static bool deny(unsigned one, unsigned other)
{
#ifndef HAS_FILTERS
    (void)one;
    (void)other;
    return false;
#else
    const unsigned error = SECCOMP_RET_ERRNO | EPERM;
    struct sock_filter code[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, one},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, other},
        {BPF_RET | BPF_K, 0, 0, error},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
#endif
}

static int use_file_without_memfd(void *arg)
{
    (void)arg;
    struct mp__lifefile file;
    if (!deny(SYS_memfd_create, SYS_memfd_create))
        return NOT_HERE;
    assert_mp_result(mp__lifefile_open(&file), 0);
    check(file.fd >= 64 && (fcntl(file.fd, F_GETFD) & FD_CLOEXEC) != 0);
    check(mp__lifefile_hold(&file, 5));
    check(mp__lifefile_look(&file, 6) == MP__SIGN_FREE);
    return 0;
}

static int do_without_file(void *arg)
{
    (void)arg;
    struct mp__lifefile file;
    if (!deny(SYS_memfd_create, SYS_openat))
        return NOT_HERE;
    assert_mp_result(mp__lifefile_open(&file), 0);
    check(file.fd == -1);
    check(mp__lifefile_hold(&file, 5));
    check(mp__lifefile_look(&file, 5) == MP__SIGN_UNKNOWN);
    mp__lifefile_drop(&file, 5);
    return 0;
}

static int trace_without_proc(void *arg)
{
    uint64_t start;
    if (!deny(SYS_openat, SYS_openat))
        return NOT_HERE;
    check(mp__process_trace(getppid(), &start) == MP__TRACE_UNKNOWN);
    check(mp__process_trace(*(pid_t *)arg, &start) == MP__TRACE_GONE);
    return 0;
}

static int trace_a_corpse_without_proc(void *arg)
{
    uint64_t start;
    if (!deny(SYS_openat, SYS_openat))
        return NOT_HERE;
    check(mp__process_trace(*(pid_t *)arg, &start) == MP__TRACE_GONE);
    return 0;
}

static void *stay(void *unused)
{
    for (;;)
        (void)pause();
    return unused;
}

static int live_on_in_a_thread(void *arg)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, stay, arg) == 0);
    pthread_exit(NULL);
}

static int trace_a_thread_without_proc(void *arg)
{
    uint64_t start;
    if (!deny(SYS_openat, SYS_openat))
        return NOT_HERE;
    check(mp__process_trace(*(pid_t *)arg, &start) == MP__TRACE_UNKNOWN);
    return 0;
}

static void must_succeed(int (*body)(void *), void *arg)
{
    int status = child_wait(child_fork(body, arg));
    if (status == NOT_HERE) {
        print_message("SKIPPED: system calls cannot be filtered here\n");
        skip();
    }
    check(status == 0);
}

static int deny_one(void *arg)
{
    (void)arg;
    return deny(SYS_openat, SYS_openat) ? 0 : NOT_HERE;
}

static void test_without_memfd_a_temporary_file_serves(void **state)
{
    (void)state;
    must_succeed(use_file_without_memfd, NULL);
}

static void test_without_any_file_nothing_is_known(void **state)
{
    (void)state;
    must_succeed(do_without_file, NULL);
}

static int leave(void *unused)
{
    return unused != NULL;
}

static void test_what_proc_does_not_show_is_gone_only_if_it_is(void **state)
{
    (void)state;
    pid_t gone = child_fork(leave, NULL);
    check(child_wait(gone) == 0);
    must_succeed(trace_without_proc, &gone);
}

/* As for a process that has no descriptor left. */
static void test_a_corpse_is_known_without_a_descriptor(void **state)
{
    (void)state;
    uint64_t start;
    if (mp__process_trace(getpid(), &start) == MP__TRACE_UNKNOWN) {
        print_message("SKIPPED: the portable form cannot tell\n");
        skip();
    }
    must_succeed(deny_one, NULL); /* a skip later would leave the others behind */
    pid_t corpse = child_fork(leave, NULL), lives = child_fork(live_on_in_a_thread, NULL);
    child_await_corpse(corpse);
    child_await_corpse(lives);
    must_succeed(trace_a_corpse_without_proc, &corpse);
    must_succeed(trace_a_thread_without_proc, &lives);
    check(child_wait(corpse) == 0);
    check(kill(lives, SIGKILL) == 0 && child_wait(lives) == -SIGKILL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("life file: without memfd a temporary file serves",
                     test_without_memfd_a_temporary_file_serves),
        support_test("life file: without any file nothing is known",
                     test_without_any_file_nothing_is_known),
        support_test("trace: what /proc does not show is gone only if it is",
                     test_what_proc_does_not_show_is_gone_only_if_it_is),
        support_test("trace: a corpse is known without a descriptor",
                     test_a_corpse_is_known_without_a_descriptor),
    };
    return support_run("denied", tests);
}
