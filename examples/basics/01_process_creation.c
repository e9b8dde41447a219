/* Creates three processes and waits until all have finished. The Python original:

import multiprocessing
import time

def worker(num):
    print(f'Worker {num}: Starting')
    time.sleep(2)  # Simulate some work
    print(f'Worker {num}: Finishing')

if __name__ == '__main__':
    processes = []
    for i in range(3):
        p = multiprocessing.Process(target=worker, args=(i,))
        processes.append(p)
        p.start()

    for p in processes:
        p.join()  # Wait for all processes to finish

    print('All workers finished.')
*/

#include <mp/mp.h>
#include <stdio.h>

static int worker(void *arg)
{
    const int *num = arg;

    printf("Worker %d: Starting\n", *num);
    mp_sleep(2); /* simulates some work */
    printf("Worker %d: Finishing\n", *num);
    return 0;
}

int main(void)
{
    mp_process *processes[3];

    setvbuf(stdout, NULL, _IOLBF, 0); /* each line is seen when it is printed */
    for (int i = 0; i < 3; i++) {
        MP_CHECK(mp_process_create(&processes[i], worker, &i, sizeof i, NULL));
        MP_CHECK(mp_process_start(processes[i]));
    }
    for (int i = 0; i < 3; i++) {
        MP_CHECK(mp_process_join(processes[i], MP_FOREVER));
        mp_process_destroy(processes[i]);
    }
    printf("All workers finished.\n");
    return 0;
}
