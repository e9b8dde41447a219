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
    if (argc < 3) {
        (void)fprintf(stderr, "usage: %s objects.py PEER [COUNT]\n", argv[0]);
        return 2;
    }
    pythons_find(&pythons);
    if (pythons.count == 0) {
        puts("SKIPPED: no python3 from 3.8 on here to exchange objects with");
        return SUPPORT_SKIPPED;
    }
    char seed[32];
    (void)snprintf(seed, sizeof seed, "%" PRIu64, rng_seed() >> 1);
    const char *const args[] = {argv[1], argv[2], seed, argc > 3 ? argv[3] : "2000", NULL};
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
