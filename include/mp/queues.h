/**
 * \file
 * Queues that processes put messages into and get them out of.
 */
#ifndef MP_QUEUES_H
#define MP_QUEUES_H

#include "export.h"
#include "timeout.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct mp_queue mp_queue;

MP_BEGIN_DECLS
MP_API int mp_queue_create(mp_queue **out, size_t maxsize);
MP_API int mp_queue_put_bytes(mp_queue *, const void *, size_t, double);
MP_API int mp_queue_get_bytes(mp_queue *, void **, size_t *, double);
MP_API int mp_queue_get_bytes_into(mp_queue *, void *, size_t, size_t *, double);
MP_API int mp_queue_put_array(mp_queue *, const void *, size_t count, size_t size, double);
MP_API int mp_queue_get_array(mp_queue *, void *, size_t count, size_t size, double);
MP_API int mp_queue_qsize(mp_queue *);
MP_API bool mp_queue_empty(mp_queue *);
MP_API bool mp_queue_full(mp_queue *);
MP_API int mp_queue_task_done(mp_queue *);
MP_API int mp_queue_join(mp_queue *, double);
MP_API int mp_queue_close(mp_queue *);
MP_API int mp_queue_join_thread(mp_queue *);
MP_API int mp_queue_cancel_join_thread(mp_queue *);
MP_API void mp_queue_destroy(mp_queue *);
MP_END_DECLS

#endif
