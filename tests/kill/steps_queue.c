/* Scenarios: queues, of messages in the ring and in blocks, at the ends of segments, with waiting,
 * joins, heirs, birth and end.
 *
 * A scenario's messages are numbered. Those before `first` have been taken and reported done when
 * the actor begins; it puts some that follow `last`, or takes the first. Afterwards what is left
 * must be in order and without gaps, and join must return and tell what is lost. */
#include "kill/steps.h"

#include <mp/mp.h>
#include <mp/queues.h>
#include <signal.h>
#include <string.h>

enum { PAGE_FULL = 4000, LARGE = 70000, IN_A_SEGMENT = 16, TAKEN_MOST = 3 * IN_A_SEGMENT };

static mp_queue *q;
static size_t size;              /* of each message */
static uint32_t first, last;     /* what is in the queue when the actor begins: [first, last) */
static uint32_t to_put, to_take; /* by the actor */
static int lost_before;          /* by others, before */

static void message_make(unsigned char *to, uint32_t number)
{
    memset(to, (int)(number * 7 % 251), size);
    memcpy(to, &number, sizeof number);
}

static void put_one(uint32_t number)
{
    static unsigned char message[LARGE];
    message_make(message, number);
    check(mp_queue_put_bytes(q, message, size, MP_FOREVER) == 0);
}

/* The number of a message that is whole. */
static uint32_t get_one(double timeout)
{
    static unsigned char message[LARGE], expected[LARGE];
    uint32_t number;
    size_t n;
    check(mp_queue_get_bytes_into(q, message, sizeof message, &n, timeout) == 0);
    check(n == size);
    memcpy(&number, message, sizeof number);
    message_make(expected, number);
    check(memcmp(message, expected, size) == 0);
    return number;
}

static void make(size_t maxsize, size_t bytes, uint32_t count, uint32_t gone)
{
    assert_mp_ok(mp_queue_create(&q, maxsize));
    size = bytes;
    first = gone;
    last = count;
    to_put = to_take = 0;
    lost_before = 0;
    for (uint32_t i = 0; i < count; i++)
        put_one(i);
    for (uint32_t i = 0; i < gone; i++) {
        assert_int_equal(get_one(MP_NOWAIT), i);
        assert_mp_result(mp_queue_task_done(q), 0);
    }
}

/* Takes and reports what is left: [from, to), one after the other. */
static void rest_take(uint32_t *from, uint32_t *to)
{
    *from = *to = UINT32_MAX;
    while (!mp_queue_empty(q)) {
        uint32_t number = get_one(STEPS_BOUND);
        assert_true(*to == UINT32_MAX || number == *to);
        if (*from == UINT32_MAX)
            *from = number;
        *to = number + 1;
        assert_mp_result(mp_queue_task_done(q), 0);
    }
}

static void still_works(void)
{
    size = 20;
    put_one(7);
    assert_int_equal(get_one(STEPS_BOUND), 7);
    assert_mp_result(mp_queue_task_done(q), 0);
    assert_mp_result(mp_queue_join(q, STEPS_BOUND), 0);
}

static void put_finish(void)
{
    uint32_t from, to;
    bool died = atomic_load(&steps_stage->died);
    rest_take(&from, &to);
    uint32_t count = from == UINT32_MAX ? 0 : to - from;
    assert_true(count >= last - first && count <= last - first + to_put);
    assert_true(died || count == last - first + to_put);
    assert_true(count == 0 || from == first);
    assert_mp_result(mp_queue_join(q, STEPS_BOUND), 0);
    still_works();
    mp_queue_destroy(q);
}

/* Whoever reaps the dead sweeps before anybody gets again. */
static void get_finish(void)
{
    uint32_t from, to;
    bool died = atomic_load(&steps_stage->died);
    mp__heap_sweep();
    rest_take(&from, &to);
    uint32_t left = from == UINT32_MAX ? 0 : to - from;
    assert_true(left <= last - first && left >= last - first - to_take);
    assert_true(died || left == last - first - to_take);
    assert_true(left == 0 || to == last);
    bool lost = left != last - first || lost_before > 0;
    assert_mp_result(mp_queue_join(q, STEPS_BOUND), lost ? MP_RECOVERED : 0);
    still_works();
    mp_queue_destroy(q);
}

/* ---- putting --------------------------------------------------------------------------------- */

static void put_make(void)
{
    make(0, 100, 1, 0);
    to_put = 1;
}

static void put_next_make(void)
{
    make(0, PAGE_FULL, IN_A_SEGMENT, 0);
    to_put = 2;
}

static void put_spare_make(void)
{
    make(0, PAGE_FULL, IN_A_SEGMENT + 1, IN_A_SEGMENT + 1);
    for (last = first; last < 2 * IN_A_SEGMENT; last++)
        put_one(last);
    to_put = 2;
}

static void put_large_make(void)
{
    make(0, LARGE, 1, 0);
    to_put = 1;
}

static void put_some(void)
{
    for (uint32_t i = 0; i < to_put; i++)
        put_one(last + i);
}

static void put_array_make(void)
{
    make(0, PAGE_FULL, IN_A_SEGMENT - 2, 0);
    to_put = 5;
}

static void put_array(void)
{
    static unsigned char items[5][PAGE_FULL];
    for (uint32_t i = 0; i < to_put; i++)
        message_make(items[i], last + i);
    check(mp_queue_put_array(q, items, to_put, size, MP_FOREVER) == (int)to_put);
}

/* ---- getting --------------------------------------------------------------------------------- */

static void get_make(void)
{
    make(0, 100, 3, 1);
    to_take = 1;
}

static void get_next_make(void)
{
    make(0, PAGE_FULL, IN_A_SEGMENT + 2, IN_A_SEGMENT);
    to_take = 1;
}

static void get_third_make(void)
{
    make(0, PAGE_FULL, 2 * IN_A_SEGMENT + 2, 2 * IN_A_SEGMENT);
    to_take = 1;
}

static void get_large_make(void)
{
    make(0, LARGE, 2, 0);
    to_take = 1;
}

static void get_some(void)
{
    for (uint32_t i = 0; i < to_take; i++)
        check(get_one(MP_FOREVER) == first + i);
}

static void get_array_make(void)
{
    make(0, PAGE_FULL, IN_A_SEGMENT + 4, IN_A_SEGMENT - 2);
    to_take = 5;
}

static void get_segments_make(void)
{
    make(0, PAGE_FULL, 4 * IN_A_SEGMENT + 4, IN_A_SEGMENT - 2);
    to_take = TAKEN_MOST;
}

static void get_array(void)
{
    static unsigned char items[TAKEN_MOST][PAGE_FULL], expected[PAGE_FULL];
    check(mp_queue_get_array(q, items, to_take, size, MP_FOREVER) == (int)to_take);
    for (uint32_t i = 0; i < to_take; i++) {
        message_make(expected, first + i);
        check(memcmp(items[i], expected, size) == 0);
    }
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void empty_make(void)
{
    make(0, 100, 0, 0);
    to_take = 1;
}

static int put_when_wanted(void *unused)
{
    (void)unused;
    steps_await_actor();
    put_one(0);
    return 0;
}

static void putter(void)
{
    steps_partner(put_when_wanted, NULL);
}

static void get_waited_for(void)
{
    check(get_one(MP_FOREVER) == 0);
}

static void waited_finish(void)
{
    last = 1;
    get_finish();
}

static void full_make(void)
{
    make(1, 100, 1, 0);
    to_put = 1;
}

static int get_when_wanted(void *unused)
{
    (void)unused;
    steps_await_actor();
    check(get_one(MP_FOREVER) == 0);
    check(mp_queue_task_done(q) == 0);
    return 0;
}

static void getter(void)
{
    steps_partner(get_when_wanted, NULL);
}

static void room_finish(void)
{
    first = 1;
    put_finish();
}

static int sleep_for_one(void *unused)
{
    (void)unused;
    (void)get_one(MP_FOREVER);
    check(mp_queue_task_done(q) == 0);
    return 0;
}

/* For the case that the actor never put its own. */
static int put_after_death(void *unused)
{
    (void)unused;
    steps_await(7); /* which nobody sets: until the actor is gone */
    if (atomic_load(&steps_stage->died))
        put_one(9);
    return 0;
}

static void sleeper_and_putter(void)
{
    steps_parked_partner(sleep_for_one, NULL);
    steps_partner(put_after_death, NULL);
}

static void put_wanted(void)
{
    put_one(8);
}

static void wanted_finish(void)
{
    uint32_t from, to;
    rest_take(&from, &to);
    assert_true(from == UINT32_MAX || (atomic_load(&steps_stage->died) && from == 9));
    assert_mp_result(mp_queue_join(q, STEPS_BOUND), 0);
    still_works();
    mp_queue_destroy(q);
}

static int sleep_for_room(void *unused)
{
    (void)unused;
    put_one(1);
    return 0;
}

static int get_after_death(void *unused)
{
    (void)unused;
    steps_await(7);
    if (atomic_load(&steps_stage->died) && !mp_queue_empty(q)) {
        (void)get_one(MP_FOREVER);
        check(mp_queue_task_done(q) == 0);
    }
    return 0;
}

static void room_sleeper(void)
{
    steps_parked_partner(sleep_for_room, NULL);
    steps_partner(get_after_death, NULL);
}

static void get_for_room(void)
{
    check(get_one(MP_FOREVER) == 0);
    check(mp_queue_task_done(q) == 0);
}

static void room_wanted_finish(void)
{
    uint32_t from, to;
    rest_take(&from, &to);
    assert_true(from == UINT32_MAX || from == 1);
    assert_mp_ok(mp_queue_join(q, STEPS_BOUND));
    still_works();
    mp_queue_destroy(q);
}

static void get_in_vain(void)
{
    check(mp_queue_get_bytes(q, NULL, NULL, 0.015) == MP_EEMPTY);
}

static void vain_finish(void)
{
    still_works();
    mp_queue_destroy(q);
}

/* ---- accounts -------------------------------------------------------------------------------- */

static void work_off(void)
{
    while (!mp_queue_empty(q)) {
        (void)get_one(MP_FOREVER);
        check(mp_queue_task_done(q) == 0);
    }
}

static void work_make(void)
{
    make(0, 100, 2, 0);
}

static void work_finish(void)
{
    uint32_t from, to;
    bool died = atomic_load(&steps_stage->died);
    rest_take(&from, &to);
    int rc = assert_mp_ok(mp_queue_join(q, STEPS_BOUND));
    assert_true(rc == 0 || died);
    still_works();
    mp_queue_destroy(q);
}

static int join_it(void *unused)
{
    (void)unused;
    check(mp_queue_join(q, MP_FOREVER) >= 0);
    return 0;
}

static int work_after_the_actor(void *unused)
{
    (void)unused;
    steps_await(7);
    work_off();
    return 0;
}

static void joiner_and_worker(void)
{
    steps_parked_partner(join_it, NULL);
    steps_partner(work_after_the_actor, NULL);
}

static int work_when_wanted(void *unused)
{
    (void)unused;
    steps_await_actor();
    work_off();
    return 0;
}

static void worker(void)
{
    steps_partner(work_when_wanted, NULL);
}

static void join_all(void)
{
    check(mp_queue_join(q, MP_FOREVER) == 0);
}

static int take_and_end(void *unused)
{
    (void)unused;
    (void)get_one(MP_FOREVER);
    return 0;
}

/* The actor gets the slot of one that had something when it ended. */
static void ended_taker_make(void)
{
    make(0, 100, 3, 0);
    assert_int_equal(child_wait(child_fork(take_and_end, NULL)), 0);
    first = 1;
    to_take = 1;
    lost_before = 1;
}

static const char *die_at;

static void die_there(const char *name)
{
    if (strcmp(name, die_at) == 0)
        (void)raise(SIGKILL);
}

static int die_inside(void *unused)
{
    uint64_t word;
    check(mp__self_word(&word) == 0);
    mp__step_hook = die_there;
    return take_and_end(unused);
}

static void heir_make(const char *step, int lost)
{
    make(0, 100, 3, 0);
    die_at = step;
    assert_int_equal(child_wait(child_fork(die_inside, NULL)), -SIGKILL);
    first = (uint32_t)lost;
    to_take = 1;
    lost_before = lost;
}

static void heir_of_the_undecided_make(void)
{
    heir_make("ring.taking", 0);
}

static void heir_of_the_half_noted_make(void)
{
    heir_make("ledger.noting", 0);
}

static void heir_of_the_taker_make(void)
{
    heir_make("ring.taken", 1);
}

/* ---- birth and end --------------------------------------------------------------------------- */

static void queue_life(void)
{
    check(mp_queue_create(&q, 0) == 0);
    atomic_store(&steps_stage->object, (uintptr_t)q);
    size = 100;
    for (uint32_t i = 0; i < 3; i++)
        put_one(i);
    size = LARGE;
    put_one(3);
    mp_queue_destroy(q);
}

static void life_finish(void)
{
    mp_queue_destroy((mp_queue *)atomic_load(&steps_stage->object));
}

static int make_with_contents(void *unused)
{
    (void)unused;
    make(0, LARGE, 2, 0);
    atomic_store(&steps_stage->object, (uintptr_t)q);
    return 0;
}

static void queue_of_the_dead(void)
{
    assert_int_equal(child_wait(child_fork(make_with_contents, NULL)), 0);
}

static int sleep_till_the_end(void *unused)
{
    (void)unused;
    check(mp_queue_get_bytes(q, NULL, NULL, MP_FOREVER) == MP_ECLOSED);
    return 0;
}

static int make_empty(void *unused)
{
    (void)unused;
    make(0, 100, 0, 0);
    atomic_store(&steps_stage->object, (uintptr_t)q);
    return 0;
}

static void empty_of_the_dead(void)
{
    assert_int_equal(child_wait(child_fork(make_empty, NULL)), 0);
    q = (mp_queue *)atomic_load(&steps_stage->object);
}

static int end_after_the_actor(void *unused)
{
    (void)unused;
    steps_await(7);
    life_finish();
    mp__heap_sweep();
    return 0;
}

static void sleeper_till_the_end(void)
{
    steps_parked_partner(sleep_till_the_end, NULL);
    steps_partner(end_after_the_actor, NULL);
}

const struct scenario steps_queue[] = {
    {"queue, put", put_make, NULL, put_some, .finish = put_finish},
    {"queue, put in a new segment", put_next_make, NULL, put_some, .finish = put_finish},
    {"queue, put in a spare segment", put_spare_make, NULL, put_some, .finish = put_finish},
    {"queue, put large", put_large_make, NULL, put_some, .finish = put_finish},
    {"queue, put array", put_array_make, NULL, put_array, .finish = put_finish},
    {"queue, get", get_make, NULL, get_some, .finish = get_finish},
    {"queue, get from the next segment", get_next_make, NULL, get_some, .finish = get_finish},
    {"queue, get from the third segment", get_third_make, NULL, get_some, .finish = get_finish},
    {"queue, get large", get_large_make, NULL, get_some, .finish = get_finish},
    {"queue, get array", get_array_make, NULL, get_array, .finish = get_finish},
    {"queue, get of segments", get_segments_make, NULL, get_array, .finish = get_finish},
    {"queue, wait for a message", empty_make, putter, get_waited_for, .finish = waited_finish},
    {"queue, wait in vain", empty_make, NULL, get_in_vain, .finish = vain_finish},
    {"queue, wait for room", full_make, getter, put_some, .finish = room_finish},
    {"queue, message wanted", empty_make, sleeper_and_putter, put_wanted, .finish = wanted_finish},
    {"queue, room wanted", full_make, room_sleeper, get_for_room, .finish = room_wanted_finish},
    {"queue, work", work_make, NULL, work_off, .finish = work_finish},
    {"queue, join", work_make, worker, join_all, .finish = work_finish},
    {"queue, join wanted", work_make, joiner_and_worker, work_off, .finish = work_finish},
    {"queue, slot of an ended taker", ended_taker_make, NULL, get_some, .finish = get_finish},
    {"queue, heir of one that had not taken", heir_of_the_undecided_make, NULL, get_some,
     .finish = get_finish},
    {"queue, heir of one with half a note", heir_of_the_half_noted_make, NULL, get_some,
     .finish = get_finish},
    {"queue, heir of one that had taken", heir_of_the_taker_make, NULL, get_some,
     .finish = get_finish},
    {"queue, made and destroyed", NULL, NULL, queue_life, .finish = life_finish},
    {"queue of the dead, destroyed", queue_of_the_dead, NULL, life_finish, .finish = life_finish},
    {"queue with a sleeper, destroyed", empty_of_the_dead, sleeper_till_the_end, life_finish,
     .finish = life_finish},
};
const size_t steps_queue_count = sizeof steps_queue / sizeof *steps_queue;
