/* A pool and what its calls share; for the files of this folder. */
#ifndef MP__POOL_H
#define MP__POOL_H

#include "workers/workers.h"

#include <mp/pool.h>

#define MP__POOL_MAGIC UINT32_C(0x4d50504f)
#define MP__RESULT_MAGIC UINT32_C(0x4d504152)
#define MP__IMAP_MAGIC UINT32_C(0x4d50494d)

/* Each begins with its magic, as shared objects begin with their kind. */
struct mp_pool {
    uint32_t magic;
    struct mp__crew *crew;
};

static inline int mp__pool_check(const mp_pool *pool)
{
    if (pool == NULL)
        return mp__fail(MP_EINVAL);
    return pool->magic == MP__POOL_MAGIC ? 0 : mp__fail(MP_ETYPE);
}

/* A result of work that was handed in, whose status and errors are filled when it is ready. */
int mp__async_result_make(struct mp__crew *crew, struct mp__work *work, bool is_map,
                          const mp_map_options *options, mp_async_result **out);

#endif
