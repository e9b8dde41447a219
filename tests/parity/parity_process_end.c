/* Python's TestProcess, second half: how processes end, and what is known of them then. */
#include "parity_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int stay_at_once(void *arg)
{
    (void)arg;
    while (pause() < 0)
        ;
    return 0;
}

int stay_until_ended(void *arg)
{
    const struct stay *stay = arg;
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    assert_mp_ok(mp_event_set(stay->ready));
    return stay_at_once(NULL);
}

static mp_process *start_staying(void)
{
    struct stay stay = {new_event()};
    mp_process *process = start_process(stay_until_ended, &stay, sizeof stay);
    assert_mp_result(mp_event_wait(stay.ready, MP_FOREVER), 0);
    mp_event_destroy(stay.ready);
    return process;
}

static void end_by(int (*method)(mp_process *), int signal_number)
{
    mp_process *process = start_staying();
    pid_t pid = mp_process_pid(process);
    int code;
    assert_mp_result(mp_process_is_alive(process), 1);
    check(is_active_child(pid));
    assert_mp_result(mp_process_exitcode(process, &code), 0);
    assert_mp_error(mp_process_join(process, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_result(mp_process_is_alive(process), 1);
    assert_mp_error(mp_process_join(process, -1.0), MP_ETIMEOUT);
    assert_mp_result(mp_process_is_alive(process), 1);
    double start = clock_seconds();
    assert_mp_error(mp_process_join(process, 0.2), MP_ETIMEOUT);
    check(clock_seconds() - start >= 0.15);

    assert_mp_result(method(process), 0);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    assert_mp_result(mp_process_is_alive(process), 0);
    check(!is_active_child(pid));
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    check(exit_code(process) == -signal_number);
    assert_mp_result(method(process), 0);
    mp_process_destroy(process);
}

void test_interrupt_no_handler(void **state)
{
    (void)state;
    end_by(mp_process_interrupt, SIGINT);
}

void test_terminate(void **state)
{
    (void)state;
    end_by(mp_process_terminate, SIGTERM);
}

void test_kill(void **state)
{
    (void)state;
    end_by(mp_process_kill, SIGKILL);
}

static bool is_readable(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    int ready = poll(&look, 1, 0);
    check(ready >= 0);
    return ready == 1;
}

void test_sentinel(void **state)
{
    (void)state;
    mp_event *go_on = new_event();
    mp_process *process;
    assert_mp_result(mp_process_create(&process, wait_for_event, go_on, 0, NULL), 0);
    assert_mp_error(mp_process_sentinel(process), MP_ESTATE);
    assert_mp_result(mp_process_start(process), 0);
    int sentinel = assert_mp_ok(mp_process_sentinel(process));
    assert_mp_result(mp_process_sentinel(process), sentinel);
    check(!is_readable(sentinel));
    assert_mp_ok(mp_event_set(go_on));
    struct pollfd look = {.fd = sentinel, .events = POLLIN};
    int ready;
    do
        ready = poll(&look, 1, -1);
    while (ready < 0 && errno == EINTR);
    check(ready == 1);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    check(is_readable(sentinel));
    check(exit_code(process) == 0);
    mp_process_destroy(process);
    mp_event_destroy(go_on);
}

void test_close(void **state)
{
    (void)state;
    mp_event *go_on = new_event();
    mp_process *process = start_named_process("Closing", wait_for_event, go_on, 0);
    int code;
    assert_mp_result(mp_process_is_alive(process), 1);
    assert_mp_error(mp_process_close(process), MP_ESTATE);
    assert_mp_ok(mp_event_set(go_on));
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    assert_mp_result(mp_process_is_alive(process), 0);
    check(exit_code(process) == 0);
    assert_mp_result(mp_process_close(process), 0);
    assert_mp_error(mp_process_is_alive(process), MP_ECLOSED);
    assert_mp_error(mp_process_join(process, MP_FOREVER), MP_ECLOSED);
    assert_mp_error(mp_process_terminate(process), MP_ECLOSED);
    assert_mp_error(mp_process_start(process), MP_ECLOSED);
    assert_mp_error(mp_process_exitcode(process, &code), MP_ECLOSED);
    assert_mp_error(mp_process_sentinel(process), MP_ECLOSED);
    assert_mp_result(mp_process_close(process), 0);
    check(strcmp(mp_process_name(process), "Closing") == 0);
    check_repr(process, process, "<Process name='Closing' parent=[0-9]+ closed daemon>");
    mp_process_destroy(process);
    mp_event_destroy(go_on);
}

void test_many_processes(void **state)
{
    (void)state;
    enum { MANY = 100 };
    const int zero = 0;
    mp_process *processes[MANY];
    support_time_limit(90);
    for (int i = 0; i < MANY; i++)
        processes[i] = start_process(return_its_argument, &zero, sizeof zero);
    for (int i = 0; i < MANY; i++)
        finish_process_with(processes[i], 0);
    for (int i = 0; i < MANY; i++)
        processes[i] = start_process(stay_at_once, NULL, 0);
    for (int i = 0; i < MANY; i++)
        assert_mp_result(mp_process_terminate(processes[i]), 0);
    for (int i = 0; i < MANY; i++)
        finish_process_with(processes[i], -SIGTERM);
}

/* Two streams, and two ways to break one. */
struct breakage {
    mp_event *event;
    bool breaks_stderr, closes_stream;
};

static void break_stream(const struct breakage *breakage)
{
    FILE *stream = breakage->breaks_stderr ? stderr : stdout;
    check(freopen("/dev/null", "w", stream) == stream);
    (void)setvbuf(stream, NULL, _IOFBF, BUFSIZ);
    (void)fputs("text that nobody can take", stream);
    if (breakage->closes_stream)
        (void)fclose(stream);
    else
        (void)close(fileno(stream));
}

static int set_event(void *arg)
{
    assert_mp_ok(mp_event_set(arg));
    return 0;
}

/* In a forked process, for the test's own streams are needed. */
static int break_then_start(void *arg)
{
    const struct breakage *breakage = arg;
    break_stream(breakage);
    finish_process_with(start_process(set_event, breakage->event, 0), 0);
    return 0;
}

static int break_then_set_event(void *arg)
{
    const struct breakage *breakage = arg;
    break_stream(breakage);
    return set_event(breakage->event);
}

static void for_each_breakage(void (*test)(struct breakage *breakage))
{
    for (int i = 0; i < 4; i++) {
        struct breakage breakage = {new_event(), (i & 1) != 0, (i & 2) != 0};
        test(&breakage);
        check(mp_event_is_set(breakage.event));
        mp_event_destroy(breakage.event);
    }
}

static void start_with_broken_stream(struct breakage *breakage)
{
    child_must_succeed(break_then_start, breakage);
}

static void start_breaking_stream(struct breakage *breakage)
{
    finish_process_with(start_process(break_then_set_event, breakage, sizeof *breakage), 0);
}

void test_error_on_stdio_flush_1(void **state)
{
    (void)state;
    for_each_breakage(start_with_broken_stream);
}

void test_error_on_stdio_flush_2(void **state)
{
    (void)state;
    for_each_breakage(start_breaking_stream);
}

/* Plain waitpid in the place of the library's. */
static void reap(mp_process *process)
{
    int status;
    pid_t ended;
    do
        ended = waitpid(mp_process_pid(process), &status, 0);
    while (ended < 0 && errno == EINTR);
    check(ended == mp_process_pid(process));
}

void test_reaped_by_others(void **state)
{
    (void)state;
    const int seven = 7;
    mp_process *process = start_process(return_its_argument, &seven, sizeof seven);
    reap(process);
    assert_mp_result(mp_process_is_alive(process), 0);
    finish_process_with(process, 7);

    process = start_staying();
    check(kill(mp_process_pid(process), SIGKILL) == 0);
    reap(process);
    assert_mp_result(mp_process_is_alive(process), 0);
    finish_process_with(process, MP_EXIT_UNKNOWN);
}

void test_ignored_sigchld(void **state)
{
    (void)state;
    const int seven = 7;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    check(sigaction(SIGCHLD, &ignore, &old) == 0);
    finish_process_with(start_process(return_its_argument, &seven, sizeof seven), 7);
    mp_process *process = start_staying();
    assert_mp_result(mp_process_kill(process), 0);
    finish_process_with(process, MP_EXIT_UNKNOWN);
    check(sigaction(SIGCHLD, &old, NULL) == 0);
}

/* In a child: arg is an object of its parent's. */
static int check_reprs_in_child(void *arg)
{
    check_repr(process, arg, "<Process name='Seen' parent=[0-9]+ unknown>");
    check_repr(process, mp_current_process(),
               "<Process name='Looking' parent=[0-9]+ started daemon>");
    return 0;
}

static mp_process *new_process(const char *name, mp_target *target, const void *arg, size_t size)
{
    mp_process *process;
    const mp_process_options options = {.name = name};
    assert_mp_result(mp_process_create(&process, target, arg, size, &options), 0);
    return process;
}

void test_states_and_repr(void **state)
{
    (void)state;
    char pattern[128];
    const int seven = 7;
    check_repr(process, mp_current_process(),
               "<_MainProcess name='MainProcess' parent=None started>");

    mp_process *process = new_process("Seen", return_its_argument, &seven, sizeof seven);
    (void)snprintf(pattern, sizeof pattern, "<Process name='Seen' parent=%ld initial>",
                   (long)getpid());
    check_repr(process, process, pattern);
    finish_process_with(start_named_process("Looking", check_reprs_in_child, process, 0), 0);
    assert_mp_result(mp_process_start(process), 0);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    (void)snprintf(pattern, sizeof pattern,
                   "<Process name='Seen' pid=%ld parent=%ld stopped exitcode=7>",
                   (long)mp_process_pid(process), (long)getpid());
    check_repr(process, process, pattern);
    mp_process_destroy(process);

    process = start_staying();
    (void)snprintf(pattern, sizeof pattern,
                   "<Process name='Process-[0-9]+' pid=%ld parent=%ld started daemon>",
                   (long)mp_process_pid(process), (long)getpid());
    check_repr(process, process, pattern);
    assert_mp_result(mp_process_terminate(process), 0);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    check_repr(process, process, "<Process name='.*' pid=.* stopped exitcode=-SIGTERM daemon>");
    assert_mp_result(mp_process_close(process), 0);
    check_repr(process, process, "<Process name='Process-[0-9]+' parent=[0-9]+ closed daemon>");
    mp_process_destroy(process);
}

static int use_a_process_of_the_parent(void *arg)
{
    assert_mp_error(mp_process_start(arg), MP_ESTATE);
    assert_mp_error(mp_process_join(arg, MP_NOWAIT), MP_ESTATE);
    assert_mp_error(mp_process_is_alive(arg), MP_ESTATE);
    return 0;
}

void test_belongs_to_its_creator(void **state)
{
    (void)state;
    mp_process *running = start_staying();
    mp_process *initial = new_process(NULL, stay_at_once, NULL, 0);
    finish_process_with(start_process(use_a_process_of_the_parent, running, 0), 0);
    finish_process_with(start_process(use_a_process_of_the_parent, initial, 0), 0);
    assert_mp_result(mp_process_is_alive(running), 1);
    assert_mp_result(mp_process_kill(running), 0);
    finish_process_with(running, -SIGKILL);
    mp_process_destroy(initial);
}

void test_calls_that_do_not_fit(void **state)
{
    (void)state;
    const int zero = 0;
    mp_process *process = new_process(NULL, return_its_argument, &zero, sizeof zero);
    mp_process *none;
    assert_mp_error(mp_process_create(&none, NULL, NULL, 0, NULL), MP_EINVAL);
    assert_mp_error(mp_process_join(process, MP_NOWAIT), MP_ESTATE);
    assert_mp_error(mp_process_terminate(process), MP_ESTATE);
    assert_mp_error(mp_process_kill(process), MP_ESTATE);
    assert_mp_error(mp_process_interrupt(process), MP_ESTATE);
    assert_mp_result(mp_process_start(process), 0);
    assert_mp_error(mp_process_start(process), MP_ESTATE);
    assert_mp_error(mp_process_set_daemon(process, true), MP_ESTATE);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    assert_mp_error(mp_process_start(process), MP_ESTATE);
    check(exit_code(process) == 0);
    mp_process_destroy(process);
}
