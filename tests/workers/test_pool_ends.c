/* How pools come to an end, or nearly: a supervisor that is killed or stopped, a worker that is
 * stopped, a program that adopts orphans. */
#include "parity/parity_futures.h"
#include "parity/parity_pool_kit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifndef MP_PORTABLE
#include <sys/prctl.h>
#endif

/* Longer than anything here takes: who waits that long would wait for ever. */
#define LONG 20.0

static int tell_parent(mp_obj arg, mp_obj *result)
{
    (void)arg;
    *result = MP((int64_t)getppid());
    return 0;
}

/* Also returns once the workers have begun. */
static pid_t supervisor_of(mp_pool *pool)
{
    mp_obj pid;
    assert_mp_result(mp_pool_apply(pool, tell_parent, MP_NONE, &pid), 0);
    return (pid_t)owned_int(&pid);
}

static void kill_supervisor(mp_pool *pool)
{
    check(kill(supervisor_of(pool), SIGKILL) == 0);
}

/* ---- the supervisor is killed --------------------------------------------------------------- */

static void test_who_only_hands_in_learns_of_the_death(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    kill_supervisor(pool);
    double end = clock_seconds() + LONG;
    int rc = 0;
    while (rc == 0 && clock_seconds() < end) {
        rc = mp_pool_apply_async(pool, identity, MP(1), NULL, NULL);
        mp_sleep(0.01);
    }
    assert_mp_error(rc, MP_EBROKENPOOL);
    assert_mp_error(mp_pool_apply_async(pool, identity, MP(1), NULL, NULL), MP_EBROKENPOOL);
    mp_pool_destroy(pool);
}

static void test_a_join_tells_that_the_supervisor_died(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    kill_supervisor(pool);
    assert_mp_result(mp_pool_close(pool), 0);
    assert_mp_error(mp_pool_join(pool, LONG), MP_EBROKENPOOL);
    assert_mp_error(mp_pool_join(pool, MP_NOWAIT), MP_EBROKENPOOL);
    mp_pool_destroy(pool);
}

struct endless {
    pid_t victim; /* is killed at the tenth item */
    int given;
};

static int give_for_ever(void *context, mp_obj *item)
{
    struct endless *input = context;
    *item = MP(input->given);
    if (++input->given == 10)
        check(kill(input->victim, SIGKILL) == 0);
    mp_sleep(0.001);
    return 1;
}

static void test_a_join_stops_asking_an_input_when_the_supervisor_dies(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mp_imap *imap;
    int rc, results = 0;
    struct endless input = {.victim = supervisor_of(pool)};
    assert_mp_result(mp_pool_imap_from(pool, identity, give_for_ever, &input, &imap, NULL), 0);
    assert_mp_result(mp_pool_close(pool), 0);
    assert_mp_error(mp_pool_join(pool, MP_FOREVER), MP_EBROKENPOOL);
    int given = input.given;
    for (; (rc = mp_imap_next(imap, NULL, LONG)) != 0; results++)
        check(rc == 1 || rc == MP_EDIED || rc == MP_EBROKENPOOL);
    check(given >= 10 && input.given == given && results <= given + 1);
    mp_imap_destroy(imap);
    mp_pool_destroy(pool);
}

/* ---- the program adopts orphans ------------------------------------------------------------- */

#ifdef MP_PORTABLE
static void test_a_program_that_adopts_orphans_has_no_zombies(void **state)
{
    (void)state;
    print_message("SKIPPED: not every system has programs that adopt orphans\n");
    skip();
}
#else
static int adopt_workers(void *arg)
{
    (void)arg;
    check(prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) == 0);
    int64_t pids[4];
    new_meeting(4);
    mp_pool *pool = new_pool(4);
    pids_of_workers(pool, 4, pids);
    pid_t supervisor = supervisor_of(pool);
    check(child_await_sleep(supervisor)); /* it has put down who the workers are */
    check(kill(supervisor, SIGKILL) == 0);
    assert_mp_result(mp_pool_close(pool), 0);
    (void)mp_pool_join(pool, LONG);
    mp_pool_destroy(pool);
    check(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    mp_barrier_destroy(meeting);
    return 0;
}

static void test_a_program_that_adopts_orphans_has_no_zombies(void **state)
{
    (void)state;
    child_must_succeed(adopt_workers, NULL);
}
#endif

/* ---- Ctrl-Z --------------------------------------------------------------------------------- */

/* The supervisor is at work: it puts another worker in the place of a dead one. */
static void supervisor_works(mp_pool *pool)
{
    mp_async_result *result;
    mp_obj pid;
    assert_mp_result(mp_pool_apply(pool, give_pid, MP_NONE, &pid), 0);
    pid_t worker = (pid_t)owned_int(&pid);
    check(kill(worker, SIGKILL) == 0 && goes(worker));
    assert_mp_result(mp_pool_apply_async(pool, sqr, MP(7), &result, NULL), 0);
    assert_mp_result(mp_async_result_get(result, &pid, LONG), 0);
    check(owned_int(&pid) == 49);
    mp_async_result_destroy(result);
    assert_mp_result(mp_pool_close(pool), 0);
    assert_mp_result(mp_pool_join(pool, LONG), 0);
    mp_pool_destroy(pool);
}

static void handle(int number)
{
    (void)number;
}

enum habit { IGNORES, HANDLES, BLOCKS };

static int withstand_the_terminal(void *habit)
{
    sigset_t stop;
    check(setpgid(0, 0) == 0);
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTSTP);
    if (*(enum habit *)habit == BLOCKS)
        check(pthread_sigmask(SIG_BLOCK, &stop, NULL) == 0);
    else
        check(signal(SIGTSTP, *(enum habit *)habit == IGNORES ? SIG_IGN : handle) != SIG_ERR);
    mp_pool *pool = new_pool(1);
    check(kill(supervisor_of(pool), SIGTSTP) == 0);
    supervisor_works(pool);
    return 0;
}

static int stop_with_the_terminal(void *unused)
{
    (void)unused;
    siginfo_t info;
    check(setpgid(0, 0) == 0);
    check(signal(SIGTSTP, SIG_DFL) != SIG_ERR);
    mp_pool *pool = new_pool(1);
    pid_t supervisor = supervisor_of(pool);
    check(kill(supervisor, SIGTSTP) == 0);
    check(waitid(P_PID, (id_t)supervisor, &info, WSTOPPED) == 0);
    check(info.si_code == CLD_STOPPED && info.si_status == SIGTSTP);
    check(kill(supervisor, SIGCONT) == 0);
    check(waitid(P_PID, (id_t)supervisor, &info, WCONTINUED) == 0);
    supervisor_works(pool);
    return 0;
}

/* In a group of its own, whose leader has its parent outside of it: Ctrl-Z's signal stops nobody in
 * a group without. */
static void succeeds_in_its_own_group(int (*body)(void *arg), void *arg)
{
    pid_t child = child_fork(body, arg);
    int status = child_wait(child);
    (void)kill(-child, SIGKILL);
    check(status == 0);
}

static void test_the_terminal_stops_no_pool_of_a_program_that_withstands(void **state)
{
    (void)state;
    support_time_limit(100);
    for (enum habit habit = IGNORES; habit <= BLOCKS; habit++)
        succeeds_in_its_own_group(withstand_the_terminal, &habit);
}

static void test_the_terminal_stops_a_pool_with_its_program(void **state)
{
    (void)state;
    succeeds_in_its_own_group(stop_with_the_terminal, NULL);
}

/* ---- a worker is stopped -------------------------------------------------------------------- */

/* It is stopped once its result is there, whether it sleeps already or not. */
static void test_a_stopped_idle_worker_holds_up_no_join(void **state)
{
    (void)state;
    new_meeting(2);
    for (int round = 0; round < 20; round++) {
        int64_t pids[2];
        mp_pool *pool = new_pool(2);
        pids_of_workers(pool, 2, pids);
        if (round % 2 == 0)
            check(child_await_sleep((pid_t)pids[0]));
        check(kill((pid_t)pids[0], SIGSTOP) == 0);
        assert_mp_result(mp_pool_close(pool), 0);
        assert_mp_result(mp_pool_join(pool, LONG), 0);
        mp_pool_destroy(pool);
    }
    mp_barrier_destroy(meeting);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("supervisor killed: who only hands in learns of it",
                     test_who_only_hands_in_learns_of_the_death),
        support_test("supervisor killed: a join tells it",
                     test_a_join_tells_that_the_supervisor_died),
        support_test("supervisor killed: a join stops asking an endless input",
                     test_a_join_stops_asking_an_input_when_the_supervisor_dies),
        support_test("supervisor killed: a program that adopts orphans has no zombies",
                     test_a_program_that_adopts_orphans_has_no_zombies),
        support_test("Ctrl-Z stops no pool of a program that ignores, handles or blocks it",
                     test_the_terminal_stops_no_pool_of_a_program_that_withstands),
        support_test("Ctrl-Z stops a pool with its program, which goes on with it",
                     test_the_terminal_stops_a_pool_with_its_program),
        support_test("a stopped idle worker holds up no join",
                     test_a_stopped_idle_worker_holds_up_no_join),
    };
    return support_run_processes("ends of pools", tests);
}
