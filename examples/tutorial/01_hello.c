/* Greets from a child process. The Python original:

from multiprocessing import Process
def disp():
print (‘Hello !! Welcome to Python Tutorial’)
if __name__ == ‘__main__’:
p = Process(target=disp)
p.start()
p.join()
*/

#include <mp/mp.h>
#include <stdio.h>

static int disp(void *arg)
{
    (void)arg;
    printf("Hello !! Welcome to Python Tutorial\n");
    return 0;
}

int main(void)
{
    mp_process *p;

    MP_CHECK(mp_process_create(&p, disp, NULL, 0, NULL));
    MP_CHECK(mp_process_start(p));
    MP_CHECK(mp_process_join(p, MP_FOREVER));
    mp_process_destroy(p);
    return 0;
}
