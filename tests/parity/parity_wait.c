/* Python's TestWait: waiting for several connections, sockets and processes. */
#include "parity.h"

#include <arpa/inet.h>
#include <mp/connection.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WRITERS = 4, MESSAGES = 10 };

struct writer {
    mp_connection *end;
    unsigned short port; /* for the test with sockets */
    bool slow;
};

/* Up to 20 ms, other ones in each process. */
static void be_slow(const struct writer *writer)
{
    struct rng rng =
        rng_start((uint64_t)getpid() * 2654435761u + (uint64_t)(clock_seconds() * 1e6));
    if (writer->slow)
        mp_sleep((double)rng_below(&rng, 20) / 1000);
}

static int write_numbers(void *arg)
{
    const struct writer *writer = arg;
    for (int i = 0; i < MESSAGES; i++) {
        be_slow(writer);
        assert_mp_result(mp_connection_send(writer->end, MP_TUPLE(i, (int)getpid())), 0);
    }
    mp_connection_destroy(writer->end);
    return 0;
}

struct readers {
    mp_waitable items[WRITERS];
    size_t count;
    int got, ends;
};

static void reader_remove(struct readers *r, size_t i)
{
    mp_connection_destroy(r->items[i].connection);
    memmove(&r->items[i], &r->items[i + 1], (--r->count - i) * sizeof *r->items);
    r->ends++;
}

/* Receives once from each that is ready; numbers[pid's place] must come in order. */
static void receive_from_ready(struct readers *r, const mp_process *const *p, int *next)
{
    for (size_t i = r->count; i-- > 0;) {
        mp_obj message;
        int number, pid, which = 0;
        if (!r->items[i].ready)
            continue;
        int rc = mp_connection_recv(r->items[i].connection, &message);
        if (rc == MP_EEOF) {
            reader_remove(r, i);
            continue;
        }
        assert_mp_result(rc, 0);
        assert_mp_ok(mp_obj_unpack(message, "ii", &number, &pid));
        while (mp_process_pid(p[which]) != pid)
            which++;
        check(number == next[which]++);
        mp_obj_free(&message);
        r->got++;
    }
}

static void wait_for_writers(bool slow)
{
    struct readers r = {.count = 0};
    mp_process *p[WRITERS];
    int next[WRITERS] = {0};
    for (int i = 0; i < WRITERS; i++) {
        struct writer writer = {.slow = slow};
        mp_connection *reader;
        assert_mp_result(mp_pipe(&reader, &writer.end, false), 0);
        p[i] = start_process(write_numbers, &writer, sizeof writer);
        mp_connection_destroy(writer.end);
        r.items[r.count++] = MP_WAITABLE(reader);
    }
    while (r.count > 0) {
        check(assert_mp_ok(mp_wait(r.items, r.count, MP_FOREVER)) > 0);
        receive_from_ready(&r, (const mp_process *const *)p, next);
    }
    check(r.got == WRITERS * MESSAGES && r.ends == WRITERS);
    for (int i = 0; i < WRITERS; i++)
        finish_process_with(p[i], 0);
}

static void test_wait(void **state)
{
    (void)state;
    wait_for_writers(false);
}

static void test_wait_slow(void **state)
{
    (void)state;
    wait_for_writers(true);
}

/* ---- sockets ------------------------------------------------------------------------------------ */

static int loopback_listener(unsigned short *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    check(listen(fd, WRITERS) == 0);
    check(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int write_lines(void *arg)
{
    const struct writer *writer = arg;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(writer->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    for (int i = 0; i < MESSAGES; i++) {
        char line[16];
        be_slow(writer);
        int n = snprintf(line, sizeof line, "%d\n", i);
        check(write(fd, line, (size_t)n) == n);
    }
    close(fd);
    return 0;
}

static void wait_for_sockets(bool slow)
{
    struct writer writer = {.slow = slow};
    mp_waitable items[WRITERS];
    mp_process *p[WRITERS];
    char text[WRITERS][64] = {""};
    int listener = loopback_listener(&writer.port), which[WRITERS];
    size_t left = WRITERS;
    for (int i = 0; i < WRITERS; i++)
        p[i] = start_process(write_lines, &writer, sizeof writer);
    for (int i = 0; i < WRITERS; i++) {
        items[i] = MP_WAITABLE(accept(listener, NULL, NULL));
        which[i] = i;
    }
    close(listener);
    while (left > 0) {
        check(assert_mp_ok(mp_wait(items, left, MP_FOREVER)) > 0);
        for (size_t i = left; i-- > 0;) {
            char *t = text[which[i]];
            ssize_t n = items[i].ready ? read(items[i].fd, t + strlen(t), 32) : -1;
            if (n != 0)
                continue;
            close(items[i].fd);
            items[i] = items[--left];
            which[i] = which[left];
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        check(strcmp(text[i], "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n") == 0);
        finish_process_with(p[i], 0);
    }
}

static void test_wait_socket(void **state)
{
    (void)state;
    wait_for_sockets(false);
}

static void test_wait_socket_slow(void **state)
{
    (void)state;
    wait_for_sockets(true);
}

/* ---- time, sentinels ------------------------------------------------------------------------------ */

static void test_wait_timeout(void **state)
{
    (void)state;
    mp_connection *a, *b;
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    mp_waitable items[] = {MP_WAITABLE(a), MP_WAITABLE(b)};
    for (struct timing timing = {.least = 0.5, .most = 1.5}; try_again(&timing);)
        assert_mp_result(mp_wait(items, 2, 0.5), 0);
    assert_mp_result(mp_connection_send(b, mp_obj_none()), 0);
    for (struct timing timing = {.most = 0.4}; try_again(&timing);)
        assert_mp_result(mp_wait(items, 2, 20), 1);
    check(items[0].ready && !items[1].ready);
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

static int signal_and_sleep(void *arg)
{
    assert_mp_ok(mp_semaphore_release(arg));
    mp_sleep(0.3);
    return 0;
}

static void test_wait_integer(void **state)
{
    (void)state;
    mp_semaphore *semaphore = new_semaphore();
    mp_connection *a, *b;
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    mp_process *p = start_process(signal_and_sleep, semaphore, 0);
    int sentinel = assert_mp_ok(mp_process_sentinel(p));
    mp_waitable items[] = {MP_WAITABLE(a), MP_WAITABLE(sentinel), MP_WAITABLE(b)};
    take(semaphore);
    double start = clock_seconds();
    assert_mp_result(mp_wait(items, 3, 20), 1);
    check(!items[0].ready && items[1].ready && !items[2].ready);
    check(clock_seconds() - start < 5);

    assert_mp_result(mp_connection_send(a, mp_obj_none()), 0);
    assert_mp_result(mp_wait(items, 3, 20), 2);
    check(!items[0].ready && items[1].ready && items[2].ready);

    assert_mp_result(mp_connection_send(b, mp_obj_none()), 0);
    assert_mp_result(mp_wait(items, 3, 20), 3);
    check(items[0].ready && items[1].ready && items[2].ready);
    assert_mp_ok(mp_process_terminate(p));
    finish_process_with(p, 0);
    mp_semaphore_destroy(semaphore);
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

static void test_neg_timeout(void **state)
{
    (void)state;
    mp_connection *a, *b;
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    mp_waitable item = MP_WAITABLE(a);
    for (struct timing timing = {.most = 0.2}; try_again(&timing);)
        assert_mp_result(mp_wait(&item, 1, -1), 0);
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestWait.test_wait: four pipes, ten messages each, and their ends",
                     test_wait),
        support_test("TestWait.test_wait_socket: plain sockets", test_wait_socket),
        support_test("TestWait.test_wait_slow: pipes with slow writers", test_wait_slow),
        support_test("TestWait.test_wait_socket_slow: sockets with slow writers",
                     test_wait_socket_slow),
        support_test("TestWait.test_wait_timeout: nothing is ready in time, then one is",
                     test_wait_timeout),
        support_test("TestWait.test_wait_integer: a sentinel among connections", test_wait_integer),
        support_test("TestWait.test_neg_timeout: looks once", test_neg_timeout),
    };
    return support_run_processes("TestWait", tests);
}
