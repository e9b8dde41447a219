/* Messages that prove themselves, and counts of the heap. */
#include "queue_kit.h"

#include <stdlib.h>
#include <string.h>

mp_queue *new_queue(size_t maxsize)
{
    mp_queue *q;
    assert_mp_result(mp_queue_create(&q, maxsize), 0);
    return q;
}

/* ---- messages -------------------------------------------------------------------------------- */

static uint64_t word_of(uint32_t producer, uint32_t number, size_t i)
{
    uint64_t x = ((uint64_t)producer << 32 | number) + (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 32;
}

/* The first two words are the numbers and the size, the others follow from them. */
static uint64_t message_word(uint32_t producer, uint32_t number, size_t size, size_t i)
{
    if (size >= 16 && i == 0)
        return (uint64_t)producer << 32 | number;
    if (size >= 16 && i == 1)
        return word_of(producer, number, size);
    return word_of(producer, number, i);
}

void message_write(void *to, size_t size, uint32_t producer, uint32_t number)
{
    for (size_t i = 0; i * 8 < size; i++) {
        uint64_t word = message_word(producer, number, size, i);
        memcpy((char *)to + i * 8, &word, size - i * 8 < 8 ? size - i * 8 : 8);
    }
}

bool message_is(const void *p, size_t size, uint32_t producer, uint32_t number)
{
    for (size_t i = 0; i * 8 < size; i++) {
        uint64_t word = message_word(producer, number, size, i);
        if (memcmp((const char *)p + i * 8, &word, size - i * 8 < 8 ? size - i * 8 : 8) != 0)
            return false;
    }
    return true;
}

bool message_read(const void *p, size_t size, uint32_t *producer, uint32_t *number)
{
    uint64_t word;
    check(size >= 16);
    memcpy(&word, p, sizeof word);
    *producer = (uint32_t)(word >> 32);
    *number = (uint32_t)word;
    return message_is(p, size, *producer, *number);
}

void put_message(mp_queue *q, size_t size, uint32_t producer, uint32_t number)
{
    void *p = malloc(size + 1);
    check(p != NULL);
    message_write(p, size, producer, number);
    assert_mp_result(mp_queue_put_bytes(q, p, size, MP_FOREVER), 0);
    free(p);
}

void get_message(mp_queue *q, size_t size, uint32_t producer, uint32_t number)
{
    void *p;
    size_t n;
    assert_mp_result(mp_queue_get_bytes(q, &p, &n, MP_FOREVER), 0);
    check(n == size);
    check(message_is(p, n, producer, number));
    free(p);
}

size_t random_size(struct rng *rng, size_t most)
{
    static const size_t edge[] = {MP__RING_INLINE - 1, MP__RING_INLINE, MP__RING_INLINE + 1, 32768};
    uint64_t way = rng_below(rng, 64);
    size_t size = way < 40   ? rng_below(rng, 100)
                  : way < 60 ? rng_below(rng, 9000)
                  : way < 63 ? edge[rng_below(rng, 4)]
                             : rng_below(rng, 200000);
    return size < most ? size : most;
}

/* ---- the heap -------------------------------------------------------------------------------- */

struct mp__heap_count heap_count(void)
{
    struct mp__heap_count count;
    mp__heap_sweep();
    check(mp__heap_is_valid(&count));
    check(count.building == 0);
    return count;
}

size_t granules_used(const struct mp__heap_count *count)
{
    return count->granules - count->free_granules;
}

void heap_is_as_before(const struct mp__heap_count *before)
{
    struct mp__heap_count now = heap_count();
    check(now.blocks == before->blocks);
    check(now.runs == before->runs);
    check(granules_used(&now) - now.slabs == granules_used(before) - before->slabs);
}

void put_text(mp_queue *q, const char *text)
{
    assert_mp_result(mp_queue_put_bytes(q, text, strlen(text), MP_NOWAIT), 0);
}

void get_text(mp_queue *q, const char *text)
{
    char buf[64];
    size_t n = 99;
    assert_mp_result(mp_queue_get_bytes_into(q, buf, sizeof buf, &n, MP_NOWAIT), 0);
    check(n == strlen(text) && memcmp(buf, text, n) == 0);
}
