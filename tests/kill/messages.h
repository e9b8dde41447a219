/* Messages that are accounted for one by one, whoever is killed: each tells who put it, as which
 * one, and whether it is whole.
 *
 * How it works
 *   The books stand in shared memory that libmp knows nothing of. A producer books a message before
 *   it puts it, and again when the put has returned; a consumer when the get has returned. So a
 *   message that was booked twice by its producer and never by a consumer went with a consumer that
 *   was killed in between, or is lost.
 */
#ifndef TESTS_KILL_MESSAGES_H
#define TESTS_KILL_MESSAGES_H

#include "kill/harness.h"

enum { MESSAGES_PRODUCERS = 8, MESSAGES_CONSUMERS = 8, MESSAGE_LEAST = 16, MESSAGE_MOST = 1 << 18 };

/* Empty books. */
void messages_prepare(void);

/* Books n messages as begun and gives the number of the first. */
uint32_t messages_begin(uint32_t producer, uint32_t n);
void messages_acknowledge(uint32_t producer, uint32_t first, uint32_t n);
/* In memory that serves the next call too. */
const void *message_make(uint32_t producer, uint32_t number, size_t size);
/* Of a consumer those of one producer come in order. */
void messages_got(uint32_t consumer, const void *p, size_t size);

struct messages_sum {
    uint64_t begun, acknowledged, got;
    uint64_t lost;           /* acknowledged, and nobody got it */
    uint64_t unacknowledged; /* got although its producer never learned that it was put */
    uint64_t torn, doubled, disordered, invented;
};
void messages_count(struct messages_sum *sum);
void messages_print(const char *name, const struct messages_sum *sum, uint64_t consumers_killed,
                    double worst_gap);

#endif
