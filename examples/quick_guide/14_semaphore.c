/* Lets at most two of five processes use a resource at a time. The Python original:

from multiprocessing import Process, Semaphore
import time

sem = Semaphore(2) # Only 2 processes can access the resource

def limited_access():
    with sem:
        print("Accessing resource")
        time.sleep(2)

processes = [Process(target=limited_access) for _ in range(5)]
for p in processes:
    p.start()
for p in processes:
    p.join()
*/

#include <mp/mp.h>
#include <stdio.h>

static mp_semaphore *sem;

static int limited_access(void *arg)
{
    (void)arg;
    MP_WITH_SEMAPHORE(sem) {
        printf("Accessing resource\n");
        mp_sleep(2);
    }
    return 0;
}

int main(void)
{
    mp_process *processes[5];

    setvbuf(stdout, NULL, _IOLBF, 0);             /* each line is seen when it is printed */
    MP_CHECK(mp_semaphore_create(&sem, 2, NULL)); /* only 2 processes can access the resource */
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_create(&processes[i], limited_access, NULL, 0, NULL));
    }
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_start(processes[i]));
    }
    for (int i = 0; i < 5; i++) {
        MP_CHECK(mp_process_join(processes[i], MP_FOREVER));
        mp_process_destroy(processes[i]);
    }
    mp_semaphore_destroy(sem);
    return 0;
}
