/* Makes a child wait for an event which its parent sets. The Python original:

import multiprocessing

def worker(event):
    print("Worker waiting for event")
    event.wait()
    print("Worker received event")

if __name__ == '__main__':
    event = multiprocessing.Event()
    process = multiprocessing.Process(target=worker, args=(event,))
    process.start()
    print("Main process setting event")
    event.set()
    process.join()
*/

#include <mp/mp.h>
#include <stdio.h>

static int worker(void *arg)
{
    mp_event *event = arg;

    printf("Worker waiting for event\n");
    MP_CHECK(mp_event_wait(event, MP_FOREVER));
    printf("Worker received event\n");
    return 0;
}

int main(void)
{
    mp_event *event;
    mp_process *process;

    setvbuf(stdout, NULL, _IOLBF, 0); /* each line is seen when it is printed */
    MP_CHECK(mp_event_create(&event));
    MP_CHECK(mp_process_create(&process, worker, event, 0, NULL));
    MP_CHECK(mp_process_start(process));
    printf("Main process setting event\n");
    MP_CHECK(mp_event_set(event));
    MP_CHECK(mp_process_join(process, MP_FOREVER));
    mp_process_destroy(process);
    mp_event_destroy(event);
    return 0;
}
