/* Connection: objects as messages.
 *
 * How it works
 *   An object is measured, then encoded into memory for all of it, then sent as bytes are; so a
 *   failure to encode has sent nothing. Small ones need no memory but the stack, on both sides.
 *   What is decoded is one allocation that the message's memory is no part of. Handles of shared
 *   objects go through a pipe of mp_pipe only, whose other end is in the same tree of processes:
 *   a descriptor from elsewhere may lead to anybody.
 */
#include "wire/connection.h"
#include "wire/objects.h"

#include <errno.h>
#include <stdlib.h>

#define SMALL 1024

static unsigned flags_of(const mp_connection *c)
{
    return c->in_tree ? MP__PICKLE_HANDLES : 0;
}

int mp_connection_send(mp_connection *c, mp_obj object)
{
    uint8_t small[SMALL], *p = small;
    struct mp__stream stream;
    size_t n;
    int rc = mp__connection_enter(c, MP__WAY_OUT, &stream);
    if (rc == 0)
        rc = mp__pickle_size(object, MP__PICKLE_PROTOCOL, flags_of(c), &n);
    if (rc != 0)
        return rc;
    if (n > sizeof small)
        p = malloc(n);
    if (p == NULL)
        return mp__fail(-ENOMEM);
    mp__pickle_write(object, MP__PICKLE_PROTOCOL, flags_of(c), p);
    rc = mp_connection_send_bytes(c, p, n);
    if (p != small)
        free(p);
    return rc;
}

int mp_connection_recv(mp_connection *c, mp_obj *out)
{
    uint8_t small[SMALL];
    struct mp__intake in;
    int rc = mp__connection_take(c, small, sizeof small, &in);
    if (rc != 0)
        return rc;
    if (out != NULL)
        rc = mp__pickle_read(out, in.p, in.size, flags_of(c));
    if (in.p != small)
        free(in.p);
    return rc;
}
