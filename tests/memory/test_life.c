/* The table of live processes: slots taken, adopted, released, used up, and found abandoned. */
#include "support/support.h"

#include "memory/arena.h"

#include <mp/process.h>
#include <mp/sharedctypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static mp__owner self(void)
{
    uint64_t word;
    assert_mp_result(mp__self_word(&word), 0);
    return mp__owner_of(word);
}

static mp__owner take(void)
{
    mp__owner owner = 0;
    assert_mp_result(mp__life_take(self(), &owner), 0);
    check(owner != 0);
    return owner;
}

static void test_a_slot_that_is_starting_is_not_dead(void **state)
{
    (void)state;
    unsigned before = mp__life_count();
    mp__owner owner = take();
    check(mp__life_count() == before + 1);
    check(!mp__dead(owner) && !mp__gone(owner));
    mp__life_release(owner);
    check(mp__dead(owner) && mp__gone(owner));
    check(mp__life_count() == before);
}

static void test_who_looks_is_alive_and_nobody_is_dead(void **state)
{
    (void)state;
    check(!mp__dead(self()) && !mp__gone(self()));
    check(mp__dead(0));
}

static int compare_owners(const void *a, const void *b)
{
    mp__owner x = *(const mp__owner *)a, y = *(const mp__owner *)b;
    return x < y ? -1 : x > y;
}

static void test_no_two_processes_are_ever_the_same(void **state)
{
    (void)state;
    enum { ROUNDS = 3 * (int)MP__SLOTS };
    static mp__owner owners[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        owners[i] = take();
        mp__life_release(owners[i]);
    }
    for (int i = 0; i < ROUNDS; i++)
        check(mp__dead(owners[i]) && mp__gone(owners[i]));
    qsort(owners, ROUNDS, sizeof *owners, compare_owners);
    for (int i = 1; i < ROUNDS; i++)
        check(owners[i - 1] != owners[i]);
}

static void test_a_release_that_comes_late_frees_nobody_else(void **state)
{
    (void)state;
    mp__owner first = take();
    mp__life_release(first);
    atomic_store(&mp__arena->life_cursor, (uint32_t)(first & (MP__SLOTS - 1)));
    mp__owner second = take();
    check((second & (MP__SLOTS - 1)) == (first & (MP__SLOTS - 1)));
    mp__life_release(first);
    check(!mp__dead(second));
    mp__life_release(second);
    mp__life_release(second);
    check(mp__dead(second));
}

/* ---- adoption ------------------------------------------------------------------------------ */

static struct signal_pipe ready, go;

static int adopt_and_wait(void *arg)
{
    mp__owner owner = *(mp__owner *)arg;
    assert_mp_result(mp__life_adopt(owner, mp__life_file_is_ours()), 0);
    check(mp__self_owner() == owner);
    pipe_tell(&ready, 'r');
    (void)pipe_await(&go);
    mp__life_record_exit(300);
    return 0;
}

static void test_a_slot_is_the_childs_until_it_ends(void **state)
{
    (void)state;
    int code = -1;
    mp__owner owner = take();
    pipe_open(&ready);
    pipe_open(&go);
    pid_t pid = child_fork(adopt_and_wait, &owner);
    mp__life_started(owner, pid);
    check(pipe_await(&ready) == 'r');
    check(!mp__dead(owner) && !mp__life_exit_recorded(owner, &code));
    pipe_tell(&go, 'g');
    check(child_wait(pid) == 0);
    check(mp__dead(owner) && !mp__gone(owner));
    check(mp__life_exit_recorded(owner, &code) && code == (300 & 0xff));
    mp__life_release(owner);
    code = -1;
    check(mp__gone(owner) && !mp__life_exit_recorded(owner, &code) && code == -1);
    pipe_close(&ready);
    pipe_close(&go);
}

static int adopt_too_late(void *arg)
{
    assert_mp_error(mp__life_adopt(*(mp__owner *)arg, mp__life_file_is_ours()), MP_ESTATE);
    check(mp__self_owner() == 0);
    return 0;
}

static void test_a_child_that_comes_too_late_gets_no_slot(void **state)
{
    (void)state;
    mp__owner owner = take();
    mp__life_release(owner);
    child_must_succeed(adopt_too_late, &owner);
    atomic_store(&mp__arena->life_cursor, (uint32_t)(owner & (MP__SLOTS - 1)));
    mp__owner next = take();
    check(next != owner);
    child_must_succeed(adopt_too_late, &owner);
    mp__life_release(next);
}

/* ---- used up ------------------------------------------------------------------------------- */

static mp__owner taken[MP__SLOTS];

static unsigned take_all(void)
{
    unsigned n = 0;
    while (mp__life_take(self(), &taken[n]) == 0)
        n++;
    check(mp__life_count() == MP__SLOTS);
    return n;
}

static void release_all(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        mp__life_release(taken[i]);
}

/* Raw children of earlier tests keep their slots until none is free; how many are left then. */
static unsigned count_the_living(void)
{
    release_all(take_all());
    return mp__life_count();
}

static int find_no_slot(void *arg)
{
    mp_lock *lock = arg;
    assert_mp_error(mp_lock_acquire(lock, MP_FOREVER), MP_ENOSLOT);
    assert_mp_error(mp_lock_create(&lock), MP_ENOSLOT);
    assert_mp_error(mp_raw_alloc(&arg, 64), MP_ENOSLOT);
    return 0;
}

static int find_a_slot(void *arg)
{
    assert_mp_result(mp_lock_acquire(arg, MP_FOREVER), 0);
    assert_mp_result(mp_lock_release(arg), 0);
    return 0;
}

static int return_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static void test_no_slot_left_is_told_and_passes(void **state)
{
    (void)state;
    mp_lock *lock;
    mp_process *process;
    mp__owner owner = 17;
    assert_mp_result(mp_lock_create(&lock), 0);
    assert_mp_result(mp_process_create(&process, return_at_once, NULL, 0, NULL), 0);
    unsigned n = take_all();
    assert_mp_error(mp__life_take(self(), &owner), MP_ENOSLOT);
    check(owner == 17);
    assert_mp_error(mp_process_start(process), MP_ENOSLOT);
    child_must_succeed(find_no_slot, lock);
    mp__life_release(taken[--n]);
    assert_mp_result(mp_process_start(process), 0);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    child_must_succeed(find_a_slot, lock);
    release_all(n);
    mp_process_destroy(process);
    mp_lock_destroy(lock);
}

/* ---- abandoned ----------------------------------------------------------------------------- */

static int take_all_and_die(void *arg)
{
    (void)arg;
    (void)take_all();
    (void)raise(SIGKILL);
    return 1;
}

static void test_slots_of_a_dead_starter_are_found_when_no_other_is_free(void **state)
{
    (void)state;
    unsigned before = count_the_living();
    check(child_wait(child_fork(take_all_and_die, NULL)) == -SIGKILL);
    check(mp__life_count() == MP__SLOTS);
    check(take_all() == MP__SLOTS - before);
    release_all(MP__SLOTS - before);
    check(mp__life_count() == before);
}

static int enter_and_die(void *arg)
{
    (void)arg;
    (void)self();
    (void)raise(SIGKILL);
    return 1;
}

static void test_slots_of_dead_processes_nobody_reaped_are_found_too(void **state)
{
    (void)state;
    unsigned before = count_the_living();
    for (int i = 0; i < 5; i++)
        check(child_wait(child_fork(enter_and_die, NULL)) == -SIGKILL);
    check(mp__life_count() == before + 5);
    unsigned n = take_all();
    check(n == MP__SLOTS - before);
    release_all(n);
}

static int enter_and_wait(void *arg)
{
    (void)arg;
    (void)self();
    pipe_tell(&ready, 'r');
    return pipe_await(&go) == 'g' && !mp__gone(mp__self_owner()) ? 0 : 1;
}

static void test_slots_of_the_living_are_nobody_elses(void **state)
{
    (void)state;
    unsigned before = count_the_living();
    pipe_open(&ready);
    pipe_open(&go);
    pid_t pid = child_fork(enter_and_wait, NULL);
    check(pipe_await(&ready) == 'r');
    unsigned n = take_all();
    check(n == MP__SLOTS - before - 1);
    pipe_tell(&go, 'g');
    check(child_wait(pid) == 0);
    mp__owner owner = take();
    mp__life_release(owner);
    release_all(n);
    pipe_close(&ready);
    pipe_close(&go);
}

/* A process may be asked about while its slot changes hands. */
static int enter_and_leave(void *arg)
{
    (void)arg;
    (void)self();
    return 0;
}

static void test_processes_that_come_and_go_are_never_mistaken(void **state)
{
    (void)state;
    pipe_open(&ready);
    pipe_open(&go);
    pid_t stays = child_fork(enter_and_wait, NULL);
    check(pipe_await(&ready) == 'r');
    for (int i = 0; i < 100; i++)
        check(child_wait(child_fork(enter_and_leave, NULL)) == 0);
    check(!mp__dead(self()));
    pipe_tell(&go, 'g');
    check(child_wait(stays) == 0);
    pipe_close(&ready);
    pipe_close(&go);
    release_all(take_all());
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("life: a slot that is starting is not dead",
                     test_a_slot_that_is_starting_is_not_dead),
        support_test("life: who looks is alive, and nobody is dead",
                     test_who_looks_is_alive_and_nobody_is_dead),
        support_test("life: no two processes are ever the same",
                     test_no_two_processes_are_ever_the_same),
        support_test("life: a release that comes late frees nobody else",
                     test_a_release_that_comes_late_frees_nobody_else),
        support_test("life: a slot is the child's until it ends",
                     test_a_slot_is_the_childs_until_it_ends),
        support_test("life: a child that comes too late gets no slot",
                     test_a_child_that_comes_too_late_gets_no_slot),
        support_test("life: no slot left is told, and passes",
                     test_no_slot_left_is_told_and_passes),
        support_test("life: slots of a dead starter are found when no other is free",
                     test_slots_of_a_dead_starter_are_found_when_no_other_is_free),
        support_test("life: slots of dead processes that nobody reaped are found too",
                     test_slots_of_dead_processes_nobody_reaped_are_found_too),
        support_test("life: slots of the living are nobody else's",
                     test_slots_of_the_living_are_nobody_elses),
        support_test("life: processes that come and go are never mistaken",
                     test_processes_that_come_and_go_are_never_mistaken),
    };
    return support_run_processes("life", tests);
}
