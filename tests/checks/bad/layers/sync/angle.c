/* Includes an internal header as if it were public. */
#include <base/base.h>
