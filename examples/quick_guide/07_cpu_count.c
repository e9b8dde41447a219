/* Prints the number of CPUs of the machine. The Python original:

from multiprocessing import cpu_count
print(cpu_count()) # Returns the number of CPUs on the machine
*/

#include <mp/mp.h>
#include <stdio.h>

int main(void)
{
    printf("%d\n", MP_CHECK(mp_cpu_count()));
    return 0;
}
