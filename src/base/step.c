/* The hook of the marked steps; empty in the library itself. */
#include "base/base.h"

#ifdef MP_STEPS
void (*mp__step_hook)(const char *name);

void mp__step(const char *name)
{
    if (mp__step_hook != NULL)
        mp__step_hook(name);
}
#else
typedef int mp__step_is_compiled_out;
#endif
