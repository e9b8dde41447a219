/* Types whose calls run in threads of the server: those that were registered, and Pool. */
#ifndef MP__CARRIER_H
#define MP__CARRIER_H

#include "managers/server.h"

/* A type of the user's, as the server sees it. */
struct mp__registered {
    struct mp__registered *next;
    const char *key; /* by which it is found; the type's name is what clients see */
    const mp_managed_type *user;
    struct mp__type type;
    struct mp__method methods[];
};

struct mp__registered *mp__registered_make(const char *key, const char *name,
                                           const mp_managed_type *user);
/* All but the methods' names and results. */
void mp__carried_type_fill(struct mp__registered *entry, const char *name);

/* Pool, and what its methods give (managed_pool.c); NULL without memory. */
const struct mp__type *mp__type_pool(void);
/* The type of a method's result. */
const struct mp__type *mp__result_type(const char *name);

#endif
