/* Handles: a shared object inside a message.
 *
 * How it works
 *   A handle is an address, the arena it lies in, and the serial of the object there when the
 *   handle was made. In an mp_obj the arena's number is split: its lower half stands above the
 *   serial in `len`, its upper half in `reserved`. Nothing is believed when a handle is read: the
 *   address must lie in this arena, on the line where an object may begin, and what lives there
 *   must have the serial, which no two objects at one address ever share.
 */
#include "wire/objects.h"

#include "memory/memory.h"

#include <string.h>

mp_obj mp__obj_of_handle(struct mp__handle handle)
{
    uint32_t high = (uint32_t)(handle.arena >> 32);
    mp_obj o = {.type = MP_TYPE_HANDLE,
                .len = (size_t)(handle.arena << 32 | handle.serial),
                .items = (const mp_obj *)(uintptr_t)handle.address};
    memcpy(o.reserved, &high, sizeof high);
    return o;
}

struct mp__handle mp__handle_of(const mp_obj *o)
{
    uint32_t high;
    memcpy(&high, o->reserved, sizeof high);
    return (struct mp__handle){(uint64_t)(uintptr_t)o->items,
                               (uint64_t)high << 32 | (uint64_t)o->len >> 32, (uint32_t)o->len};
}

/* An object may begin here. */
static bool is_object_place(const void *p)
{
    return (uintptr_t)p % 64 == 0 && mp__arena_holds(p, sizeof(struct mp__object));
}

mp_obj mp_obj_handle(const void *shared)
{
    struct mp__handle handle = {(uint64_t)(uintptr_t)shared, mp__arena_id(), 0};
    if (is_object_place(shared)) {
        const struct mp__object *object = shared;
        handle.serial = atomic_load(&object->serial);
    }
    return mp__obj_of_handle(handle);
}

int mp_obj_as_handle(mp_obj o, void **shared)
{
    if (o.type != MP_TYPE_HANDLE)
        return mp__failf(MP_ETYPE, "not a handle");
    struct mp__handle handle = mp__handle_of(&o);
    struct mp__object *object = (void *)(uintptr_t)handle.address;
    if (handle.arena != mp__arena_id())
        return mp__failf(MP_EINVAL, "a handle of another tree of processes");
    if (handle.serial == 0 || !is_object_place(object))
        return mp__failf(MP_EINVAL, "a handle of no shared object");
    if (mp__object_ended(object, handle.serial))
        return mp__failf(MP_ECLOSED, "the object of the handle was destroyed");
    if (shared != NULL)
        *shared = object;
    return 0;
}
