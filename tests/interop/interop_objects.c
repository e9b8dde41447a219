/* Every Python here and libmp read each other's pickles of random objects and print them alike.
 *
 *   interop_objects <objects.py> <peer> [count]
 */
#include "pythons.h"

#include "support/support.h"

#include <inttypes.h>
#include <string.h>

int main(int argc, char **argv)
{
    static struct pythons pythons;
    const char *script = pythons_begin(&pythons, argc, argv);
    check(argc > 2); /* the other program */
    char seed[32];
    (void)snprintf(seed, sizeof seed, "%" PRIu64, rng_seed() >> 1);
    const char *const args[] = {script, argv[2], seed, argc > 3 ? argv[3] : "2000", NULL};
    int failed = 0;
    for (size_t i = 0; i < pythons.count; i++) {
        (void)fflush(stdout);
        int status = python_run(pythons.path[i], args);
        if (status != 0) {
            printf("FAILED: %s with seed %s: status %d\n", pythons.path[i], seed, status);
            failed = 1;
        }
    }
    return failed;
}
