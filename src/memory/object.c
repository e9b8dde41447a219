/* The birth and end of shared objects.
 *
 * How it works
 *   An object is made in a block that its maker owns (TRANSIT), so a death before publication
 *   costs a block that the next sweep returns. Its gates are made once in the life of the block,
 *   before it has its first serial. Publication is one store (OBJECT); the kind was written before.
 *   Its end is the block back to TRANSIT, then the kind GONE, then the pieces, then free. Of two
 *   that end it one claims the block, by a word that names this life. After a death between, the
 *   sweep goes on with the same steps. Queues are GONE first, under their guards: for
 *   the sweep a block whose object is GONE is nobody's.
 *   The serial is taken anew for every birth; every call notes it first, sleepers compare it.
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
    bool first_life = mp__object_serial(object) == 0;
    for (int i = 0; i < 2 && rc == 0 && first_life; i++) {
        rc = mp__gate_init(&object->gate[i]); /* before it has a serial: a death leaves it first */
        mp__step("object.gated");
    }
    if (rc != 0) {
        mp__heap_give(object);
        return rc;
    }
    uint32_t serial = atomic_fetch_add(&mp__arena->serial, 1) + 1;
    if (serial == 0)
        serial = atomic_fetch_add(&mp__arena->serial, 1) + 1;
    /* the serial first: a sleeper of the last life that looks from now on leaves */
    atomic_store(&object->serial, serial);
    atomic_store(&object->attached, 0);
    atomic_store(&object->kind, (uint32_t)MP__KIND_MAKING);
    mp__step("object.making");
    for (int i = 0; i < 2; i++)
        mp__gate_drain(&object->gate[i]);
    atomic_store(&object->word, 0);
    atomic_store(&object->depth, 0);
    atomic_store(&object->heirs, 0);
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
    mp__heap_publish_object(object);
    mp__step("object.published");
}

bool mp__object_ended(struct mp__object *object, uint32_t serial)
{
    return atomic_load(&object->kind) == MP__KIND_GONE || mp__object_serial(object) != serial;
}

/* The block is the caller's. Its pieces go before it does, so that they are not taken for those of
   the next object there. */
static void object_bury(struct mp__object *object)
{
    atomic_store(&object->kind, (uint32_t)MP__KIND_GONE);
    mp__step("object.gone");
    for (int i = 0; i < 2; i++)
        mp__gate_post(&object->gate[i]);
    if (atomic_load(&object->attached) != 0)
        mp__heap_sweep_until(MP__NEVER);
    mp__heap_give(object);
}

void mp__object_discard(void *p)
{
    object_bury(p);
}

bool mp__object_may_end(const struct mp__object *object)
{
    uint32_t kind = atomic_load(&object->kind);
    mp__owner creator = atomic_load(&object->creator);
    return kind != MP__KIND_GONE && kind != MP__KIND_MAKING && kind != MP__KIND_NONE &&
           (creator == mp__self_owner() || mp__dead(creator));
}

void mp__object_end(void *p)
{
    struct mp__ref ref = mp__ref_to(p);
    if (p == NULL || !mp__object_may_end(p) || !mp__heap_claim_object(&ref))
        return;
    mp__step("object.claimed");
    object_bury(p);
}

void mp__object_end_guarded(struct mp__object *object)
{
    struct mp__ref ref = mp__ref_to(object);
    atomic_store(&object->kind, (uint32_t)MP__KIND_GONE);
    mp__step("object.closed");
    if (mp__heap_claim_object(&ref))
        object_bury(object);
}
