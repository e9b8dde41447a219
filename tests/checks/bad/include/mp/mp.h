/* Leaves out a header. */
#include "not_cxx.h"
#include "not_twice.h"
#include "symbols.h"
#include "warns.h"
