/* Lists the child processes that are alive. The Python original:

p1 = Process(target=print_numbers)
p2 = Process(target=print_numbers)
p1.start()
p2.start()
print(Process.active_children()) # Lists all active child processes
*/

#include <mp/mp.h>
#include <stdio.h>

static int print_numbers(void *arg)
{
    mp_event *listed = arg;

    for (int i = 0; i < 5; i++) {
        printf("%d\n", i);
    }
    /* Without this the child may be gone before its parent lists it. */
    MP_CHECK(mp_event_wait(listed, MP_FOREVER));
    return 0;
}

static void print_active_children(void)
{
    mp_process *children[2];
    char text[128];
    int n = MP_CHECK(mp_active_children(children, 2));

    printf("[");
    for (int i = 0; i < n && i < 2; i++) {
        MP_CHECK(mp_process_repr(children[i], text, sizeof text));
        printf("%s%s", i > 0 ? ", " : "", text);
        mp_process_destroy(children[i]);
    }
    printf("]\n");
}

int main(void)
{
    mp_event *listed;
    mp_process *p1;
    mp_process *p2;

    MP_CHECK(mp_event_create(&listed));
    MP_CHECK(mp_process_create(&p1, print_numbers, listed, 0, NULL));
    MP_CHECK(mp_process_create(&p2, print_numbers, listed, 0, NULL));
    MP_CHECK(mp_process_start(p1));
    MP_CHECK(mp_process_start(p2));
    print_active_children();
    MP_CHECK(mp_event_set(listed));
    MP_CHECK(mp_process_join(p1, MP_FOREVER));
    MP_CHECK(mp_process_join(p2, MP_FOREVER));
    mp_process_destroy(p1);
    mp_process_destroy(p2);
    mp_event_destroy(listed);
    return 0;
}
