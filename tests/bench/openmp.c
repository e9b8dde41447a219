/* The one file that OpenMP is needed for. */
#include "by_hand.h"

void openmp_map(mp_array_task *task, const void *items, size_t count, size_t item_size,
                void *results, unsigned threads)
{
    const unsigned char *in = items;
    unsigned char *out = results;
#pragma omp parallel for num_threads(threads)
    for (size_t i = 0; i < count; i++)
        bench_check(task(in + i * item_size, out + i * item_size, NULL) == 0);
}
