/* mp_wait: descriptors, connections, processes, and kinds that layers above register. */
#include "wire/pairs.h"

#include "wire/wait.h"

#include <errno.h>
#include <math.h>
#include <mp/connection.h>
#include <mp/timeout.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void send_byte(mp_connection *c)
{
    assert_mp_result(mp_connection_send_bytes(c, "x", 1), 0);
}

static void test_all_that_is_ready_is_marked_where_it_stands(void **state)
{
    (void)state;
    struct pair p[40];
    mp_waitable items[40];
    for (int i = 0; i < 40; i++) {
        p[i] = open_pair(i % 2);
        items[i] = i % 3 ? MP_WAITABLE(p[i].a) : MP_WAITABLE(mp_connection_fileno(p[i].a));
        items[i].ready = true;
    }
    assert_mp_result(mp_wait(items, 40, MP_NOWAIT), 0);
    for (int i = 0; i < 40; i++)
        check(!items[i].ready);
    for (int i = 5; i < 40; i += 7)
        send_byte(p[i].b);
    mp_connection_destroy(p[39].b);
    assert_mp_result(mp_wait(items, 40, MP_FOREVER), 6);
    for (int i = 0; i < 40; i++)
        check(items[i].ready == (i % 7 == 5 || i == 39));
    assert_mp_result(mp_wait(items + 39, 1, MP_FOREVER), 1); /* the end stays ready */
    p[39].b = NULL;
    for (int i = 0; i < 40; i++)
        close_pair(&p[i]);
}

static void test_without_items_the_time_is_waited_out(void **state)
{
    (void)state;
    for (struct timing timing = {.most = 0.2}; try_again(&timing);) {
        assert_mp_result(mp_wait(NULL, 0, MP_NOWAIT), 0);
        assert_mp_result(mp_wait(NULL, 0, -1.0), 0);
    }
    double start = clock_seconds();
    assert_mp_result(mp_wait(NULL, 0, 0.2), 0);
    check(clock_seconds() - start >= 0.2);
}

static void expect_refused(mp_waitable *items, size_t n, int code)
{
    for (size_t i = 0; i < n; i++)
        items[i].ready = i % 2;
    assert_mp_error(mp_wait(items, n, MP_FOREVER), code);
    for (size_t i = 0; i < n; i++)
        check(items[i].ready == i % 2); /* nothing was marked */
}

static void test_bad_items_are_refused(void **state)
{
    (void)state;
    struct pair pair = open_pair(true), closed = open_pair(true);
    uint64_t junk[64] = {0};
    int fd = dup(0);
    close(fd);
    send_byte(pair.b);
    assert_mp_result(mp_connection_close(closed.a), 0);
    mp_waitable good = MP_WAITABLE(pair.a);
    expect_refused((mp_waitable[]){good, MP_WAITABLE(closed.a)}, 2, MP_ECLOSED);
    expect_refused((mp_waitable[]){good, MP_WAITABLE((mp_connection *)NULL)}, 2, MP_EINVAL);
    expect_refused((mp_waitable[]){good, MP_WAITABLE((mp_connection *)junk)}, 2, MP_ETYPE);
    expect_refused((mp_waitable[]){good, MP_WAITABLE(-1)}, 2, MP_EINVAL);
    expect_refused((mp_waitable[]){good, MP_WAITABLE(fd)}, 2, -EBADF);
    expect_refused((mp_waitable[]){good, {.kind = (mp_wait_kind)1234}}, 2, MP_EINVAL);
    expect_refused((mp_waitable[]){good, {.kind = (mp_wait_kind)-1}}, 2, MP_EINVAL);
    expect_refused((mp_waitable[]){good, MP_WAITABLE((mp_future *)junk)}, 2, MP_EINVAL);
    expect_refused((mp_waitable[]){good, MP_WAITABLE((mp_listener *)junk)}, 2, MP_EINVAL);
    assert_mp_error(mp_wait(NULL, 1, MP_NOWAIT), MP_EINVAL);
    assert_mp_error(mp_wait(&good, 1, NAN), MP_EINVAL);
    assert_mp_error(mp_wait(NULL, 0, NAN), MP_EINVAL);
    close_pair(&pair);
    close_pair(&closed);
}

static void test_an_item_twice_is_refused(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    mp_waitable a = MP_WAITABLE(pair.a), b = MP_WAITABLE(pair.b), in = MP_WAITABLE(0);
    send_byte(pair.b);
    expect_refused((mp_waitable[]){a, b, in, a}, 4, MP_EINVAL);
    expect_refused((mp_waitable[]){in, b, in}, 3, MP_EINVAL);
    mp_waitable many[40];
    for (int i = 0; i < 40; i++)
        many[i] = MP_WAITABLE(100 + i);
    many[31] = many[3] = b;
    expect_refused(many, 40, MP_EINVAL);
    close_pair(&pair);
}

static void test_the_sending_end_is_ready_when_nobody_receives(void **state)
{
    (void)state;
    struct pair pair = open_pair(false);
    mp_waitable item = MP_WAITABLE(pair.b);
    assert_mp_result(mp_wait(&item, 1, 0.05), 0);
    mp_connection_destroy(pair.a);
    assert_mp_result(mp_wait(&item, 1, MP_FOREVER), 1);
    mp_connection_destroy(pair.b);
}

/* ---- signals ----------------------------------------------------------------------------------- */

static volatile sig_atomic_t signals_seen;

static void count_signal(int number)
{
    (void)number;
    signals_seen++;
}

struct signalled {
    struct pair pair;
    pid_t target;
};

/* The pauses let the target get back into its wait. */
static int signal_then_send(void *arg)
{
    struct signalled *s = arg;
    for (int i = 0; i < 20; i++) {
        check(child_await_sleep(s->target));
        check(kill(s->target, SIGUSR1) == 0);
        mp_sleep(0.005);
    }
    send_byte(s->pair.b);
    return 0;
}

static void test_a_wait_goes_on_after_signals(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = count_signal}, old;
    struct signalled s = {open_pair(true), getpid()};
    mp_waitable item = MP_WAITABLE(s.pair.a);
    check(sigaction(SIGUSR1, &action, &old) == 0);
    signals_seen = 0;
    pid_t pid = child_fork(signal_then_send, &s);
    assert_mp_result(mp_wait(&item, 1, 30.0), 1);
    check(signals_seen == 20);
    check(child_wait(pid) == 0);
    assert_mp_result(mp_connection_recv_bytes(s.pair.a, NULL, NULL), 0);

    double start = clock_seconds();
    pid = child_fork(signal_then_send, &s);
    check(mp_connection_poll(s.pair.a, 30.0) == 1 && signals_seen == 40);
    check(child_wait(pid) == 0);
    assert_mp_result(mp_connection_recv_bytes(s.pair.a, NULL, NULL), 0);
    pid = child_fork(signal_then_send, &s);
    start = clock_seconds();
    while (mp_wait(&item, 1, 0.02) == 0) /* 20 signals do not lengthen it for ever */
        check(clock_seconds() - start < 30.0);
    check(child_wait(pid) == 0);
    check(sigaction(SIGUSR1, &old, NULL) == 0);
    close_pair(&s.pair);
}

/* ---- processes --------------------------------------------------------------------------------- */

static int wait_for_end(void *arg)
{
    struct pair *pair = arg;
    mp_connection_destroy(pair->b);
    assert_mp_error(mp_connection_recv_bytes(pair->a, NULL, NULL), MP_EEOF);
    return 7;
}

static void test_a_process_is_ready_when_it_has_ended(void **state)
{
    (void)state;
    struct pair pair = open_pair(true), idle = open_pair(true);
    mp_process *process;
    int code;
    assert_mp_result(mp_process_create(&process, wait_for_end, &pair, 0, NULL), 0);
    mp_waitable items[] = {MP_WAITABLE(idle.a), MP_WAITABLE(process)};
    assert_mp_error(mp_wait(items, 2, MP_NOWAIT), MP_ESTATE);
    assert_mp_result(mp_process_start(process), 0);
    mp_connection_destroy(pair.a);
    assert_mp_result(mp_wait(items, 2, 0.05), 0);
    mp_connection_destroy(pair.b);
    assert_mp_result(mp_wait(items, 2, MP_FOREVER), 1);
    check(!items[0].ready && items[1].ready);
    send_byte(idle.b);
    assert_mp_result(mp_wait(items, 2, MP_FOREVER), 2);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    assert_mp_result(mp_process_exitcode(process, &code), 1);
    check(code == 7);
    assert_mp_result(mp_wait(items, 2, MP_FOREVER), 2); /* after the join too */
    assert_mp_result(mp_process_close(process), 0);
    assert_mp_error(mp_wait(items, 2, MP_FOREVER), MP_ECLOSED);
    mp_process_destroy(process);
    close_pair(&idle);
}

/* ---- kinds from above -------------------------------------------------------------------------- */

/* Stands for an object in shared memory: a word that somebody sets. */
struct thing {
    atomic_int ready;
    atomic_int parked;
};

static int thing_ready(const mp_waitable *item)
{
    return atomic_load(&((struct thing *)(void *)item->listener)->ready);
}

static void thing_park(const mp_waitable *item, mp__moment until)
{
    check(until > mp__now());
    atomic_fetch_add(&((struct thing *)(void *)item->listener)->parked, 1);
    mp_sleep(0.001);
}

static struct thing *new_things(size_t n)
{
    struct thing *things =
        mmap(NULL, n * sizeof *things, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(things != MAP_FAILED);
    return things;
}

static int set_after_a_while(void *arg)
{
    struct thing *thing = arg;
    check(child_await_sleep(getppid()));
    mp_sleep(0.05);
    atomic_store(&thing->ready, 1);
    return 0;
}

static void test_things_in_shared_memory_are_asked_in_slices(void **state)
{
    (void)state;
    static const struct mp__wait_class thing_class = {.ready = thing_ready};
    struct thing *things = new_things(2);
    struct pair pair = open_pair(true);
    mp__wait_register(MP_WAIT_LISTENER, &thing_class);
    mp_waitable items[] = {MP_WAITABLE((mp_listener *)(void *)&things[0]), MP_WAITABLE(pair.a),
                           MP_WAITABLE((mp_listener *)(void *)&things[1])};
    double start = clock_seconds();
    assert_mp_result(mp_wait(items, 3, 0.1), 0);
    check(clock_seconds() - start >= 0.1);
    pid_t pid = child_fork(set_after_a_while, &things[1]);
    assert_mp_result(mp_wait(items, 3, 30.0), 1);
    check(!items[0].ready && !items[1].ready && items[2].ready);
    check(child_wait(pid) == 0);
    send_byte(pair.b);
    assert_mp_result(mp_wait(items, 3, 30.0), 2);
    check(!items[0].ready && items[1].ready && items[2].ready);

    pid = child_fork(set_after_a_while, &things[0]);
    assert_mp_result(mp_wait(items, 1, 30.0), 1);
    check(child_wait(pid) == 0);
    atomic_store(&things[0].ready, MP_ECLOSED); /* destroyed meanwhile */
    assert_mp_error(mp_wait(items, 3, 30.0), MP_ECLOSED);
    mp__wait_register(MP_WAIT_LISTENER, NULL);
    assert_mp_error(mp_wait(items, 3, MP_NOWAIT), MP_EINVAL);
    munmap(things, 2 * sizeof *things);
    close_pair(&pair);
}

static void test_one_thing_alone_is_slept_for_where_it_says(void **state)
{
    (void)state;
    static const struct mp__wait_class thing_class = {.ready = thing_ready, .park = thing_park};
    struct thing *thing = new_things(1);
    mp__wait_register(MP_WAIT_LISTENER, &thing_class);
    mp_waitable item = MP_WAITABLE((mp_listener *)(void *)thing);
    assert_mp_result(mp_wait(&item, 1, MP_NOWAIT), 0);
    check(atomic_load(&thing->parked) == 0);
    assert_mp_result(mp_wait(&item, 1, 0.05), 0);
    check(atomic_load(&thing->parked) > 0);
    pid_t pid = child_fork(set_after_a_while, thing);
    assert_mp_result(mp_wait(&item, 1, MP_FOREVER), 1);
    check(item.ready && child_wait(pid) == 0);
    mp__wait_register(MP_WAIT_LISTENER, NULL);
    munmap(thing, sizeof *thing);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Wait: all that is ready is marked where it stands",
                     test_all_that_is_ready_is_marked_where_it_stands),
        support_test("Wait: without items the time is waited out",
                     test_without_items_the_time_is_waited_out),
        support_test("Wait: bad items are refused", test_bad_items_are_refused),
        support_test("Wait: an item twice is refused", test_an_item_twice_is_refused),
        support_test("Wait: the sending end is ready when nobody receives",
                     test_the_sending_end_is_ready_when_nobody_receives),
        support_test("Wait: it goes on after signals", test_a_wait_goes_on_after_signals),
        support_test("Wait: a process is ready when it has ended",
                     test_a_process_is_ready_when_it_has_ended),
        support_test("Wait: things in shared memory are asked in slices",
                     test_things_in_shared_memory_are_asked_in_slices),
        support_test("Wait: one thing alone is slept for where it says",
                     test_one_thing_alone_is_slept_for_where_it_says),
    };
    return support_run_processes("Wait", tests);
}
