/* The harness on locks that are not kill-safe: it has to see what goes wrong with them. */
#include "kill/harness.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>

#include <mp/mp.h>

struct bare {
    sem_t sem;
    _Atomic int32_t flag;
    sem_t gate;
};

static struct bare *bare;

static void make(void)
{
    if (bare == NULL)
        bare = kill_shared(sizeof *bare);
    assert_int_equal(sem_init(&bare->sem, 1, 1), 0);
    assert_int_equal(sem_init(&bare->gate, 1, 0), 0);
    atomic_store(&bare->flag, 0);
}

static void wait_without_end(sem_t *sem)
{
    while (sem_wait(sem) != 0)
        check(errno == EINTR);
}

static void turn_of_bare_semaphore(struct kill_worker *me)
{
    kill_set_role(me, WAITER);
    wait_without_end(&bare->sem);
    kill_section(me, 0);
    kill_set_role(me, WAKER);
    check(sem_post(&bare->sem) == 0);
}

/* Whatever number is asked for: they end with the first hang, and the first wake that is lost. */
enum { CONTROL_KILLS = 2000, CONTROL_ROUNDS = 300 };

static void test_a_bare_semaphore_as_a_lock_hangs(void **state)
{
    (void)state;
    support_time_limit(300);
    kill_prepare();
    make();
    struct kill_result result;
    const struct kill_plan plan = {.workers = 4,
                                   .kills = CONTROL_KILLS,
                                   .turn = turn_of_bare_semaphore,
                                   .wanted = 1 << HOLDER | 1 << WAKER};
    kill_run(&plan, &result);
    kill_print("control: sem_t", &result);
    assert_true(result.hangs > 0);
    assert_true(result.kills < (uint64_t)plan.kills);
}

static void turn_without_lock(struct kill_worker *me)
{
    kill_section(me, 0);
}

/* On a busy machine two of the workers may not run at the same time in a whole run. */
static void test_no_lock_at_all_is_seen(void **state)
{
    (void)state;
    struct kill_result result = {.wrong = 0};
    const struct kill_plan plan = {
        .workers = 4, .kills = 30, .turn = turn_without_lock, .wanted = 1 << HOLDER};
    for (int i = 0; i < KILL_RUNS_MOST && (result.violations == 0 || result.wrong == 0); i++) {
        kill_prepare();
        kill_run(&plan, &result);
        kill_print("control: no lock", &result);
    }
    assert_true(result.violations > 0);
    assert_true(result.wrong > 0);
}

/* Takes a lock from whoever waits too long for it, dead or not. */
static mp_lock *lock;

static void turn_of_a_thief(struct kill_worker *me)
{
    int rc = mp_lock_acquire(lock, 0.0001);
    if (rc == MP_ETIMEOUT) {
        (void)mp_lock_release(lock);
        return;
    }
    kill_section(me, rc);
    kill_released(me, mp_lock_release(lock));
}

static void test_a_lock_taken_from_the_living_is_seen(void **state)
{
    (void)state;
    struct kill_result result = {.violations = 0};
    const struct kill_plan plan = {
        .workers = 4, .kills = 100, .turn = turn_of_a_thief, .wanted = 1 << HOLDER};
    for (int i = 0; i < KILL_RUNS_MOST && result.false_deaths + result.violations == 0; i++) {
        kill_prepare();
        assert_mp_ok(mp_lock_create(&lock));
        kill_run(&plan, &result);
        kill_print("control: thief", &result);
        mp_lock_destroy(lock);
    }
    assert_true(result.false_deaths + result.violations > 0);
}

/* A flag that one sleeper takes, and a semaphore that wakes one, waited for without end. */
static void sleep_unsliced(void)
{
    int32_t set = 1;
    while (!atomic_compare_exchange_strong(&bare->flag, &set, 0)) {
        mp__step("control.parking");
        wait_without_end(&bare->gate);
        mp__step("control.woken");
        set = 1;
    }
}

static void wake_unsliced(void)
{
    atomic_store(&bare->flag, 1);
    mp__step("control.set");
    check(sem_post(&bare->gate) == 0);
}

static bool is_settled(bool victim_returned)
{
    (void)victim_returned;
    if (atomic_load(&bare->flag) != 0)
        return false;
    wake_unsliced();
    return true;
}

static void test_a_wait_without_slices_loses_wakes(void **state)
{
    (void)state;
    support_time_limit(300);
    kill_prepare();
    struct sparse_result result;
    const struct sparse_plan plan = {
        .prepare = make, .sleep = sleep_unsliced, .wake = wake_unsliced, .is_settled = is_settled};
    sparse_run(&plan, CONTROL_ROUNDS, &result);
    sparse_print("control: unsliced", &result);
    assert_true(result.lost > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a bare sem_t as a lock hangs", test_a_bare_semaphore_as_a_lock_hangs),
        support_test("no lock at all is seen", test_no_lock_at_all_is_seen),
        support_test("a lock taken from the living is seen",
                     test_a_lock_taken_from_the_living_is_seen),
        support_test("a wait without slices loses wakes", test_a_wait_without_slices_loses_wakes),
    };
    return support_run_processes("control", tests);
}
