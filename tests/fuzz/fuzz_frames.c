/* libFuzzer's target for the framing of messages: the bytes are what comes on a connection. */
#include <mp/mp.h>

#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM 65536

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int receive(mp_connection *c, unsigned way)
{
    static unsigned char room[256];
    void *message;
    mp_obj object;
    int rc;
    if (way % 3 == 0)
        return mp_connection_recv_bytes_into(c, room, sizeof room, NULL);
    if (way % 3 == 1) {
        rc = mp_connection_recv_bytes(c, &message, NULL);
        if (rc == 0)
            free(message);
        return rc;
    }
    rc = mp_connection_recv(c, &object);
    if (rc == 0)
        mp_obj_free(&object);
    return rc;
}

/* The first byte says which ways of receiving are tried. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    int fd[2];
    mp_connection *c;
    unsigned way = n > 0 ? bytes[0] : 0;
    if (n > ROOM || socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
        return 0;
    if (n > 1 && write(fd[1], bytes + 1, n - 1) != (ssize_t)n - 1)
        abort();
    close(fd[1]);
    if (mp_connection_create(&c, fd[0], true, (way & 64) != 0) != 0)
        abort();
    if (way & 128)
        (void)mp_connection_set_max_message(c, 100);
    for (;;) {
        int rc = receive(c, way++);
        if (rc == MP_EEOF || rc == MP_ESTATE || rc == MP_ECLOSED)
            break;
    }
    mp_connection_destroy(c);
    return 0;
}
