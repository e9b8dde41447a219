/* libFuzzer's target for pickles. */
#include "one_pickle.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const uint8_t nothing;
    (void)one_pickle(n > 0 ? bytes : &nothing, n);
    return 0;
}
