/* Client: connecting to a listener, and the two halves of the authentication alone. */
#include "wire/address.h"
#include "wire/connection.h"
#include "wire/handshake.h"

#include <errno.h>
#include <unistd.h>

static int handshake_fail(const struct mp__handshake *h, int rc)
{
    switch (rc) {
    case MP_EAUTH:
        return mp__failf(rc, "%s", h->why);
    case MP_EEOF:
        return mp__failf(rc, "the other side hung up during the authentication");
    default:
        return mp__fail(rc);
    }
}

static int client_authenticate(int fd, const mp_client_options *options, mp__moment until)
{
    struct mp__handshake h;
    mp__handshake_begin(&h, fd, MP__HANDSHAKE_CONNECT, options->authkey, options->authkey_len);
    int rc = mp__handshake_run(&h, until);
    return rc == 0 ? 0 : handshake_fail(&h, rc == -EPIPE ? MP_EEOF : rc);
}

int mp_client(mp_connection **out, const char *address, const mp_client_options *options,
              double timeout)
{
    struct mp__address there;
    mp__moment until;
    bool has_key = options != NULL && options->authkey != NULL;
    if (out == NULL || address == NULL || (options != NULL && !has_key && options->authkey_len > 0))
        return mp__fail(MP_EINVAL);
    int rc = mp__moment_of(timeout, &until);
    if (rc != 0)
        return mp__fail(rc);
    rc = mp__address_parse(&there, address);
    if (rc != 0)
        return rc;
    int fd = mp__address_connect(&there, until);
    if (fd < 0)
        return mp__failf(fd, "connecting to '%s'", address);
    if (has_key)
        rc = client_authenticate(fd, options, until);
    if (rc == 0)
        rc = mp_connection_create(out, fd, true, true);
    if (rc != 0)
        close(fd);
    return rc;
}

/* One half, on a connection that goes both ways and has nothing kept. */
static int half_run(mp_connection *c, enum mp__handshake_part part, const void *key, size_t n)
{
    struct mp__handshake h;
    struct mp__stream stream;
    int rc = mp__connection_enter(c, MP__WAY_IN, &stream);
    if (rc == 0)
        rc = mp__connection_enter(c, MP__WAY_OUT, &stream);
    if (rc != 0)
        return rc;
    if (key == NULL && n > 0)
        return mp__fail(MP_EINVAL);
    if (c->keeper != 0 && c->keeper == getpid())
        return mp__failf(MP_ESTATE, "a message has been kept for the next receive");
    if (c->torn)
        return mp__failf(-EPIPE, "an earlier message could not be sent to its end");
    mp__handshake_begin(&h, stream.fd, part, key, n);
    rc = mp__handshake_run(&h, MP__NEVER);
    if (h.is_lost)
        mp__connection_end_input(c);
    return rc == 0 ? 0 : handshake_fail(&h, rc);
}

int mp_answer_challenge(mp_connection *c, const void *authkey, size_t n)
{
    return half_run(c, MP__HANDSHAKE_ANSWER, authkey, n);
}

int mp_deliver_challenge(mp_connection *c, const void *authkey, size_t n)
{
    return half_run(c, MP__HANDSHAKE_CHALLENGE, authkey, n);
}
