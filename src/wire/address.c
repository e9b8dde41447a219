/* Addresses: text, the system's form and Python's, and connecting to one.
 *
 * How it works
 *   The text is the one form that all others are made from and into; the first that fits decides:
 *   "@name" is abstract, "\\..." a pipe of Windows, which is refused, a text with a slash a path,
 *   "host:port" TCP, and what has no colon a path again. A path that does not look like one, as
 *   another side may name it, gets "./" in front, so that the text means the same here.
 *   A socket in the file system whose backlog is full tells nobody when there is room again: there
 *   the system itself waits, with a time limit, in place of a poll.
 */
#include "wire/address.h"
#include "wire/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#define PATH_AT offsetof(struct sockaddr_un, sun_path)
#define PATH_ROOM sizeof(((struct sockaddr_un *)NULL)->sun_path)
#define PORT_DIGITS 5

static int no_address(const char *text, const char *why)
{
    return mp__failf(MP_EINVAL, "'%.*s' is no address: %s", MP__ADDRESS_ROOM, text, why);
}

/* ---- from text ------------------------------------------------------------------------------ */

static int un_parse(struct mp__address *address, const char *name, size_t at)
{
    size_t n = strlen(name), end = at == 0; /* an abstract name has no end but the size */
    if (at + n + end > PATH_ROOM)
        return mp__failf(-ENAMETOOLONG, "a socket's path has less than %zu bytes", PATH_ROOM);
    address->un.sun_family = AF_UNIX;
    memcpy(address->un.sun_path + at, name, n);
    address->size = (socklen_t)(PATH_AT + at + n + end);
    return 0;
}

static int abstract_parse(struct mp__address *address, const char *text)
{
    if (!MP__HAS_ABSTRACT_NAMES)
        return no_address(text, "abstract ones are Linux's");
    return un_parse(address, text + 1, 1);
}

/* The digits at the end. */
static bool port_read(const char *digits, unsigned *port)
{
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > PORT_DIGITS || digits[n] != '\0')
        return false;
    *port = (unsigned)strtoul(digits, NULL, 10);
    return *port <= UINT16_MAX;
}

static int host_fault(const char *host, int fault)
{
    if (fault == EAI_SYSTEM)
        return mp__failf(-errno, "looking up '%s'", host);
    if (fault == EAI_MEMORY)
        return mp__fail(-ENOMEM);
    return mp__failf(-EHOSTUNREACH, "looking up '%s': %s", host, gai_strerror(fault));
}

static int host_find(const char *host, struct in_addr *found)
{
    struct addrinfo *list, wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    if (*host == '\0')
        found->s_addr = htonl(INADDR_ANY);
    if (*host == '\0' || inet_pton(AF_INET, host, found) == 1)
        return 0;
    int fault = getaddrinfo(host, NULL, &wanted, &list);
    if (fault != 0)
        return host_fault(host, fault);
    *found = ((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_addr;
    freeaddrinfo(list);
    return 0;
}

static int inet_parse(struct mp__address *address, const char *text, const char *colon)
{
    char host[MP__ADDRESS_ROOM];
    unsigned port;
    size_t n = (size_t)(colon - text);
    if (!port_read(colon + 1, &port))
        return no_address(text, "host:port is meant, and a port is 0 to 65535");
    if (memchr(text, ':', n) != NULL)
        return no_address(text, "a host has no colon");
    memcpy(host, text, n);
    host[n] = '\0';
    address->in.sin_family = AF_INET;
    address->in.sin_port = htons((uint16_t)port);
    address->size = sizeof address->in;
    return host_find(host, &address->in.sin_addr);
}

int mp__address_parse(struct mp__address *address, const char *text)
{
    memset(address, 0, sizeof *address);
    size_t n = strlen(text);
    if (n >= sizeof address->text)
        return mp__failf(-ENAMETOOLONG, "an address of %zu bytes", n);
    memcpy(address->text, text, n + 1);
    const char *colon = strrchr(text, ':');
    if (n == 0)
        return no_address(text, "it is empty");
    if (*text == '@')
        return abstract_parse(address, text);
    if (strncmp(text, "\\\\", 2) == 0)
        return no_address(text, "that is a pipe of Windows");
    if (strchr(text, '/') == NULL && colon != NULL)
        return inet_parse(address, text, colon);
    return un_parse(address, text, 0);
}

/* ---- to text and back ----------------------------------------------------------------------- */

static bool needs_slash(const char *p, size_t n)
{
    return memchr(p, '/', n) == NULL && (*p == '@' || memchr(p, ':', n) != NULL);
}

/* Of a path of n bytes, or of an abstract name, which begins with a NUL. */
static bool un_text(char text[MP__ADDRESS_ROOM], const char *p, size_t n)
{
    bool is_abstract = n > 0 && *p == '\0';
    const char *before = is_abstract ? "@" : n > 0 && needs_slash(p, n) ? "./" : "";
    if (memchr(p + is_abstract, '\0', n - is_abstract) != NULL || n > PATH_ROOM)
        return false;
    snprintf(text, MP__ADDRESS_ROOM, "%s%.*s", before, (int)(n - is_abstract), p + is_abstract);
    return true;
}

void mp__address_from_system(struct mp__address *address, const struct sockaddr *from,
                             socklen_t size)
{
    char host[INET_ADDRSTRLEN] = "";
    memset(address, 0, sizeof *address);
    address->size = size < sizeof address->un ? size : (socklen_t)sizeof address->un;
    memcpy(&address->any, from, address->size);
    if (size >= sizeof address->in && address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->in.sin_addr, host, sizeof host);
        snprintf(address->text, sizeof address->text, "%s:%u", host,
                 (unsigned)ntohs(address->in.sin_port));
    } else if (size > PATH_AT && address->any.sa_family == AF_UNIX) {
        const char *path = address->un.sun_path;
        size_t n = address->size - PATH_AT;
        un_text(address->text, path, *path == '\0' ? n : strnlen(path, n));
    }
}

mp_obj mp__address_to_obj(const struct mp__address *address, mp_obj pair[2])
{
    const char *text = address->text, *colon = strrchr(text, ':');
    if (address->any.sa_family == AF_INET && colon != NULL) {
        pair[0] = mp_obj_strn(text, (size_t)(colon - text));
        pair[1] = mp_obj_int(ntohs(address->in.sin_port));
        return mp_obj_tuple(pair, 2);
    }
    if (*text == '@')
        return mp_obj_bytes(address->un.sun_path, address->size - PATH_AT);
    return mp_obj_str(text);
}

static int pair_text(const mp_obj *pair, char text[MP__ADDRESS_ROOM])
{
    const mp_obj *host = &pair[0], *port = &pair[1];
    if (host->type != MP_TYPE_STR || port->type != MP_TYPE_INT || port->i < 0 ||
        port->i > UINT16_MAX)
        return MP_EINVAL;
    for (size_t i = 0; i < host->len; i++)
        if (host->s[i] == '\0' || strchr(":/@\\", host->s[i]) != NULL)
            return MP_EINVAL;
    int n = snprintf(text, MP__ADDRESS_ROOM, "%.*s:%u", (int)host->len, host->s, (unsigned)port->i);
    return n < MP__ADDRESS_ROOM ? 0 : MP_EINVAL;
}

int mp__address_obj_text(const mp_obj *o, char text[MP__ADDRESS_ROOM])
{
    int rc = MP_EINVAL;
    if (o->type == MP_TYPE_TUPLE && o->len == 2)
        rc = pair_text(o->items, text);
    else if (o->len > 0 && (o->type == MP_TYPE_STR || (o->type == MP_TYPE_BYTES && *o->s == '\0')))
        rc = un_text(text, o->s, o->len) ? 0 : MP_EINVAL;
    return rc == 0 ? 0 : mp__failf(rc, "the object is no address");
}

/* ---- connecting ----------------------------------------------------------------------------- */

/* How long the system may sleep in a call that sends; 0: without a limit. */
static void fd_limit(int fd, int64_t span)
{
    struct timeval limit = {.tv_sec = (time_t)(span / MP__SECOND),
                            .tv_usec = (suseconds_t)(span % MP__SECOND / 1000)};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static int fd_set_waiting(int fd, bool waits)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    flags = waits ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

#define SLEEP_MOST (3600 * MP__SECOND)

static int64_t time_left(mp__moment until)
{
    int64_t left = until - mp__now();
    if (left < MP__MS) /* 0 would be no limit */
        return MP__MS;
    return left < SLEEP_MOST ? left : SLEEP_MOST;
}

/* The one try of a deadline that has passed must not wait, the others wait in the system. */
static int un_connect(int fd, const struct mp__address *address, mp__moment until)
{
    bool once = mp__moment_passed(until), limited = !once && until != MP__NEVER;
    int rc = once ? fd_set_waiting(fd, false) : 0;
    while (rc == 0) {
        if (limited)
            fd_limit(fd, time_left(until));
        if (connect(fd, &address->any, address->size) == 0)
            break;
        if (errno != EAGAIN && errno != EINTR)
            rc = -errno;
        else if (mp__moment_passed(until))
            rc = MP_ETIMEOUT;
    }
    if (limited)
        fd_limit(fd, 0);
    return rc == 0 && once ? fd_set_waiting(fd, true) : rc;
}

void mp__fd_hurry(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* A connection to a free port of this machine may find itself: both ends are one. */
static bool is_own_peer(int fd)
{
    struct sockaddr_in here, there;
    socklen_t here_size = sizeof here, there_size = sizeof there;
    memset(&here, 0, sizeof here);
    memset(&there, 0, sizeof there);
    if (getsockname(fd, (struct sockaddr *)&here, &here_size) != 0 ||
        getpeername(fd, (struct sockaddr *)&there, &there_size) != 0)
        return false;
    return here.sin_port == there.sin_port && here.sin_addr.s_addr == there.sin_addr.s_addr;
}

static int in_connect(int fd, const struct mp__address *address, mp__moment until)
{
    int error = 0;
    socklen_t size = sizeof error;
    int rc = fd_set_waiting(fd, false);
    if (rc != 0)
        return rc;
    if (connect(fd, &address->any, address->size) != 0) {
        if (errno != EINPROGRESS && errno != EINTR) /* it goes on after a signal, too */
            return -errno;
        rc = mp__stream_await(fd, POLLOUT, until);
        if (rc <= 0)
            return rc == 0 ? MP_ETIMEOUT : rc;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            return -errno;
        if (error != 0)
            return -error;
    }
    mp__fd_hurry(fd);
    return is_own_peer(fd) ? -ECONNREFUSED : fd_set_waiting(fd, true);
}

int mp__address_socket(const struct mp__address *address)
{
    return mp__socket_open(address->any.sa_family);
}

int mp__address_join(int fd, const struct mp__address *address, mp__moment until)
{
    bool is_un = address->any.sa_family == AF_UNIX;
    return is_un ? un_connect(fd, address, until) : in_connect(fd, address, until);
}

int mp__address_connect(const struct mp__address *address, mp__moment until)
{
    int fd = mp__address_socket(address);
    if (fd < 0)
        return fd;
    int rc = mp__address_join(fd, address, until);
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}
