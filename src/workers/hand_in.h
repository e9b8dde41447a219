/* Handing in jobs whose tasks are added one by one; for the files of this folder. */
#ifndef MP__HAND_IN_H
#define MP__HAND_IN_H

#include "workers/crew.h"

/* The tasks added so far. */
struct mp__work_tail {
    uint32_t last, serial;
};

/* In this order; add and what follows under the crew's lock. The job is a piece of the pool by
   then; its limit and retries are set here. */
int mp__work_begin(struct mp__crew *crew, struct mp__job *job, const struct mp__terms *terms,
                   struct mp__work **out);
int mp__work_add(struct mp__work *work, struct mp__work_tail *tail, uint32_t first, uint32_t count);
void mp__work_queue(struct mp__work *work);   /* all that was added, or: */
void mp__work_discard(struct mp__work *work); /* nothing of it was queued; the job stays */

#endif
