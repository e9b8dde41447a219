/* The layout of the arena; for the files of src/memory only. */
#ifndef MP__ARENA_H
#define MP__ARENA_H

#include "memory/memory.h"

#define MP__GRANULE ((size_t)65536)
#define MP__GRANULES_MAX ((size_t)1 << 18)

/* Classes of small blocks: 8 plain ones of 64 << c bytes, then those for objects: 8 sizes for each
   family of kinds, then one for conditions and one for queues. */
enum { MP__PLAIN_CLASSES = 8, MP__OBJECT_SIZES = 8, MP__OBJECT_FAMILIES = 5 };
enum { MP__CLASSES = MP__PLAIN_CLASSES + MP__OBJECT_FAMILIES * MP__OBJECT_SIZES + 2 };

/* One line of the table of live processes. The word is changed by CAS only; everything else
   belongs to the process that the word names and is a hint until then. */
struct mp__slot {
    _Alignas(64) _Atomic uint64_t word;
    _Atomic int32_t pid;
    _Atomic uint32_t exit_record;           /* 1 << 31 | code; 0: none */
    _Atomic uint64_t born_from, born_until; /* bracket of the start time; 0: not known */
};

struct mp__arena {
    uint64_t id; /* random: tells two arenas apart */
    size_t size;
    size_t granules; /* of the whole arena, this head included */
    size_t first;    /* the first granule that can be handed out */
    size_t budget;   /* granules that may be in use at once */
    _Atomic uint32_t serial;
    _Atomic uint32_t life_cursor;
    _Alignas(64) _Atomic uint64_t heap_word; /* guards the run table */
    mp__gate heap_gate;
    _Atomic uint64_t run_hint;               /* a cache: where the last run was taken */
    _Atomic uint64_t touched;                /* granules from here on were never handed out */
    _Atomic uint32_t slab_hint[MP__CLASSES]; /* a cache: a granule that is a slab of the class */
};

extern struct mp__arena *mp__arena;
extern struct mp__lifefile mp__life; /* private, so that children need not touch the head */

static inline struct mp__slot *mp__slots(void)
{
    return (struct mp__slot *)(void *)((char *)mp__arena + 4096);
}

static inline _Atomic uint64_t *mp__runs(void)
{
    return (_Atomic uint64_t *)(void *)((char *)mp__arena + 4096 +
                                        MP__SLOTS * sizeof(struct mp__slot));
}

static inline void *mp__granule_address(size_t granule)
{
    return (char *)mp__arena + granule * MP__GRANULE;
}

static inline size_t mp__granule_of(const void *p)
{
    return (size_t)((const char *)p - (const char *)mp__arena) / MP__GRANULE;
}

/* A run's word and a block's word: kind << 61 | (granules - 1) << 43 | owner, class, parent or
   serial.
   FREE    nobody's; TRANSIT: `owner` is building or freeing it; OBJECT: the program's, with the
           serial of an object in the low bits, so that no two of its lives have the same word;
   SLAB    cut into blocks of the class in the low bits, for ever;
   IN      a piece of the object at parent << 6: lives while that lives and has a use for it;
   INSIDE  a FREE run that is being, or has been, merged into the one before it or cut off from it;
           the hint does not lead into one. */
enum mp__state { MP__FREE, MP__TRANSIT, MP__OBJECT, MP__SLAB, MP__IN, MP__INSIDE };

static inline uint64_t mp__entry(enum mp__state state, size_t granules, uint64_t low)
{
    return (uint64_t)state << 61 | (uint64_t)(granules - 1) << 43 | low;
}
static inline enum mp__state mp__entry_state(uint64_t entry)
{
    return (enum mp__state)(entry >> 61);
}
static inline size_t mp__entry_granules(uint64_t entry)
{
    return (size_t)(entry >> 43 & (MP__GRANULES_MAX - 1)) + 1;
}
static inline uint64_t mp__entry_low(uint64_t entry)
{
    return entry & MP__OWNER_MASK;
}

int mp__life_enter(void); /* life.c: this process takes a slot by itself */

/* heap.c: the run table; every call under mp__heap_lock but for the one-store changes. */
int mp__heap_lock(uint64_t *me, mp__moment until);
void mp__heap_unlock(uint64_t me);
int mp__run_take(size_t n, uint64_t me, size_t *out); /* n granules: the first */
void mp__run_free(size_t granule);

/* slab.c */
struct mp__slab {
    uint32_t class_index, block_size, count, first;
    _Atomic int32_t room;     /* a hint: free blocks, give or take the dead's */
    _Atomic uint32_t next;    /* a hint: where to look first */
    _Atomic uint64_t state[]; /* one word per block: FREE, TRANSIT, OBJECT */
};
struct mp__slab *mp__slab_at(size_t granule);
void *mp__slab_block(struct mp__slab *slab, uint32_t i);
int mp__slab_take(unsigned class_index, void *out);
_Atomic uint64_t *mp__slab_state_of(void *block);
bool mp__slab_is_valid(struct mp__slab *slab, struct mp__heap_count *count);
void mp__slab_recount(struct mp__slab *slab);
static inline bool mp__class_is_object(unsigned class_index)
{
    return class_index >= MP__PLAIN_CLASSES;
}
int mp__object_class(enum mp__kind kind, size_t size);
uint32_t mp__class_size(unsigned class_index);

#endif
