/* Starts a child process and leaves the wait for it to the end of the program. The Python original:

p = Process(target=print_numbers)
p.start() # Runs the target function in a separate process
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
    MP_CHECK(mp_process_start(p)); /* runs the target function in a separate process */
    mp_process_destroy(p);
    return 0;
}
