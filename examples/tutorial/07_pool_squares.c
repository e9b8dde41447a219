/* Prints what a pool of five processes makes of three numbers. The Python original:

from multiprocessing import Pool
def fun(x):
return x*x

if __name__ == ‘__main__’:
with Pool(5) as p:
print(p.map(fun, [1, 2, 3]))
*/

#include <mp/mp.h>
#include <stdio.h>

static int fun(mp_obj arg, mp_obj *result)
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
    mp_pool *p;
    mp_obj squares;

    MP_CHECK(mp_pool_create(&p, 5, NULL));
    MP_WITH_POOL(p) {
        MP_CHECK(mp_pool_map(p, fun, MP_LIST(1, 2, 3), &squares, NULL));
        mp_obj_println(squares, stdout);
        mp_obj_free(&squares);
    }
    mp_pool_destroy(p);
    return 0;
}
