/* Connections that receive what no honest sender sends: sizes that are lies or too long, too little
 * memory, and streams of random bytes. */
#include "wire/pairs.h"

#include "base/sanitized.h"

#include <errno.h>
#include <mp/connection.h>
#include <mp/timeout.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB ((size_t)1024 * 1024)

static void expect_end(mp_connection *c, bool inside)
{
    size_t n = 77;
    void *buf = &n;
    assert_mp_error(mp_connection_recv_bytes(c, &buf, &n), MP_EEOF);
    check(n == 77 && buf == &n);
    check((strlen(mp_error_detail()) > 0) == inside);
    assert_mp_error(mp_connection_recv_bytes(c, NULL, NULL), MP_EEOF);
    check(strlen(mp_error_detail()) == 0);
}

/* ---- hostile sizes ---------------------------------------------------------------------------- */

static void expect_refused(const char *head, size_t n)
{
    for (int duplex = 0; duplex < 2; duplex++) {
        struct pair pair = open_pair(duplex);
        void *buf = NULL;
        write_raw(pair.b, head, n);
        write_raw(pair.b, "data", 4);
        assert_mp_error(mp_connection_recv_bytes(pair.a, &buf, NULL), MP_EOVERFLOW);
        check(buf == NULL && strlen(mp_error_detail()) > 0);
        check(mp_connection_closed(pair.a) == !duplex);
        check(mp_connection_readable(pair.a) == !duplex);
        assert_mp_error(mp_connection_recv_bytes(pair.a, &buf, NULL),
                        duplex ? MP_ESTATE : MP_ECLOSED);
        if (duplex) {
            send_text(pair.a, "this way still works");
            expect_text(pair.b, "this way still works");
        }
        close_pair(&pair);
    }
}

static void test_sizes_that_no_sender_writes_are_refused(void **state)
{
    (void)state;
    expect_refused("\x80\0\0\0", 4);
    expect_refused("\xff\xff\xff\xfe", 4);
    expect_refused("\xff\xff\xff\xff\0\0\0\0\0\0\0\5", 12); /* would have fitted four bytes */
    expect_refused("\xff\xff\xff\xff\0\0\0\0\x7f\xff\xff\xff", 12);
    expect_refused("\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12);
    expect_refused("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
}

static void skip_if_memory_cannot_be_limited(void)
{
    if (SANITIZED) {
        puts("SKIPPED: a sanitizer's program cannot be short of memory");
        skip();
    }
}

static size_t address_space_in_use(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    check(file != NULL && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void allow_address_space(size_t more)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = more == 0 ? limit.rlim_max : address_space_in_use() + more;
    check(setrlimit(RLIMIT_AS, &limit) == 0);
}

static int receive_what_is_a_lie(void *arg)
{
    struct pair *pair = arg;
    allow_address_space(8 * MIB);
    expect_end(pair->a, true);
    return 0;
}

static void test_a_size_that_is_a_lie_takes_no_memory(void **state)
{
    (void)state;
    skip_if_memory_cannot_be_limited();
    static const char *const heads[] = {"\x7f\xff\xff\xfe", "\xff\xff\xff\xff\x7f\0\0\0\0\0\0\0"};
    const size_t told = PTRDIFF_MAX > INT32_MAX ? 2 : 1; /* on 32 bits the other is refused */
    for (size_t i = 0; i < told; i++) {
        struct pair pair = open_pair(true);
        write_raw(pair.b, heads[i], i == 0 ? 4 : 12);
        write_raw(pair.b, "a few bytes", 11);
        assert_mp_result(shutdown(mp_connection_fileno(pair.b), SHUT_WR), 0);
        child_must_succeed(receive_what_is_a_lie, &pair);
        close_pair(&pair);
    }
}

static int run_out_of_memory_then_go_on(void *arg)
{
    struct pair *pair = arg;
    unsigned char *got = NULL;
    size_t n;
    mp_connection_destroy(pair->b);
    allow_address_space(16 * MIB);
    assert_mp_error(mp_connection_recv_bytes(pair->a, (void **)&got, &n), -ENOMEM);
    assert_mp_error(mp_connection_recv_bytes(pair->a, (void **)&got, &n), -ENOMEM);
    check(got == NULL);
    allow_address_space(0);
    assert_mp_result(mp_connection_recv_bytes(pair->a, (void **)&got, &n), 0);
    check(n == 64 * MIB);
    for (size_t i = 0; i < n; i += 4093)
        check(got[i] == (unsigned char)(i >> 12));
    free(got);
    expect_text(pair->a, "next");
    return 0;
}

static void test_a_message_waits_until_there_is_memory_for_it(void **state)
{
    (void)state;
    skip_if_memory_cannot_be_limited();
    struct pair pair = open_pair(true);
    unsigned char *message = malloc(64 * MIB);
    for (size_t i = 0; i < 64 * MIB; i++)
        message[i] = (unsigned char)(i >> 12);
    pid_t pid = child_fork(run_out_of_memory_then_go_on, &pair);
    mp_connection_destroy(pair.a);
    assert_mp_result(mp_connection_send_bytes(pair.b, message, 64 * MIB), 0);
    send_text(pair.b, "next");
    check(child_wait(pid) == 0);
    mp_connection_destroy(pair.b);
    free(message);
}

/* ---- limits ----------------------------------------------------------------------------------- */

static void test_a_limit_lets_through_what_is_as_long(void **state)
{
    (void)state;
    for (int duplex = 0; duplex < 2; duplex++) {
        struct pair pair = open_pair(duplex);
        assert_mp_result(mp_connection_set_max_message(pair.a, 5), 0);
        send_text(pair.b, "");
        send_text(pair.b, "12345");
        send_text(pair.b, "123456");
        send_text(pair.b, "1");
        expect_text(pair.a, "");
        expect_text(pair.a, "12345");
        assert_mp_error(mp_connection_recv_bytes(pair.a, NULL, NULL), MP_EOVERFLOW);
        assert_mp_error(mp_connection_poll(pair.a, MP_NOWAIT), duplex ? MP_ESTATE : MP_ECLOSED);
        check(mp_connection_writable(pair.a) == duplex);
        close_pair(&pair);
    }
}

/* ---- random streams --------------------------------------------------------------------------- */

enum { STREAM_MOST = 6000 };

struct bytes {
    unsigned char at[STREAM_MOST + 16];
    size_t n;
};

static void append(struct bytes *bytes, uint64_t value, size_t n)
{
    while (n-- > 0)
        bytes->at[bytes->n++] = (unsigned char)(value >> 8 * n);
}

/* A frame that is as it should be, or one of the kinds of wrong. */
static void append_frame(struct bytes *bytes, struct rng *rng)
{
    size_t n = rng_below(rng, 1 + rng_below(rng, 800));
    uint64_t kind = rng_below(rng, 40);
    if (kind == 0) {
        append(bytes, UINT32_MAX, 4);
        append(bytes, n, 8); /* would have fitted four bytes */
    } else if (kind == 1) {
        append(bytes, UINT32_MAX, 4);
        append(bytes, rng_next(rng), 8);
    } else if (kind == 2)
        append(bytes, rng_next(rng), 4);
    else
        append(bytes, n, 4);
    for (size_t i = 0; i < n; i++)
        append(bytes, rng_next(rng) >> 13, 1);
}

/* Reads the stream as the table of the format has it, and expects the same of the connection. */
struct reading {
    const struct bytes *bytes;
    size_t at;
    uint64_t value;
};

static bool read_number(struct reading *r, size_t n)
{
    if (r->bytes->n - r->at < n)
        return false;
    r->value = 0;
    for (size_t i = 0; i < n; i++)
        r->value = r->value * 256 + r->bytes->at[r->at++];
    return true;
}

/* What the next receive must give; for 0 the message is the `value` bytes before `at`. */
static int expected_next(struct reading *r, bool *inside)
{
    *inside = r->at < r->bytes->n;
    if (!read_number(r, 4))
        return MP_EEOF;
    if (r->value == UINT32_MAX) {
        if (!read_number(r, 8))
            return MP_EEOF;
        if (r->value < UINT64_C(0x80000000))
            return MP_EOVERFLOW;
    } else if (r->value >= UINT64_C(0x80000000))
        return MP_EOVERFLOW;
    if (r->value >= (uint64_t)PTRDIFF_MAX)
        return MP_EOVERFLOW;
    if (r->value > r->bytes->n - r->at)
        return MP_EEOF;
    r->at += (size_t)r->value;
    return 0;
}

static int receive_any_way(mp_connection *c, struct rng *rng, unsigned char **got, size_t *n)
{
    if (rng_below(rng, 2) == 0)
        return mp_connection_recv_bytes(c, (void **)got, n);
    unsigned char *room = malloc(1000);
    int rc = mp_connection_recv_bytes_into(c, room, rng_below(rng, 1000), n);
    if (rc == 0)
        *got = room;
    else
        free(room);
    return rc == MP_ETOOSHORT ? mp_connection_recv_bytes(c, (void **)got, n) : rc;
}

static void expect_as_read(mp_connection *c, const struct bytes *bytes, struct rng *rng)
{
    struct reading r = {.bytes = bytes};
    for (;;) {
        unsigned char *got = NULL;
        size_t n = 0;
        bool inside;
        int expected = expected_next(&r, &inside);
        assert_mp_result(receive_any_way(c, rng, &got, &n), expected);
        if (expected == MP_EEOF)
            check((strlen(mp_error_detail()) > 0) == inside);
        if (expected != 0)
            return;
        check(n == r.value && memcmp(got, bytes->at + r.at - n, n) == 0);
        free(got);
    }
}

static void test_random_streams_are_read_as_the_format_says(void **state)
{
    (void)state;
    struct rng rng = rng_start(rng_seed());
    for (int i = 0; i < 5000; i++) {
        struct pair pair = open_pair(rng_below(&rng, 4) != 0);
        struct bytes bytes = {.n = 0};
        for (uint64_t frames = rng_below(&rng, 7); frames > 0; frames--)
            append_frame(&bytes, &rng);
        if (bytes.n > 0 && rng_below(&rng, 2) == 0)
            bytes.n -= rng_below(&rng, bytes.n);
        if (bytes.n > 0 && rng_below(&rng, 4) == 0)
            bytes.at[rng_below(&rng, bytes.n)] ^= (unsigned char)(1 << rng_below(&rng, 8));
        write_raw(pair.b, bytes.at, bytes.n);
        mp_connection_destroy(pair.b);
        expect_as_read(pair.a, &bytes, &rng);
        mp_connection_destroy(pair.a);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Hostile: sizes that no sender writes are refused",
                     test_sizes_that_no_sender_writes_are_refused),
        support_test("Hostile: a size that is a lie takes no memory",
                     test_a_size_that_is_a_lie_takes_no_memory),
        support_test("Hostile: a message waits until there is memory for it",
                     test_a_message_waits_until_there_is_memory_for_it),
        support_test("Hostile: a limit lets through what is as long",
                     test_a_limit_lets_through_what_is_as_long),
        support_test("Hostile: random streams are read as the format says",
                     test_random_streams_are_read_as_the_format_says),
    };
    return support_run("Hostile", tests);
}
