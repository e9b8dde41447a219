/* Who a process and a thread are: no two of them, however they came to be, pass for each other. */
#include "support/support.h"

#include "memory/arena.h"

#include <mp/synchronize.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static mp_rlock *rlock;
static mp__owner parent_owner;
static struct signal_pipe ready, go;

static unsigned ordinal_of(uint64_t word)
{
    return (unsigned)(word >> MP__OWNER_BITS) & MP__THREADS;
}

static uint64_t my_word(void)
{
    uint64_t word = 0;
    assert_mp_result(mp__self_word(&word), 0);
    return word;
}

/* ---- processes ----------------------------------------------------------------------------- */

static int be_somebody_else(void *arg)
{
    (void)arg;
    check(mp__self_owner() == 0);
    assert_mp_error(mp_rlock_acquire(rlock, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_error(mp_rlock_release(rlock), MP_ESTATE);
    mp__owner owner = mp__self_owner();
    check(owner != 0 && owner != parent_owner);
    check(mp__owner_of(my_word()) == owner);
    check(!mp__dead(owner) && !mp__dead(parent_owner));
    check(write(ready.write_fd, &owner, sizeof owner) == sizeof owner);
    return pipe_await(&go) == 'g' ? 0 : 1;
}

static pid_t fork_plainly(void)
{
    return fork();
}

static pid_t fork_without_handlers(void)
{
#ifdef HAS_FORK_WITHOUT_HANDLERS
    return _Fork();
#else
    print_message("SKIPPED: this libc has no _Fork\n");
    skip();
    return -1;
#endif
}

static pid_t clone_raw(void)
{
    return (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, 0UL, 0UL, 0UL, 0UL);
}

/* Without fork handlers only the system can wipe the page that says who one is. */
static void need_wiped_pages(void)
{
    if (mp__boot_now() == 0) {
        print_message("SKIPPED: the portable form relies on fork handlers\n");
        skip();
    }
}

static void begin(void)
{
    pipe_open(&ready);
    pipe_open(&go);
    assert_mp_result(mp_rlock_create(&rlock), 0);
    assert_mp_result(mp_rlock_acquire(rlock, MP_FOREVER), 0);
    parent_owner = mp__self_owner();
}

static void end(void)
{
    assert_mp_result(mp_rlock_release(rlock), 0);
    mp_rlock_destroy(rlock);
    pipe_close(&ready);
    pipe_close(&go);
}

static void check_is_somebody_else(pid_t (*make)(void))
{
    mp__owner owner = 0;
    begin();
    unsigned before = mp__life_count();
    (void)fflush(NULL);
    pid_t pid = make();
    check(pid >= 0);
    if (pid == 0)
        _exit(be_somebody_else(NULL));
    check(read(ready.read_fd, &owner, sizeof owner) == sizeof owner);
    check(owner != parent_owner && mp__self_owner() == parent_owner);
    check(mp__life_count() == before + 1);
    check(!mp__dead(owner));
    pipe_tell(&go, 'g');
    check(child_wait(pid) == 0);
    check(mp__dead(owner));
    end();
}

static void test_a_forked_child_is_somebody_else(void **state)
{
    (void)state;
    check_is_somebody_else(fork_plainly);
}

static void test_a_child_of_fork_without_handlers_is_somebody_else(void **state)
{
    (void)state;
    need_wiped_pages();
    check_is_somebody_else(fork_without_handlers);
}

static void test_a_cloned_child_is_somebody_else(void **state)
{
    (void)state;
    need_wiped_pages();
    check_is_somebody_else(clone_raw);
}

static int have_child(void *arg)
{
    parent_owner = mp__owner_of(my_word());
    pid_t pid = clone_raw();
    check(pid >= 0);
    if (pid == 0)
        _exit(be_somebody_else(arg));
    check(child_wait(pid) == 0);
    return 0;
}

static void test_a_child_of_a_child_is_somebody_else_again(void **state)
{
    (void)state;
    mp__owner owner = 0;
    need_wiped_pages();
    begin();
    pid_t pid = child_fork(have_child, NULL);
    check(read(ready.read_fd, &owner, sizeof owner) == sizeof owner);
    check(owner != mp__self_owner());
    pipe_tell(&go, 'g');
    check(child_wait(pid) == 0);
    end();
}

/* A process enters the table when it first needs to, and once. */
static int enter_once(void *arg)
{
    (void)arg;
    unsigned before = mp__life_count();
    check(mp__self_owner() == 0);
    for (int i = 0; i < 3; i++)
        (void)my_word();
    check(mp__life_count() == before + 1);
    return 0;
}

static void test_a_process_enters_the_table_once(void **state)
{
    (void)state;
    child_must_succeed(enter_once, NULL);
}

/* ---- threads ------------------------------------------------------------------------------- */

static void *tell_word(void *arg)
{
    *(uint64_t *)arg = my_word();
    check(*(uint64_t *)arg == my_word());
    return NULL;
}

static uint64_t word_of_new_thread(void)
{
    uint64_t word = 0;
    pthread_t thread;
    check(pthread_create(&thread, NULL, tell_word, &word) == 0);
    check(pthread_join(thread, NULL) == 0);
    return word;
}

static void test_threads_of_a_process_share_its_owner_only(void **state)
{
    (void)state;
    uint64_t mine = my_word(), other = word_of_new_thread();
    check(mp__owner_of(mine) == mp__owner_of(other));
    check(ordinal_of(mine) != 0 && ordinal_of(other) != 0);
    check(ordinal_of(mine) != ordinal_of(other));
    check(((mine | other) & (MP__SLEEPERS | MP__TOLD)) == 0);
}

static void test_the_number_of_an_ended_thread_rests_until_all_others_were_used(void **state)
{
    (void)state;
    unsigned last = ordinal_of(word_of_new_thread());
    for (int i = 0; i < 50; i++) {
        unsigned next = ordinal_of(word_of_new_thread());
        check(next == last % MP__THREADS + 1);
        last = next;
    }
}

static int wrap_around(void *arg)
{
    (void)arg;
    unsigned mine = ordinal_of(my_word());
    check(mine == 1);
    mp__self->thread_last = MP__THREADS - 2;
    check(ordinal_of(word_of_new_thread()) == MP__THREADS - 1);
    check(ordinal_of(word_of_new_thread()) == MP__THREADS);
    check(ordinal_of(word_of_new_thread()) == 2); /* 1 is in use */
    return 0;
}

static void test_after_the_last_number_come_those_that_nobody_uses(void **state)
{
    (void)state;
    child_must_succeed(wrap_around, NULL);
}

static void *fail_to_enter(void *arg)
{
    uint64_t word;
    assert_mp_error(mp__self_word(&word), MP_ENOSLOT);
    assert_mp_error(mp_rlock_acquire(arg, MP_FOREVER), MP_ENOSLOT);
    return NULL;
}

static int use_up_numbers(void *arg)
{
    (void)arg;
    pthread_t thread;
    (void)my_word();
    for (unsigned n = 1; n <= MP__THREADS; n++)
        mp__self->threads[n / 64] |= UINT64_C(1) << n % 64;
    check(pthread_create(&thread, NULL, fail_to_enter, rlock) == 0);
    check(pthread_join(thread, NULL) == 0);
    mp__self->threads[100 / 64] &= ~(UINT64_C(1) << 100 % 64);
    check(ordinal_of(word_of_new_thread()) == 100);
    check(ordinal_of(word_of_new_thread()) == 100);
    return 0;
}

static void test_more_threads_than_numbers_is_told_and_passes(void **state)
{
    (void)state;
    begin();
    child_must_succeed(use_up_numbers, NULL);
    end();
}

static void *ask_for_main(void *arg)
{
    *(bool *)arg = mp__thread_is_first();
    return NULL;
}

static void test_the_main_thread_knows_that_it_is(void **state)
{
    (void)state;
    bool other = true;
    pthread_t thread;
    check(mp__thread_is_first());
    check(pthread_create(&thread, NULL, ask_for_main, &other) == 0);
    check(pthread_join(thread, NULL) == 0);
    check(!other);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("self: a forked child is somebody else", test_a_forked_child_is_somebody_else),
        support_test("self: a child of fork without handlers is somebody else",
                     test_a_child_of_fork_without_handlers_is_somebody_else),
        support_test("self: a cloned child is somebody else", test_a_cloned_child_is_somebody_else),
        support_test("self: a child of a child is somebody else again",
                     test_a_child_of_a_child_is_somebody_else_again),
        support_test("self: a process enters the table once", test_a_process_enters_the_table_once),
        support_test("self: threads of a process share its owner only",
                     test_threads_of_a_process_share_its_owner_only),
        support_test("self: the number of an ended thread rests until all others were used",
                     test_the_number_of_an_ended_thread_rests_until_all_others_were_used),
        support_test("self: after the last number come those that nobody uses",
                     test_after_the_last_number_come_those_that_nobody_uses),
        support_test("self: more threads than numbers is told, and passes",
                     test_more_threads_than_numbers_is_told_and_passes),
        support_test("self: the main thread knows that it is",
                     test_the_main_thread_knows_that_it_is),
    };
    return support_run("self", tests);
}
