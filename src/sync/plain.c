/* What the small shared objects have in common. */
#include "sync/sync.h"

int mp__plain_create(enum mp__kind kind, void *out)
{
    struct mp__object *object;
    int rc = out == NULL ? MP_EINVAL : mp__object_make(kind, sizeof *object, &object);
    if (rc != 0)
        return mp__fail(rc);
    mp__object_publish(object, kind);
    *(void **)out = object;
    return 0;
}

void mp__plain_destroy(enum mp__kind kind, void *p)
{
    if (mp__object_check(p, kind) == 0)
        mp__object_end(p);
}
