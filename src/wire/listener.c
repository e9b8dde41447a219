/* Listener: accepting connections, and asking many strangers for the key at once.
 *
 * How it works
 *   Without a key what the door gives is the connection. With one it is a stranger first: it has a
 *   handshake, which goes on whenever there is something to read, and one deadline for all of it.
 *   Accepting is a poll over the door and the strangers, the oldest first, until one of them is
 *   done or has the wrong key. Strangers stay from one call to the next; so whoever accepts in a
 *   loop, whatever it gets, serves them all.
 *   There is room for STRANGERS. When it is full the one that has been asked longest makes room for
 *   who comes next, but not before it had its GRACE, which an honest one needs to answer, and not
 *   once it has proven the key: then it is a stranger no more. Until then who comes waits outside.
 *   The strangers are the process's that took them in, by its pid. A forked child has copies of
 *   their descriptors, which it closes when it next uses the listener.
 *   A death closes all of it; the door's names are the tracker's.
 */
#include "wire/address.h"
#include "wire/frame.h"
#include "wire/handshake.h"
#include "wire/wait.h"

#include <errno.h>
#include <mp/connection.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define LISTENER_MAGIC UINT32_C(0x4d504c53)
#define PATIENCE (5 * MP__SECOND)
#define GRACE (20 * MP__MS)
#define MESSAGE_MOST ((size_t)64 << 20)

enum { STRANGERS = 32 };

struct stranger {
    mp__moment since;
    char peer[MP__ADDRESS_ROOM];
    struct mp__handshake handshake; /* holds the descriptor */
};

struct mp_listener {
    uint32_t magic;
    bool has_key, has_accepted;
    unsigned char *key;
    size_t key_size;
    struct mp__door door;
    char last_accepted[MP__ADDRESS_ROOM];
    pid_t pid;                            /* whose strangers they are */
    size_t n;                             /* strangers */
    struct stranger strangers[STRANGERS]; /* the oldest first */
};

static int fault_of(const mp_listener *l)
{
    if (l == NULL)
        return MP_EINVAL;
    if (l->magic != LISTENER_MAGIC)
        return MP_ETYPE;
    return l->door.fd < 0 ? MP_ECLOSED : 0;
}

static int listener_enter(const mp_listener *l)
{
    int rc = fault_of(l);
    return rc == MP_ECLOSED ? mp__failf(rc, "the listener is closed") : rc == 0 ? 0 : mp__fail(rc);
}

/* ---- strangers ------------------------------------------------------------------------------ */

/* Takes it off the list; the descriptor is the caller's. */
static int stranger_release(mp_listener *l, size_t i)
{
    int fd = l->strangers[i].handshake.fd;
    l->n--;
    memmove(&l->strangers[i], &l->strangers[i + 1], (l->n - i) * sizeof *l->strangers);
    return fd;
}

static void strangers_drop(mp_listener *l)
{
    while (l->n > 0)
        close(stranger_release(l, l->n - 1));
}

static void strangers_own(mp_listener *l)
{
    pid_t pid = getpid();
    if (l->pid != pid)
        strangers_drop(l);
    l->pid = pid;
}

static void strangers_expire(mp_listener *l)
{
    while (l->n > 0 && mp__moment_passed(l->strangers[0].since + PATIENCE))
        close(stranger_release(l, 0));
}

/* Who is to go for the next one; n: nobody, or there is no need. */
static size_t stranger_to_go(const mp_listener *l)
{
    size_t i = 0;
    if (l->n < STRANGERS)
        return l->n;
    while (i < l->n && mp__handshake_is_proven(&l->strangers[i].handshake))
        i++;
    return i;
}

/* When the next one may come in: 0 is now. */
static mp__moment door_opens(const mp_listener *l)
{
    if (l->n < STRANGERS)
        return 0;
    size_t i = stranger_to_go(l);
    return i < l->n ? l->strangers[i].since + GRACE : MP__NEVER;
}

/* ---- accepting ------------------------------------------------------------------------------ */

static int connection_give(mp_listener *l, int fd, const char *peer, mp_connection **out)
{
    mp_connection *c;
    int rc = mp_connection_create(&c, fd, true, true);
    if (rc == 0 && l->has_key)
        rc = mp_connection_set_max_message(c, MESSAGE_MOST);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    memcpy(l->last_accepted, peer, sizeof l->last_accepted);
    l->has_accepted = true;
    *out = c;
    return 1;
}

/* Goes on with one: 1 it is accepted; 0 it stays, or is gone without a word; a code, reported. */
static int stranger_go(mp_listener *l, size_t i, mp_connection **out)
{
    struct stranger *stranger = &l->strangers[i];
    int rc = mp__handshake_go(&stranger->handshake);
    if (rc == 0)
        return 0;
    if (rc == 1) {
        char peer[MP__ADDRESS_ROOM];
        memcpy(peer, stranger->peer, sizeof peer);
        return connection_give(l, stranger_release(l, i), peer, out);
    }
    if (rc == MP_EAUTH)
        mp__failf(rc, "%s", stranger->handshake.why);
    close(stranger_release(l, i));
    return rc == MP_EAUTH ? rc : 0;
}

static int strangers_go(mp_listener *l, const struct pollfd *polled, mp_connection **out)
{
    for (size_t i = 0; i < l->n; polled++) {
        size_t n = l->n;
        int rc = polled->revents != 0 ? stranger_go(l, i, out) : 0;
        if (rc != 0)
            return rc;
        i += l->n == n;
    }
    return 0;
}

/* As stranger_go. */
static int next_take(mp_listener *l, mp_connection **out)
{
    struct mp__address peer;
    int fd = mp__door_take(&l->door, &peer);
    if (fd == -EAGAIN)
        return 0;
    if (fd < 0)
        return mp__fail(fd);
    if (!l->has_key)
        return connection_give(l, fd, peer.text, out);
    size_t goes = stranger_to_go(l);
    if (goes < l->n)
        close(stranger_release(l, goes));
    struct stranger *stranger = &l->strangers[l->n++];
    stranger->since = mp__now();
    memcpy(stranger->peer, peer.text, sizeof stranger->peer);
    mp__handshake_begin(&stranger->handshake, fd, MP__HANDSHAKE_ACCEPT, l->key, l->key_size);
    return stranger_go(l, l->n - 1, out);
}

/* What to poll for: the door while the next one may come in, and all strangers. */
static void listener_polled(const mp_listener *l, struct pollfd polled[1 + STRANGERS])
{
    bool is_open = mp__moment_passed(door_opens(l));
    polled[0] = (struct pollfd){.fd = is_open ? l->door.fd : -1, .events = POLLIN};
    for (size_t i = 0; i < l->n; i++)
        polled[1 + i] = (struct pollfd){.fd = l->strangers[i].handshake.fd, .events = POLLIN};
}

static mp__moment earlier(mp__moment a, mp__moment b)
{
    return a < b ? a : b;
}

static mp__moment turn_end(const mp_listener *l, mp__moment until)
{
    mp__moment opens = door_opens(l);
    if (l->n > 0)
        until = earlier(until, l->strangers[0].since + PATIENCE);
    return mp__moment_passed(opens) ? until : earlier(until, opens);
}

/* Sleeps until somebody has something to say, somebody's time is up, or the caller's; then lets
   all of them go on once. As stranger_go. */
static int listener_turn(mp_listener *l, mp__moment until, mp_connection **out)
{
    struct pollfd polled[1 + STRANGERS];
    strangers_expire(l);
    listener_polled(l, polled);
    size_t count = 1 + l->n;
    int time = mp__poll_time(turn_end(l, until));
    int n = time != 0 && mp__poll_hope(polled, count) ? 1 : poll(polled, (nfds_t)count, time);
    if (n <= 0)
        return n == 0 || errno == EINTR ? 0 : mp__fail(-errno);
    if (polled[0].revents & POLLNVAL)
        return mp__fail(-EBADF);
    int rc = strangers_go(l, polled + 1, out);
    return rc == 0 && polled[0].revents != 0 ? next_take(l, out) : rc;
}

int mp_listener_accept(mp_listener *l, mp_connection **out, double timeout)
{
    mp__moment until;
    int rc = listener_enter(l);
    if (rc != 0)
        return rc;
    rc = out == NULL ? MP_EINVAL : mp__moment_of(timeout, &until);
    if (rc != 0)
        return mp__fail(rc);
    strangers_own(l);
    for (;;) {
        rc = listener_turn(l, until, out);
        if (rc != 0)
            return rc > 0 ? 0 : rc;
        if (mp__moment_passed(until))
            return mp__fail(MP_ETIMEOUT);
    }
}

/* ---- mp_wait -------------------------------------------------------------------------------- */

static bool has_strangers(const mp_listener *l)
{
    return l->n > 0 && l->pid == getpid();
}

/* While there are strangers the socket alone does not tell all: then it is asked in slices. */
static int wait_descriptor(const mp_waitable *item, int *fd)
{
    int rc = fault_of(item->listener);
    if (rc == 0 && !has_strangers(item->listener))
        *fd = item->listener->door.fd;
    return rc;
}

static int wait_ready(const mp_waitable *item)
{
    const mp_listener *l = item->listener;
    struct pollfd polled[1 + STRANGERS];
    int rc = fault_of(l);
    if (rc != 0 || !has_strangers(l))
        return rc;
    listener_polled(l, polled);
    return poll(polled, (nfds_t)(1 + l->n), 0) > 0;
}

static const struct mp__wait_class wait_class = {.ready = wait_ready,
                                                 .descriptor = wait_descriptor};

/* ---- making and ending ---------------------------------------------------------------------- */

static int listener_new(mp_listener **out, const mp_listener_options *options)
{
    mp_listener *l = calloc(1, sizeof *l);
    if (l == NULL)
        return -ENOMEM;
    l->magic = LISTENER_MAGIC;
    l->has_key = options->authkey != NULL;
    l->key_size = options->authkey_len;
    l->key = malloc(l->key_size + 1);
    if (l->key == NULL) {
        free(l);
        return -ENOMEM;
    }
    if (l->has_key)
        memcpy(l->key, options->authkey, l->key_size);
    *out = l;
    return 0;
}

static void listener_free(mp_listener *l)
{
    l->magic = 0;
    free(l->key);
    free(l);
}

int mp_listener_create(mp_listener **out, const char *address, const mp_listener_options *options)
{
    static const mp_listener_options none;
    mp_listener *l;
    if (options == NULL)
        options = &none;
    if (out == NULL || options->backlog < 0 ||
        (options->authkey == NULL && options->authkey_len > 0))
        return mp__fail(MP_EINVAL);
    int rc = listener_new(&l, options);
    if (rc != 0)
        return mp__fail(rc);
    rc = mp__door_open(&l->door, address, options->backlog == 0 ? 1 : options->backlog);
    if (rc != 0) {
        listener_free(l);
        return rc;
    }
    mp__wait_register(MP_WAIT_LISTENER, &wait_class);
    *out = l;
    return 0;
}

int mp_listener_close(mp_listener *l)
{
    int rc = fault_of(l);
    if (rc != 0)
        return rc == MP_ECLOSED ? 0 : mp__fail(rc);
    strangers_drop(l);
    mp__door_close(&l->door);
    return 0;
}

void mp_listener_destroy(mp_listener *l)
{
    if (l == NULL || l->magic != LISTENER_MAGIC)
        return;
    mp_listener_close(l);
    listener_free(l);
}

/* ---- questions ------------------------------------------------------------------------------ */

static bool is_listener(const mp_listener *l)
{
    int rc = fault_of(l);
    if (rc != 0 && rc != MP_ECLOSED)
        mp__fail(rc);
    return rc == 0 || rc == MP_ECLOSED;
}

const char *mp_listener_address(const mp_listener *l)
{
    return is_listener(l) ? l->door.address.text : NULL;
}

const char *mp_listener_last_accepted(const mp_listener *l)
{
    return is_listener(l) && l->has_accepted ? l->last_accepted : NULL;
}

int mp_listener_fileno(mp_listener *l)
{
    int rc = listener_enter(l);
    return rc != 0 ? rc : l->door.fd;
}
