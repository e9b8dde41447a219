/* Asks whether a child process is still running. The Python original:

p = Process(target=print_numbers)
p.start()
print(p.is_alive()) # True if the process is still running
*/

#include <mp/mp.h>
#include <stdio.h>

static int print_numbers(void *arg)
{
    mp_event *asked = arg;

    for (int i = 0; i < 5; i++) {
        printf("%d\n", i);
    }
    /* Without this the child may be gone before its parent asks. */
    MP_CHECK(mp_event_wait(asked, MP_FOREVER));
    return 0;
}

int main(void)
{
    mp_event *asked;
    mp_process *p;

    MP_CHECK(mp_event_create(&asked));
    MP_CHECK(mp_process_create(&p, print_numbers, asked, 0, NULL));
    MP_CHECK(mp_process_start(p));
    printf("%s\n", MP_CHECK(mp_process_is_alive(p)) ? "True" : "False");
    MP_CHECK(mp_event_set(asked));
    MP_CHECK(mp_process_join(p, MP_FOREVER));
    mp_process_destroy(p);
    mp_event_destroy(asked);
    return 0;
}
