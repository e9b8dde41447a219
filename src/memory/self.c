/* Who this process and this thread are.
 *
 * How it works
 *   The identity lies in one private page that is zero again in every forked child. A process
 *   without identity takes a slot at its first use of shared memory; children started by the
 *   library adopt the slot that their parent took. Each thread caches its lock word for the owner
 *   it was made for, so a forked child's only thread does not go on with its parent's.
 *   Ordinals of threads are handed out round robin: one is used again only after 32,767 others.
 */
#include "memory/arena.h"

#include <stdlib.h>
#include <string.h>

struct mp__self *mp__self;
_Thread_local struct mp__me mp__me MP__TLS_FAST;

static struct mp__self self_fallback;
static pthread_key_t thread_key;

/* Zeroed mutexes are free ones wherever the system wipes pages. */
static void self_reset(void)
{
    memset((void *)mp__self, 0, sizeof *mp__self);
    pthread_mutex_init(&mp__self->lock, NULL);
    pthread_mutex_init(&mp__self->threads_lock, NULL);
    pthread_mutex_init(&mp__self->room_lock, NULL);
    pthread_mutex_init(&mp__self->tracker_lock, NULL);
}

static void thread_ended(void *unused)
{
    (void)unused;
    struct mp__me me = mp__me;
    mp__me = (struct mp__me){0, 0};
    if (me.owner == 0 || me.owner != mp__self_owner())
        return;
    unsigned ordinal = (unsigned)(me.word >> MP__OWNER_BITS) & MP__THREADS;
    pthread_mutex_lock(&mp__self->threads_lock);
    mp__self->threads[ordinal / 64] &= ~(UINT64_C(1) << ordinal % 64);
    pthread_mutex_unlock(&mp__self->threads_lock);
}

/* Before main, so that no fork and no thread can come between its steps. */
__attribute__((constructor(101))) static void self_make(void)
{
    mp__self = mp__map_wiped(sizeof *mp__self, self_reset);
    if (mp__self == NULL) {
        mp__self = &self_fallback;
        pthread_atfork(NULL, NULL, self_reset);
    }
    self_reset();
    pthread_key_create(&thread_key, thread_ended);
}

/* The next free ordinal, 0 if none. Ordinal 0 is nobody. */
static unsigned ordinal_take(void)
{
    unsigned found = 0;
    pthread_mutex_lock(&mp__self->threads_lock);
    for (unsigned i = 0; i < MP__THREADS && found == 0; i++) {
        unsigned n = (mp__self->thread_last + i) % MP__THREADS + 1;
        if (mp__self->threads[n / 64] & UINT64_C(1) << n % 64)
            continue;
        mp__self->threads[n / 64] |= UINT64_C(1) << n % 64;
        mp__self->thread_last = n;
        found = n;
    }
    pthread_mutex_unlock(&mp__self->threads_lock);
    return found;
}

static int process_enter(void)
{
    int rc = 0;
    pthread_mutex_lock(&mp__self->lock);
    if (mp__self_owner() == 0) {
        rc = mp__arena_ensure();
        if (rc == 0)
            rc = mp__life_enter();
    }
    pthread_mutex_unlock(&mp__self->lock);
    return rc;
}

int mp__self_enter(uint64_t *word)
{
    /* acquire: another thread may have made the arena just now */
    if (atomic_load_explicit(&mp__self->owner, memory_order_acquire) == 0) {
        int rc = process_enter();
        if (rc != 0)
            return rc;
    }
    mp__owner owner = mp__self_owner();
    if (mp__me.owner != owner) {
        unsigned ordinal = ordinal_take();
        if (ordinal == 0)
            return MP_ENOSLOT;
        mp__me.word = (uint64_t)ordinal << MP__OWNER_BITS | owner;
        mp__me.owner = owner;
        pthread_setspecific(thread_key, &mp__me);
    }
    *word = mp__me.word;
    return 0;
}
