/* Computes a cube and a square in two processes. The Python original:

# Python multiprocessing example
# importing the multiprocessing module

import multiprocessing
def cube(n):
# This function will print the cube of the given number
print(“The Cube is: {}”.format(n * n * n))

def square(n):
# This function will print the square of the given number
print(“The Square is: {}”.format(n * n))

if __name__ == “__main__”:
# creating two processes
process1 = multiprocessing.Process(target= square, args=(5, ))
process2 = multiprocessing.Process(target= cube, args=(5, ))

# Here we start the process 1
process1.start()
# Here we start process 2

process2.start()

# The join() method is used to wait for process 1 to complete
process1.join()
# It is used to wait for process 1 to complete
process2.join()

# Print if both processes are completed
print(“Both processes are finished”)
*/

#include <mp/mp.h>
#include <stdio.h>

/* Prints the cube of the given number. */
static int cube(void *arg)
{
    const int *n = arg;

    printf("The Cube is: %d\n", *n * *n * *n);
    return 0;
}

/* Prints the square of the given number. */
static int square(void *arg)
{
    const int *n = arg;

    printf("The Square is: %d\n", *n * *n);
    return 0;
}

int main(void)
{
    mp_process *process1;
    mp_process *process2;

    MP_CHECK(mp_process_create(&process1, square, &(int){5}, sizeof(int), NULL));
    MP_CHECK(mp_process_create(&process2, cube, &(int){5}, sizeof(int), NULL));
    MP_CHECK(mp_process_start(process1));
    MP_CHECK(mp_process_start(process2));
    MP_CHECK(mp_process_join(process1, MP_FOREVER));
    MP_CHECK(mp_process_join(process2, MP_FOREVER));
    printf("Both processes are finished\n");
    mp_process_destroy(process1);
    mp_process_destroy(process2);
    return 0;
}
