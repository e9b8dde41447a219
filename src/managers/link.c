/* Links: connections to a server, what goes over them, and whose they are.
 *
 * How it works
 *   A request is encoded into the link's buffer with its head and sent at once; the answer comes
 *   into the same buffer, usually in one read, for one request at a time is under way. The first
 *   read looks for a while before it sleeps, as far as that pays.
 *   The links of a thread hang on a list that a key of its own closes when the thread ends.
 *
 *   Globals: that key; nothing else.
 */
#include "managers/hub.h"

#include "managers/server.h"
#include "wire/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM_FIRST = 4096, ROOM_KEPT = 1 << 20, STEP = 1 << 18 };

/* ---- opening and closing -------------------------------------------------------------------- */

static int shake(const struct mp__link *link, mp__moment until)
{
    struct mp__handshake handshake;
    mp__handshake_begin(&handshake, link->fd, MP__HANDSHAKE_CONNECT, link->hub->key,
                        link->hub->key_size);
    int rc = mp__handshake_run(&handshake, until);
    return rc == -EPIPE ? MP_EEOF : rc;
}

static void options_set(const struct mp__link *link)
{
    int on = 1;
    if (link->hub->address.any.sa_family != AF_INET)
        return;
    (void)setsockopt(link->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

int mp__link_open(struct mp__link *link, mp__moment until)
{
    mp__hubs_lock(); /* a fork comes before or after: no child has a copy that is not listed */
    int fd = mp__address_socket(&link->hub->address);
    link->fd = fd < 0 ? -1 : fd;
    mp__hubs_unlock();
    if (fd < 0)
        return fd;
    int rc = mp__address_join(fd, &link->hub->address, until);
    options_set(link);
    if (rc == 0)
        rc = shake(link, until);
    if (rc != 0)
        mp__link_close(link);
    return rc;
}

bool mp__link_has_ended(const struct mp__link *link)
{
    char byte;
    return link->fd >= 0 && recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void mp__link_close(struct mp__link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}

/* ---- requests and answers ------------------------------------------------------------------- */

static int room_make(struct mp__link *link, size_t n)
{
    if (n <= link->room && (link->room <= ROOM_KEPT || n > ROOM_KEPT))
        return 0;
    size_t room = n < ROOM_FIRST ? ROOM_FIRST : n;
    unsigned char *buffer = realloc(link->buffer, room);
    if (buffer == NULL)
        return mp__fail(-ENOMEM);
    link->buffer = buffer;
    link->room = room;
    return 0;
}

/* Both sides of a broken connection look alike: what served is no more. */
static int broken(const struct mp__link *link, const char *what)
{
    if (atomic_load(&link->hub->is_closed))
        return mp__failf(MP_ECLOSED, "the manager was shut down");
    return mp__failf(MP_EDIED, "the server at %s %s", link->hub->address.text, what);
}

static int request_encode(struct mp__link *link, const mp_obj request[4], size_t *size)
{
    mp_obj tuple = mp_obj_tuple(request, 4);
    size_t n;
    int rc = mp__pickle_size(tuple, MP__PICKLE_PROTOCOL, MP__PICKLE_OPAQUE, &n);
    if (rc == 0 && n > MP__REQUEST_MOST && atomic_load(&link->hub->is_libmp))
        rc = mp__failf(MP_EOVERFLOW, "a request of %zu bytes, a server takes %d", n,
                       MP__REQUEST_MOST);
    if (rc == 0)
        rc = room_make(link, n + MP__FRAME_HEAD_MOST);
    if (rc != 0)
        return rc;
    size_t head = mp__frame_head(link->buffer, n);
    mp__pickle_write(tuple, MP__PICKLE_PROTOCOL, MP__PICKLE_OPAQUE, link->buffer + head);
    *size = head + n;
    return 0;
}

static int all_send(const struct mp__link *link, const unsigned char *p, size_t n)
{
    while (n > 0) {
        ssize_t some = send(link->fd, p, n, MSG_NOSIGNAL);
        if (some < 0) {
            int rc = mp__stream_retry(link->fd, POLLOUT);
            if (rc != 0)
                return rc;
            continue;
        }
        p += some;
        n -= (size_t)some;
    }
    return 0;
}

static int some_receive(const struct mp__link *link, unsigned char *p, size_t n, mp__moment until,
                        size_t *got)
{
    for (;;) {
        if (until != MP__NEVER && mp__stream_await(link->fd, POLLIN, until) == 0)
            return MP_ETIMEOUT;
        ssize_t some = recv(link->fd, p, n, 0);
        if (some > 0) {
            *got = (size_t)some;
            return 0;
        }
        int rc = some == 0 ? MP_EEOF : mp__stream_retry(link->fd, POLLIN);
        if (rc != 0)
            return rc;
    }
}

static size_t big_endian(const unsigned char *p, size_t n)
{
    size_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | p[i];
    return value;
}

/* How many bytes the message that begins here has, head included; 0: too few are there to tell. */
static int message_end(const unsigned char *p, size_t have, size_t *head, size_t *end)
{
    *end = 0;
    if (have < 4)
        return 0;
    size_t size = big_endian(p, 4);
    *head = 4;
    if (size == UINT32_MAX) {
        *head = MP__FRAME_HEAD_MOST;
        if (have < MP__FRAME_HEAD_MOST)
            return 0;
        size = big_endian(p + 4, 8);
    } else if (size > MP__FRAME_SHORT_MOST) {
        return MP_EOVERFLOW;
    }
    if (size >= (size_t)PTRDIFF_MAX - MP__FRAME_HEAD_MOST)
        return MP_EOVERFLOW;
    *end = *head + size;
    return 0;
}

/* The answer's bytes, in the buffer from *head to *end. Memory grows with what has come. */
static int answer_receive(struct mp__link *link, size_t *head, size_t *end, mp__moment until)
{
    struct mp__stream stream = {link->fd, true, &link->hope};
    int rc = room_make(link, ROOM_FIRST);
    size_t have = rc == 0 ? mp__stream_hope(&stream, link->buffer, link->room) : 0, got;
    while (rc == 0) {
        rc = message_end(link->buffer, have, head, end);
        if (rc != 0 || (*end != 0 && have >= *end))
            break;
        if (have == link->room)
            rc = room_make(link, *end - have > STEP ? have + (have > STEP ? have : STEP) : *end);
        if (rc == 0)
            rc = some_receive(link, link->buffer + have, link->room - have, until, &got);
        have += rc == 0 ? got : 0;
        if (rc == 0 && link->hub->address.any.sa_family == AF_INET)
            mp__fd_acknowledge(link->fd);
    }
    return rc == 0 && have > *end ? MP_EOVERFLOW : rc;
}

static int answer_decode(const struct mp__link *link, size_t head, size_t end, mp_obj *answer)
{
    const unsigned char *p = link->buffer + head;
    int rc = mp__pickle_read(answer, p, end - head, 0);
    if (rc == MP_EPICKLE) /* an exception, mostly */
        rc = mp__pickle_read(answer, p, end - head, MP__PICKLE_OPAQUE);
    if (rc != 0)
        return rc;
    if ((answer->type != MP_TYPE_TUPLE && answer->type != MP_TYPE_LIST) || answer->len != 2 ||
        answer->items[0].type != MP_TYPE_STR) {
        mp_obj_free(answer);
        return mp__failf(MP_EREMOTE, "the server's answer is none of the protocol");
    }
    return 0;
}

int mp__link_ask(struct mp__link *link, const mp_obj request[4], mp_obj *answer, mp__moment until)
{
    size_t n, head, end;
    int rc = request_encode(link, request, &n);
    if (rc != 0)
        return rc;
    rc = all_send(link, link->buffer, n);
    if (rc == 0 || rc == -EPIPE) /* it may have said something before it closed */
        rc = answer_receive(link, &head, &end, until);
    if (rc == 0)
        return answer_decode(link, head, end, answer);
    mp__link_close(link);
    if (rc == MP_ETIMEOUT || rc == -ENOMEM)
        return mp__fail(rc);
    return broken(link, rc == MP_EEOF || rc == -EPIPE ? "closed the connection" : mp_strerror(rc));
}

int mp__link_tell(struct mp__link *link, const mp_obj request[4])
{
    size_t n;
    int rc = request_encode(link, request, &n);
    if (rc != 0)
        return rc;
    ssize_t sent = send(link->fd, link->buffer, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0 && (size_t)sent < n) /* the rest has to follow, or nothing can */
        return all_send(link, link->buffer + sent, n - (size_t)sent);
    return sent < 0 ? -errno : 0;
}

int mp__link_greet(struct mp__link *link, char what, struct mp__greeting *greeting,
                   mp__moment until)
{
    char name[320];
    mp_obj args[1], answer, value;
    snprintf(name, sizeof name, "%s|libmp:%016" PRIx64 ":%c", mp__self_name(), link->hub->token,
             what);
    args[0] = mp_obj_str(name);
    mp_obj request[4] = {mp_obj_none(), mp_obj_str("accept_connection"), mp_obj_tuple(args, 1),
                         mp_obj_dict(NULL, 0)};
    int rc = mp__link_ask(link, request, &answer, until);
    if (rc == 0)
        rc = mp__answer_take(link->hub, &answer, &value);
    if (rc != 0) {
        mp__link_close(link);
        return rc;
    }
    greeting->is_libmp = value.type == MP_TYPE_STR && strncmp(value.s, "libmp", 5) == 0;
    greeting->is_lent = greeting->is_libmp && strcmp(value.s, "libmp lent") == 0;
    mp_obj_free(&value);
    return 0;
}

/* ---- the links of a thread ------------------------------------------------------------------ */

struct mp__links {
    struct mp__link *first;
};

static _Thread_local struct mp__links my_links;
static pthread_key_t links_key;
static pthread_once_t links_once = PTHREAD_ONCE_INIT;
static bool has_key;

/* Takes a link out of its hub's list; under the lock. */
static void link_unlist(struct mp__link *link)
{
    struct mp__link **at = &link->hub->links;
    while (*at != NULL && *at != link)
        at = &(*at)->next;
    if (*at != NULL)
        *at = link->next;
}

static void link_free(struct mp__link *link)
{
    mp__link_close(link);
    free(link->buffer);
    free(link);
}

static void links_end(void *arg)
{
    struct mp__links *links = arg;
    mp__hubs_lock();
    while (links->first != NULL) {
        struct mp__link *link = links->first;
        links->first = link->of_next;
        link_unlist(link);
        link_free(link);
    }
    mp__hubs_unlock();
}

static void key_make(void)
{
    has_key = pthread_key_create(&links_key, links_end) == 0;
}

/* All links of a hub that nobody uses any more; under the lock. */
void mp__links_free(struct mp__hub *hub)
{
    while (hub->links != NULL) {
        struct mp__link *link = hub->links;
        struct mp__link **at = link->is_orphan ? NULL : &link->of->first;
        hub->links = link->next;
        while (at != NULL && *at != NULL && *at != link)
            at = &(*at)->of_next;
        if (at != NULL && *at != NULL)
            *at = link->of_next;
        link_free(link);
    }
}

void mp__links_inherit(struct mp__hub *hub)
{
    for (struct mp__link *link = hub->links; link != NULL; link = link->next) {
        mp__link_close(link);
        link->is_orphan |= link->of != &my_links;
    }
    mp__link_close(&hub->session);
    hub->session.buffer = NULL; /* another thread may have been about to replace it */
    hub->session.room = 0;
}

static struct mp__link *link_find(const struct mp__hub *hub)
{
    mp__hubs_lock();
    struct mp__link *link = my_links.first;
    while (link != NULL && link->hub != hub)
        link = link->of_next;
    mp__hubs_unlock();
    return link;
}

struct mp__link *mp__link_add(struct mp__hub *hub)
{
    pthread_once(&links_once, key_make);
    struct mp__link *link = has_key ? calloc(1, sizeof *link) : NULL;
    if (link == NULL || pthread_setspecific(links_key, &my_links) != 0) {
        free(link);
        return NULL;
    }
    link->hub = hub;
    link->fd = -1;
    link->of = &my_links;
    mp__hubs_lock();
    link->of_next = my_links.first;
    my_links.first = link;
    link->next = hub->links;
    hub->links = link;
    mp__hubs_unlock();
    return link;
}

struct mp__link *mp__link_add_alone(struct mp__hub *hub)
{
    struct mp__link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    link->hub = hub;
    link->fd = -1;
    link->is_orphan = true;
    mp__hubs_lock();
    link->next = hub->links;
    hub->links = link;
    mp__hubs_unlock();
    return link;
}

void mp__link_remove(struct mp__link *link)
{
    mp__hubs_lock();
    link_unlist(link);
    mp__hubs_unlock();
    link_free(link);
}

bool mp__link_mine_has_ended(const struct mp__hub *hub)
{
    const struct mp__link *link = link_find(hub);
    return link != NULL && mp__link_has_ended(link);
}

int mp__link_mine(struct mp__hub *hub, struct mp__link **out)
{
    struct mp__greeting greeting;
    struct mp__link *link = link_find(hub);
    if (link == NULL)
        link = mp__link_add(hub);
    if (link == NULL)
        return mp__fail(-ENOMEM);
    *out = link;
    if (link->fd >= 0)
        return 0;
    int rc = mp__link_open(link, MP__NEVER);
    if (rc != 0)
        return mp__hub_unreachable(hub, rc);
    return mp__link_greet(link, 'c', &greeting, MP__NEVER);
}
