/* Maps a function over a list by four parallel workers. The Python original:

import multiprocessing

def worker(x):
    """A function that takes a number and squares it."""
    return x ** 2

with multiprocessing.Pool(processes=4) as pool:
    # Use the map function to apply the worker function to each element of the list
    result = pool.map(worker, [1, 2, 3, 4, 5])

print(result)
*/

#include <mp/mp.h>
#include <stdio.h>

/* Takes a number and squares it. */
static int worker(mp_obj arg, mp_obj *result)
{
    int64_t x;

    if (mp_obj_as_int(arg, &x) != 0) {
        return mp_task_fail(1, "not a number");
    }
    *result = MP(x * x);
    return 0;
}

int main(void)
{
    mp_pool *pool;
    mp_obj result;

    MP_CHECK(mp_pool_create(&pool, 4, NULL));
    MP_WITH_POOL(pool) {
        MP_CHECK(mp_pool_map(pool, worker, MP_LIST(1, 2, 3, 4, 5), &result, NULL));
    }
    mp_pool_destroy(pool);
    mp_obj_println(result, stdout);
    mp_obj_free(&result);
    return 0;
}
