/* Shares a value and an array between five processes that add to both. The Python original:

import multiprocessing

def worker(counter, array):
    with counter.get_lock():
        counter.value += 1
    for i in range(len(array)):
        array[i] += 1

if __name__ == '__main__':
    counter = multiprocessing.Value('i', 0)
    array = multiprocessing.Array('i', range(5))
    processes = [multiprocessing.Process(target=worker, args=(counter, array)) for _ in range(5)]
    for p in processes:
        p.start()
    for p in processes:
        p.join()
    print(f'Counter: {counter.value}')
    print(f'Array: {array[:]}')
*/

#include <mp/mp.h>
#include <stdio.h>

struct arguments {
    mp_value *counter;
    mp_array *array;
};

static int worker(void *arg)
{
    const struct arguments *a = arg;

    MP_WITH_VALUE(a->counter) {
        MP_VALUE(int, a->counter) += 1;
    }
    /* `array[i] += 1` reads and writes: without the lock two processes may lose an addition. */
    MP_WITH_ARRAY(a->array) {
        for (size_t i = 0; i < mp_array_len(a->array); i++) {
            MP_ARRAY(int, a->array)[i] += 1;
        }
    }
    return 0;
}

int main(void)
{
    struct arguments args;
    mp_process *processes[5];

    MP_CHECK(mp_value_create(&args.counter, 'i', &(int){0}));
    MP_CHECK(mp_array_create(&args.array, 'i', 5, (int[]){0, 1, 2, 3, 4}));
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_create(&processes[i], worker, &args, sizeof args, NULL));
    }
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_start(processes[i]));
    }
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_join(processes[i], MP_FOREVER));
        mp_process_destroy(processes[i]);
    }
    printf("Counter: %d\n", MP_VALUE(int, args.counter));
    printf("Array: ");
    MP_CHECK(mp_array_println(args.array, stdout));
    mp_array_destroy(args.array);
    mp_value_destroy(args.counter);
    return 0;
}
