/* Counts in a shared value from five processes under the value's own lock. The Python original:

import multiprocessing

def worker(counter):
    with counter.get_lock():
        counter.value += 1

if __name__ == '__main__':
    counter = multiprocessing.Value('i', 0)
    processes = [multiprocessing.Process(target=worker, args=(counter,)) for _ in range(5)]
    for p in processes:
        p.start()
    for p in processes:
        p.join()
    print(f'Counter: {counter.value}')
*/

#include <mp/mp.h>
#include <stdio.h>

static int worker(void *arg)
{
    mp_value *counter = arg;

    MP_WITH_VALUE(counter) {
        MP_VALUE(int, counter) += 1;
    }
    return 0;
}

int main(void)
{
    mp_value *counter;
    mp_process *processes[5];

    MP_CHECK(mp_value_create(&counter, 'i', &(int){0}));
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_create(&processes[i], worker, counter, 0, NULL));
    }
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_start(processes[i]));
    }
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_join(processes[i], MP_FOREVER));
        mp_process_destroy(processes[i]);
    }
    printf("Counter: %d\n", MP_VALUE(int, counter));
    mp_value_destroy(counter);
    return 0;
}
