/* Starts five processes, each with a number of its own. The Python original:

import multiprocessing

def worker(num):
    print(f'Worker: {num}')

if __name__ == '__main__':
    processes = []
    for i in range(5):
        p = multiprocessing.Process(target=worker, args=(i,))
        processes.append(p)
        p.start()

    for p in processes:
        p.join()
*/

#include <mp/mp.h>
#include <stdio.h>

static int worker(void *arg)
{
    const int *num = arg;

    printf("Worker: %d\n", *num);
    return 0;
}

int main(void)
{
    mp_process *processes[5];

    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_create(&processes[i], worker, &i, sizeof i, NULL));
        MP_CHECK(mp_process_start(processes[i]));
    }
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_join(processes[i], MP_FOREVER));
        mp_process_destroy(processes[i]);
    }
    return 0;
}
