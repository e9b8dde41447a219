/* Messages that are accounted for; messages.h tells how. */
#include "kill/messages.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

enum { NUMBERS = 1 << 25 };
enum { BEGUN = 1, ACKNOWLEDGED = 2 };

struct head {
    uint32_t producer, number;
    uint64_t size;
};

struct books {
    _Atomic uint32_t next[MESSAGES_PRODUCERS];
    _Atomic uint64_t torn, doubled, disordered, invented;
    _Atomic uint32_t last[MESSAGES_CONSUMERS][MESSAGES_PRODUCERS]; /* number + 1 */
    _Atomic uint8_t put[MESSAGES_PRODUCERS][NUMBERS];
    _Atomic uint8_t got[MESSAGES_PRODUCERS][NUMBERS];
};

static struct books *books;

/* Sparse, unlike kill_shared: most numbers are never reached. */
void messages_prepare(void)
{
    if (books != NULL)
        assert_int_equal(munmap(books, sizeof *books), 0);
    books = mmap(NULL, sizeof *books, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(books != MAP_FAILED);
}

static uint64_t word_of(const struct head *head, size_t i)
{
    uint64_t x = ((uint64_t)head->producer << 32 | head->number) + i + (head->size << 20);
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

static unsigned char scratch[MESSAGE_MOST + 8];

const void *message_make(uint32_t producer, uint32_t number, size_t size)
{
    const struct head head = {producer, number, size};
    check(size >= sizeof head && size <= MESSAGE_MOST);
    memcpy(scratch, &head, sizeof head);
    for (size_t at = sizeof head; at < size; at += 8) {
        uint64_t word = word_of(&head, at);
        memcpy(scratch + at, &word, sizeof word);
    }
    return scratch;
}

static bool is_whole(const void *p, size_t size, struct head *head)
{
    const unsigned char *bytes = p;
    if (size < sizeof *head)
        return false;
    memcpy(head, p, sizeof *head);
    if (head->size != size || head->producer >= MESSAGES_PRODUCERS)
        return false;
    for (size_t at = sizeof *head; at < size; at += 8) {
        uint64_t word = word_of(head, at);
        if (memcmp(bytes + at, &word, size - at < 8 ? size - at : 8) != 0)
            return false;
    }
    return true;
}

uint32_t messages_begin(uint32_t producer, uint32_t n)
{
    uint32_t first = atomic_fetch_add(&books->next[producer], n);
    check(first + n < NUMBERS);
    for (uint32_t i = 0; i < n; i++)
        atomic_store(&books->put[producer][first + i], BEGUN);
    return first;
}

void messages_acknowledge(uint32_t producer, uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        atomic_store(&books->put[producer][first + i], ACKNOWLEDGED);
}

void messages_got(uint32_t consumer, const void *p, size_t size)
{
    struct head head;
    if (!is_whole(p, size, &head)) {
        atomic_fetch_add(&books->torn, 1);
        return;
    }
    if (head.number >= NUMBERS || atomic_load(&books->put[head.producer][head.number]) == 0) {
        atomic_fetch_add(&books->invented, 1);
        return;
    }
    if (atomic_fetch_add(&books->got[head.producer][head.number], 1) > 0)
        atomic_fetch_add(&books->doubled, 1);
    if (head.number < atomic_load(&books->last[consumer][head.producer]))
        atomic_fetch_add(&books->disordered, 1);
    atomic_store(&books->last[consumer][head.producer], head.number + 1);
}

void messages_count(struct messages_sum *sum)
{
    *sum = (struct messages_sum){.torn = atomic_load(&books->torn),
                                 .doubled = atomic_load(&books->doubled),
                                 .disordered = atomic_load(&books->disordered),
                                 .invented = atomic_load(&books->invented)};
    for (int p = 0; p < MESSAGES_PRODUCERS; p++)
        for (uint32_t i = 0; i < atomic_load(&books->next[p]); i++) {
            uint8_t put = atomic_load(&books->put[p][i]);
            bool got = atomic_load(&books->got[p][i]) > 0;
            sum->begun += put != 0;
            sum->acknowledged += put == ACKNOWLEDGED;
            sum->got += got;
            sum->lost += put == ACKNOWLEDGED && !got;
            sum->unacknowledged += put == BEGUN && got;
        }
}

void messages_print(const char *name, const struct messages_sum *s, uint64_t consumers_killed,
                    double worst_gap)
{
    print_message("| %-17s | messages put %" PRIu64 ", got %" PRIu64 " | torn %" PRIu64
                  ", doubled %" PRIu64 ", out of order %" PRIu64 ", invented %" PRIu64
                  " | lost %" PRIu64 " with %" PRIu64
                  " consumers killed | got unacknowledged %" PRIu64 " | worst gap %.1f ms |\n",
                  name, s->acknowledged, s->got, s->torn, s->doubled, s->disordered, s->invented,
                  s->lost, consumers_killed, s->unacknowledged, worst_gap * 1e3);
}
