/* Prints the number of CPUs of the system in a sentence. The Python original:

import multiprocessing
print(“The number of CPU currently working in system : “, multiprocessing.cpu_count())
*/

#include <mp/mp.h>
#include <stdio.h>

int main(void)
{
    printf("The number of CPU currently working in system :  %d\n", MP_CHECK(mp_cpu_count()));
    return 0;
}
