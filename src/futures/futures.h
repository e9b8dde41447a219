/* Futures as the files of this folder share them. */
#ifndef MP__FUTURES_H
#define MP__FUTURES_H

#include "workers/workers.h"

#include <mp/futures.h>

#define MP__EXECUTOR_MAGIC UINT32_C(0x4d504558)
#define MP__FUTURE_MAGIC UINT32_C(0x4d504655)
#define MP__COMPLETION_MAGIC UINT32_C(0x4d50434f)

/* A future whose work comes by mp__future_begin; the callbacks of the options are its first. */
int mp__future_make(const mp_task_options *options, mp_future **out, struct mp__terms *terms,
                    struct mp__notice *notice);
void mp__future_begin(mp_future *future, struct mp__work *work);
void mp__future_discard(mp_future *future); /* it never got any */

/* 0; MP_EINVAL, MP_ETYPE, MP_ESTATE, recorded. */
int mp__future_check(const mp_future *future);
struct mp__work *mp__future_work(mp_future *future);
bool mp__future_is_done(mp_future *future); /* of a checked one, as the next */
bool mp__future_failed(mp_future *future);  /* done, not well, not cancelled */

/* Waits until ready(arg), which depends on these futures only, as mp__crew_await; records
   failures. */
int mp__futures_await(mp_future *const *fs, size_t n, bool are_of_one, bool (*ready)(void *arg),
                      void *arg, mp__moment until);
bool mp__futures_are_of_one(mp_future *const *fs, size_t n); /* executor */
/* Checks n futures of an array. */
int mp__futures_check(mp_future *const *fs, size_t n);

#endif
