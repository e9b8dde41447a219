/* What the layers above use of the wire: pickles, and the kinds of mp_wait. */
#ifndef MP__WIRE_H
#define MP__WIRE_H

#include "wire/objects.h"
#include "wire/wait.h"

#endif
