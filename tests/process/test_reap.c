/* How children end, and how that is noticed: exit codes, sentinels, and programs that reap. */
#include "children.h"

#include "base/base.h"

#include <errno.h>
#include <mp/connection.h>
#include <mp/sharedctypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- exit codes ---------------------------------------------------------------------------- */

static void test_the_code_is_the_targets_answer_modulo_256(void **state)
{
    (void)state;
    static const struct {
        int answer, code;
    } known[] = {{0, 0}, {1, 1}, {255, 255}, {256, 0}, {257, 1}, {-1, 255}, {-256, 0}, {1000, 232}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        int answer = known[i].answer;
        check(finish_process(start_process(leave_with, &answer)) == known[i].code);
    }
}

static int call_exit(void *arg)
{
    exit(*(int *)arg);
}

static int call_exit_at_once(void *arg)
{
    _exit(*(int *)arg);
}

static void *exit_in_thread(void *arg)
{
    exit(*(int *)arg);
}

static int exit_from_thread(void *arg)
{
    pthread_t thread;
    check(pthread_create(&thread, NULL, exit_in_thread, arg) == 0);
    return stay(NULL);
}

static void test_every_way_to_exit_gives_its_code(void **state)
{
    (void)state;
    mp_target *const ways[] = {call_exit, call_exit_at_once, exit_from_thread};
    for (size_t i = 0; i < 3; i++)
        for (int code = 0; code <= 255; code += 51)
            check(finish_process(start_process(ways[i], &code)) == code);
}

static int raise_signal(void *arg)
{
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)signal(*(int *)arg, SIG_DFL);
    (void)raise(*(int *)arg);
    return 200;
}

static void test_death_by_a_signal_gives_its_number(void **state)
{
    (void)state;
    static const int numbers[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGABRT,
                                  SIGBUS,  SIGFPE,  SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2,
                                  SIGPIPE, SIGALRM, SIGTERM, SIGXCPU, SIGSYS};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int number = numbers[i];
        check(finish_process(start_process(raise_signal, &number)) == -number);
    }
    int last = SIGRTMIN + 2;
    check(finish_process(start_process(raise_signal, &last)) == -last);
}

static void test_the_signal_is_told_by_name(void **state)
{
    (void)state;
    char text[200];
    int number = SIGVTALRM;
    mp_process *p = start_process(raise_signal, &number);
    assert_mp_result(mp_process_join(p, MP_FOREVER), 0);
    (void)assert_mp_ok(mp_process_repr(p, text, sizeof text));
    check(strstr(text, " exitcode=-SIGVTALRM>") != NULL);
    check(finish_process(p) == -SIGVTALRM);
}

static int print_and_leave(void *arg)
{
    FILE *file = arg;
    check(dup2(fileno(file), STDOUT_FILENO) == STDOUT_FILENO);
    (void)printf("not ended by a newline");
    return 0;
}

static void test_what_a_child_printed_is_written_at_its_end(void **state)
{
    (void)state;
    char text[100];
    FILE *file = tmpfile();
    check(file != NULL);
    check(finish_process(start_process(print_and_leave, file)) == 0);
    ssize_t n = pread(fileno(file), text, sizeof text - 1, 0);
    check(n >= 0);
    text[n] = '\0';
    check(strcmp(text, "not ended by a newline") == 0);
    check(fclose(file) == 0);
}

static void test_a_stopped_child_is_alive(void **state)
{
    (void)state;
    int status;
    mp_process *p = start_process(stay, NULL);
    check(kill(mp_process_pid(p), SIGSTOP) == 0);
    check(waitpid(mp_process_pid(p), &status, WUNTRACED) > 0 && WIFSTOPPED(status));
    assert_mp_result(mp_process_is_alive(p), 1);
    assert_mp_error(mp_process_join(p, 0.02), MP_ETIMEOUT);
    assert_mp_result(mp_process_kill(p), 0);
    check(finish_process(p) == -SIGKILL);
}

/* ---- a child that is stopped in the heap --------------------------- */

static struct signal_pipe said;

static void stop_in_the_heap(const char *step)
{
    if (strcmp(step, "heap.taken") == 0) {
        pipe_tell(&said, 's');
        (void)stay(NULL);
    }
}

static int hold_the_heap(void *arg)
{
    void *block = NULL;
    mp__step_hook = stop_in_the_heap;
    return mp_raw_alloc(&block, (size_t)1 << 20) == 0 && arg == NULL ? 0 : 1;
}

static atomic_int lister;

static void *list_children(void *unused)
{
    atomic_store(&lister, (int)gettid());
    (void)mp_active_children(NULL, 0);
    return unused;
}

/* Who finds a child killed has to wait for the heap; nobody else waits for him. */
static void test_a_child_that_keeps_the_heap_can_be_killed(void **state)
{
    (void)state;
    pthread_t thread;
    pipe_open(&said);
    mp_process *keeper = start_process(hold_the_heap, NULL), *killed = start_process(stay, NULL);
    check(pipe_await(&said) == 's');
    siginfo_t info;
    check(kill(mp_process_pid(killed), SIGKILL) == 0);
    check(waitid(P_PID, (id_t)mp_process_pid(killed), &info, WEXITED | WNOWAIT) == 0);
    check(pthread_create(&thread, NULL, list_children, NULL) == 0);
    while (atomic_load(&lister) == 0)
        ;
    (void)child_await_sleep((pid_t)atomic_load(&lister));
    assert_mp_result(mp_process_is_alive(keeper), 1);
    assert_mp_result(mp_process_kill(keeper), 0);
    check(finish_process(keeper) == -SIGKILL);
    check(finish_process(killed) == -SIGKILL);
    check(pthread_join(thread, NULL) == 0);
    pipe_close(&said);
}

/* ---- descriptors that the program closed --------------------------- */

static void check_waits_for(mp_process *p)
{
    assert_mp_error(mp_process_join(p, 0.03), MP_ETIMEOUT);
    assert_mp_result(mp_process_kill(p), 0);
    assert_mp_result(mp_process_join(p, 3600.0), 0);
    check(finish_process(p) == -SIGKILL);
}

static void test_a_sentinel_that_the_program_closed_is_not_missed(void **state)
{
    (void)state;
    mp_process *p = start_process(stay, NULL);
    check(close(assert_mp_ok(mp_process_sentinel(p))) == 0);
    check_waits_for(p);
}

static void test_a_file_with_the_number_of_a_sentinel_stays_open(void **state)
{
    (void)state;
    mp_process *p = start_process(stay, NULL);
    int fd = assert_mp_ok(mp_process_sentinel(p));
    check(dup2(STDERR_FILENO, fd) == fd);
    check_waits_for(p);
    check(close(fd) == 0);
}

/* ---- waiting ------------------------------------------------------------------------------- */

static void *join_in_thread(void *arg)
{
    assert_mp_result(mp_process_join(arg, MP_FOREVER), 0);
    assert_mp_result(mp_process_join(arg, 5.0), 0);
    return NULL;
}

static void *join_with_limit_in_thread(void *arg)
{
    int rc;
    do
        rc = mp_process_join(arg, 0.01);
    while (rc == MP_ETIMEOUT);
    assert_mp_result(rc, 0);
    return NULL;
}

static void test_many_threads_wait_for_one_child(void **state)
{
    (void)state;
    enum { WAITING = 6 };
    pthread_t threads[WAITING];
    mp_process *p = start_process(stay, NULL);
    for (int i = 0; i < WAITING; i++)
        check(pthread_create(&threads[i], NULL,
                             i % 2 == 0 ? join_in_thread : join_with_limit_in_thread, p) == 0);
    assert_mp_error(mp_process_join(p, 0.03), MP_ETIMEOUT);
    assert_mp_result(mp_process_terminate(p), 0);
    for (int i = 0; i < WAITING; i++)
        check(pthread_join(threads[i], NULL) == 0);
    check(finish_process(p) == -SIGTERM);
}

static int keep_sentinel_of_sibling(void *arg)
{
    (void)arg;
    return stay(NULL);
}

static void test_sentinels_are_ready_one_by_one(void **state)
{
    (void)state;
    enum { MANY = 4 };
    mp_process *all[MANY];
    struct pollfd items[MANY];
    for (int i = 0; i < MANY; i++)
        all[i] = start_process(keep_sentinel_of_sibling, NULL);
    for (int i = 0; i < MANY; i++) {
        items[i] =
            (struct pollfd){.fd = assert_mp_ok(mp_process_sentinel(all[i])), .events = POLLIN};
        assert_mp_result(mp_process_sentinel(all[i]), items[i].fd);
    }
    check(poll(items, MANY, 0) == 0);
    for (int i = MANY - 1; i >= 0; i--) {
        assert_mp_result(mp_process_kill(all[i]), 0);
        check(poll(&items[i], 1, -1) == 1);
        check(poll(items, MANY, 0) == MANY - i);
        assert_mp_result(mp_process_join(all[i], MP_FOREVER), 0);
        check(poll(&items[i], 1, 0) == 1);
    }
    for (int i = 0; i < MANY; i++)
        check(finish_process(all[i]) == -SIGKILL);
}

struct cat {
    int in[2], out[2];
};

static int become_cat(void *arg)
{
    struct cat *cat = arg;
    (void)dup2(cat->in[0], STDIN_FILENO);
    (void)dup2(cat->out[1], STDOUT_FILENO);
    (void)close(cat->in[0]);
    (void)close(cat->in[1]);
    (void)close(cat->out[0]);
    (void)close(cat->out[1]);
    return execl("/bin/cat", "cat", (char *)NULL);
}

static void test_a_child_that_is_another_program_has_not_ended(void **state)
{
    (void)state;
    struct cat cat;
    char c = 'x';
    check(pipe(cat.in) == 0 && pipe(cat.out) == 0);
    mp_process *p = start_process(become_cat, &cat);
    check(write(cat.in[1], &c, 1) == 1 && read(cat.out[0], &c, 1) == 1); /* it runs */
    mp_waitable item = MP_WAITABLE(p);
    assert_mp_result(mp_wait(&item, 1, 0), 0);
    assert_mp_result(mp_wait(&item, 1, 0.05), 0);
    assert_mp_result(mp_process_is_alive(p), 1);
    check(close(cat.in[1]) == 0);
    assert_mp_result(mp_wait(&item, 1, MP_FOREVER), 1);
    check(item.ready && finish_process(p) == 0);
    check(close(cat.in[0]) == 0 && close(cat.out[0]) == 0 && close(cat.out[1]) == 0);
}

static void test_a_sentinel_asked_for_after_the_end_is_ready(void **state)
{
    (void)state;
    mp_process *p = start_process(leave_with, NULL);
    assert_mp_result(mp_process_join(p, MP_FOREVER), 0);
    struct pollfd item = {.fd = assert_mp_ok(mp_process_sentinel(p)), .events = POLLIN};
    check(poll(&item, 1, -1) == 1);
    assert_mp_result(mp_process_close(p), 0);
    check(write(item.fd, "", 0) < 0 && errno == EBADF);
    mp_process_destroy(p);
}

/* ---- programs that reap -------------------------------------------------------------------- */

static void reap_everything(int signal_number)
{
    (void)signal_number;
    int error = errno;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = error;
}

static int live_with_a_greedy_handler(void *arg)
{
    (void)arg;
    enum { MANY = 40 };
    mp_process *all[MANY];
    int codes[MANY];
    struct sigaction action = {.sa_handler = reap_everything, .sa_flags = SA_RESTART};
    check(sigaction(SIGCHLD, &action, NULL) == 0);
    for (int i = 0; i < MANY; i++) {
        codes[i] = i * 6;
        all[i] = start_process(leave_with, &codes[i]);
    }
    for (int i = 0; i < MANY; i++)
        check(finish_process(all[i]) == codes[i]);
    mp_process *killed = start_process(stay, NULL);
    assert_mp_result(mp_process_kill(killed), 0);
    int code = finish_process(killed);
    check(code == MP_EXIT_UNKNOWN || code == -SIGKILL);
    return 0;
}

static void test_a_handler_that_reaps_everything_loses_no_code(void **state)
{
    (void)state;
    check(program(live_with_a_greedy_handler, NULL) == 0);
}

static int reap_all_children(void *arg)
{
    int code = 33;
    (void)arg;
    mp_process *q = start_process(stay, NULL), *p = start_process(leave_with, &code);
    pid_t own = child_fork(leave_with, &code);
    assert_mp_result(mp_process_kill(q), 0);
    for (int i = 0; i < 3; i++)
        check(waitpid(-1, NULL, 0) > 0);
    check(waitpid(own, NULL, 0) < 0 && errno == ECHILD);
    assert_mp_result(mp_process_is_alive(p), 0);
    assert_mp_result(mp_process_terminate(p), 0);
    check(finish_process(p) == 33);
    check(finish_process(q) == MP_EXIT_UNKNOWN);
    return 0;
}

static void test_the_programs_own_waits_take_no_code_away(void **state)
{
    (void)state;
    check(program(reap_all_children, NULL) == 0);
}

static void test_children_of_the_program_itself_are_left_to_it(void **state)
{
    (void)state;
    int code = 21;
    pid_t own = child_fork(leave_with, &code);
    for (int i = 0; i < 5; i++)
        check(finish_process(start_process(leave_with, NULL)) == 0);
    assert_mp_result(mp_active_children(NULL, 0), 0);
    check(child_wait(own) == 21);
}

static int signal_with_sigchld_ignored(void *arg)
{
    (void)arg;
    check(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    mp_process *p = start_process(stay, NULL);
    assert_mp_result(mp_process_is_alive(p), 1);
    assert_mp_error(mp_process_join(p, 0.02), MP_ETIMEOUT);
    struct pollfd item = {.fd = assert_mp_ok(mp_process_sentinel(p)), .events = POLLIN};
    check(poll(&item, 1, 0) == 0);
    assert_mp_result(mp_process_terminate(p), 0);
    check(poll(&item, 1, -1) == 1);
    check(finish_process(p) == MP_EXIT_UNKNOWN);
    return 0;
}

static void test_with_sigchld_ignored_children_are_watched_all_the_same(void **state)
{
    (void)state;
    check(program(signal_with_sigchld_ignored, NULL) == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("exitcode: is the target's answer modulo 256",
                     test_the_code_is_the_targets_answer_modulo_256),
        support_test("exitcode: every way to exit gives its code",
                     test_every_way_to_exit_gives_its_code),
        support_test("exitcode: death by a signal gives its number",
                     test_death_by_a_signal_gives_its_number),
        support_test("repr: the signal is told by name", test_the_signal_is_told_by_name),
        support_test("end: what a child printed is written at its end",
                     test_what_a_child_printed_is_written_at_its_end),
        support_test("is_alive: a stopped child is", test_a_stopped_child_is_alive),
        support_test("kill: a child that keeps the heap can be killed",
                     test_a_child_that_keeps_the_heap_can_be_killed),
        support_test("sentinel: one that the program closed is not missed",
                     test_a_sentinel_that_the_program_closed_is_not_missed),
        support_test("sentinel: a file with its number stays open",
                     test_a_file_with_the_number_of_a_sentinel_stays_open),
        support_test("join: many threads wait for one child", test_many_threads_wait_for_one_child),
        support_test("sentinel: they are ready one by one", test_sentinels_are_ready_one_by_one),
        support_test("sentinel: one asked for after the end is ready",
                     test_a_sentinel_asked_for_after_the_end_is_ready),
        support_test("wait: a child that is another program has not ended",
                     test_a_child_that_is_another_program_has_not_ended),
        support_test("reap: a handler that reaps everything loses no code",
                     test_a_handler_that_reaps_everything_loses_no_code),
        support_test("reap: the program's own waits take no code away",
                     test_the_programs_own_waits_take_no_code_away),
        support_test("reap: children of the program itself are left to it",
                     test_children_of_the_program_itself_are_left_to_it),
        support_test("reap: with SIGCHLD ignored children are watched all the same",
                     test_with_sigchld_ignored_children_are_watched_all_the_same),
    };
    return support_run_processes("reap", tests);
}
