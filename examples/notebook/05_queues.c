/* Feeds three workers through one queue, until each is told to close. The Python original:

import multiprocessing
import time
import random
def worker(worker_id, queue):
    """A function that runs in a separate process."""
    while True:
        message = queue.get()
        if message == "close":
            break
        time.sleep(random.randint(0,4))
        print(f"Processed by worker {worker_id}: {message}")
    print(f"Worker {worker_id} closing")

queue = multiprocessing.Queue()

if __name__ == "__main__":
    # Start the worker processes
    processes = [multiprocessing.Process(target=worker, args=(i, queue)) for i in range(3)]
    for process in processes:
        process.start()

    # Send messages to the worker processes
    for message in ["hello", "world", "close","close","close"]:
        queue.put(message)

    # Wait for the worker processes to finish
    for process in processes:
        process.join()
*/

#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>

struct arguments {
    int worker_id;
    mp_queue *queue;
};

/* Runs in a separate process. */
static int worker(void *arg)
{
    const struct arguments *a = arg;
    mp_obj message;

    srand((unsigned)mp_process_pid(mp_current_process()));
    for (;;) {
        MP_CHECK(mp_queue_get(a->queue, &message, MP_FOREVER));
        if (mp_obj_equal(message, MP("close"))) {
            break;
        }
        mp_sleep(rand() % 5);
        printf("Processed by worker %d: %s\n", a->worker_id, message.s);
        mp_obj_free(&message);
    }
    mp_obj_free(&message);
    printf("Worker %d closing\n", a->worker_id);
    return 0;
}

int main(void)
{
    static const char *const messages[] = {"hello", "world", "close", "close", "close"};
    struct arguments args;
    mp_process *processes[3];

    setvbuf(stdout, NULL, _IOLBF, 0); /* each line is seen when it is printed */
    MP_CHECK(mp_queue_create(&args.queue, 0));
    for (int i = 0; i < 3; i++) {
        args.worker_id = i;
        MP_CHECK(mp_process_create(&processes[i], worker, &args, sizeof args, NULL));
        MP_CHECK(mp_process_start(processes[i]));
    }
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_queue_put(args.queue, MP(messages[i]), MP_FOREVER));
    }
    for (int i = 0; i < 3; i++) {
        MP_CHECK(mp_process_join(processes[i], MP_FOREVER));
        mp_process_destroy(processes[i]);
    }
    mp_queue_destroy(args.queue);
    return 0;
}
