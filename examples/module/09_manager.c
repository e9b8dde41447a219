/* Fills a dict and turns a list round that live in a manager's server. The Python original:

import multiprocessing

def worker(d, l):
    d[1] = '1'
    d['2'] = 2
    d[0.25] = None
    l.reverse()

if __name__ == '__main__':
    with multiprocessing.Manager() as manager:
        d = manager.dict()
        l = manager.list(range(10))

        p = multiprocessing.Process(target=worker, args=(d, l))
        p.start()
        p.join()

        print(d)
        print(l)
*/

#include <mp/mp.h>
#include <stdio.h>

struct arguments {
    mp_dict *d;
    mp_list *l;
};

static int worker(void *arg)
{
    const struct arguments *a = arg;

    MP_CHECK(mp_dict_set(a->d, MP(1), MP("1")));
    MP_CHECK(mp_dict_set(a->d, MP("2"), MP(2)));
    MP_CHECK(mp_dict_set(a->d, MP(0.25), MP_NONE));
    MP_CHECK(mp_list_reverse(a->l));
    return 0;
}

int main(void)
{
    mp_manager *manager;
    struct arguments args;
    mp_process *p;

    MP_CHECK(mp_manager_create(&manager, NULL));
    MP_WITH_MANAGER(manager) {
        MP_CHECK(mp_manager_dict(manager, MP_NONE, &args.d));
        MP_CHECK(mp_manager_list(manager, MP_LIST(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), &args.l));

        MP_CHECK(mp_process_create(&p, worker, &args, sizeof args, NULL));
        MP_CHECK(mp_process_start(p));
        MP_CHECK(mp_process_join(p, MP_FOREVER));
        mp_process_destroy(p);

        MP_CHECK(mp_dict_println(args.d, stdout));
        MP_CHECK(mp_list_println(args.l, stdout));
        mp_dict_destroy(args.d);
        mp_list_destroy(args.l);
    }
    mp_manager_destroy(manager);
    return 0;
}
