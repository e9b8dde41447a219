/* A pipe's two ends, and what tests of connections say through them. */
#ifndef MP_TEST_PAIRS_H
#define MP_TEST_PAIRS_H

#include "support/support.h"

#include <mp/connection.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pair {
    mp_connection *a, *b;
};

static inline struct pair open_pair(bool duplex)
{
    struct pair pair;
    assert_mp_result(mp_pipe(&pair.a, &pair.b, duplex), 0);
    return pair;
}

static inline void close_pair(struct pair *pair)
{
    mp_connection_destroy(pair->a);
    mp_connection_destroy(pair->b);
}

static inline void write_raw(mp_connection *c, const void *p, size_t n)
{
    check(write(mp_connection_fileno(c), p, n) == (ssize_t)n);
}

static inline void send_text(mp_connection *c, const char *text)
{
    assert_mp_result(mp_connection_send_bytes(c, text, strlen(text)), 0);
}

static inline void expect_text(mp_connection *c, const char *text)
{
    char *got = NULL;
    size_t n = 999;
    assert_mp_result(mp_connection_recv_bytes(c, (void **)&got, &n), 0);
    check(n == strlen(text) && strcmp(got, text) == 0);
    free(got);
}

#endif
