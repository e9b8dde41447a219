/* Lets two workers take turns at a shared resource under a lock. The Python original:

import multiprocessing
import time

def worker(worker_id, lock, resource):
    """A function that runs in a separate process."""
    for i in range(10):
        with lock:
            print(f"Worker {worker_id} is accessing the resource")
            time.sleep(0.1)
            resource.value = resource.value + 1
            print(f"Worker {worker_id} has updated the resource to {resource.value}")

if __name__ == "__main__":
    # Create a shared resource
    resource = multiprocessing.Value("i", 0)

    # Create a lock to synchronize access to the shared resource
    lock = multiprocessing.Lock()

    # Start the worker processes
    processes = [multiprocessing.Process(target=worker, args=(i, lock, resource)) for i in range(2)]
    for process in processes:
        process.start()

    # Wait for the worker processes to finish
    for process in processes:
        process.join()
*/

#include <mp/mp.h>
#include <stdio.h>

struct arguments {
    int worker_id;
    mp_lock *lock;
    mp_value *resource;
};

/* Runs in a separate process. */
static int worker(void *arg)
{
    const struct arguments *a = arg;

    for (int i = 0; i < 10; i++) {
        MP_WITH_LOCK(a->lock) {
            printf("Worker %d is accessing the resource\n", a->worker_id);
            mp_sleep(0.1);
            MP_VALUE(int, a->resource) = MP_VALUE(int, a->resource) + 1;
            printf("Worker %d has updated the resource to %d\n", a->worker_id,
                   MP_VALUE(int, a->resource));
        }
    }
    return 0;
}

int main(void)
{
    struct arguments args;
    mp_process *processes[2];

    setvbuf(stdout, NULL, _IOLBF, 0); /* each line is seen when it is printed */
    MP_CHECK(mp_value_create(&args.resource, 'i', &(int){0}));
    MP_CHECK(mp_lock_create(&args.lock));
    for (int i = 0; i < 2; i++) {
        args.worker_id = i;
        MP_CHECK(mp_process_create(&processes[i], worker, &args, sizeof args, NULL));
    }
    for (int i = 0; i < 2; i++) {
        MP_CHECK(mp_process_start(processes[i]));
    }
    for (int i = 0; i < 2; i++) {
        MP_CHECK(mp_process_join(processes[i], MP_FOREVER));
        mp_process_destroy(processes[i]);
    }
    mp_lock_destroy(args.lock);
    mp_value_destroy(args.resource);
    return 0;
}
