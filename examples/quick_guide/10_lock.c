/* Prints from two processes under one lock, so that their lines never mix. The Python original:

from multiprocessing import Process, Lock

lock = Lock()

def print_numbers():
    with lock:
        for i in range(5):
            print(i)

p1 = Process(target=print_numbers)
p2 = Process(target=print_numbers)
p1.start()
p2.start()
p1.join()
p2.join()
*/

#include <mp/mp.h>
#include <stdio.h>

static mp_lock *lock;

static int print_numbers(void *arg)
{
    (void)arg;
    MP_WITH_LOCK(lock) {
        for (int i = 0; i < 5; i++) {
            printf("%d\n", i);
        }
    }
    return 0;
}

int main(void)
{
    mp_process *p1;
    mp_process *p2;

    setvbuf(stdout, NULL, _IOLBF, 0); /* each line leaves the process under the lock */
    MP_CHECK(mp_lock_create(&lock));
    MP_CHECK(mp_process_create(&p1, print_numbers, NULL, 0, NULL));
    MP_CHECK(mp_process_create(&p2, print_numbers, NULL, 0, NULL));
    MP_CHECK(mp_process_start(p1));
    MP_CHECK(mp_process_start(p2));
    MP_CHECK(mp_process_join(p1, MP_FOREVER));
    MP_CHECK(mp_process_join(p2, MP_FOREVER));
    mp_process_destroy(p1);
    mp_process_destroy(p2);
    mp_lock_destroy(lock);
    return 0;
}
