/* Hands five numbers to a pool of four processes, which square them. The Python original:

import multiprocessing

def square(x):
    return x * x

if __name__ == '__main__':
    with multiprocessing.Pool(processes=4) as pool:
        results = pool.map(square, [1, 2, 3, 4, 5])
        print(results)
*/

#include <mp/mp.h>
#include <stdio.h>

static int square(mp_obj arg, mp_obj *result)
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
    mp_obj results;

    MP_CHECK(mp_pool_create(&pool, 4, NULL));
    MP_WITH_POOL(pool) {
        MP_CHECK(mp_pool_map(pool, square, MP_LIST(1, 2, 3, 4, 5), &results, NULL));
        mp_obj_println(results, stdout);
        mp_obj_free(&results);
    }
    mp_pool_destroy(pool);
    return 0;
}
