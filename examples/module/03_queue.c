/* Sends a text from a child to its parent through a queue. The Python original:

import multiprocessing

def worker(queue):
    queue.put('Hello from worker')

if __name__ == '__main__':
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=worker, args=(queue,))
    process.start()
    print(queue.get())
    process.join()
*/

#include <mp/mp.h>
#include <stdio.h>

static int worker(void *arg)
{
    mp_queue *queue = arg;

    MP_CHECK(mp_queue_put(queue, MP("Hello from worker"), MP_FOREVER));
    return 0;
}

int main(void)
{
    mp_queue *queue;
    mp_process *process;
    mp_obj message;

    MP_CHECK(mp_queue_create(&queue, 0));
    MP_CHECK(mp_process_create(&process, worker, queue, 0, NULL));
    MP_CHECK(mp_process_start(process));
    MP_CHECK(mp_queue_get(queue, &message, MP_FOREVER));
    mp_obj_println(message, stdout);
    MP_CHECK(mp_process_join(process, MP_FOREVER));
    mp_obj_free(&message);
    mp_process_destroy(process);
    mp_queue_destroy(queue);
    return 0;
}
