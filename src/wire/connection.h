/* The connection object, for the files that make up its methods. */
#ifndef MP__CONNECTION_H
#define MP__CONNECTION_H

#include "wire/frame.h"

#include <mp/connection.h>
#include <stdatomic.h>

#define MP__CONNECTION_MAGIC UINT32_C(0x4d50434e)

/* A message on its way in: `have` of `size` bytes are at p, which has room for `room`, and a
   NUL. */
struct mp__intake {
    unsigned char *p;
    size_t size, have, room;
};

/* Private to each process: a fork copies it, and both copies work. A sender uses `torn` and the
   words that closing changes, a receiver all else; so one of each may be at work. */
struct mp_connection {
    uint32_t magic;
    bool is_socket;
    bool in_tree;   /* the other end is held by processes of this tree only */
    _Atomic int fd; /* -1: closed */
    atomic_bool readable, writable;
    bool torn; /* a message was cut short by a failure: the other end can make no sense of more */
    size_t max_message;
    struct mp__hope hope;   /* of who receives */
    struct mp__intake kept; /* taken from the stream, not received yet */
    pid_t keeper;           /* whose `kept` is: a child's copy is not the child's; 0: nothing */
};

enum mp__way { MP__WAY_NONE, MP__WAY_IN, MP__WAY_OUT };

/* 0 and the stream, if the connection is open and goes that way, else a code, already reported. */
int mp__connection_enter(mp_connection *c, enum mp__way way, struct mp__stream *stream);

/* Receives one whole message: into `small` if it has room, else into memory that is the
   caller's. */
int mp__connection_take(mp_connection *c, unsigned char *small, size_t room, struct mp__intake *in);

/* A kept message that is whole. */
bool mp__connection_has_kept(const mp_connection *c);
void mp__connection_drop_kept(mp_connection *c);

/* No more can be received: see mp_connection_set_max_message. */
void mp__connection_end_input(mp_connection *c);

#endif
