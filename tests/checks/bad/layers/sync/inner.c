/* Reaches behind the main header of another folder. */
#include "sync/inner.h"
#include "memory/heap.h"
