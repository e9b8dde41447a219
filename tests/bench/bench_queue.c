/* Queues against POSIX message queues and CPython's Queue: streams from one to one, two to two and
 * four to four, in small messages, arrays, large messages and objects. */
#include "kit.h"

#include <fcntl.h>
#include <mp/queues.h>
#include <mqueue.h>
#include <string.h>
#include <unistd.h>

#define SMALL 64
#define ARRAY 32
#define LARGE ((size_t)64 * 1024)
#define LIMIT 1024 /* messages in a bounded queue, here and in CPython's */

static mp_queue *queue;
static mqd_t mq;
static unsigned pairs;
static size_t size;
static unsigned char message[LARGE]; /* each process has its own once it has written there */

/* The first half of a team puts, the other half gets. A producer ends with an empty message, a
   consumer at the first one it meets. */
static bool is_producer(unsigned index)
{
    return index < pairs;
}

static uint64_t bytes_body(struct bench_team *team, unsigned index)
{
    uint64_t n = 0;
    if (is_producer(index)) {
        while (!bench_is_over(team))
            bench_check(mp_queue_put_bytes(queue, message, size, MP_FOREVER) == 0);
        bench_check(mp_queue_put_bytes(queue, NULL, 0, MP_FOREVER) == 0);
        return 0;
    }
    for (;; n++) {
        size_t got;
        bench_check(mp_queue_get_bytes_into(queue, message, size, &got, MP_FOREVER) == 0);
        if (got == 0)
            return n;
        bench_check(got == size);
    }
}

/* The end is an object here, which stays first for all. */
static uint64_t array_body(struct bench_team *team, unsigned index)
{
    uint64_t n = 0;
    if (is_producer(index)) {
        while (!bench_is_over(team))
            bench_check(mp_queue_put_array(queue, message, ARRAY, size, MP_FOREVER) == ARRAY);
        bench_check(mp_queue_put(queue, MP_NONE, MP_FOREVER) == 0);
        return 0;
    }
    for (;;) {
        int got = mp_queue_get_array(queue, message, ARRAY, size, MP_FOREVER);
        if (got == MP_ETYPE) {
            bench_check(mp_queue_get(queue, NULL, MP_FOREVER) == 0);
            return n;
        }
        bench_check(got > 0);
        n += (uint64_t)got;
    }
}

static uint64_t object_body(struct bench_team *team, unsigned index)
{
    uint64_t n = 0;
    if (is_producer(index)) {
        while (!bench_is_over(team))
            bench_check(mp_queue_put(queue, MP(5), MP_FOREVER) == 0);
        bench_check(mp_queue_put(queue, MP_NONE, MP_FOREVER) == 0);
        return 0;
    }
    for (;; n++) {
        mp_obj o;
        bench_check(mp_queue_get(queue, &o, MP_FOREVER) == 0);
        bool last = o.type == MP_TYPE_NONE;
        mp_obj_free(&o);
        if (last)
            return n;
    }
}

static uint64_t mq_body(struct bench_team *team, unsigned index)
{
    uint64_t n = 0;
    if (is_producer(index)) {
        while (!bench_is_over(team))
            bench_check(mq_send(mq, (const char *)message, size, 0) == 0);
        bench_check(mq_send(mq, "", 0, 0) == 0);
        return 0;
    }
    for (;; n++) {
        ssize_t got = mq_receive(mq, (char *)message, SMALL, NULL);
        if (got == 0)
            return n;
        bench_check(got == (ssize_t)size);
    }
}

/* What nothing can beat by much: one puts, one gets, nobody sleeps, and slots are of one size. */
enum { SLOTS = 16 };

struct slots {
    _Alignas(64) _Atomic uint64_t tail;
    _Alignas(64) _Atomic uint64_t head;
    _Alignas(64) _Atomic uint64_t last; /* put, and there are no more */
    _Alignas(4096) unsigned char slot[SLOTS][LARGE];
};

static struct slots *slots;

static uint64_t slots_body(struct bench_team *team, unsigned index)
{
    uint64_t n = 0;
    if (is_producer(index)) {
        for (; !bench_is_over(team); n++) {
            while (n - atomic_load(&slots->head) >= SLOTS)
                ;
            memcpy(slots->slot[n % SLOTS], message, size);
            atomic_store(&slots->tail, n + 1);
        }
        atomic_store(&slots->last, n);
        return 0;
    }
    for (; n < atomic_load(&slots->last); n++) {
        while (atomic_load(&slots->tail) == n)
            if (atomic_load(&slots->last) == n)
                return n;
        memcpy(message, slots->slot[n % SLOTS], size);
        atomic_store(&slots->head, n + 1);
    }
    return n;
}

static double run(bench_body *body, unsigned n, size_t bytes, size_t maxsize, double seconds)
{
    pairs = n;
    size = bytes;
    bench_check(mp_queue_create(&queue, maxsize) == 0);
    double ns = bench_together(2 * n, BENCH_SPREAD, body, seconds);
    mp_queue_destroy(queue);
    return ns;
}

static double mq_run(unsigned n, double seconds)
{
    static const char name[] = "/libmp-bench";
    struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = SMALL};
    pairs = n;
    size = SMALL;
    mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    bench_check(mq != (mqd_t)-1 && mq_unlink(name) == 0);
    double ns = bench_together(2 * n, BENCH_SPREAD, mq_body, seconds);
    bench_check(mq_close(mq) == 0);
    return ns;
}

static double slots_run(size_t bytes, double seconds)
{
    pairs = 1;
    size = bytes;
    atomic_store(&slots->tail, 0);
    atomic_store(&slots->head, 0);
    atomic_store(&slots->last, UINT64_MAX);
    return bench_together(2, BENCH_SPREAD, slots_body, seconds);
}

/* ---- sides ----------------------------------------------------------------------------------- */

static double small_1(double seconds)
{
    return run(bytes_body, 1, SMALL, LIMIT, seconds);
}

static double small_2(double seconds)
{
    return run(bytes_body, 2, SMALL, LIMIT, seconds);
}

static double small_4(double seconds)
{
    return run(bytes_body, 4, SMALL, LIMIT, seconds);
}

static double small_unbounded(double seconds)
{
    return run(bytes_body, 1, SMALL, 0, seconds);
}

static double arrays_1(double seconds)
{
    return run(array_body, 1, SMALL, LIMIT, seconds);
}

static double arrays_4(double seconds)
{
    return run(array_body, 4, SMALL, LIMIT, seconds);
}

static double large_1(double seconds)
{
    return run(bytes_body, 1, LARGE, SLOTS, seconds);
}

static double large_4(double seconds)
{
    return run(bytes_body, 4, LARGE, SLOTS, seconds);
}

static double objects_1(double seconds)
{
    return run(object_body, 1, SMALL, LIMIT, seconds);
}

static double slots_large(double seconds)
{
    return slots_run(LARGE, seconds);
}

static double mq_1(double seconds)
{
    return mq_run(1, seconds);
}

static double mq_2(double seconds)
{
    return mq_run(2, seconds);
}

static double mq_4(double seconds)
{
    return mq_run(4, seconds);
}

static void pair_batch(uint64_t n)
{
    while (n-- > 0) {
        bench_check(mp_queue_put_bytes(queue, message, SMALL, MP_FOREVER) == 0);
        bench_check(mp_queue_get_bytes_into(queue, message, SMALL, NULL, MP_FOREVER) == 0);
    }
}

static void object_batch(uint64_t n)
{
    while (n-- > 0) {
        mp_obj o;
        bench_check(mp_queue_put(queue, MP(5), MP_FOREVER) == 0);
        bench_check(mp_queue_get(queue, &o, MP_FOREVER) == 0);
        mp_obj_free(&o);
    }
}

static double alone(bench_batch *batch, double seconds)
{
    bench_check(mp_queue_create(&queue, 0) == 0);
    double ns = bench_alone(batch, seconds);
    mp_queue_destroy(queue);
    return ns;
}

static double pair_alone(double seconds)
{
    return alone(pair_batch, seconds);
}

static double object_alone(double seconds)
{
    return alone(object_batch, seconds);
}

int main(int argc, char **argv)
{
    static const struct bench_row rows[] = {
        {"64 B, 1 to 1 (raw: POSIX mq)", small_1, mq_1, "queue_64 2 spread", 0.2, 35},
        {"64 B, 2 to 2 (raw: POSIX mq)", small_2, mq_2, "queue_64 4 spread", 0.2, 35},
        {"64 B, 4 to 4 (raw: POSIX mq)", small_4, mq_4, "queue_64 8 spread", 0.2, 35},
        {"64 B, 1 to 1, unbounded", small_unbounded, NULL, "queue_64_unbounded 2 spread", 0, 35},
        {"64 B, 1 to 1, arrays of 32", arrays_1, NULL, "queue_64 2 spread", 0, 300},
        {"64 B, 4 to 4, arrays of 32", arrays_4, NULL, "queue_64 8 spread", 0, 300},
        {"64 KiB, 1 to 1 (raw: SPSC slots)", large_1, slots_large, "queue_16_65536 2 spread", 1.18,
         12},
        {"64 KiB, 4 to 4", large_4, NULL, "queue_16_65536 8 spread", 0, 12},
        {"small int, 1 to 1", objects_1, NULL, "queue_int 2 spread", 0, 20},
        {"64 B, put and get alone", pair_alone, NULL, NULL, 0, 0},
        {"small int, put and get alone", object_alone, NULL, "queue_alone", 0, 20},
    };
    slots = bench_map_shared(sizeof *slots);
    return bench_main(argc, argv, rows, sizeof rows / sizeof *rows);
}
