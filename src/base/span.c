/* Time spans and sizes: arithmetic that saturates or refuses instead of overflowing. */
#include "base/base.h"

#include <math.h>

int mp__span_of(double seconds, int64_t *span)
{
    if (isnan(seconds))
        return MP_EINVAL;
    if (seconds <= 0)
        *span = 0;
    else if (seconds >= (double)(INT64_MAX / MP__SECOND))
        *span = MP__NEVER;
    else
        *span = (int64_t)(seconds * (double)MP__SECOND);
    if (seconds > 0 && *span == 0)
        *span = 1;
    return 0;
}

bool mp__size_mul(size_t a, size_t b, size_t *product)
{
    if (b != 0 && a > SIZE_MAX / b)
        return false;
    *product = a * b;
    return true;
}

bool mp__size_add(size_t a, size_t b, size_t *sum)
{
    if (a > SIZE_MAX - b)
        return false;
    *sum = a + b;
    return true;
}
