/* BoundedSemaphore: units whose number never grows. */
#include "sync/units.h"

#include <limits.h>
#include <stdio.h>

struct mp_bounded_semaphore {
    struct mp__units units;
};

int mp_bounded_semaphore_create(mp_bounded_semaphore **out, unsigned value)
{
    if (value > INT_MAX)
        return mp__fail(MP_EOVERFLOW);
    if (out == NULL || value > MP__UNITS_MAX)
        return mp__fail(MP_EINVAL);
    mp_bounded_semaphore *semaphore;
    int rc = mp__units_create(MP__KIND_BOUNDED, value, value, &semaphore);
    if (rc != 0)
        return mp__fail(rc);
    mp__object_publish(semaphore, MP__KIND_BOUNDED);
    *out = semaphore;
    return 0;
}

int mp_bounded_semaphore_acquire(mp_bounded_semaphore *semaphore, double timeout)
{
    struct mp__ref ref = mp__ref_to(semaphore);
    int rc = mp__object_check(semaphore, MP__KIND_BOUNDED);
    return mp__result(rc != 0 ? rc : mp__units_acquire(&ref, timeout));
}

int mp_bounded_semaphore_release(mp_bounded_semaphore *semaphore)
{
    int rc = mp__object_check(semaphore, MP__KIND_BOUNDED);
    return mp__result(rc != 0 ? rc : mp__units_release(&semaphore->units));
}

int mp_bounded_semaphore_get_value(mp_bounded_semaphore *semaphore)
{
    int rc = mp__object_check(semaphore, MP__KIND_BOUNDED);
    return mp__result(rc != 0 ? rc : mp__units_value(&semaphore->units));
}

bool mp_bounded_semaphore_locked(mp_bounded_semaphore *semaphore)
{
    return mp__object_check(semaphore, MP__KIND_BOUNDED) == 0 &&
           mp__units_value(&semaphore->units) == 0;
}

bool mp_bounded_semaphore_recovered(mp_bounded_semaphore *semaphore)
{
    return mp__object_check(semaphore, MP__KIND_BOUNDED) == 0 && mp__units_told(&semaphore->units);
}

void mp_bounded_semaphore_destroy(mp_bounded_semaphore *semaphore)
{
    mp__plain_destroy(MP__KIND_BOUNDED, semaphore);
}

int mp_bounded_semaphore_repr(mp_bounded_semaphore *semaphore, char *buf, size_t n)
{
    int rc = mp__object_check(semaphore, MP__KIND_BOUNDED);
    if (rc != 0 || (buf == NULL && n > 0))
        return mp__fail(rc != 0 ? rc : MP_EINVAL);
    return snprintf(buf, n, "<BoundedSemaphore(value=%d, maxvalue=%zu)>",
                    mp__units_value(&semaphore->units), (size_t)semaphore->units.object.length);
}
