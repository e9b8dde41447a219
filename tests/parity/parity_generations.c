/* Python's TestForkAwareThreadLock: what a process inherits must not grow with the generations. */
#include "parity.h"

#include <unistd.h>

enum { GENERATIONS = 6 };

/* Lies in shared memory. */
struct lineage {
    mp_lock *lock;
    int descriptors[GENERATIONS];
};

struct ancestor {
    struct lineage *lineage;
    int generation;
};

/* Each generation uses a lock of the first, makes one of its own, and has one child. */
static int live(void *arg)
{
    struct ancestor self = *(const struct ancestor *)arg, next = self;
    mp_lock *own;
    mp_process *child;
    assert_mp_result(mp_lock_create(&own), 0);
    MP_WITH_LOCK(own) {
        MP_WITH_LOCK(self.lineage->lock) {
            self.lineage->descriptors[self.generation] = census_open_descriptors();
        }
    }
    mp_lock_destroy(own);
    if (++next.generation == GENERATIONS)
        return 0;
    assert_mp_result(mp_process_create(&child, live, &next, sizeof next, NULL), 0);
    assert_mp_result(mp_process_start(child), 0);
    finish_process_with(child, 0);
    return 0;
}

static void test_lock(void **state)
{
    (void)state;
    struct lineage *lineage = shared_memory(sizeof *lineage);
    assert_mp_result(mp_lock_create(&lineage->lock), 0);
    check(live(&(struct ancestor){lineage, 0}) == 0);
    for (int i = 0; i < GENERATIONS; i++)
        check(lineage->descriptors[i] > 0);
    for (int i = 2; i < GENERATIONS; i++)
        check(lineage->descriptors[i] == lineage->descriptors[1]);
    mp_lock_destroy(lineage->lock);
    mp_raw_free(lineage);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestForkAwareThreadLock.test_lock: generations inherit no more and more",
                     test_lock),
    };
    return support_run_processes("TestForkAwareThreadLock", tests);
}
