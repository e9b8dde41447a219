/* Connection: sending bytes. */
#include "wire/connection.h"

#include <errno.h>

int mp_connection_send_bytes(mp_connection *c, const void *p, size_t n)
{
    struct mp__stream stream;
    bool torn;
    int rc = mp__connection_enter(c, MP__WAY_OUT, &stream);
    if (rc != 0)
        return rc;
    if (p == NULL && n > 0)
        return mp__fail(MP_EINVAL);
    if (c->torn)
        return mp__failf(-EPIPE, "an earlier message could not be sent to its end");
    rc = mp__frame_send(&stream, p, n, &torn);
    if (rc == 0)
        return 0;
    c->torn = torn;
    return mp__fail(rc);
}
