/* Squares numbers in a pool of four worker processes. The Python original:

from multiprocessing import Pool

def square(n):
    return n * n

with Pool(4) as pool: # Pool with 4 worker processes
    result = pool.map(square, [1, 2, 3, 4, 5])
    print(result) # [1, 4, 9, 16, 25]
*/

#include <mp/mp.h>
#include <stdio.h>

static int square(mp_obj arg, mp_obj *result)
{
    int64_t n;

    if (mp_obj_as_int(arg, &n) != 0) {
        return mp_task_fail(1, "not a number");
    }
    *result = MP(n * n);
    return 0;
}

int main(void)
{
    mp_pool *pool;
    mp_obj result;

    MP_CHECK(mp_pool_create(&pool, 4, NULL)); /* 4 worker processes */
    MP_WITH_POOL(pool) {
        MP_CHECK(mp_pool_map(pool, square, MP_LIST(1, 2, 3, 4, 5), &result, NULL));
        mp_obj_println(result, stdout); /* [1, 4, 9, 16, 25] */
        mp_obj_free(&result);
    }
    mp_pool_destroy(pool);
    return 0;
}
