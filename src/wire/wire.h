/* What the layers above use of the wire: pickles, the kinds of mp_wait, sockets with addresses,
   authentication, and frames. */
#ifndef MP__WIRE_H
#define MP__WIRE_H

#include "wire/address.h"
#include "wire/frame.h"
#include "wire/handshake.h"
#include "wire/objects.h"
#include "wire/wait.h"

#endif
