/* What the tests of queues share: messages that prove themselves, and counts of the heap. */
#ifndef TESTS_QUEUE_KIT_H
#define TESTS_QUEUE_KIT_H

#include "support/support.h"

#include "queue/queue.h"

#include <mp/object.h>
#include <mp/queues.h>

mp_queue *new_queue(size_t maxsize);

/* A message of `size` bytes that tells who put it and as which one; below 16 bytes only a few of
   these bits. Reading one checks every byte. */
void message_write(void *to, size_t size, uint32_t producer, uint32_t number);
bool message_is(const void *p, size_t size, uint32_t producer, uint32_t number);
/* Which one it claims to be, of a message of at least 16 bytes; false if it is not whole. */
bool message_read(const void *p, size_t size, uint32_t *producer, uint32_t *number);

void put_message(mp_queue *q, size_t size, uint32_t producer, uint32_t number);
void get_message(mp_queue *q, size_t size, uint32_t producer, uint32_t number);

void put_text(mp_queue *q, const char *text);
void get_text(mp_queue *q, const char *text);

/* After a sweep; the heap is valid and nobody builds anything. */
struct mp__heap_count heap_count(void);
size_t granules_used(const struct mp__heap_count *count);
/* Blocks, runs and granules are what they were; slabs may have been added. */
void heap_is_as_before(const struct mp__heap_count *before);

/* A size that is mostly small, often near what fits, and sometimes large. */
size_t random_size(struct rng *rng, size_t most);

#endif
