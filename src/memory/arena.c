/* The arena: one sparse shared mapping, made before the first fork, at one address in the tree.
 *
 * How it works
 *   [ head | table of live processes | run table | granules of 64 KiB ... ]
 *   It is made by the first call that needs shared memory, under this process's own lock; every
 *   process forked afterwards has it at the same address. A process that forked by itself before
 *   that call is the root of an arena of its own. Pages cost memory when touched. Nothing in it
 *   has a name, so the last process of the tree takes it along, whatever way it ends.
 */
#include "memory/arena.h"

#include <errno.h>
#include <stdlib.h>

struct mp__arena *mp__arena;
struct mp__lifefile mp__life;

_Static_assert(sizeof(struct mp__arena) <= 4096, "the head fits its page");
_Static_assert(sizeof(struct mp__slot) == 64, "a slot is a cache line");

#define ARENA_LEAST ((size_t)1 << 20)

static size_t arena_size_wanted(void)
{
    size_t size = mp__address_limit();
    const char *text = getenv("LIBMP_ARENA_SIZE");
    if (text != NULL) {
        char *end;
        unsigned long long n = strtoull(text, &end, 0);
        if (end != text && *end == '\0' && n > 0)
            size = n > SIZE_MAX ? SIZE_MAX : (size_t)n;
    }
    size_t most =
        MP__GRANULES_MAX < SIZE_MAX / MP__GRANULE ? MP__GRANULES_MAX : SIZE_MAX / MP__GRANULE;
    size_t granules = size / MP__GRANULE;
    if (granules > most)
        granules = most;
    return granules * MP__GRANULE < ARENA_LEAST ? ARENA_LEAST : granules * MP__GRANULE;
}

static void arena_lay_out(struct mp__arena *arena, size_t size)
{
    size_t granules = size / MP__GRANULE;
    size_t head = 4096 + MP__SLOTS * sizeof(struct mp__slot) + granules * sizeof(uint64_t);
    size_t limit = mp__memory_limit() / MP__GRANULE;
    arena->size = size;
    arena->granules = granules;
    arena->first = (head + MP__GRANULE - 1) / MP__GRANULE;
    arena->budget = granules - arena->first;
    if (arena->budget > limit)
        arena->budget = limit;
    atomic_store(&arena->run_hint, arena->first);
    atomic_store(&arena->touched, arena->first);
}

int mp__arena_ensure(void)
{
    if (mp__arena != NULL)
        return 0;
    size_t size = arena_size_wanted();
    struct mp__arena *arena = mp__map_shared(size);
    while (arena == NULL && size > ARENA_LEAST) {
        size = size / 2 / MP__GRANULE * MP__GRANULE;
        arena = mp__map_shared(size < ARENA_LEAST ? ARENA_LEAST : size);
    }
    if (arena == NULL)
        return -ENOMEM;
    if (size < ARENA_LEAST)
        size = ARENA_LEAST;
    arena_lay_out(arena, size);
    int rc = mp__entropy(&arena->id, sizeof arena->id);
    if (rc == 0)
        rc = mp__gate_init(&arena->heap_gate);
    if (rc == 0)
        rc = mp__lifefile_open(&mp__life);
    if (rc != 0) {
        mp__map_release(arena, size);
        return rc;
    }
    /* complete before it is seen: another thread may fork at any moment */
    char *runs = (char *)arena + 4096 + MP__SLOTS * sizeof(struct mp__slot);
    atomic_store((_Atomic uint64_t *)(void *)runs + arena->first,
                 mp__entry(MP__FREE, arena->granules - arena->first, 0));
    atomic_thread_fence(memory_order_release);
    mp__arena = arena;
    return 0;
}

uint64_t mp__arena_id(void)
{
    return mp__arena != NULL ? mp__arena->id : 0;
}

bool mp__arena_holds(const void *p, size_t size)
{
    if (mp__arena == NULL || (uintptr_t)p < (uintptr_t)mp__arena)
        return false;
    size_t offset = (size_t)((uintptr_t)p - (uintptr_t)mp__arena);
    return offset / MP__GRANULE >= mp__arena->first && size <= mp__arena->size &&
           offset <= mp__arena->size - size;
}

size_t mp__arena_budget(void)
{
    return mp__arena->budget * MP__GRANULE;
}
