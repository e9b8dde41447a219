/* The mutual authentication of CPython's connections, as a machine that never waits. */
#ifndef MP__HANDSHAKE_H
#define MP__HANDSHAKE_H

#include "base/base.h"

enum mp__handshake_part {
    MP__HANDSHAKE_ACCEPT,    /* challenges, then answers: the listener's part */
    MP__HANDSHAKE_CONNECT,   /* answers, then challenges: the client's part */
    MP__HANDSHAKE_ANSWER,    /* one half alone */
    MP__HANDSHAKE_CHALLENGE, /* the other */
};

enum { MP__HANDSHAKE_MOST = 256 }; /* bytes of a message of it */

struct mp__handshake {
    int fd; /* a stream socket, blocking or not; of what is none, a read may wait */
    bool is_socket;
    const void *key;
    size_t key_size;
    enum mp__handshake_part part;
    int step;
    unsigned char challenge[64]; /* that this side sent */
    size_t challenge_size;
    unsigned char in[4 + MP__HANDSHAKE_MOST]; /* of the message under way */
    size_t have;
    const char *why; /* after MP_EAUTH, in words */
    bool is_lost;    /* a message was too long: its bytes are still in the stream */
};

/* The key is borrowed until the end. */
void mp__handshake_begin(struct mp__handshake *h, int fd, enum mp__handshake_part part,
                         const void *key, size_t n);

/* Goes on as far as it can without waiting, and takes no byte beyond the last message: 1 it is
   done, 0 there must be something to read first. MP_EAUTH: the keys differ, or a message is none of
   this protocol (the other side has been told, if this one judged its answer); MP_EOVERFLOW: a
   length that no message of it has; MP_EEOF: the other side hung up; a code of the system's. Not
   reported. What it sends is less than any buffer of a fresh socket takes: that waits only on a
   connection which is full already. */
int mp__handshake_go(struct mp__handshake *h);

/* The same, waiting; 0 at the end, MP_ETIMEOUT; MP_EAUTH also for a length that is none. */
int mp__handshake_run(struct mp__handshake *h, mp__moment until);

/* The other side has shown that it knows the key. */
bool mp__handshake_is_proven(const struct mp__handshake *h);

/* HMAC: `mac` has room for 32 bytes. Gives the size: 16 or 32. */
enum mp__digest { MP__MD5, MP__SHA256 };
size_t mp__hmac(enum mp__digest digest, const void *key, size_t key_size, const void *p, size_t n,
                unsigned char mac[32]);
/* In a time that tells nothing of where they differ. */
bool mp__bytes_equal(const void *a, const void *b, size_t n);

#endif
