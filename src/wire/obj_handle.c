/* Handles: a shared object inside a message.
 *
 * How it works
 *   A handle is an address, 48 bits of the number of the arena it lies in, and the serial of the
 *   object there when the handle was made. Nothing is believed when a handle is read: the address
 *   must lie in this arena, on a line where an object may begin, and what lives there must be an
 *   object with that serial, which no two objects at one address ever share.
 */
#include "wire/objects.h"

#include "memory/memory.h"

mp_obj mp__obj_of_handle(struct mp__handle handle)
{
    mp_obj o = {.type = MP_TYPE_HANDLE,
                .len = handle.serial,
                .items = (const mp_obj *)(uintptr_t)handle.address};
    for (size_t i = 0; i < sizeof o.reserved; i++)
        o.reserved[i] = (uint8_t)(handle.arena >> 8 * i);
    return o;
}

struct mp__handle mp__handle_of(const mp_obj *o)
{
    struct mp__handle handle = {(uint64_t)(uintptr_t)o->items, 0, (uint32_t)o->len};
    for (size_t i = 0; i < sizeof o->reserved; i++)
        handle.arena |= (uint64_t)o->reserved[i] << 8 * i;
    return handle;
}

static uint64_t arena_here(void)
{
    return mp__arena_id() & ((UINT64_C(1) << 48) - 1);
}

/* An object stands here, or stood. */
static bool is_object(struct mp__object *object)
{
    if ((uintptr_t)object % 64 != 0 || !mp__arena_holds(object, sizeof *object))
        return false;
    return atomic_load(&object->kind) >> 16 == MP__KIND_GONE >> 16;
}

mp_obj mp_obj_handle(const void *shared)
{
    struct mp__handle handle = {(uint64_t)(uintptr_t)shared, arena_here(), 0};
    struct mp__object *object = (void *)(uintptr_t)shared;
    if (is_object(object))
        handle.serial = mp__object_serial(object);
    return mp__obj_of_handle(handle);
}

int mp_obj_as_handle(mp_obj o, void **shared)
{
    if (o.type != MP_TYPE_HANDLE)
        return mp__failf(MP_ETYPE, "not a handle");
    struct mp__handle handle = mp__handle_of(&o);
    struct mp__object *object = (void *)(uintptr_t)handle.address;
    if (handle.arena != arena_here())
        return mp__failf(MP_EINVAL, "a handle of another tree of processes");
    if (handle.serial == 0 || !is_object(object))
        return mp__failf(MP_EINVAL, "a handle of no shared object");
    if (mp__object_ended(object, handle.serial))
        return mp__failf(MP_ECLOSED, "the object of the handle was destroyed");
    if (shared != NULL)
        *shared = object;
    return 0;
}
