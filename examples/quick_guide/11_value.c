/* Counts ten processes in a shared value. The Python original:

from multiprocessing import Process, Value

def increment(val):
    with val.get_lock():
        val.value += 1

shared_val = Value('i', 0)
processes = [Process(target=increment, args=(shared_val,)) for _ in range(10)]
for p in processes:
    p.start()
for p in processes:
    p.join()
print(shared_val.value) # Output will be 10
*/

#include <mp/mp.h>
#include <stdio.h>

static int increment(void *arg)
{
    mp_value *val = arg;

    MP_WITH_VALUE(val) {
        MP_VALUE(int, val) += 1;
    }
    return 0;
}

int main(void)
{
    mp_value *shared_val;
    mp_process *processes[10];

    MP_CHECK(mp_value_create(&shared_val, 'i', &(int){0}));
    for (int i = 0; i < 10; i++) {
        MP_CHECK(mp_process_create(&processes[i], increment, shared_val, 0, NULL));
    }
    for (int i = 0; i < 10; i++) {
        MP_CHECK(mp_process_start(processes[i]));
    }
    for (int i = 0; i < 10; i++) {
        MP_CHECK(mp_process_join(processes[i], MP_FOREVER));
        mp_process_destroy(processes[i]);
    }
    printf("%d\n", MP_VALUE(int, shared_val));
    mp_value_destroy(shared_val);
    return 0;
}
