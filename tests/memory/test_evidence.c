/* Who is dead, when the usual signs are missing: holders and observers that closed all their
 * descriptors, holders that called exec, that are stopped, or whose first thread has ended. */
#include "support/support.h"

#include "memory/arena.h"

#include <fcntl.h>
#include <mp/synchronize.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static mp_lock *lock;
static struct signal_pipe ready, go;

static int setup(void **state)
{
    assert_mp_result(support_setup(state), 0);
    pipe_open(&ready);
    pipe_open(&go);
    assert_mp_result(mp_lock_create(&lock), 0);
    return 0;
}

static int teardown(void **state)
{
    mp_lock_destroy(lock);
    pipe_close(&ready);
    pipe_close(&go);
    return support_teardown(state);
}

/* Start times speak for who has no descriptor; the portable form has none. */
static void need_start_times(void)
{
    if (mp__boot_now() == 0) {
        print_message("SKIPPED: the portable form knows no start times\n");
        skip();
    }
}

static bool is_needed(int fd)
{
    return fd < 3 || fd == ready.write_fd || fd == go.read_fd || fd >= 100;
}

/* As a daemon does; the pipes of the tests stay. */
static void close_descriptors(void)
{
    for (int fd = 0; fd < 256; fd++)
        if (!is_needed(fd))
            (void)close(fd);
    check(fcntl(mp__life.fd, F_GETFD) < 0);
}

static void open_others_in_their_place(void)
{
    for (int i = 0; i < 100; i++)
        check(open("/dev/null", O_RDWR) >= 0);
    check(fcntl(mp__life.fd, F_GETFD) >= 0);
}

static void check_alive(void)
{
    for (int i = 0; i < 20; i++)
        assert_mp_error(mp_lock_acquire(lock, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_error(mp_lock_acquire(lock, 0.03), MP_ETIMEOUT);
}

static void check_inherited(void)
{
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), MP_RECOVERED);
    assert_mp_result(mp_lock_release(lock), 0);
}

/* ---- holders ------------------------------------------------------------------------------- */

static int hold_without_descriptors(void *arg)
{
    (void)arg;
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    close_descriptors();
    pipe_tell(&ready, 'r');
    return pipe_await(&go) == 'g' ? 0 : 1;
}

static int close_and_hold(void *arg)
{
    (void)arg;
    close_descriptors();
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    pipe_tell(&ready, 'r');
    return pipe_await(&go) == 'g' ? 0 : 1;
}

static int hold_with_others_in_their_place(void *arg)
{
    (void)arg;
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    close_descriptors();
    open_others_in_their_place();
    pipe_tell(&ready, 'r');
    return pipe_await(&go) == 'g' ? 0 : 1;
}

static void check_lives_until_its_end(int (*holder)(void *))
{
    need_start_times();
    pid_t pid = child_fork(holder, NULL);
    check(pipe_await(&ready) == 'r');
    check_alive();
    pipe_tell(&go, 'g');
    check(child_wait(pid) == 0);
    check_inherited();
}

static void test_a_holder_that_closed_all_its_descriptors_is_alive(void **state)
{
    (void)state;
    check_lives_until_its_end(hold_without_descriptors);
}

static void test_a_process_may_close_them_before_it_first_holds(void **state)
{
    (void)state;
    check_lives_until_its_end(close_and_hold);
}

static void test_other_files_in_their_place_do_not_matter(void **state)
{
    (void)state;
    check_lives_until_its_end(hold_with_others_in_their_place);
}

static int hold_and_exec(void *arg)
{
    (void)arg;
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    check(dup2(go.read_fd, STDIN_FILENO) == STDIN_FILENO);
    check(dup2(ready.write_fd, STDOUT_FILENO) == STDOUT_FILENO);
    (void)execlp("sh", "sh", "-c", "printf r; read -r line; exit 7", (char *)NULL);
    return 1;
}

static void test_a_holder_that_called_exec_is_alive_until_that_program_ends(void **state)
{
    (void)state;
    need_start_times();
    pid_t pid = child_fork(hold_and_exec, NULL);
    check(pipe_await(&ready) == 'r');
    check_alive();
    pipe_tell(&go, '\n');
    check(child_wait(pid) == 7);
    check_inherited();
}

static int hold_and_wait(void *arg)
{
    (void)arg;
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    pipe_tell(&ready, 'r');
    while (pause() < 0)
        ;
    return 1;
}

static void test_a_stopped_holder_is_alive(void **state)
{
    (void)state;
    int status;
    pid_t pid = child_fork(hold_and_wait, NULL);
    check(pipe_await(&ready) == 'r');
    check(kill(pid, SIGSTOP) == 0);
    check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    check_alive();
    check(kill(pid, SIGKILL) == 0);
    check(child_wait(pid) == -SIGKILL);
    check_inherited();
}

static void *outlive_first_thread(void *unused)
{
    (void)hold_and_wait(NULL);
    return unused;
}

static int end_first_thread(void *arg)
{
    pthread_t other;
    check(pthread_create(&other, NULL, outlive_first_thread, NULL) == 0);
    pthread_exit(arg);
}

static void test_a_holder_whose_first_thread_has_ended_is_alive(void **state)
{
    (void)state;
    pid_t pid = child_fork(end_first_thread, NULL);
    check(pipe_await(&ready) == 'r');
    child_await_corpse(pid);
    check_alive();
    check(kill(pid, SIGKILL) == 0);
    check(child_wait(pid) == -SIGKILL);
    check_inherited();
}

/* A death is a death before anybody reaps it. */
static void test_a_corpse_that_nobody_reaped_is_dead(void **state)
{
    (void)state;
    siginfo_t info;
    pid_t pid = child_fork(hold_and_wait, NULL);
    check(pipe_await(&ready) == 'r');
    check(kill(pid, SIGKILL) == 0);
    check(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    check_inherited();
    check(child_wait(pid) == -SIGKILL);
}

/* ---- observers ----------------------------------------------------------------------------- */

static int wait_without_descriptors(void *arg)
{
    const bool *others = arg;
    close_descriptors();
    if (*others)
        open_others_in_their_place();
    check_alive();
    pipe_tell(&ready, 'r');
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    assert_mp_result(mp_lock_release(lock), 0);
    return 0;
}

static void check_observer_does_not_steal(bool others)
{
    need_start_times();
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    pid_t pid = child_fork(wait_without_descriptors, &others);
    check(pipe_await(&ready) == 'r');
    assert_mp_result(mp_lock_release(lock), 0);
    check(child_wait(pid) == 0);
}

static void test_an_observer_without_descriptors_steals_nothing(void **state)
{
    (void)state;
    check_observer_does_not_steal(false);
}

static void test_an_observer_with_other_files_in_their_place_steals_nothing(void **state)
{
    (void)state;
    check_observer_does_not_steal(true);
}

static int inherit_without_descriptors(void *arg)
{
    (void)arg;
    close_descriptors();
    check_inherited();
    return 0;
}

static void test_an_observer_without_descriptors_still_sees_the_dead(void **state)
{
    (void)state;
    need_start_times();
    pid_t pid = child_fork(hold_and_wait, NULL);
    check(pipe_await(&ready) == 'r');
    check(kill(pid, SIGKILL) == 0);
    check(child_wait(pid) == -SIGKILL);
    child_must_succeed(inherit_without_descriptors, NULL);
}

/* Another process with the number of the dead one is not the dead one. */
static int inherit_from_reused_number(void *arg)
{
    struct mp__slot *slot = arg;
    close_descriptors();
    atomic_store(&slot->pid, getppid());
    atomic_store(&slot->born_from, mp__boot_now() + 1000000);
    atomic_store(&slot->born_until, mp__boot_now() + 1000001);
    check_inherited();
    return 0;
}

static void test_a_number_in_use_again_is_told_by_its_start_time(void **state)
{
    (void)state;
    need_start_times();
    pid_t pid = child_fork(hold_and_wait, NULL);
    check(pipe_await(&ready) == 'r');
    check(kill(pid, SIGKILL) == 0);
    check(child_wait(pid) == -SIGKILL);
    uint64_t word = *(_Atomic uint64_t *)&((struct mp__object *)(void *)lock)->word;
    child_must_succeed(inherit_from_reused_number,
                       &mp__slots()[mp__owner_of(word) & (MP__SLOTS - 1)]);
}

#define evidence_test(name, function)             \
    {                                             \
        (name), (function), setup, teardown, NULL \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        evidence_test("evidence: a holder that closed all its descriptors is alive",
                      test_a_holder_that_closed_all_its_descriptors_is_alive),
        evidence_test("evidence: a process may close them before it first holds",
                      test_a_process_may_close_them_before_it_first_holds),
        evidence_test("evidence: other files in their place do not matter",
                      test_other_files_in_their_place_do_not_matter),
        evidence_test("evidence: a holder that called exec is alive until that program ends",
                      test_a_holder_that_called_exec_is_alive_until_that_program_ends),
        evidence_test("evidence: a stopped holder is alive", test_a_stopped_holder_is_alive),
        evidence_test("evidence: a holder whose first thread has ended is alive",
                      test_a_holder_whose_first_thread_has_ended_is_alive),
        evidence_test("evidence: a corpse that nobody reaped is dead",
                      test_a_corpse_that_nobody_reaped_is_dead),
        evidence_test("evidence: an observer without descriptors steals nothing",
                      test_an_observer_without_descriptors_steals_nothing),
        evidence_test("evidence: an observer with other files in their place steals nothing",
                      test_an_observer_with_other_files_in_their_place_steals_nothing),
        evidence_test("evidence: an observer without descriptors still sees the dead",
                      test_an_observer_without_descriptors_still_sees_the_dead),
        evidence_test("evidence: a number in use again is told by its start time",
                      test_a_number_in_use_again_is_told_by_its_start_time),
    };
    return support_run("evidence", tests);
}
