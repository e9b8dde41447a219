/* Python's TestProcess, first half: what a process knows of itself, its parent and its children. */
#include "parity_process.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int return_its_argument(void *arg)
{
    return *(const int *)arg;
}

int wait_for_event(void *arg)
{
    assert_mp_result(mp_event_wait(arg, MP_FOREVER), 0);
    return 0;
}

static void test_current(void **state)
{
    (void)state;
    mp_process *current = mp_current_process();
    size_t key_size = 0;
    int code;
    check(current != NULL);
    assert_mp_result(mp_process_is_alive(current), 1);
    check(!mp_process_daemon(current));
    check(mp_process_authkey(current, &key_size) != NULL && key_size == 32);
    check(mp_process_pid(current) == getpid());
    check(strcmp(mp_process_name(current), "MainProcess") == 0);
    assert_mp_result(mp_process_exitcode(current, &code), 0);
}

/* In a daemonic child: a process made there is daemonic too, and is not started. */
static int make_processes(void *arg)
{
    static int zero;
    mp_process *child;
    const mp_process_options no = {.daemon = MP_DAEMON_NO};
    (void)arg;
    check(mp_process_daemon(mp_current_process()));
    assert_mp_result(mp_process_create(&child, return_its_argument, &zero, sizeof zero, NULL), 0);
    check(mp_process_daemon(child));
    assert_mp_error(mp_process_start(child), MP_ESTATE);
    mp_process_destroy(child);
    assert_mp_result(mp_process_create(&child, return_its_argument, &zero, sizeof zero, &no), 0);
    check(!mp_process_daemon(child));
    mp_process_destroy(child);
    return 0;
}

static void test_daemon_argument(void **state)
{
    (void)state;
    static const struct {
        mp_daemon option;
        bool expected;
    } cases[] = {{MP_DAEMON_INHERIT, false}, {MP_DAEMON_YES, true}, {MP_DAEMON_NO, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mp_process *process;
        const mp_process_options options = {.daemon = cases[i].option};
        assert_mp_result(mp_process_create(&process, make_processes, NULL, 0, &options), 0);
        check(mp_process_daemon(process) == cases[i].expected);
        mp_process_destroy(process);
    }
    finish_process_with(start_process(make_processes, NULL, 0), 0);
}

struct relatives {
    pid_t own, parent;
    char parent_name[64];
};

static int report_parent(void *arg)
{
    struct relatives *relatives = arg;
    mp_process *parent = mp_parent_process();
    check(parent != NULL);
    relatives->own = getpid();
    relatives->parent = mp_process_pid(parent);
    (void)snprintf(relatives->parent_name, sizeof relatives->parent_name, "%s",
                   mp_process_name(parent));
    return 0;
}

static void test_parent_process_attributes(void **state)
{
    (void)state;
    struct relatives *relatives = shared_memory(sizeof *relatives);
    check(mp_parent_process() == NULL);
    mp_process *process = start_process(report_parent, relatives, 0);
    pid_t pid = mp_process_pid(process);
    finish_process_with(process, 0);
    check(relatives->own == pid);
    check(relatives->parent == getpid());
    check(strcmp(relatives->parent_name, mp_process_name(mp_current_process())) == 0);
    mp_raw_free(relatives);
}

static int watch_the_parent(void *arg)
{
    const struct signal_pipe *news = arg;
    mp_process *parent = mp_parent_process();
    pipe_tell(news, mp_process_is_alive(parent) == 1 ? 'a' : 'x');
    assert_mp_result(mp_process_join(parent, MP_FOREVER), 0);
    pipe_tell(news, mp_process_is_alive(parent) == 0 ? 'd' : 'y');
    return 0;
}

static int start_a_watcher(void *arg)
{
    mp_process *watcher;
    assert_mp_result(mp_process_create(&watcher, watch_the_parent, arg, 0, NULL), 0);
    assert_mp_result(mp_process_start(watcher), 0);
    return stay_at_once(NULL);
}

static void test_parent_process(void **state)
{
    (void)state;
    struct signal_pipe news;
    mp_process *child;
    pipe_open(&news);
    assert_mp_result(mp_process_create(&child, start_a_watcher, &news, sizeof news, NULL), 0);
    assert_mp_result(mp_process_start(child), 0);
    check(close(news.write_fd) == 0);
    news.write_fd = -1;
    check(pipe_await(&news) == 'a');
    assert_mp_result(mp_process_terminate(child), 0);
    assert_mp_result(mp_process_join(child, MP_FOREVER), 0);
    check(pipe_await(&news) == 'd');
    mp_process_destroy(child);
    pipe_close(&news);
}

/* Lies in shared memory. */
struct self_report {
    mp_event *go_on;
    pid_t pid;
    int first, second;
    char name[64];
    unsigned char key[64];
    size_t key_size;
};

struct self_arguments {
    struct self_report *report;
    int first, second;
};

static int report_self(void *arg)
{
    const struct self_arguments *arguments = arg;
    struct self_report *report = arguments->report;
    mp_process *self = mp_current_process();
    const void *key = mp_process_authkey(self, &report->key_size);
    check(report->key_size <= sizeof report->key);
    memcpy(report->key, key, report->key_size);
    report->pid = mp_process_pid(self);
    report->first = arguments->first;
    report->second = arguments->second;
    (void)snprintf(report->name, sizeof report->name, "%s", mp_process_name(self));
    return wait_for_event(report->go_on);
}

static void check_before_start(mp_process *process)
{
    size_t key_size, own_size;
    int code;
    const void *key = mp_process_authkey(process, &key_size);
    const void *own = mp_process_authkey(mp_current_process(), &own_size);
    check(key_size == own_size && memcmp(key, own, own_size) == 0);
    assert_mp_result(mp_process_is_alive(process), 0);
    check(mp_process_daemon(process));
    check(mp_process_pid(process) == 0);
    assert_mp_result(mp_active_children(NULL, 0), 0);
    assert_mp_result(mp_process_exitcode(process, &code), 0);
}

static void check_running(mp_process *process)
{
    int code;
    assert_mp_result(mp_process_exitcode(process, &code), 0);
    assert_mp_result(mp_process_is_alive(process), 1);
    check(mp_process_pid(process) > 0);
    check(is_active_child(mp_process_pid(process)));
}

static void test_process(void **state)
{
    (void)state;
    struct self_report *report = shared_memory(sizeof *report);
    struct self_arguments arguments = {report, 1, 2};
    const mp_process_options options = {.name = "SomeProcess"};
    mp_process *process;
    size_t key_size;
    report->go_on = new_event();
    assert_mp_result(
        mp_process_create(&process, report_self, &arguments, sizeof arguments, &options), 0);
    arguments.first = -1;
    assert_mp_result(mp_process_set_daemon(process, true), 0);
    check_before_start(process);
    assert_mp_result(mp_process_start(process), 0);
    check_running(process);

    assert_mp_ok(mp_event_set(report->go_on));
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    check(report->first == 1 && report->second == 2);
    check(strcmp(report->name, "SomeProcess") == 0);
    const void *key = mp_process_authkey(process, &key_size);
    check(report->key_size == key_size && memcmp(report->key, key, key_size) == 0);
    check(report->pid == mp_process_pid(process));
    check(exit_code(process) == 0);
    assert_mp_result(mp_process_is_alive(process), 0);
    check(!is_active_child(report->pid));
    mp_process_destroy(process);
    mp_event_destroy(report->go_on);
    mp_raw_free(report);
}

/* <pid>/task/<thread id> of the calling thread. */
static long thread_id(void)
{
    char target[64];
    ssize_t n = readlink("/proc/thread-self", target, sizeof target - 1);
    check(n > 0);
    target[n] = '\0';
    return strtol(strrchr(target, '/') + 1, NULL, 10);
}

static int report_thread_id(void *arg)
{
    *(long *)arg = thread_id();
    return 0;
}

static void test_process_mainthread_native_id(void **state)
{
    (void)state;
    long *in_child = shared_memory(sizeof *in_child);
    mp_process *process = start_process(report_thread_id, in_child, 0);
    pid_t pid = mp_process_pid(process);
    finish_process_with(process, 0);
    check(*in_child != thread_id());
    check(*in_child == (long)pid);
    mp_raw_free(in_child);
}

static void test_cpu_count(void **state)
{
    (void)state;
    int machine = assert_mp_ok(mp_cpu_count());
    int usable = assert_mp_ok(mp_process_cpu_count());
    check(machine >= 1);
    check(usable >= 1 && usable <= machine);
}

static void test_active_children(void **state)
{
    (void)state;
    mp_event *go_on = new_event();
    mp_process *process, *one[1] = {NULL};
    assert_mp_result(mp_process_create(&process, wait_for_event, go_on, 0, NULL), 0);
    assert_mp_result(mp_active_children(NULL, 0), 0);
    assert_mp_result(mp_process_set_daemon(process, true), 0);
    assert_mp_result(mp_process_start(process), 0);
    assert_mp_result(mp_active_children(NULL, 0), 1);
    assert_mp_result(mp_active_children(one, 1), 1);
    check(mp_process_pid(one[0]) == mp_process_pid(process));
    mp_process_destroy(one[0]);
    assert_mp_ok(mp_event_set(go_on));
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    assert_mp_result(mp_active_children(NULL, 0), 0);
    mp_process_destroy(process);
    mp_event_destroy(go_on);
}

struct branch {
    int output;
    char id[8];
};

static void grow(const struct branch *branch);

static int grow_in_child(void *arg)
{
    grow(arg);
    return 0;
}

/* Says its id and its name, then has two children, one after the other. */
static void grow(const struct branch *branch)
{
    char line[128];
    int n =
        snprintf(line, sizeof line, "%s %s\n", branch->id, mp_process_name(mp_current_process()));
    check(n > 0 && write(branch->output, line, (size_t)n) == n);
    if (strlen(branch->id) >= 3)
        return;
    for (int i = 0; i < 2; i++) {
        struct branch next = *branch;
        mp_process *child;
        next.id[strlen(next.id)] = (char)('0' + i);
        assert_mp_result(mp_process_create(&child, grow_in_child, &next, sizeof next, NULL), 0);
        assert_mp_result(mp_process_start(child), 0);
        finish_process_with(child, 0);
    }
}

static void test_recursion(void **state)
{
    (void)state;
    static const char *const ids[] = {"r", "r0", "r00", "r01", "r1", "r10", "r11"};
    static const int parents[] = {-1, 0, 1, 1, 0, 4, 4};
    char text[2048], names[7][64];
    struct signal_pipe lines;
    pipe_open(&lines);
    grow(&(struct branch){.output = lines.write_fd, .id = "r"});
    ssize_t n = read(lines.read_fd, text, sizeof text - 1);
    check(n > 0);
    text[n] = '\0';
    const char *at = text;
    for (size_t i = 0; i < 7; i++) {
        char id[16];
        int length = 0;
        check(sscanf(at, "%15s %63s\n%n", id, names[i], &length) == 2);
        check(strcmp(id, ids[i]) == 0);
        at += length;
    }
    check(*at == '\0' && strcmp(names[0], "MainProcess") == 0);
    check_text(names[1], "Process-[0-9]+");
    for (size_t i = 2; i < 7; i++) {
        char expected[128];
        if (parents[i] == 0)
            continue;
        (void)snprintf(expected, sizeof expected, "%s:%d", names[parents[i]], ids[i][2] - '0' + 1);
        check(strcmp(names[i], expected) == 0);
    }
    pipe_close(&lines);
}

static int return_status_and_pid(void *arg)
{
    *(pid_t *)arg = getpid();
    return 263;
}

static void test_run(void **state)
{
    (void)state;
    pid_t ran_in = 0;
    mp_process *process;
    assert_mp_result(mp_process_create(&process, return_status_and_pid, &ran_in, 0, NULL), 0);
    assert_mp_result(mp_process_run(process), 263 & 255);
    check(ran_in == getpid());
    check(mp_process_pid(process) == 0);
    mp_process_destroy(process);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestProcess.test_current: the first process knows itself", test_current),
        support_test("TestProcess.test_daemon_argument: given, or inherited from the creator",
                     test_daemon_argument),
        support_test("TestProcess.test_parent_process_attributes: a child knows its parent",
                     test_parent_process_attributes),
        support_test("TestProcess.test_parent_process: a child notices its parent's death",
                     test_parent_process),
        support_test("TestProcess.test_process: what is known before, during and after its life",
                     test_process),
        support_test("TestProcess.test_process_mainthread_native_id: a child has another thread",
                     test_process_mainthread_native_id),
        support_test("TestProcess.test_cpu_count: counts at least one", test_cpu_count),
        support_test("TestProcess.test_active_children: lists what runs, and no more",
                     test_active_children),
        support_test("TestProcess.test_recursion: children of children report in order",
                     test_recursion),
        support_test("TestProcess run: runs the target here and gives its status", test_run),
        support_test("TestProcess.test_interrupt_no_handler: ends with -SIGINT",
                     test_interrupt_no_handler),
        support_test("TestProcess.test_terminate: ends with -SIGTERM", test_terminate),
        support_test("TestProcess.test_kill: ends with -SIGKILL", test_kill),
        support_test("TestProcess.test_sentinel: is ready when the process has ended",
                     test_sentinel),
        support_test(
            "TestProcess.test_close: refused while it runs, then nothing but name and repr",
            test_close),
        support_test("TestProcess.test_many_processes: a hundred end, and a hundred are ended",
                     test_many_processes),
        support_test("TestProcess.test_error_on_stdio_flush_1: streams broken in the parent",
                     test_error_on_stdio_flush_1),
        support_test("TestProcess.test_error_on_stdio_flush_2: streams broken in the child",
                     test_error_on_stdio_flush_2),
        support_test(
            "TestProcess exitcode: a child reaped by others leaves its word, or is unknown",
            test_reaped_by_others),
        support_test("TestProcess exitcode: known with SIGCHLD ignored", test_ignored_sigchld),
        support_test("TestProcess repr: one form for each state", test_states_and_repr),
        support_test("TestProcess: a process object is of use to its creator only",
                     test_belongs_to_its_creator),
        support_test("TestProcess: calls that do not fit the state are refused",
                     test_calls_that_do_not_fit),
    };
    return support_run_processes("TestProcess", tests);
}
