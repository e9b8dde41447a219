/**
 * \file
 * How children come to be: libmp knows Python's start method "fork" and no other.
 */
#ifndef MP_CONTEXT_H
#define MP_CONTEXT_H

#include "export.h"

MP_BEGIN_DECLS

/**
 * Name the start method in use, which is "fork".
 * Python: get_start_method()
 * Never fails and never waits; the text is static. Any thread, any process.
 */
MP_API const char *mp_get_start_method(void);

/**
 * Choose the start method; "fork" is the one there is.
 * Python: set_start_method(method)
 * Changes nothing, so it may be called again (Python: RuntimeError). Does not wait.
 * Returns 0, or MP_EINVAL (ValueError) for NULL and for every other name.
 */
MP_API int mp_set_start_method(const char *method);

/**
 * List the start methods there are: "fork", then NULL.
 * Python: get_all_start_methods()
 * Never fails and never waits; the list and its texts are static. Any thread, any process.
 */
MP_API const char *const *mp_get_all_start_methods(void);

MP_END_DECLS

#endif
