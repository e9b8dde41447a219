/* How children begin: what they inherit, and that many may start at once, from any thread. */
#include "children.h"

#include <mp/synchronize.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- inherited ----------------------------------------------------------------------------- */

static int read_stdin(void *arg)
{
    (void)arg;
    char byte;
    struct stat here, null;
    check(fstat(STDIN_FILENO, &here) == 0 && stat("/dev/null", &null) == 0);
    check(here.st_rdev == null.st_rdev && S_ISCHR(here.st_mode));
    check(read(STDIN_FILENO, &byte, 1) == 0);
    check(getchar() == EOF);
    return 0;
}

static int start_with_stdin_closed(void *arg)
{
    (void)arg;
    (void)close(STDIN_FILENO);
    return finish_process(start_process(read_stdin, NULL));
}

static int start_with_something_on_stdin(void *arg)
{
    (void)arg;
    FILE *file = tmpfile();
    check(file != NULL && fputs("for the parent", file) >= 0 && fflush(file) == 0);
    check(dup2(fileno(file), STDIN_FILENO) == STDIN_FILENO);
    check(lseek(STDIN_FILENO, 0, SEEK_SET) == 0);
    check(getchar() == 'f');
    check(finish_process(start_process(read_stdin, NULL)) == 0);
    check(getchar() == 'o');
    return 0;
}

static void test_stdin_of_a_child_is_empty(void **state)
{
    (void)state;
    check(program(start_with_stdin_closed, NULL) == 0);
    check(program(start_with_something_on_stdin, NULL) == 0);
}

static volatile sig_atomic_t handled;

static void note_signal(int signal_number)
{
    handled = signal_number;
}

static int look_at_signals(void *arg)
{
    (void)arg;
    sigset_t mask;
    struct sigaction action;
    check(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
    check(sigismember(&mask, SIGUSR1) == 1);
    check(sigismember(&mask, SIGUSR2) == 0 && sigismember(&mask, SIGTERM) == 0);
    check(sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
    handled = 0;
    check(raise(SIGUSR2) == 0);
    check(handled == SIGUSR2);
    check(raise(SIGHUP) == 0);
    return 0;
}

static int start_with_signals_set(void *arg)
{
    (void)arg;
    sigset_t mask, after;
    struct sigaction action = {.sa_handler = note_signal};
    check(sigemptyset(&mask) == 0 && sigaddset(&mask, SIGUSR1) == 0);
    check(sigprocmask(SIG_BLOCK, &mask, NULL) == 0);
    check(sigaction(SIGUSR2, &action, NULL) == 0);
    check(signal(SIGHUP, SIG_IGN) != SIG_ERR);
    check(raise(SIGUSR1) == 0); /* pending here, and not in the child */
    check(finish_process(start_process(look_at_signals, NULL)) == 0);
    check(finish_process(start_daemon(look_at_signals, NULL)) == 0);
    check(sigprocmask(SIG_SETMASK, NULL, &after) == 0);
    check(sigismember(&after, SIGUSR1) == 1 && sigismember(&after, SIGTERM) == 0);
    return 0;
}

static void test_mask_and_handlers_are_inherited(void **state)
{
    (void)state;
    check(program(start_with_signals_set, NULL) == 0);
}

static int write_to_descriptor(void *arg)
{
    pipe_tell(arg, 'd');
    return 0;
}

static void test_descriptors_are_inherited(void **state)
{
    (void)state;
    struct signal_pipe pipe_ends;
    pipe_open(&pipe_ends);
    check(finish_process(start_process(write_to_descriptor, &pipe_ends)) == 0);
    check(pipe_await(&pipe_ends) == 'd');
    pipe_close(&pipe_ends);
}

/* Of what the parent opened to watch its other children nothing is left in a child. */
static int count_descriptors(void *arg)
{
    return census_open_descriptors() == *(int *)arg ? 0 : 1;
}

static void test_sentinels_of_others_are_not_inherited(void **state)
{
    (void)state;
    mp_process *others[5];
    int before = census_open_descriptors();
    for (int i = 0; i < 5; i++) {
        others[i] = start_process(stay, NULL);
        (void)assert_mp_ok(mp_process_sentinel(others[i]));
    }
    check(census_open_descriptors() > before);
    mp_process *alone = new_process(count_descriptors, &before, MP_DAEMON_NO);
    assert_mp_result(mp_process_start(alone), 0);
    int code = finish_process(alone);
    check(code == 0 || code == 1);
    /* the portable form leaves each child the end of its own pipe */
    int with_own = before + 1;
    check(code == 0 || finish_process(start_process(count_descriptors, &with_own)) == 0);
    for (int i = 0; i < 5; i++) {
        assert_mp_result(mp_process_kill(others[i]), 0);
        check(finish_process(others[i]) == -SIGKILL);
    }
}

/* ---- the key ------------------------------------------------------------------------------- */

static int compare_key(void *arg)
{
    size_t n = 0;
    const void *key = mp_process_authkey(mp_current_process(), &n);
    check(key != NULL && n == strlen(arg) && memcmp(key, arg, n) == 0);
    mp_process *child = new_process(leave_with, NULL, MP_DAEMON_NO);
    key = mp_process_authkey(child, &n);
    check(key != NULL && n == strlen(arg) && memcmp(key, arg, n) == 0);
    mp_process_destroy(child);
    return 0;
}

static int hand_keys_down(void *arg)
{
    (void)arg;
    size_t n = 0;
    mp_process *self = mp_current_process();
    check(mp_process_authkey(self, &n) != NULL && n == 32);
    assert_mp_result(mp_process_set_authkey(self, "first", 5), 0);
    mp_process *early = new_process(compare_key, "first", MP_DAEMON_NO);
    assert_mp_result(mp_process_set_authkey(self, "second one", 10), 0);
    mp_process *late = new_process(compare_key, "second one", MP_DAEMON_NO);
    mp_process *own = new_process(compare_key, "its own", MP_DAEMON_NO);
    mp_process *none = new_process(compare_key, "", MP_DAEMON_NO);
    assert_mp_result(mp_process_set_authkey(own, "its own", 7), 0);
    assert_mp_result(mp_process_set_authkey(none, NULL, 0), 0);
    mp_process *const all[] = {early, late, own, none};
    for (size_t i = 0; i < 4; i++)
        assert_mp_result(mp_process_start(all[i]), 0);
    for (size_t i = 0; i < 4; i++)
        check(finish_process(all[i]) == 0);
    return 0;
}

static void test_the_key_is_inherited_when_the_object_is_made(void **state)
{
    (void)state;
    check(program(hand_keys_down, NULL) == 0);
}

/* ---- many ---------------------------------------------------------------------------------- */

static void test_two_hundred_run_at_once(void **state)
{
    (void)state;
    enum { MANY = 200 };
    static mp_process *all[MANY];
    for (int i = 0; i < MANY; i++)
        all[i] = start_process(stay, NULL);
    assert_mp_result(mp_active_children(NULL, 0), MANY);
    for (int i = 0; i < MANY; i++)
        assert_mp_result(i % 2 == 0 ? mp_process_terminate(all[i]) : mp_process_kill(all[i]), 0);
    for (int i = 0; i < MANY; i++)
        check(finish_process(all[i]) == (i % 2 == 0 ? -SIGTERM : -SIGKILL));
    assert_mp_result(mp_active_children(NULL, 0), 0);
}

enum { THREADS = 8, STARTS = 50 };

static void *start_in_thread(void *arg)
{
    int number = *(int *)arg;
    for (int i = 0; i < STARTS; i++) {
        int status = (number * STARTS + i) % 256;
        check(finish_process(start_process(leave_with, &status)) == status);
    }
    return NULL;
}

static void test_threads_start_processes_at_once(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        check(pthread_create(&threads[i], NULL, start_in_thread, &numbers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        check(pthread_join(threads[i], NULL) == 0);
    assert_mp_result(mp_active_children(NULL, 0), 0);
}

static void *start_the_same(void *arg)
{
    int rc = mp_process_start(arg);
    check(rc == 0 || rc == MP_ESTATE);
    return (void *)(intptr_t)(rc == 0);
}

static void test_of_many_threads_one_starts_the_object(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        pthread_t threads[THREADS];
        intptr_t started = 0;
        mp_process *p = new_process(leave_with, NULL, MP_DAEMON_NO);
        for (int i = 0; i < THREADS; i++)
            check(pthread_create(&threads[i], NULL, start_the_same, p) == 0);
        for (int i = 0; i < THREADS; i++) {
            void *result;
            check(pthread_join(threads[i], &result) == 0);
            started += (intptr_t)result;
        }
        check(started == 1);
        check(finish_process(p) == 0);
    }
}

static atomic_bool over;

static void *keep_busy(void *arg)
{
    FILE *sink = arg;
    for (size_t size = 16; !atomic_load(&over); size = size % 100000 + 16) {
        char *memory = malloc(size);
        check(memory != NULL);
        memory[size - 1] = 'x';
        (void)fprintf(sink, "%zu %c\n", size, memory[size - 1]);
        (void)printf("%s", "");
        free(memory);
        if (size % 64 == 0)
            (void)sched_yield();
    }
    return NULL;
}

static int work_in_child(void *arg)
{
    (void)arg;
    for (size_t size = 1; size < 200000; size *= 2) {
        char *memory = malloc(size);
        if (memory == NULL)
            return 1;
        memset(memory, 1, size);
        free(memory);
    }
    (void)printf("%s", "");
    return fflush(stdout) == 0 ? 0 : 2;
}

static void test_children_of_a_busy_program_can_allocate_and_print(void **state)
{
    (void)state;
    pthread_t threads[3];
    if (SANITIZED) {
        print_message("SKIPPED: a sanitizer's allocator may be locked for ever in the child\n");
        skip();
    }
    FILE *sink = fopen("/dev/null", "w");
    check(sink != NULL);
    atomic_store(&over, false);
    for (int i = 0; i < 3; i++)
        check(pthread_create(&threads[i], NULL, keep_busy, sink) == 0);
    for (int i = 0; i < 150; i++)
        check(finish_process(start_process(work_in_child, NULL)) == 0);
    atomic_store(&over, true);
    for (int i = 0; i < 3; i++)
        check(pthread_join(threads[i], NULL) == 0);
    check(fclose(sink) == 0);
}

struct tree {
    mp_semaphore *leaves;
    int levels;
};

static int grow(void *arg)
{
    struct tree *tree = arg;
    mp_process *children[4];
    if (tree->levels-- == 0)
        return mp_semaphore_release(tree->leaves);
    for (int i = 0; i < 4; i++)
        children[i] = start_process(grow, tree);
    for (int i = 0; i < 4; i++)
        if (finish_process(children[i]) != 0)
            return 1;
    return 0;
}

static void test_children_start_children(void **state)
{
    (void)state;
    struct tree tree = {.levels = 3};
    assert_mp_result(mp_semaphore_create(&tree.leaves, 0, NULL), 0);
    check(finish_process(start_process(grow, &tree)) == 0);
    assert_mp_result(mp_semaphore_get_value(tree.leaves), 64);
    mp_semaphore_destroy(tree.leaves);
}

/* ---- a close beside a start ----------------------------------------------------------------- */

static struct signal_pipe may_end;
static mp_process *starting;
static pthread_t closer;
static _Atomic pid_t closer_id;
static int closed;

static int wait_to_end(void *arg)
{
    (void)arg;
    return pipe_await(&may_end);
}

static void *close_it(void *arg)
{
    (void)arg;
    atomic_store(&closer_id, (pid_t)syscall(SYS_gettid));
    closed = mp_process_close(starting);
    return NULL;
}

/* Runs inside the fork, when a start is half done. */
static void close_beside(void)
{
    if (starting == NULL || atomic_load(&closer_id) != 0)
        return;
    check(pthread_create(&closer, NULL, close_it, NULL) == 0);
    while (atomic_load(&closer_id) == 0)
        (void)sched_yield();
    check(child_await_sleep(atomic_load(&closer_id)));
}

static int close_while_starting(void *arg)
{
    (void)arg;
    check(pthread_atfork(close_beside, NULL, NULL) == 0);
    pipe_open(&may_end);
    assert_mp_result(mp_process_create(&starting, wait_to_end, NULL, 0, NULL), 0);
    assert_mp_result(mp_process_start(starting), 0);
    check(pthread_join(closer, NULL) == 0);
    check(closed == MP_ESTATE);
    assert_mp_result(mp_process_is_alive(starting), 1);
    pipe_tell(&may_end, 7);
    check(finish_process(starting) == 7);
    return 0;
}

static void test_a_close_beside_a_start_does_not_lose_the_child(void **state)
{
    (void)state;
    check(program(close_while_starting, NULL) == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("start: stdin of a child is empty", test_stdin_of_a_child_is_empty),
        support_test("start: mask and handlers are inherited",
                     test_mask_and_handlers_are_inherited),
        support_test("start: descriptors are inherited", test_descriptors_are_inherited),
        support_test("start: sentinels of others are not inherited",
                     test_sentinels_of_others_are_not_inherited),
        support_test("authkey: is inherited when the object is made",
                     test_the_key_is_inherited_when_the_object_is_made),
        support_test("start: two hundred run at once", test_two_hundred_run_at_once),
        support_test("start: threads start processes at once",
                     test_threads_start_processes_at_once),
        support_test("start: of many threads one starts the object",
                     test_of_many_threads_one_starts_the_object),
        support_test("start: children of a busy program can allocate and print",
                     test_children_of_a_busy_program_can_allocate_and_print),
        support_test("start: children start children", test_children_start_children),
        support_test("start: a close beside it does not lose the child",
                     test_a_close_beside_a_start_does_not_lose_the_child),
    };
    return support_run_processes("start", tests);
}
