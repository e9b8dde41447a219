/* The birth and end of shared objects.
 *
 * How it works
 *   An object is made in a block that its maker owns (TRANSIT), so a death before publication
 *   costs a block that the next sweep returns. Publication is one store (OBJECT); the kind was
 *   written before it. Its end is the block back to TRANSIT, then the kind GONE, then free; after a
 *   death between, the sweep sets the kind and frees the block.
 *   The serial is taken anew for every birth. A sleeper compares it after each slice.
 */
#include "memory/arena.h"

#include <string.h>

int mp__object_make(enum mp__kind kind, size_t size, void *out)
{
    struct mp__object *object;
    int class_index = mp__object_class(kind, size);
    int rc = class_index < 0 ? class_index : mp__slab_take((unsigned)class_index, &object);
    if (rc != 0)
        return rc;
    mp__step("object.taken");
    bool first_life = atomic_load_explicit(&object->serial, memory_order_relaxed) == 0;
    uint32_t serial = atomic_fetch_add(&mp__arena->serial, 1) + 1;
    if (serial == 0)
        serial = atomic_fetch_add(&mp__arena->serial, 1) + 1;
    /* the serial first: a sleeper of the last life that looks from now on leaves */
    atomic_store(&object->serial, serial);
    atomic_store(&object->attached, 0);
    atomic_store(&object->kind, (uint32_t)MP__KIND_MAKING);
    for (int i = 0; i < 2 && rc == 0; i++) {
        if (first_life)
            rc = mp__gate_init(&object->gate[i]);
        else
            mp__gate_drain(&object->gate[i]);
    }
    if (rc != 0) {
        mp__object_discard(object);
        return rc;
    }
    atomic_store(&object->word, 0);
    atomic_store(&object->depth, 0);
    atomic_store(&object->creator, mp__self_owner());
    object->detail = 0;
    object->length = 0;
    memset(object->small, 0, sizeof object->small);
    memset(object + 1, 0, size - sizeof *object);
    *(void **)out = object;
    return 0;
}

void mp__object_publish(void *p, enum mp__kind kind)
{
    struct mp__object *object = p;
    atomic_store(&object->kind, (uint32_t)kind);
    mp__step("object.named");
    mp__heap_publish(object);
    mp__step("object.published");
}

bool mp__object_ended(struct mp__object *object, uint32_t serial)
{
    return atomic_load(&object->kind) == MP__KIND_GONE || mp__object_serial(object) != serial;
}

/* Nobody has a use for its pieces any more, and all see that: only then may another object be born
   in the block. */
static void object_bury(struct mp__object *object)
{
    atomic_store(&object->kind, (uint32_t)MP__KIND_GONE);
    mp__step("object.gone");
    for (int i = 0; i < 2; i++)
        mp__gate_post(&object->gate[i]);
    if (atomic_load(&object->attached) != 0)
        mp__heap_sweep();
    mp__heap_give(object);
}

void mp__object_discard(void *p)
{
    object_bury(p);
}

void mp__object_end(void *p)
{
    struct mp__object *object = p;
    if (object == NULL)
        return;
    uint32_t kind = atomic_load(&object->kind);
    mp__owner creator = atomic_load(&object->creator);
    if (kind == MP__KIND_GONE || kind == MP__KIND_MAKING || kind == MP__KIND_NONE ||
        (creator != mp__self_owner() && !mp__dead(creator)))
        return;
    if (!mp__heap_claim(object))
        return;
    mp__step("object.claimed");
    object_bury(object);
}
