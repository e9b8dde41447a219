/* One client of a manager is killed while it holds, and another waits: how soon that one has it, and
 * that the test would see it if it never had. */
#include "kill/harness.h"
#include "managers/raw_client.h"

#include <mp/mp.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct hold {
    mp_proxy *lock;
    struct signal_pipe ready;
    pid_t *child; /* of the holder, if it is to have one */
    bool process; /* the child is one of the library */
};

static int stay(void *unused)
{
    (void)unused;
    while (pause() < 0)
        ;
    return 1;
}

static void have_a_child(const struct hold *hold)
{
    mp_process *process;
    if (!hold->process) {
        *hold->child = child_fork(stay, NULL);
        return;
    }
    assert_mp_result(mp_process_create(&process, stay, NULL, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    *hold->child = mp_process_pid(process);
}

static int hold_for_ever(void *arg)
{
    const struct hold *hold = arg;
    check(call_bool(hold->lock, "acquire", MP_NONE));
    if (hold->child != NULL)
        have_a_child(hold);
    pipe_tell(&hold->ready, 'h');
    return stay(NULL);
}

static pid_t holder_start(struct hold *hold)
{
    pid_t pid = child_fork(hold_for_ever, hold);
    assert_int_equal(pipe_await(&hold->ready), 'h');
    return pid;
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double recover_once(struct hold *hold)
{
    pid_t pid = holder_start(hold);
    kill_pause(kill_rng(), 2000);
    double start = clock_seconds();
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_mp_result(call(hold->lock, "acquire", MP_TUPLE(MP_TRUE, 20)), MP_RECOVERED);
    double took = clock_seconds() - start;
    assert_int_equal(child_wait(pid), -SIGKILL);
    assert_mp_result(call(hold->lock, "release", MP_NONE), 0);
    return took;
}

static void test_what_the_dead_held_is_free_at_once(void **state)
{
    (void)state;
    enum { ROUNDS = 40 };
    static const char *const types[] = {"Lock", "RLock", "Condition", "BoundedSemaphore"};
    support_time_limit(120);
    kill_prepare();
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        double took[ROUNDS];
        struct hold hold = {.lock = new_proxy(manager, types[i], MP_NONE)};
        pipe_open(&hold.ready);
        for (int k = 0; k < ROUNDS; k++)
            took[k] = recover_once(&hold);
        qsort(took, ROUNDS, sizeof *took, by_size);
        const struct kill_latency latency = {ROUNDS, took[ROUNDS / 2], took[ROUNDS - 1]};
        kill_print_recovery("manager", types[i], &latency);
        pipe_close(&hold.ready);
        mp_proxy_destroy(hold.lock);
    }
}

/* Its child, which still runs, inherited all its descriptors. */
static void test_it_is_free_though_a_child_of_the_dead_lives(void **state)
{
    (void)state;
    pid_t *child = kill_shared(sizeof *child);
    for (int process = 0; process < 2; process++) {
        struct hold hold = {
            .lock = new_proxy(manager, "Lock", MP_NONE), .child = child, .process = process};
        pipe_open(&hold.ready);
        pid_t pid = holder_start(&hold);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_mp_result(call(hold.lock, "acquire", MP_TUPLE(MP_TRUE, 20)), MP_RECOVERED);
        assert_int_equal(kill(*child, 0), 0);
        assert_int_equal(child_wait(pid), -SIGKILL);
        assert_int_equal(kill(*child, SIGKILL), 0);
        pipe_close(&hold.ready);
        mp_proxy_destroy(hold.lock);
    }
}

/* ---- clients of other making ----------------------------------------------------------------- */

/* A client that notices no fork: its socket stays open with its child. */
struct raw_hold {
    const char *address, *type_id;
    char ident[RAW_IDENT];
    struct signal_pipe ready;
    pid_t *child; /* if it is to have one */
};

static bool raw_acquire(mp_connection *session, const char *ident, mp_obj args)
{
    mp_obj value;
    bool got;
    raw_ask(session, ident, "acquire", args);
    raw_answer(session, "#RETURN", &value);
    assert_mp_result(mp_obj_as_bool(value, &got), 0);
    return got;
}

static int raw_hold_for_ever(void *arg)
{
    const struct raw_hold *hold = arg;
    mp_connection *session = raw_session(hold->address);
    check(raw_acquire(session, hold->ident, MP_EMPTY_TUPLE));
    if (hold->child != NULL)
        *hold->child = child_fork(stay, NULL);
    pipe_tell(&hold->ready, 'h');
    return stay(NULL);
}

/* The holder is killed. Whether another has the lock then, or not before the child is dead as well. */
static void raw_holder_dies(struct raw_hold *hold, bool is_free)
{
    raw_create(hold->address, hold->type_id, hold->ident);
    pid_t pid = child_fork(raw_hold_for_ever, hold);
    mp_connection *session = raw_session(hold->address);
    assert_int_equal(pipe_await(&hold->ready), 'h');
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(child_wait(pid), -SIGKILL);
    assert_int_equal(raw_acquire(session, hold->ident, MP_TUPLE(MP_TRUE, is_free ? 20 : 3)),
                     is_free);
    if (hold->child != NULL)
        assert_int_equal(kill(*hold->child, SIGKILL), 0);
    if (!is_free)
        assert_true(raw_acquire(session, hold->ident, MP_TUPLE(MP_TRUE, 20)));
    raw_ask(session, hold->ident, "release", MP_EMPTY_TUPLE);
    raw_answer(session, "#RETURN", NULL);
    mp_connection_destroy(session);
    raw_command(hold->address, "decref", MP_TUPLE(hold->ident), NULL);
}

static void test_a_process_of_this_machine_is_seen_to_die(void **state)
{
    (void)state;
    struct raw_hold hold = {.address = mp_manager_address(manager), .type_id = "Lock"};
#ifdef MP_PORTABLE
    print_message("nobody tells whose connection it is\n");
    skip();
#endif
    pipe_open(&hold.ready);
    raw_holder_dies(&hold, true);
    hold.child = kill_shared(sizeof *hold.child);
    raw_holder_dies(&hold, true);
    pipe_close(&hold.ready);
}

/* Of one on another machine nothing but the end of a connection is ever seen, which an RLock belongs
 * to. */
static void test_a_lock_that_is_not_free_is_seen(void **state)
{
    (void)state;
    mp_manager *m = new_manager_at("127.0.0.1:0");
    struct raw_hold hold = {.address = mp_manager_address(m), .type_id = "RLock"};
    pipe_open(&hold.ready);
    raw_holder_dies(&hold, true);
    hold.child = kill_shared(sizeof *hold.child);
    raw_holder_dies(&hold, false);
    pipe_close(&hold.ready);
    end_manager(m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("what the dead held is free at once", test_what_the_dead_held_is_free_at_once),
        served_test("it is free though a child of the dead lives",
                    test_it_is_free_though_a_child_of_the_dead_lives),
        served_test("a process of this machine is seen to die",
                    test_a_process_of_this_machine_is_seen_to_die),
        manager_test("control: a lock that is not free is seen",
                     test_a_lock_that_is_not_free_is_seen),
    };
    return managers_run("manager's holders", tests);
}
