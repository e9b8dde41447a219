/* A server without a loop, a door and strangers: what its clients send is handed to it here. For
 * bytes from nowhere; nothing of cmocka, and what must not happen aborts. */
#ifndef TESTS_MANAGERS_FEED_H
#define TESTS_MANAGERS_FEED_H

#include <mp/object.h>
#include <stdbool.h>

/* The last one takes what the server does itself, the others call methods. */
enum { FEED_CLIENTS = 4, FEED_SESSION = FEED_CLIENTS - 1, FEED_ID = 32 };

struct feed;

/* With objects of every type that takes no thread and no process; feed_close counts that all memory
 * is given back only where a sanitizer does. */
struct feed *feed_open(void);
void feed_close(struct feed *feed);

/* The objects that were made first, and those that feed_create made; NULL: there are not so many. */
const char *feed_id(const struct feed *feed, size_t i);
bool feed_create(struct feed *feed, const char *type_id, mp_obj args);

/* A stream's bytes, or one message, of a client. One that waits hangs up first; one that has gone is
 * replaced. What could make a Pool, or multiply a list, is left out. */
void feed_bytes(struct feed *feed, unsigned client, const void *bytes, size_t n);
void feed_message(struct feed *feed, unsigned client, const void *payload, size_t n);
/* (id, method, args, {}) */
void feed_call(struct feed *feed, unsigned client, const char *id, const char *method, mp_obj args);

/* Answers so far, in all: what was asked for, and refusals. */
struct feed_count {
    unsigned long returned, refused;
};
extern struct feed_count feed_count;

/* What stands for a proxy of an object: a literal in this memory. */
struct feed_proxy {
    mp_obj type[4], class[4], token[4], state[3], args[4], whole[4];
};
mp_obj feed_proxy(const char *type_id, const char *id, struct feed_proxy *room);

#endif
