/* Adds to each element of a shared array from five processes. The Python original:

import multiprocessing

def worker(arr):
    for i in range(len(arr)):
        arr[i] += 1

if __name__ == '__main__':
    arr = multiprocessing.Array('i', range(5))
    processes = [multiprocessing.Process(target=worker, args=(arr,)) for _ in range(5)]
    for p in processes:
        p.start()
    for p in processes:
        p.join()
    print(f'Array: {arr[:]}')
*/

#include <mp/mp.h>
#include <stdio.h>

static int worker(void *arg)
{
    mp_array *arr = arg;

    /* `arr[i] += 1` reads and writes: without the lock two processes may lose an addition. */
    MP_WITH_ARRAY(arr) {
        for (size_t i = 0; i < mp_array_len(arr); i++) {
            MP_ARRAY(int, arr)[i] += 1;
        }
    }
    return 0;
}

int main(void)
{
    mp_array *arr;
    mp_process *processes[5];

    MP_CHECK(mp_array_create(&arr, 'i', 5, (int[]){0, 1, 2, 3, 4}));
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_create(&processes[i], worker, arr, 0, NULL));
    }
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_start(processes[i]));
    }
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_join(processes[i], MP_FOREVER));
        mp_process_destroy(processes[i]);
    }
    printf("Array: ");
    MP_CHECK(mp_array_println(arr, stdout));
    mp_array_destroy(arr);
    return 0;
}
