/* Keeps to every rule. */
#include "base/base.h"
#include "memory/memory.h"

#include <stddef.h>
