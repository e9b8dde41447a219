/* Hands a list from one child to another through a queue. The Python original:

from multiprocessing import Process, Queue

def put_data(q):
    q.put([1, 2, 3])

def get_data(q):
    data = q.get()
    print(data)

q = Queue()
p1 = Process(target=put_data, args=(q,))
p2 = Process(target=get_data, args=(q,))
p1.start()
p2.start()
p1.join()
p2.join()
*/

#include <mp/mp.h>
#include <stdio.h>

static int put_data(void *arg)
{
    mp_queue *q = arg;

    MP_CHECK(mp_queue_put(q, MP_LIST(1, 2, 3), MP_FOREVER));
    return 0;
}

static int get_data(void *arg)
{
    mp_queue *q = arg;
    mp_obj data;

    MP_CHECK(mp_queue_get(q, &data, MP_FOREVER));
    mp_obj_println(data, stdout);
    mp_obj_free(&data);
    return 0;
}

int main(void)
{
    mp_queue *q;
    mp_process *p1;
    mp_process *p2;

    MP_CHECK(mp_queue_create(&q, 0));
    MP_CHECK(mp_process_create(&p1, put_data, q, 0, NULL));
    MP_CHECK(mp_process_create(&p2, get_data, q, 0, NULL));
    MP_CHECK(mp_process_start(p1));
    MP_CHECK(mp_process_start(p2));
    MP_CHECK(mp_process_join(p1, MP_FOREVER));
    MP_CHECK(mp_process_join(p2, MP_FOREVER));
    mp_process_destroy(p1);
    mp_process_destroy(p2);
    mp_queue_destroy(q);
    return 0;
}
