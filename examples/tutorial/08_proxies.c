/* Looks at a list that lives in a manager's server, through its proxy. The Python original:

from multiprocessing import Manager
manager = Manager()
l = manager.list([i*i for i in range(10)])
print(l)
print(repr(l))
print(l[4])
print(l[2:5])
*/

#include <mp/mp.h>
#include <stdio.h>

int main(void)
{
    mp_manager *manager;
    mp_obj squares[10];
    mp_list *l;
    char repr[80];
    mp_obj item;
    mp_obj slice;

    MP_CHECK(mp_manager_create(&manager, NULL));
    for (long i = 0; i < 10; i++) {
        squares[i] = MP(i * i);
    }
    MP_CHECK(mp_manager_list(manager, mp_obj_list(squares, 10), &l));
    MP_CHECK(mp_list_println(l, stdout));
    MP_CHECK(mp_list_repr(l, repr, sizeof repr));
    printf("%s\n", repr);
    MP_CHECK(mp_list_get(l, 4, &item));
    mp_obj_println(item, stdout);
    MP_CHECK(mp_list_slice(l, 2, 5, &slice));
    mp_obj_println(slice, stdout);

    mp_obj_free(&slice);
    mp_obj_free(&item);
    mp_list_destroy(l);
    mp_manager_destroy(manager);
    return 0;
}
