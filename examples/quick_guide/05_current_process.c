/* Prints the process object of the process that asks. The Python original:

from multiprocessing import current_process

def print_current_process():
    print(current_process())

p = Process(target=print_current_process)
p.start() # Prints the current process info
*/

#include <mp/mp.h>
#include <stdio.h>

static int print_current_process(void *arg)
{
    (void)arg;
    MP_CHECK(mp_process_print(mp_current_process(), stdout));
    putchar('\n');
    return 0;
}

int main(void)
{
    mp_process *p;

    MP_CHECK(mp_process_create(&p, print_current_process, NULL, 0, NULL));
    MP_CHECK(mp_process_start(p)); /* prints the current process */
    mp_process_destroy(p);
    return 0;
}
