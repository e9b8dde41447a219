/* Connecting to a listener: against raw sockets, and against CPython's Client and Listener. */
#include "kit.h"

#include <mp/connection.h>
#include <mp/timeout.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define KEY "abracadabra"

static mp_listener *listener;
static bool with_key;

/* Member 0 connects, member 1 accepts; both close. */
static uint64_t connect_body(struct bench_team *team, unsigned index)
{
    mp_client_options options = {.authkey = with_key ? KEY : NULL,
                                 .authkey_len = with_key ? strlen(KEY) : 0};
    const char *address = mp_listener_address(listener);
    mp_connection *c;
    uint64_t turn = 0;
    for (; bench_goes_on(team, index, turn); turn++) {
        if (index == 0)
            bench_check(mp_client(&c, address, &options, MP_FOREVER) == 0);
        else
            bench_check(mp_listener_accept(listener, &c, MP_FOREVER) == 0);
        if (!with_key) /* the key is a meeting; without, one byte of the listener's is */
            bench_check((index == 0 ? mp_connection_recv_bytes(c, NULL, NULL)
                                    : mp_connection_send_bytes(c, "x", 1)) == 0);
        mp_connection_destroy(c);
    }
    return index == 0 ? turn : 0;
}

static double run(bool key, enum bench_place place, double seconds)
{
    mp_listener_options options = {.authkey = key ? KEY : NULL,
                                   .authkey_len = key ? strlen(KEY) : 0};
    with_key = key;
    bench_check(mp_listener_create(&listener, NULL, &options) == 0);
    double ns = bench_together(2, place, connect_body, seconds);
    mp_listener_destroy(listener);
    return ns;
}

/* ---- the same by hand: as many messages of these sizes, without digests ------------------------- */

static int raw_door;
static struct sockaddr_un raw_address;
static socklen_t raw_size;

static void raw_talk(int fd, unsigned index)
{
    static const struct {
        unsigned from;
        size_t n;
    } both[] = {{1, 63}, {0, 44}, {1, 13}, {0, 63}, {1, 44}, {0, 13}}, one[] = {{1, 5}};
    char bytes[64] = "";
    size_t count = with_key ? sizeof both / sizeof *both : 1;
    for (size_t i = 0; i < count; i++) {
        size_t n = with_key ? both[i].n : one[i].n;
        unsigned from = with_key ? both[i].from : one[i].from;
        if (from == index)
            bench_check(write(fd, bytes, n) == (ssize_t)n);
        else
            bench_check(recv(fd, bytes, n, MSG_WAITALL) == (ssize_t)n);
    }
}

static uint64_t raw_body(struct bench_team *team, unsigned index)
{
    uint64_t turn = 0;
    for (; bench_goes_on(team, index, turn); turn++) {
        int fd;
        if (index == 0) {
            fd = socket(AF_UNIX, SOCK_STREAM, 0);
            bench_check(connect(fd, (struct sockaddr *)&raw_address, raw_size) == 0);
        } else {
            fd = accept(raw_door, NULL, NULL);
        }
        bench_check(fd >= 0);
        raw_talk(fd, index);
        close(fd);
    }
    return index == 0 ? turn : 0;
}

static double raw_run(bool key, enum bench_place place, double seconds)
{
    with_key = key;
    raw_door = socket(AF_UNIX, SOCK_STREAM, 0);
    raw_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    raw_size = sizeof raw_address;
    bench_check(bind(raw_door, (struct sockaddr *)&raw_address, sizeof(sa_family_t)) == 0);
    bench_check(getsockname(raw_door, (struct sockaddr *)&raw_address, &raw_size) == 0);
    bench_check(listen(raw_door, 1) == 0);
    double ns = bench_together(2, place, raw_body, seconds);
    close(raw_door);
    return ns;
}

/* ---- sides --------------------------------------------------------------------------------------- */

static double authenticated(double seconds)
{
    return run(true, BENCH_SPREAD, seconds);
}

static double raw_authenticated(double seconds)
{
    return raw_run(true, BENCH_SPREAD, seconds);
}

static double authenticated_one_cpu(double seconds)
{
    return run(true, BENCH_TOGETHER, seconds);
}

static double raw_authenticated_one_cpu(double seconds)
{
    return raw_run(true, BENCH_TOGETHER, seconds);
}

static double plain(double seconds)
{
    return run(false, BENCH_SPREAD, seconds);
}

static double raw_plain(double seconds)
{
    return raw_run(false, BENCH_SPREAD, seconds);
}

int main(int argc, char **argv)
{
    static const struct bench_row rows[] = {
        {"connect with authentication", authenticated, raw_authenticated, "listener_key 2 spread",
         0, 5.0},
        {"connect with authentication, on one CPU", authenticated_one_cpu,
         raw_authenticated_one_cpu, "listener_key 2 together", 0, 2.5},
        {"connect without, and a byte", plain, raw_plain, "listener_plain 2 spread", 0, 0},
    };
    return bench_main(argc, argv, rows, sizeof rows / sizeof *rows);
}
