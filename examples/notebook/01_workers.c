/* Runs five workers for a second each, side by side. The Python original:

import multiprocessing
import time

def worker(number):
    """A function that runs in a separate process."""
    print(f"Worker {number} started")
    time.sleep(1)
    print(f"Worker {number} finished")

# Create a process for each worker
processes = [multiprocessing.Process(target=worker, args=(i,)) for i in range(5)]

# Start the processes
for process in processes:
    process.start()

# Wait for all processes to finish
for process in processes:
    process.join()
*/

#include <mp/mp.h>
#include <stdio.h>

/* Runs in a separate process. */
static int worker(void *arg)
{
    const int *number = arg;

    printf("Worker %d started\n", *number);
    mp_sleep(1);
    printf("Worker %d finished\n", *number);
    return 0;
}

int main(void)
{
    mp_process *processes[5];

    setvbuf(stdout, NULL, _IOLBF, 0); /* each line is seen when it is printed */
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_create(&processes[i], worker, &i, sizeof i, NULL));
    }
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_start(processes[i]));
    }
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_join(processes[i], MP_FOREVER));
        mp_process_destroy(processes[i]);
    }
    return 0;
}
