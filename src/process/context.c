/* Start methods: there is one. */
#include "base/base.h"

#include <mp/context.h>
#include <string.h>

static const char *const methods[] = {"fork", NULL};

const char *mp_get_start_method(void)
{
    return methods[0];
}

int mp_set_start_method(const char *method)
{
    if (method == NULL || strcmp(method, methods[0]) != 0)
        return mp__failf(MP_EINVAL, "cannot find context for '%s'", method != NULL ? method : "");
    return 0;
}

const char *const *mp_get_all_start_methods(void)
{
    return methods;
}
