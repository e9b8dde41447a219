/* Prints a list that lives in a manager's server, once a child has added to it. The Python original:

from multiprocessing import Process, Manager

def modify_list(shared_list):
    shared_list.append("New item")

with Manager() as manager:
    shared_list = manager.list([1, 2, 3])
    p = Process(target=modify_list, args=(shared_list,))
    p.start()
    p.join()
    print(shared_list) # [1, 2, 3, "New item"]
*/

#include <mp/mp.h>
#include <stdio.h>

static int modify_list(void *arg)
{
    mp_list *shared_list = arg;

    MP_CHECK(mp_list_append(shared_list, MP("New item")));
    return 0;
}

int main(void)
{
    mp_manager *manager;
    mp_list *shared_list;
    mp_process *p;

    MP_CHECK(mp_manager_create(&manager, NULL));
    MP_WITH_MANAGER(manager) {
        MP_CHECK(mp_manager_list(manager, MP_LIST(1, 2, 3), &shared_list));
        MP_CHECK(mp_process_create(&p, modify_list, shared_list, 0, NULL));
        MP_CHECK(mp_process_start(p));
        MP_CHECK(mp_process_join(p, MP_FOREVER));
        MP_CHECK(mp_list_println(shared_list, stdout)); /* [1, 2, 3, 'New item'] */
        mp_process_destroy(p);
        mp_list_destroy(shared_list);
    }
    mp_manager_destroy(manager);
    return 0;
}
