/* Lets a child process print a line. The Python original:

import multiprocessing

def worker():
    print("Worker process")

if __name__ == '__main__':
    process = multiprocessing.Process(target=worker)
    process.start()
    process.join()
*/

#include <mp/mp.h>
#include <stdio.h>

static int worker(void *arg)
{
    (void)arg;
    printf("Worker process\n");
    return 0;
}

int main(void)
{
    mp_process *process;

    MP_CHECK(mp_process_create(&process, worker, NULL, 0, NULL));
    MP_CHECK(mp_process_start(process));
    MP_CHECK(mp_process_join(process, MP_FOREVER));
    mp_process_destroy(process);
    return 0;
}
