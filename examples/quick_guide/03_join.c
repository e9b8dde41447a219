/* Waits at most two seconds for a child process. The Python original:

p = Process(target=print_numbers)
p.start()
p.join(2) # Waits up to 2 seconds for the process to finish
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
    MP_CHECK(mp_process_start(p));
    int joined = mp_process_join(p, 2); /* waits up to 2 seconds for the process to finish */
    if (joined != MP_ETIMEOUT) {
        MP_CHECK(joined);
    }
    mp_process_destroy(p);
    return 0;
}
