/* Shared memory and who lives in it: the arena, the table of live processes, the word lock, the
 * heap and the shape of every shared object.
 *
 * Three rules hold in everything built on this:
 *   - no wait is endless inside libc: every park is a slice, then the state is looked at again;
 *   - a change of shared state becomes true by one atomic store that names its author;
 *   - death is decided by mp__dead alone.
 */
#ifndef MP__MEMORY_H
#define MP__MEMORY_H

#include "base/base.h"
#include "memory/tracker.h"
#include "platform/platform.h"

#include <pthread.h>
#include <stdatomic.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "shared words need lock-free 64-bit atomics");

/* ---- who ---------------------------------------------------------------------------------- */

/* A process of the tree: generation << 12 | slot, in 43 bits; 0 is nobody. A slot's generation
   grows with every use, so a word that names a dead process never comes to name another. */
typedef uint64_t mp__owner;
#define MP__OWNER_BITS 43
#define MP__OWNER_MASK ((UINT64_C(1) << MP__OWNER_BITS) - 1)
#define MP__SLOT_BITS 12
#define MP__SLOTS (1u << MP__SLOT_BITS)

/* What a lock word holds: sleepers bit, told bit, thread ordinal, owner. */
#define MP__SLEEPERS (UINT64_C(1) << 63) /* somebody may be parked: the release must post */
#define MP__TOLD (UINT64_C(1) << 62)     /* the holder was told MP_RECOVERED */
#define MP__HOLDER_MASK (MP__TOLD - 1)   /* thread and owner: the rest of the word */
#define MP__THREADS ((1u << 15) - 1)

static inline mp__owner mp__owner_of(uint64_t word)
{
    return word & MP__OWNER_MASK;
}

/* This process's private page: zero again in every forked child, so that a child never passes
   for its parent, however it was forked. The process layer keeps its registry in it too. */
#define MP__SELF_ROOM 64
struct mp__self {
    _Atomic mp__owner owner; /* 0: not entered in the table yet */
    pthread_mutex_t lock;    /* entering, and making the arena */
    pthread_mutex_t threads_lock;
    pthread_mutex_t room_lock; /* for the layer that uses the room */
    pthread_mutex_t tracker_lock;
    bool has_tracked; /* the names in tracker.c are this process's own */
    _Alignas(16) unsigned char room[MP__SELF_ROOM];
    uint32_t thread_last;
    uint64_t threads[(MP__THREADS + 64) / 64]; /* ordinals in use */
};
extern struct mp__self *mp__self;

/* The lock word of this thread, cached for the owner it was made for. */
struct mp__me {
    mp__owner owner;
    uint64_t word;
};
#ifdef __GLIBC__ /* elsewhere a library loaded late may find no room for it */
#define MP__TLS_FAST __attribute__((tls_model("initial-exec")))
#else
#define MP__TLS_FAST
#endif
extern _Thread_local struct mp__me mp__me MP__TLS_FAST;

/* Gives this thread's word; makes the arena and takes a slot at the first use in a process.
   MP_ENOSLOT: no slot or thread ordinal is free; -ENOMEM, -EMFILE: no arena. */
int mp__self_enter(uint64_t *word);

static inline int mp__self_word(uint64_t *word)
{
    mp__owner owner = atomic_load_explicit(&mp__self->owner, memory_order_relaxed);
    if (owner == 0 || owner != mp__me.owner)
        return mp__self_enter(word);
    *word = mp__me.word; /* relaxed above: only this process writes its page */
    return 0;
}

static inline mp__owner mp__self_owner(void)
{
    return atomic_load_explicit(&mp__self->owner, memory_order_relaxed); /* as above */
}

/* ---- the table of live processes (life.c) ------------------------------------------------- */

int mp__life_take(mp__owner starter, mp__owner *out); /* MP_ENOSLOT when all are taken */
void mp__life_started(mp__owner owner, pid_t pid);    /* the parent, after the fork */
/* The child itself; MP_ESTATE: too late. The life file is looked at before the fork, as in the
   child each page that is touched has to be fetched. */
int mp__life_adopt(mp__owner owner, bool file_is_ours);
bool mp__life_file_is_ours(void);
void mp__life_release(mp__owner owner); /* whoever reaped it, or could not fork */
bool mp__dead(mp__owner owner);
bool mp__gone(mp__owner owner); /* dead and reaped: no system call */
unsigned mp__life_count(void);

/* The exit record: what a process says of its end in case another reaps it. */
void mp__life_record_exit(int code);
bool mp__life_exit_recorded(mp__owner owner, int *code);

/* ---- the word lock (guard.c) -------------------------------------------------------------- */

struct mp__object;

/* One life of an object, noted before anything else is looked at: what a call began with. */
struct mp__ref {
    struct mp__object *object;
    uint32_t serial;
};

/* Takes `word` for `me`: 0, MP_RECOVERED (its holder was dead), MP_ETIMEOUT, MP_ECLOSED (`ref`
   given, and that life ended meanwhile). */
int mp__word_acquire(_Atomic uint64_t *word, mp__gate *gate, uint64_t me, mp__moment until,
                     const struct mp__ref *ref);
/* Takes over an object's own word from a dead holder, if that is who has it. */
bool mp__word_inherit(struct mp__object *object, uint64_t me);
/* Frees `word` if `holder` has it, else MP_ESTATE. */
int mp__word_release(_Atomic uint64_t *word, mp__gate *gate, uint64_t holder);

/* ---- objects (object.c) ------------------------------------------------------------------- */

enum mp__kind {
    MP__KIND_NONE = 0,
    MP__KIND_GONE = 0x4d500001,
    MP__KIND_MAKING,
    MP__KIND_LOCK = 0x4d500010,
    MP__KIND_SEMAPHORE,
    MP__KIND_BOUNDED,
    MP__KIND_CONDITION,
    MP__KIND_EVENT,
    MP__KIND_BARRIER,
    MP__KIND_QUEUE,
    MP__KIND_SIMPLE_QUEUE,
    MP__KIND_POOL,
    MP__KIND_RLOCK = 0x4d500100, /* these three begin with an RLock */
    MP__KIND_VALUE,
    MP__KIND_ARRAY,
};

/* The head of every shared object. A block for objects stays one for the life of the arena, with
   its gates where they are: a sleeper that slept through the object's end, and even through the
   birth of the next one in its place, wakes on a gate, sees another serial and leaves. */
struct mp__object {
    _Atomic uint32_t kind;
    _Atomic uint32_t serial;   /* never the same twice at one address */
    _Atomic uint64_t word;     /* the kind's main word */
    _Atomic uint64_t attached; /* the piece that lives as long as it does, or 0 */
    _Atomic mp__owner creator;
    _Atomic uint32_t depth;               /* RLock: acquisitions by its holder */
    uint16_t detail;                      /* the kind's own number, written once */
    _Atomic uint16_t heirs;               /* how often its word was taken over from the dead */
    uint64_t length;                      /* likewise */
    _Alignas(16) unsigned char small[16]; /* a value that fits */
    _Alignas(16) mp__gate gate[2];
};
_Static_assert(sizeof(struct mp__object) == 128, "two cache lines, the gates in the second");

/* A block for an object of `size` bytes in all, zeroed behind its head, owned by the caller and
   invisible to the sweep of others until mp__object_publish. */
int mp__object_make(enum mp__kind kind, size_t size, void *out);
void mp__object_publish(void *p, enum mp__kind kind);
void mp__object_discard(void *p); /* one that was never published */
/* Destroys it if this process may (its creator, or anybody once the creator ended): all calls on
   it fail from now on, sleepers included. Elsewhere it does nothing. */
void mp__object_end(void *p);
bool mp__object_may_end(const struct mp__object *object);
/* The same for the holder of the guards without which nobody touches the object or its pieces. */
void mp__object_end_guarded(struct mp__object *object);

static inline int mp__object_fault(uint32_t kind)
{
    return kind == MP__KIND_GONE || kind == MP__KIND_MAKING ? MP_ECLOSED : MP_ETYPE;
}

/* 0, MP_EINVAL for NULL, MP_ETYPE, MP_ECLOSED. Relaxed: who has the pointer saw the object made. */
static inline int mp__object_check(const void *p, enum mp__kind kind)
{
    const struct mp__object *object = p;
    if (object == NULL)
        return MP_EINVAL;
    uint32_t k = atomic_load_explicit(&object->kind, memory_order_relaxed);
    return k == (uint32_t)kind ? 0 : mp__object_fault(k);
}

static inline uint32_t mp__object_serial(const struct mp__object *object)
{
    return atomic_load_explicit(&object->serial, memory_order_acquire);
}
bool mp__object_ended(struct mp__object *object, uint32_t serial);

/* The first thing a call does: before it looks at the kind, so that what it sees is of this
   life. */
static inline struct mp__ref mp__ref_to(void *p)
{
    struct mp__ref ref = {p, p != NULL ? mp__object_serial(p) : 0};
    return ref;
}
static inline bool mp__ref_ended(const struct mp__ref *ref)
{
    return mp__object_ended(ref->object, ref->serial);
}
/* What was read of the object before this call was of the same life, gone or not. */
static inline bool mp__ref_is_same(const struct mp__ref *ref)
{
    atomic_thread_fence(memory_order_acquire);
    return mp__object_serial(ref->object) == ref->serial;
}

/* ---- the heap (heap.c, slab.c, sweep.c) --------------------------------------------------- */

int mp__arena_ensure(void);
uint64_t mp__arena_id(void); /* 0: there is none yet */
bool mp__arena_holds(const void *p, size_t size);
size_t mp__arena_budget(void); /* bytes that may be in use at once, of an arena that is there */

/* Plain zeroed memory, 64-byte aligned; the caller's until published (then the program's). */
int mp__heap_take(size_t size, void *out);
void mp__heap_publish(void *block);
bool mp__heap_is_plain(void *block); /* the program's memory, no object and no piece of one */
void mp__heap_give(void *block);
/* Makes a published block, or a piece, the caller's; true for one caller only. */
bool mp__heap_claim(void *block);
/* The same for an object: publishes it as the one with its serial, claims that one and no later. */
void mp__heap_publish_object(struct mp__object *object);
bool mp__heap_claim_object(const struct mp__ref *ref);
/* Pieces: memory that belongs to an object. Taken (contents unknown, the caller's), it joins the
   object by one store and is then freed by the sweep once the object has no use for it; claiming
   makes it the caller's again. A piece is referred to by a number that is never 0. */
int mp__piece_take(size_t size, void *out);
void mp__piece_join(void *piece, struct mp__object *parent);
uint32_t mp__piece_ref(const void *piece);
void *mp__piece_at(uint32_t ref);
bool mp__piece_is_in(uint32_t ref, const struct mp__object *parent);
/* Asked by the sweep of a piece of a queue. */
extern bool (*mp__queue_piece_lives)(struct mp__object *queue, void *piece);
/* Asked by the sweep of a pool, all of whose pieces live as long as it does: true if nobody is left
   who uses it. */
extern bool (*mp__pool_is_abandoned)(struct mp__object *pool);

/* A zeroed piece that lives as long as `object`, whose `attached` is set by this. */
int mp__heap_attach(struct mp__object *object, size_t size, void *out);
void *mp__heap_attached(const struct mp__object *object);

/* Gives back what the dead were building or freeing; safe at any time in any process. Leaves it to
   the next sweep if the heap's lock cannot be had in a second. */
void mp__heap_sweep(void);
void mp__heap_sweep_until(mp__moment until);
/* Sweeps after these, and wakes who sleeps for a lock of theirs; gives up after a slice. */
void mp__heap_bury(const mp__owner *dead, unsigned count);

struct mp__heap_count {
    size_t granules, free_granules, free_runs, runs, slabs, blocks, building;
};
/* Walks the whole heap; false if it is not what heap.c says it always is. */
bool mp__heap_is_valid(struct mp__heap_count *count);

#endif
