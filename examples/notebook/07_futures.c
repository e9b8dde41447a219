/* Submits tasks to an executor, waits for their futures, prints the results. The Python original:

import concurrent.futures
import time

def worker_function(number):
    """A function that takes a long time to run."""
    print(f"worker_function({number}) starting")
    time.sleep(number)
    print(f"worker_function({number}) finished")
    return number

if __name__ == "__main__":
    # Create a list of input values
    inputs = [5, 2, 1, 3]

    # Use the ProcessPoolExecutor to execute the worker_function asynchronously using multiple processes
    with concurrent.futures.ProcessPoolExecutor() as executor:
        # Submit the worker_function to be executed with each of the input values
        futures = [executor.submit(worker_function, number) for number in inputs]

        # Wait for all futures to finish
        concurrent.futures.wait(futures)

    # Print the results
    for future in futures:
        result = future.result()
        print(f"Result: {result}")
*/

#include <mp/mp.h>
#include <stdio.h>

/* Takes a long time to run. */
static int worker_function(mp_obj arg, mp_obj *result)
{
    int number;

    if (mp_obj_unpack(arg, "i", &number) != 0) {
        return mp_task_fail(1, "not a number");
    }
    printf("worker_function(%d) starting\n", number);
    mp_sleep(number);
    printf("worker_function(%d) finished\n", number);
    *result = MP(number);
    return 0;
}

int main(void)
{
    static const int inputs[] = {5, 2, 1, 3};
    mp_executor *executor;
    mp_future *futures[4];
    mp_obj result;

    setvbuf(stdout, NULL, _IOLBF, 0); /* each line is seen when it is printed */
    MP_CHECK(mp_executor_create(&executor, 0, NULL));
    MP_WITH_EXECUTOR(executor) {
        for (int i = 0; i < 4; i++) {
            MP_CHECK(mp_executor_submit(executor, worker_function, MP(inputs[i]), &futures[i]));
        }
        MP_CHECK(mp_futures_wait(futures, 4, MP_ALL_COMPLETED, NULL, MP_FOREVER));
    }
    mp_executor_destroy(executor);

    for (int i = 0; i < 4; i++) {
        MP_CHECK(mp_future_result(futures[i], &result, MP_FOREVER));
        printf("Result: ");
        mp_obj_println(result, stdout);
        mp_obj_free(&result);
        mp_future_destroy(futures[i]);
    }
    return 0;
}
