/* Messages on a stream of bytes, framed as Python's Connection frames them, and the stream's own
   reading and writing. */
#ifndef MP__FRAME_H
#define MP__FRAME_H

#include "platform/platform.h"

/* A message is its length, big-endian, and its bytes: four bytes of length up to this, else -1 in
   four bytes and the length in eight more. */
#define MP__FRAME_SHORT_MOST UINT64_C(0x7fffffff)
#define MP__FRAME_HEAD_MOST 12

size_t mp__frame_head(unsigned char head[MP__FRAME_HEAD_MOST], uint64_t size);

/* Whether it is worth while to look for messages before sleeping; see hope.c. Zeroed: it is. */
struct mp__hope {
    unsigned in_vain, skipped;
};
/* Looks for a while, if that pays; whether a look found something. */
bool mp__hope_for(struct mp__hope *hope, bool (*look)(void *arg), void *arg);

/* A descriptor, and how it is to be treated. */
struct mp__stream {
    int fd;
    bool is_socket;
    struct mp__hope *hope; /* of who receives there; NULL: this thread's */
};

/* Sends one message. *torn tells, after a failure, that a part of it has gone. */
int mp__frame_send(const struct mp__stream *stream, const void *p, size_t n, bool *torn);

/* Receives the length of the next message. MP_EEOF: the stream ended, *inside says whether that
   was behind its first byte; MP_EOVERFLOW: a length that no sender writes. */
int mp__frame_size(const struct mp__stream *stream, uint64_t *size, bool *inside);

/* Takes up to n bytes that are there, or come soon; gives how many, 0 when it is time for a call
   that sleeps for them (hope.c). */
size_t mp__stream_hope(const struct mp__stream *stream, void *p, size_t n);

/* The same for poll: true when it has found something, or it is for one that sleeps to fail. */
struct pollfd;
bool mp__poll_hope(struct pollfd *polled, size_t n);

/* Reads exactly n bytes; *got counts them, and tells how far it came on failure. MP_EEOF. */
int mp__stream_read(const struct mp__stream *stream, void *p, size_t n, size_t *got);

/* Waits until the descriptor has one of `events`, something went wrong with it, or time is up:
   1, 0 or a code. */
int mp__stream_await(int fd, short events, mp__moment until);

/* After a call on the descriptor failed with errno: 0 when it is to be made again, at once or
   because one of `events` has come; else a code. A connection that was reset is -EPIPE. */
int mp__stream_retry(int fd, short events);

#endif
