/* Shares four tasks out to a pool of two processes, each task with a time of its own. The Python
original:

from multiprocessing import Pool
import time

w = ([“V”, 5], [“X”, 2], [“Y”, 1], [“Z”, 3])

def work_log(data_for_work):
print(” Process name is %s waiting time is %s seconds” % (data_for_work[0], data_for_work[1]))
time.sleep(int(data_for_work[1]))
print(” Process %s Executed.” % data_for_work[0])

def handler():
p = Pool(2)
p.map(work_log, w)

if __name__ == ‘__main__’:
handler()
*/

#include <mp/mp.h>
#include <stdio.h>

static int work_log(mp_obj data_for_work, mp_obj *result)
{
    const char *name;
    int seconds;

    (void)result; /* stays None */
    if (mp_obj_unpack(data_for_work, "si", &name, &seconds) != 0) {
        return mp_task_fail(1, "not a name and a number of seconds");
    }
    printf(" Process name is %s waiting time is %d seconds\n", name, seconds);
    mp_sleep(seconds);
    printf(" Process %s Executed.\n", name);
    return 0;
}

static void handler(void)
{
    mp_obj w = MP_TUPLE(MP_LIST("V", 5), MP_LIST("X", 2), MP_LIST("Y", 1), MP_LIST("Z", 3));
    mp_pool *p;

    MP_CHECK(mp_pool_create(&p, 2, NULL));
    MP_CHECK(mp_pool_map(p, work_log, w, NULL, NULL));
    mp_pool_destroy(p);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* each line is seen when it is printed */
    handler();
    return 0;
}
