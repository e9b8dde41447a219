/* Pools and objects for the tests of pools. */
#include "pool_kit.h"

mp_pool *new_pool(int processes)
{
    mp_pool *pool;
    assert_mp_result(mp_pool_create(&pool, processes, NULL), 0);
    return pool;
}

void end_pool(mp_pool *pool)
{
    assert_mp_result(mp_pool_close(pool), 0);
    assert_mp_result(mp_pool_join(pool, MP_FOREVER), 0);
    mp_pool_destroy(pool);
}

int square(mp_obj arg, mp_obj *result)
{
    int64_t x;
    if (mp_obj_as_int(arg, &x) != 0)
        return mp_task_fail(1, "not a number");
    *result = MP(x * x);
    return 0;
}

void pool_works(mp_pool *pool)
{
    mp_obj value;
    assert_mp_result(mp_pool_apply(pool, square, MP(7), &value), 0);
    check(take_int(&value) == 49);
}

int64_t take_int(mp_obj *o)
{
    int64_t i;
    assert_mp_result(mp_obj_as_int(*o, &i), 0);
    mp_obj_free(o);
    return i;
}
