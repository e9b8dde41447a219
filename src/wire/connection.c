/* Connection: making one, its descriptor, its directions, and its end.
 *
 * How it works
 *   The object is a descriptor and two flags in private memory. A forked child has a copy of all
 *   of it, which works as the original does and closes only the child's descriptor. What is kept
 *   after MP_ETOOSHORT is the one thing that must not be copied, as two processes would receive
 *   it: it bears the pid of its process, and is nothing in any other.
 *   A death leaves the descriptors to the kernel, which closes them; nothing else is shared.
 */
#include "wire/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_connection(const mp_connection *c)
{
    return c != NULL && c->magic == MP__CONNECTION_MAGIC;
}

static int fault_of(const mp_connection *c)
{
    if (c == NULL)
        return MP_EINVAL;
    return c->magic != MP__CONNECTION_MAGIC ? MP_ETYPE : 0;
}

int mp__connection_enter(mp_connection *c, enum mp__way way, struct mp__stream *stream)
{
    int rc = fault_of(c);
    *stream = (struct mp__stream){.fd = -1};
    if (rc != 0)
        return mp__fail(rc);
    /* relaxed: whoever closes while another thread is inside is outside the contract anyway */
    int fd = atomic_load_explicit(&c->fd, memory_order_relaxed);
    if (fd < 0)
        return mp__failf(MP_ECLOSED, "the connection is closed");
    if (way == MP__WAY_IN && !atomic_load_explicit(&c->readable, memory_order_relaxed))
        return mp__failf(MP_ESTATE, "this end of the connection receives nothing");
    if (way == MP__WAY_OUT && !atomic_load_explicit(&c->writable, memory_order_relaxed))
        return mp__failf(MP_ESTATE, "this end of the connection sends nothing");
    *stream = (struct mp__stream){fd, c->is_socket, &c->hope};
    return 0;
}

bool mp__connection_has_kept(const mp_connection *c)
{
    return c->keeper != 0 && c->kept.have == c->kept.size && c->keeper == getpid();
}

void mp__connection_drop_kept(mp_connection *c)
{
    free(c->kept.p);
    c->kept = (struct mp__intake){0};
    c->keeper = 0;
}

/* ---- making -------------------------------------------------------------------------------- */

static mp_connection *connection_new(int fd, bool readable, bool writable, bool is_socket)
{
    mp_connection *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->magic = MP__CONNECTION_MAGIC;
    c->is_socket = is_socket;
    atomic_init(&c->fd, fd);
    atomic_init(&c->readable, readable);
    atomic_init(&c->writable, writable);
    c->max_message = SIZE_MAX;
    return c;
}

int mp_connection_create(mp_connection **out, int fd, bool readable, bool writable)
{
    struct stat status;
    if (out == NULL || fd < 0 || (!readable && !writable))
        return mp__fail(MP_EINVAL);
    if (fstat(fd, &status) != 0)
        return mp__fail(-errno);
    mp_connection *c = connection_new(fd, readable, writable, S_ISSOCK(status.st_mode));
    if (c == NULL)
        return mp__fail(-ENOMEM);
    *out = c;
    return 0;
}

static int ends_open(int fd[2], bool duplex)
{
    return duplex ? mp__socket_pair(fd) : mp__pipe_open(fd);
}

int mp_pipe(mp_connection **a, mp_connection **b, bool duplex)
{
    int fd[2];
    if (a == NULL || b == NULL || a == b)
        return mp__fail(MP_EINVAL);
    int rc = ends_open(fd, duplex);
    if (rc != 0)
        return mp__fail(rc);
    mp_connection *first = connection_new(fd[0], true, duplex, duplex);
    mp_connection *second = connection_new(fd[1], duplex, true, duplex);
    if (first == NULL || second == NULL) {
        free(first);
        free(second);
        close(fd[0]);
        close(fd[1]);
        return mp__fail(-ENOMEM);
    }
    first->in_tree = second->in_tree = true;
    *a = first;
    *b = second;
    return 0;
}

/* ---- the end ------------------------------------------------------------------------------- */

static void connection_shut(mp_connection *c)
{
    int fd = atomic_exchange(&c->fd, -1);
    mp__connection_drop_kept(c);
    if (fd >= 0)
        close(fd); /* whatever it answers, the descriptor is gone */
}

int mp_connection_close(mp_connection *c)
{
    int rc = fault_of(c);
    if (rc != 0)
        return mp__fail(rc);
    connection_shut(c);
    return 0;
}

void mp_connection_destroy(mp_connection *c)
{
    if (!is_connection(c))
        return;
    connection_shut(c);
    c->magic = 0;
    free(c);
}

int mp_connection_detach(mp_connection *c)
{
    struct mp__stream stream;
    int rc = mp__connection_enter(c, MP__WAY_NONE, &stream);
    if (rc != 0)
        return rc;
    if (c->keeper != 0 && c->keeper == getpid())
        return mp__failf(MP_ESTATE, "a message has been kept for the next receive");
    atomic_store(&c->fd, -1);
    mp__connection_drop_kept(c);
    return stream.fd;
}

void mp__connection_end_input(mp_connection *c)
{
    if (atomic_load(&c->writable))
        atomic_store(&c->readable, false);
    else
        connection_shut(c);
}

/* ---- questions ------------------------------------------------------------------------------ */

int mp_connection_fileno(const mp_connection *c)
{
    struct mp__stream stream;
    int rc = mp__connection_enter((mp_connection *)(uintptr_t)c, MP__WAY_NONE, &stream);
    return rc != 0 ? rc : stream.fd;
}

bool mp_connection_closed(const mp_connection *c)
{
    return !is_connection(c) || atomic_load(&c->fd) < 0;
}

bool mp_connection_readable(const mp_connection *c)
{
    return is_connection(c) && atomic_load(&c->readable);
}

bool mp_connection_writable(const mp_connection *c)
{
    return is_connection(c) && atomic_load(&c->writable);
}

int mp_connection_set_max_message(mp_connection *c, size_t n)
{
    struct mp__stream stream;
    int rc = mp__connection_enter(c, MP__WAY_IN, &stream);
    if (rc == 0)
        c->max_message = n;
    return rc;
}

int mp_connection_poll(mp_connection *c, double timeout)
{
    struct mp__stream stream;
    mp__moment until;
    int rc = mp__connection_enter(c, MP__WAY_IN, &stream);
    if (rc != 0)
        return rc;
    rc = mp__moment_of(timeout, &until);
    if (rc != 0)
        return mp__fail(rc);
    if (mp__connection_has_kept(c))
        return 1;
    rc = mp__stream_await(stream.fd, POLLIN, until);
    return rc < 0 ? mp__fail(rc) : rc;
}
