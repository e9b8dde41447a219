/* A user's program: a child adds to a shared value under its lock. */
#include <mp/mp.h>

#include <stdio.h>

static int add_three(void *arg)
{
    mp_value *total = arg;
    MP_WITH_VALUE(total) {
        MP_VALUE(int, total) += 3;
    }
    return 0;
}

int main(void)
{
    mp_value *total;
    mp_process *child;
    int code;

    MP_CHECK(mp_value_create(&total, 'i', &(int){2}));
    MP_CHECK(mp_process_create(&child, add_three, total, 0, NULL));
    MP_CHECK(mp_process_start(child));
    MP_CHECK(mp_process_join(child, MP_FOREVER));
    if (MP_CHECK(mp_process_exitcode(child, &code)) != 1 || code != 0)
        return 1;
    printf("total %d, library %s\n", MP_VALUE(int, total), mp_version());
    mp_process_destroy(child);
    mp_value_destroy(total);
    return 0;
}
