/* Prints five numbers in a child process. The Python original:

from multiprocessing import Process

def print_numbers():
    for i in range(5):
        print(i)

p = Process(target=print_numbers)
p.start() # Starts a new process
p.join() # Waits for the process to finish
*/

#include <mp/mp.h>
#include <stdio.h>

static int print_numbers(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        printf("%d\n", i);
    }
    return 0;
}

int main(void)
{
    mp_process *p;

    MP_CHECK(mp_process_create(&p, print_numbers, NULL, 0, NULL));
    MP_CHECK(mp_process_start(p));            /* starts a new process */
    MP_CHECK(mp_process_join(p, MP_FOREVER)); /* waits for the process to finish */
    mp_process_destroy(p);
    return 0;
}
