/* A listener among 256 hostile connections, renewed as they end: the honest are served, every one,
 * and the process stays small. Prints what it measured. */
#include "support/support.h"

#include "platform/platform.h"
#include "wire/address.h"
#include "wire/doors.h"
#include "wire/pressed_out.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#define KEY "abracadabra"

enum { HOSTILE = 256, HONEST = 40, RSS_MOST_MIB = 16, PATIENCE = 60 };

enum kind { SILENT, BYTE_WISE, HUGE_LENGTHS, GARBAGE, RESETS, WRONG_KEYS, KINDS };

/* What the processes tell each other. */
struct board {
    atomic_int visits[KINDS];
    atomic_int begun; /* hostile ones that have been let in once */
    long rss_kib;     /* the listener's, at its end */
};

static struct board *board;
static struct mp__address address;
static char address_text[MP__ADDRESS_ROOM];

/* ---- the hostile ------------------------------------------------------------------------------ */

/* Waits for the listener to hang up. */
static void await_end(int fd)
{
    char bytes[256];
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
}

static void say(int fd, const void *p, size_t n)
{
    (void)!send(fd, p, n, MSG_NOSIGNAL);
}

static void say_byte_wise(int fd)
{
    static const unsigned char head[4] = {0, 0, 0, 200};
    for (size_t i = 0; i < 204; i++) {
        struct pollfd item = {.fd = fd, .events = POLLIN};
        say(fd, i < 4 ? &head[i] : (const unsigned char *)"x", 1);
        if (i > 4 && poll(&item, 1, 20) > 0 && recv(fd, (char[256]){0}, 256, MSG_DONTWAIT) == 0)
            return;
    }
}

static void say_huge(int fd, struct rng *rng)
{
    static const unsigned char heads[][12] = {{0x7f, 0xff, 0xff, 0xff},
                                              {0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff},
                                              {0x80, 0, 0, 0},
                                              {0, 0, 1, 1}};
    static const char much[10000];
    say(fd, heads[rng_below(rng, 4)], 12);
    say(fd, much, sizeof much);
    await_end(fd);
}

static void say_garbage(int fd, struct rng *rng)
{
    uint64_t words[40];
    for (size_t i = 0; i < 40; i++)
        words[i] = rng_next(rng);
    if (rng_below(rng, 2)) /* of a length that is allowed */
        memcpy(words, "\0\0\0", 3);
    say(fd, words, 1 + rng_below(rng, sizeof words));
    await_end(fd);
}

static void reset(int fd, struct rng *rng)
{
    struct linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    if (rng_below(rng, 2)) /* with the challenge unread, or before it came */
        (void)!poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 100);
}

static void call_with_wrong_key(void)
{
    mp_client_options options = {.authkey = "another", .authkey_len = 7};
    mp_connection *connection;
    int rc = mp_client(&connection, address_text, &options, MP_FOREVER);
    check(rc < 0);
}

static void visit(enum kind kind, struct rng *rng)
{
    if (kind == WRONG_KEYS) {
        call_with_wrong_key();
        return;
    }
    int fd = mp__address_connect(&address, MP__NEVER);
    if (fd < 0)
        return;
    if (kind == SILENT)
        await_end(fd);
    else if (kind == BYTE_WISE)
        say_byte_wise(fd);
    else if (kind == HUGE_LENGTHS)
        say_huge(fd, rng);
    else if (kind == GARBAGE)
        say_garbage(fd, rng);
    else
        reset(fd, rng);
    close(fd);
}

static void *be_hostile(void *arg)
{
    uint64_t number = (uint64_t)(uintptr_t)arg;
    enum kind kind = (enum kind)(number % KINDS);
    struct rng rng = rng_start(number);
    for (bool first = true;; first = false) {
        visit(kind, &rng);
        atomic_fetch_add(&board->visits[kind], 1);
        if (first)
            atomic_fetch_add(&board->begun, 1);
    }
    return NULL;
}

static int be_all_hostile(void *arg)
{
    pthread_attr_t small;
    pthread_t thread;
    (void)arg;
    check(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 256 * 1024) == 0);
    for (uintptr_t i = 0; i < HOSTILE; i++)
        check(pthread_create(&thread, &small, be_hostile, (void *)i) == 0);
    for (;;)
        pause(); /* until it is killed */
}

/* ---- the listener ----------------------------------------------------------------------------- */

static long resident_kib(void)
{
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (statm != NULL) {
        check(fscanf(statm, "%*d %ld", &pages) == 1);
        fclose(statm);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Answers each message by itself, until one is "stop". */
static int listen_to_all(void *arg)
{
    mp_listener *listener = arg;
    bool stops = false;
    while (!stops) {
        mp_connection *connection;
        char text[16];
        size_t n;
        int rc = mp_listener_accept(listener, &connection, MP_FOREVER);
        if (rc == MP_EAUTH)
            continue;
        assert_mp_result(rc, 0);
        assert_mp_result(mp_connection_recv_bytes_into(connection, text, sizeof text, &n), 0);
        assert_mp_result(mp_connection_send_bytes(connection, text, n), 0);
        stops = n == 4 && memcmp(text, "stop", 4) == 0;
        mp_connection_destroy(connection);
    }
    board->rss_kib = resident_kib();
    mp_listener_destroy(listener);
    return 0;
}

/* ---- the honest ------------------------------------------------------------------------------- */

static int calls_again; /* of the honest */

static int call_in(void *out)
{
    mp_client_options options = {.authkey = KEY, .authkey_len = strlen(KEY)};
    return mp_client(out, address_text, &options, PATIENCE);
}

/* Gives the milliseconds that it took to be connected. */
static double be_served(const char *text)
{
    char got[16];
    size_t n;
    double start = clock_seconds();
    mp_connection *connection;
    assert_mp_result(call_until_served(call_in, &connection, MP_EEOF, &calls_again), 0);
    double time = clock_seconds() - start;
    assert_mp_result(mp_connection_send_bytes(connection, text, strlen(text)), 0);
    assert_mp_result(mp_connection_recv_bytes_into(connection, got, sizeof got, &n), 0);
    check(n == strlen(text) && memcmp(got, text, n) == 0);
    mp_connection_destroy(connection);
    return time * 1e3;
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
    return __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
    return false;
#endif
}

static void serve_among_the_hostile(const char *where, const char *family)
{
    double times[HONEST];
    mp_listener *listener;
    mp_listener_options options = {
        .authkey = KEY, .authkey_len = strlen(KEY), .backlog = 2 * HOSTILE};
    memset(board, 0, sizeof *board);
    calls_again = 0;
    assert_mp_result(mp_listener_create(&listener, where, &options), 0);
    strcpy(address_text, mp_listener_address(listener));
    assert_mp_result(mp__address_parse(&address, address_text), 0);
    pid_t server = child_fork(listen_to_all, listener);
    pid_t hostile = child_fork(be_all_hostile, NULL);
    while (atomic_load(&board->begun) < HOSTILE) /* the watchdog's if it does not come */
        mp_sleep(0.01);
    for (int i = 0; i < HONEST; i++)
        times[i] = be_served("hello");
    check(kill(hostile, SIGKILL) == 0 && child_wait(hostile) == -SIGKILL);
    be_served("stop");
    check(child_wait(server) == 0);
    mp_listener_destroy(listener);

    qsort(times, HONEST, sizeof *times, compare_times);
    printf("%s: %d honest of %d served among %d hostile: median %.2f ms, most %.2f ms; "
           "%d calls repeated; listener %.1f MiB resident\n",
           family, HONEST, HONEST, HOSTILE, times[HONEST / 2], times[HONEST - 1], calls_again,
           (double)board->rss_kib / 1024);
    printf("  visits: %d silent, %d byte by byte, %d huge lengths, %d garbage, %d resets, "
           "%d wrong keys\n",
           board->visits[SILENT], board->visits[BYTE_WISE], board->visits[HUGE_LENGTHS],
           board->visits[GARBAGE], board->visits[RESETS], board->visits[WRONG_KEYS]);
    for (int kind = 0; kind < KINDS; kind++)
        check(board->visits[kind] >= HOSTILE / KINDS);
    if (!is_sanitized())
        check(board->rss_kib < RSS_MOST_MIB * 1024);
}

static void test_the_honest_are_served_at_a_socket_file(void **state)
{
    (void)state;
    support_time_limit(300);
    serve_among_the_hostile(NULL, "AF_UNIX");
}

static void test_the_honest_are_served_at_a_port(void **state)
{
    (void)state;
    support_time_limit(300);
    serve_among_the_hostile("localhost:0", "AF_INET");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("hostile: the honest are served at a socket file",
                     test_the_honest_are_served_at_a_socket_file),
        support_test("hostile: the honest are served at a port",
                     test_the_honest_are_served_at_a_port),
    };
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        return EXIT_FAILURE;
    open_the_first_door();
    return support_run("hostile connections", tests);
}
