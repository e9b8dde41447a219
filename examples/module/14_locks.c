/* Synchronizes five processes that count with a lock. The Python original:

import multiprocessing

def worker(lock, counter):
    with lock:
        counter.value += 1

if __name__ == '__main__':
    lock = multiprocessing.Lock()
    counter = multiprocessing.Value('i', 0)
    processes = [multiprocessing.Process(target=worker, args=(lock, counter)) for _ in range(5)]
    for p in processes:
        p.start()
    for p in processes:
        p.join()
    print(f'Counter: {counter.value}')
*/

#include <mp/mp.h>
#include <stdio.h>

struct arguments {
    mp_lock *lock;
    mp_value *counter;
};

static int worker(void *arg)
{
    const struct arguments *a = arg;

    MP_WITH_LOCK(a->lock) {
        MP_VALUE(int, a->counter) += 1;
    }
    return 0;
}

int main(void)
{
    struct arguments args;
    mp_process *processes[5];

    MP_CHECK(mp_lock_create(&args.lock));
    MP_CHECK(mp_value_create(&args.counter, 'i', &(int){0}));
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
    mp_value_destroy(args.counter);
    mp_lock_destroy(args.lock);
    return 0;
}
