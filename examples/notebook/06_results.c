/* Doubles numbers in a pool and prints the results one by one. The Python original:

import multiprocessing
import time

def worker_function(number):
    """A function that takes a long time to run."""
    return number * 2

if __name__ == "__main__":
    # Create a pool of processes
    with multiprocessing.Pool(processes=2) as pool:

        # Execute the worker_function with multiple inputs
        results = pool.map(worker_function, [5, 2, 1, 3])

    # Print the results
    for result in results:
        print(f"Result: {result}")
*/

#include <mp/mp.h>
#include <stdio.h>

static int worker_function(mp_obj arg, mp_obj *result)
{
    int64_t number;

    if (mp_obj_as_int(arg, &number) != 0) {
        return mp_task_fail(1, "not a number");
    }
    *result = MP(number * 2);
    return 0;
}

int main(void)
{
    mp_pool *pool;
    mp_obj results;

    MP_CHECK(mp_pool_create(&pool, 2, NULL));
    MP_WITH_POOL(pool) {
        MP_CHECK(mp_pool_map(pool, worker_function, MP_LIST(5, 2, 1, 3), &results, NULL));
    }
    mp_pool_destroy(pool);

    for (size_t i = 0; i < results.len; i++) {
        printf("Result: ");
        mp_obj_println(results.items[i], stdout);
    }
    mp_obj_free(&results);
    return 0;
}
