/* Connections against raw sockets and pipes, and against CPython's: round trips and streams. */
#include "kit.h"

#include <mp/connection.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define SMALL 64
#define LARGE ((size_t)64 * 1024)
#define HUGE_ONE ((size_t)16 * 1024 * 1024)

static size_t size;
static unsigned char *message;

/* ---- libmp ---------------------------------------------------------------------------------- */

/* Each member receives on in[index] and sends on out[index]. */
static mp_connection *in[2], *out[2];

static void send_one(unsigned index, size_t n)
{
    bench_check(mp_connection_send_bytes(out[index], message, n) == 0);
}

static size_t receive_one(unsigned index)
{
    size_t n = 0;
    bench_check(mp_connection_recv_bytes_into(in[index], message, size, &n) == 0);
    return n;
}

static void open_ends(bool duplex)
{
    if (duplex) {
        bench_check(mp_pipe(&in[0], &in[1], true) == 0);
        out[0] = in[0];
        out[1] = in[1];
        return;
    }
    for (int i = 0; i < 2; i++)
        bench_check(mp_pipe(&in[i], &out[1 - i], false) == 0);
}

static void close_ends(void)
{
    for (int i = 0; i < 2; i++) {
        if (out[i] != in[i])
            mp_connection_destroy(out[i]);
        mp_connection_destroy(in[i]);
    }
}

static uint64_t trips_body(struct bench_team *team, unsigned index)
{
    uint64_t turn = 0;
    for (; bench_goes_on(team, index, turn); turn++) {
        if (index == 0)
            send_one(index, size);
        receive_one(index);
        if (index == 1)
            send_one(index, size);
    }
    return index == 0 ? turn : 0;
}

/* Member 0 sends, and says by a message of no bytes that it was the last. */
static uint64_t stream_body(struct bench_team *team, unsigned index)
{
    uint64_t n = 0;
    if (index == 1) {
        while (receive_one(index) > 0)
            n++;
        return n;
    }
    while (!bench_is_over(team))
        send_one(index, size);
    send_one(index, 0);
    return 0;
}

static double run(bench_body *body, size_t bytes, bool duplex, enum bench_place place,
                  double seconds)
{
    size = bytes;
    open_ends(duplex);
    double ns = bench_together(2, place, body, seconds);
    close_ends();
    return ns;
}

/* ---- the same by hand -------------------------------------------------------------------------- */

static int raw_in[2], raw_out[2];
static bool two_reads; /* a head of four bytes goes before each message, and is read by itself */

static void raw_send(unsigned index, size_t n)
{
    unsigned char head[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                             (unsigned char)(n >> 8), (unsigned char)n};
    struct iovec piece[2] = {{head, 4}, {message, n}};
    size_t whole = n + 4;
    while (whole > 0) {
        ssize_t some = writev(raw_out[index], piece, 2);
        bench_check(some > 0);
        whole -= (size_t)some;
        for (int i = 0; i < 2; i++) {
            size_t gone = (size_t)some < piece[i].iov_len ? (size_t)some : piece[i].iov_len;
            piece[i].iov_base = (char *)piece[i].iov_base + gone;
            piece[i].iov_len -= gone;
            some -= (ssize_t)gone;
        }
    }
}

static void raw_read(unsigned index, void *p, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t some = read(raw_in[index], (char *)p + got, n - got);
        bench_check(some > 0);
        got += (size_t)some;
    }
}

static size_t raw_receive(unsigned index)
{
    unsigned char head[4];
    raw_read(index, head, 4);
    size_t n = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    raw_read(index, message, n);
    return n;
}

static uint64_t raw_trips_body(struct bench_team *team, unsigned index)
{
    uint64_t turn = 0;
    for (; bench_goes_on(team, index, turn); turn++) {
        for (unsigned step = 0; step < 2; step++) {
            if (step != index && two_reads)
                raw_receive(index);
            else if (step != index)
                raw_read(index, message, size);
            else if (two_reads)
                raw_send(index, size);
            else
                bench_check(write(raw_out[index], message, size) == (ssize_t)size);
        }
    }
    return index == 0 ? turn : 0;
}

static uint64_t raw_stream_body(struct bench_team *team, unsigned index)
{
    uint64_t n = 0;
    if (index == 1) {
        while (raw_receive(index) > 0)
            n++;
        return n;
    }
    while (!bench_is_over(team))
        raw_send(index, size);
    raw_send(index, 0);
    return 0;
}

static void raw_open(bool duplex)
{
    int fd[2];
    if (duplex) {
        bench_check(socketpair(AF_UNIX, SOCK_STREAM, 0, raw_in) == 0);
        memcpy(raw_out, raw_in, sizeof raw_in);
        return;
    }
    for (int i = 0; i < 2; i++) {
        bench_check(pipe(fd) == 0);
        raw_in[i] = fd[0];
        raw_out[1 - i] = fd[1];
    }
}

static double raw_run(bench_body *body, size_t bytes, bool duplex, bool framed,
                      enum bench_place place, double seconds)
{
    size = bytes;
    two_reads = framed;
    raw_open(duplex);
    double ns = bench_together(2, place, body, seconds);
    for (int i = 0; i < 2; i++) {
        if (raw_out[i] != raw_in[i])
            close(raw_out[i]);
        close(raw_in[i]);
    }
    return ns;
}

/* ---- sides --------------------------------------------------------------------------------------- */

static double trips_duplex(double seconds)
{
    return run(trips_body, SMALL, true, BENCH_SPREAD, seconds);
}

static double trips_simplex(double seconds)
{
    return run(trips_body, SMALL, false, BENCH_SPREAD, seconds);
}

static double raw_trips_duplex(double seconds)
{
    return raw_run(raw_trips_body, SMALL, true, true, BENCH_SPREAD, seconds);
}

static double raw_trips_bare(double seconds)
{
    return raw_run(raw_trips_body, SMALL, true, false, BENCH_SPREAD, seconds);
}

static double raw_trips_simplex(double seconds)
{
    return raw_run(raw_trips_body, SMALL, false, true, BENCH_SPREAD, seconds);
}

static double trips_one_cpu(double seconds)
{
    return run(trips_body, SMALL, true, BENCH_TOGETHER, seconds);
}

static double raw_trips_one_cpu(double seconds)
{
    return raw_run(raw_trips_body, SMALL, true, true, BENCH_TOGETHER, seconds);
}

static double stream_small(double seconds)
{
    return run(stream_body, SMALL, true, BENCH_SPREAD, seconds);
}

static double raw_stream_small(double seconds)
{
    return raw_run(raw_stream_body, SMALL, true, true, BENCH_SPREAD, seconds);
}

static double stream_large(double seconds)
{
    return run(stream_body, LARGE, true, BENCH_SPREAD, seconds);
}

static double raw_stream_large(double seconds)
{
    return raw_run(raw_stream_body, LARGE, true, true, BENCH_SPREAD, seconds);
}

static double stream_huge(double seconds)
{
    return run(stream_body, HUGE_ONE, true, BENCH_SPREAD, seconds);
}

static double raw_stream_huge(double seconds)
{
    return raw_run(raw_stream_body, HUGE_ONE, true, true, BENCH_SPREAD, seconds);
}

int main(int argc, char **argv)
{
    static const struct bench_row rows[] = {
        {"round trip 64 B, head read first", trips_duplex, raw_trips_duplex,
         "connection_trips 2 spread", 1.15, 2.2},
        {"round trip 64 B, raw without heads", trips_duplex, raw_trips_bare, NULL, 1.15, 0},
        {"round trip 64 B, two one-way pipes", trips_simplex, raw_trips_simplex,
         "connection_trips_simplex 2 spread", 0, 2.2},
        {"round trip 64 B, on one CPU", trips_one_cpu, raw_trips_one_cpu,
         "connection_trips 2 together", 1.15, 2.2},
        {"stream of 64 B", stream_small, raw_stream_small, "connection_stream_64 2 spread", 1.15,
         2.0},
        {"stream of 64 KiB", stream_large, raw_stream_large, "connection_stream_65536 2 spread",
         1.15, 1.0},
        {"stream of 16 MiB", stream_huge, raw_stream_huge, "connection_stream_16777216 2 spread",
         1.15, 1.0},
    };
    message = bench_map_shared(HUGE_ONE);
    return bench_main(argc, argv, rows, sizeof rows / sizeof *rows);
}
