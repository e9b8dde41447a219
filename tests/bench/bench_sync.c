/* How fast locks, semaphores, events, conditions and barriers are, beside what libc has for the
 * same between processes: sem_t, pthread mutexes with conditions, and pthread barriers. */
#include "kit.h"

#include <mp/sharedctypes.h>
#include <mp/synchronize.h>

#include <pthread.h>
#include <semaphore.h>

/* Each in lines of its own, as the library's objects are. */
struct raw_flag {
    _Alignas(128) pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool set;
};

static struct raw {
    _Alignas(128) sem_t lock;
    uint64_t datum;
    int value;
    struct raw_flag flag[2];
    _Alignas(128) pthread_mutex_t mutex;
    pthread_cond_t cond;
    unsigned whose;
    _Alignas(128) pthread_barrier_t meeting[2];
} * raw;

static mp_lock *lock;
static mp_rlock *rlock;
static mp_semaphore *semaphore;
static mp_value *value;
static mp_event *event[2];
static mp_condition *condition;
static uint64_t *datum;
static unsigned *whose;
static mp_barrier *barrier[2];

static const unsigned parties[2] = {2, 4};

static void objects_make(void)
{
    void *memory;
    MP_CHECK(mp_lock_create(&lock));
    MP_CHECK(mp_rlock_create(&rlock));
    MP_CHECK(mp_semaphore_create(&semaphore, 1, NULL));
    MP_CHECK(mp_value_create(&value, 'i', NULL));
    MP_CHECK(mp_condition_create(&condition, NULL));
    MP_CHECK(mp_raw_alloc(&memory, sizeof *datum));
    datum = memory;
    MP_CHECK(mp_raw_alloc(&memory, sizeof *whose));
    whose = memory;
    for (int i = 0; i < 2; i++) {
        MP_CHECK(mp_event_create(&event[i]));
        MP_CHECK(mp_barrier_create(&barrier[i], parties[i], NULL, NULL, MP_FOREVER));
    }
}

static void raw_make(void)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t cond;
    pthread_barrierattr_t meeting;
    raw = bench_map_shared(sizeof *raw);
    pthread_mutexattr_init(&mutex);
    pthread_condattr_init(&cond);
    pthread_barrierattr_init(&meeting);
    bench_check(pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED) == 0 &&
                pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED) == 0 &&
                pthread_barrierattr_setpshared(&meeting, PTHREAD_PROCESS_SHARED) == 0);
    bench_check(sem_init(&raw->lock, 1, 1) == 0);
    pthread_mutex_init(&raw->mutex, &mutex);
    pthread_cond_init(&raw->cond, &cond);
    for (int i = 0; i < 2; i++) {
        pthread_mutex_init(&raw->flag[i].mutex, &mutex);
        pthread_cond_init(&raw->flag[i].cond, &cond);
        pthread_barrier_init(&raw->meeting[i], &meeting, parties[i]);
    }
}

/* ---- alone --------------------------------------------------------------------------------- */

static void lock_batch(uint64_t n)
{
    while (n-- > 0) {
        bench_check(mp_lock_acquire(lock, MP_FOREVER) == 0);
        bench_check(mp_lock_release(lock) == 0);
    }
}

static void rlock_batch(uint64_t n)
{
    while (n-- > 0) {
        bench_check(mp_rlock_acquire(rlock, MP_FOREVER) == 0);
        bench_check(mp_rlock_release(rlock) == 0);
    }
}

static void semaphore_batch(uint64_t n)
{
    while (n-- > 0) {
        bench_check(mp_semaphore_acquire(semaphore, MP_FOREVER) == 0);
        bench_check(mp_semaphore_release(semaphore) == 0);
    }
}

static void raw_batch(uint64_t n)
{
    while (n-- > 0) {
        bench_check(sem_wait(&raw->lock) == 0);
        bench_check(sem_post(&raw->lock) == 0);
    }
}

static double lock_alone(double seconds)
{
    return bench_alone(lock_batch, seconds);
}

static double rlock_alone(double seconds)
{
    return bench_alone(rlock_batch, seconds);
}

static double semaphore_alone(double seconds)
{
    return bench_alone(semaphore_batch, seconds);
}

static double raw_alone(double seconds)
{
    return bench_alone(raw_batch, seconds);
}

/* ---- contended ----------------------------------------------------------------------------- */

static uint64_t lock_body(struct bench_team *team, unsigned index)
{
    uint64_t done = 0;
    (void)index;
    for (; !bench_is_over(team); done++) {
        bench_check(mp_lock_acquire(lock, MP_FOREVER) == 0);
        bench_section(datum);
        bench_check(mp_lock_release(lock) == 0);
    }
    return done;
}

static uint64_t raw_lock_body(struct bench_team *team, unsigned index)
{
    uint64_t done = 0;
    (void)index;
    for (; !bench_is_over(team); done++) {
        bench_check(sem_wait(&raw->lock) == 0);
        bench_section(&raw->datum);
        bench_check(sem_post(&raw->lock) == 0);
    }
    return done;
}

static uint64_t value_body(struct bench_team *team, unsigned index)
{
    uint64_t done = 0;
    (void)index;
    for (; !bench_is_over(team); done++)
        MP_WITH_VALUE(value) {
            MP_VALUE(int, value) += 1;
        }
    return done;
}

static uint64_t raw_value_body(struct bench_team *team, unsigned index)
{
    uint64_t done = 0;
    (void)index;
    for (; !bench_is_over(team); done++) {
        bench_check(sem_wait(&raw->lock) == 0);
        *(volatile int *)&raw->value += 1;
        bench_check(sem_post(&raw->lock) == 0);
    }
    return done;
}

static double lock_of_2(double seconds)
{
    return bench_together(2, BENCH_SPREAD, lock_body, seconds);
}

static double lock_of_4(double seconds)
{
    return bench_together(4, BENCH_SPREAD, lock_body, seconds);
}

static double raw_lock_of_2(double seconds)
{
    return bench_together(2, BENCH_SPREAD, raw_lock_body, seconds);
}

static double raw_lock_of_4(double seconds)
{
    return bench_together(4, BENCH_SPREAD, raw_lock_body, seconds);
}

static double value_of_2(double seconds)
{
    return bench_together(2, BENCH_SPREAD, value_body, seconds);
}

static double raw_value_of_2(double seconds)
{
    return bench_together(2, BENCH_SPREAD, raw_value_body, seconds);
}

/* ---- waking -------------------------------------------------------------------------------- */

static uint64_t event_body(struct bench_team *team, unsigned index)
{
    uint64_t turn = 0;
    for (; bench_goes_on(team, index, turn); turn++) {
        if (index == 0)
            bench_check(mp_event_set(event[0]) == 0);
        bench_check(mp_event_wait(event[1 - index], MP_FOREVER) == 0);
        bench_check(mp_event_clear(event[1 - index]) == 0);
        if (index == 1)
            bench_check(mp_event_set(event[1]) == 0);
    }
    return turn;
}

static void flag_change(struct raw_flag *flag, bool set)
{
    pthread_mutex_lock(&flag->mutex);
    flag->set = set;
    if (set)
        pthread_cond_broadcast(&flag->cond);
    pthread_mutex_unlock(&flag->mutex);
}

static void flag_wait(struct raw_flag *flag)
{
    pthread_mutex_lock(&flag->mutex);
    while (!flag->set)
        pthread_cond_wait(&flag->cond, &flag->mutex);
    pthread_mutex_unlock(&flag->mutex);
}

static uint64_t raw_event_body(struct bench_team *team, unsigned index)
{
    uint64_t turn = 0;
    for (; bench_goes_on(team, index, turn); turn++) {
        if (index == 0)
            flag_change(&raw->flag[0], true);
        flag_wait(&raw->flag[1 - index]);
        flag_change(&raw->flag[1 - index], false);
        if (index == 1)
            flag_change(&raw->flag[1], true);
    }
    return turn;
}

static uint64_t condition_body(struct bench_team *team, unsigned index)
{
    uint64_t turn = 0;
    for (; bench_goes_on(team, index, turn); turn++)
        MP_WITH_CONDITION(condition) {
            while (*whose != index)
                bench_check(mp_condition_wait(condition, MP_FOREVER) == 0);
            *whose = 1 - index;
            bench_check(mp_condition_notify(condition, 1) == 0);
        }
    return turn;
}

static uint64_t raw_condition_body(struct bench_team *team, unsigned index)
{
    uint64_t turn = 0;
    for (; bench_goes_on(team, index, turn); turn++) {
        pthread_mutex_lock(&raw->mutex);
        while (raw->whose != index)
            pthread_cond_wait(&raw->cond, &raw->mutex);
        raw->whose = 1 - index;
        pthread_cond_signal(&raw->cond);
        pthread_mutex_unlock(&raw->mutex);
    }
    return turn;
}

static double event_spread(double seconds)
{
    return bench_together(2, BENCH_SPREAD, event_body, seconds);
}

static double event_together(double seconds)
{
    return bench_together(2, BENCH_TOGETHER, event_body, seconds);
}

static double raw_event_spread(double seconds)
{
    return bench_together(2, BENCH_SPREAD, raw_event_body, seconds);
}

static double raw_event_together(double seconds)
{
    return bench_together(2, BENCH_TOGETHER, raw_event_body, seconds);
}

static double condition_spread(double seconds)
{
    return bench_together(2, BENCH_SPREAD, condition_body, seconds);
}

static double condition_together(double seconds)
{
    return bench_together(2, BENCH_TOGETHER, condition_body, seconds);
}

static double raw_condition_spread(double seconds)
{
    return bench_together(2, BENCH_SPREAD, raw_condition_body, seconds);
}

static double raw_condition_together(double seconds)
{
    return bench_together(2, BENCH_TOGETHER, raw_condition_body, seconds);
}

/* ---- meeting ------------------------------------------------------------------------------- */

static uint64_t barrier_meet(struct bench_team *team, unsigned index, mp_barrier *b)
{
    uint64_t turn = 0;
    for (; bench_goes_on(team, index, turn); turn++)
        bench_check(mp_barrier_wait(b, MP_FOREVER) >= 0);
    return index == 0 ? turn : 0;
}

static uint64_t raw_meet(struct bench_team *team, unsigned index, pthread_barrier_t *b)
{
    uint64_t turn = 0;
    for (; bench_goes_on(team, index, turn); turn++)
        pthread_barrier_wait(b);
    return index == 0 ? turn : 0;
}

static uint64_t barrier_body_2(struct bench_team *team, unsigned index)
{
    return barrier_meet(team, index, barrier[0]);
}

static uint64_t barrier_body_4(struct bench_team *team, unsigned index)
{
    return barrier_meet(team, index, barrier[1]);
}

static uint64_t raw_barrier_body_2(struct bench_team *team, unsigned index)
{
    return raw_meet(team, index, &raw->meeting[0]);
}

static uint64_t raw_barrier_body_4(struct bench_team *team, unsigned index)
{
    return raw_meet(team, index, &raw->meeting[1]);
}

static double barrier_of_2(double seconds)
{
    return bench_together(2, BENCH_SPREAD, barrier_body_2, seconds);
}

static double barrier_of_4(double seconds)
{
    return bench_together(4, BENCH_SPREAD, barrier_body_4, seconds);
}

static double raw_barrier_of_2(double seconds)
{
    return bench_together(2, BENCH_SPREAD, raw_barrier_body_2, seconds);
}

static double raw_barrier_of_4(double seconds)
{
    return bench_together(4, BENCH_SPREAD, raw_barrier_body_4, seconds);
}

static const struct bench_row rows[] = {
    {"lock + unlock, alone", lock_alone, raw_alone, "Lock", 1.0, 0},
    {"rlock + unlock, alone", rlock_alone, raw_alone, "RLock", 1.0, 0},
    {"semaphore acquire + release, alone", semaphore_alone, raw_alone, "Semaphore", 0, 0},
    {"lock, 60 ns, unlock, 2 processes", lock_of_2, raw_lock_of_2, "lock 2 spread", 1.0, 0},
    {"lock, 60 ns, unlock, 4 processes", lock_of_4, raw_lock_of_4, "lock 4 spread", 1.0, 0},
    {"value += 1 locked, 2 processes", value_of_2, raw_value_of_2, "value 2 spread", 1.0, 0},
    {"event, one way, two CPUs", event_spread, raw_event_spread, "event 2 spread", 1.3, 0},
    {"event, one way, one CPU", event_together, raw_event_together, "event 2 together", 1.3, 0},
    {"condition, one way, two CPUs", condition_spread, raw_condition_spread, "condition 2 spread",
     1.3, 0},
    {"condition, one way, one CPU", condition_together, raw_condition_together,
     "condition 2 together", 1.3, 0},
    {"barrier of 2", barrier_of_2, raw_barrier_of_2, "barrier 2 spread", 0, 30},
    {"barrier of 4", barrier_of_4, raw_barrier_of_4, "barrier 4 spread", 0, 0},
};

int main(int argc, char **argv)
{
    bench_section_calibrate();
    raw_make();
    objects_make();
    return bench_main(argc, argv, rows, sizeof rows / sizeof rows[0]);
}
