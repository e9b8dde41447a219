/* Includes a layer above its own. */
#include "sync/sync.h"
