/**
 * \file
 * How long a call may wait: seconds, as a double, counted from the call.
 *
 * MP_FOREVER waits without limit (Python's None), MP_NOWAIT tries once (block=False). A negative
 * number means MP_NOWAIT; NaN is MP_EINVAL. Time is measured on the monotonic clock, and a wait
 * that a signal interrupts goes on with what is left of it.
 */
#ifndef MP_TIMEOUT_H
#define MP_TIMEOUT_H

#include "export.h"

/** Wait without limit. */
#define MP_FOREVER ((double)__builtin_inf())

/** Try once. */
#define MP_NOWAIT 0.0

MP_BEGIN_DECLS

/**
 * Pause the calling thread.
 * Python: time.sleep(seconds)
 * Waits out the whole time: a handled signal runs its handler and the pause goes on. Returns at
 * once for zero, a negative number or NaN; never for MP_FOREVER. Cannot fail, owns nothing.
 * \param seconds how long, fractions included
 */
MP_API void mp_sleep(double seconds);

MP_END_DECLS

#endif
