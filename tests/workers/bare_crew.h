/* A crew without processes: the test itself claims tasks as a worker, dies as one, and harvests. */
#ifndef TESTS_BARE_CREW_H
#define TESTS_BARE_CREW_H

#include "support/support.h"
#include "workers/hand_in.h"

/* With so many places; freed by bare_crew_end, when all its work was given back. */
struct mp__crew *bare_crew_make(uint32_t workers);
void bare_crew_end(struct mp__crew *crew);

/* Of a board at rest: nobody moves in it. */
bool board_is_valid(struct mp__board *board);

/* Claims a task for place w and runs its items as a worker does, by the job's own function; false:
   none was queued. */
bool bare_worker_turn(struct mp__crew *crew, uint32_t w);

/* Hands in n ints from `first` on, in tasks of `chunk`, for a function that adds one. */
struct mp__work *bare_work(struct mp__crew *crew, int64_t first, size_t n, size_t chunk,
                           unsigned retries);

#endif
