/* Includes a header that is not rooted at src. */
#include "inner.h"
