/* The server's own functions, called as its loop would call them. */
#include "managers/feed.h"

#include "managers/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IDS = 256, CREATOR = FEED_CLIENTS };

static const char address[] = "/here";

/* The other end reads the answers; the last whole one is kept. */
struct end {
    struct mp__client *client;
    int fd;
    unsigned char *have;
    size_t size;
};

struct feed {
    struct mp__server server;
    struct end end[FEED_CLIENTS + 1];
    char id[IDS][FEED_ID];
    size_t ids;
};

struct feed_count feed_count;

#define must(condition) ((condition) ? (void)0 : stop(#condition, __LINE__))

static void stop(const char *what, int line)
{
    (void)fprintf(stderr, "feed.c:%d: %s does not hold (%s)\n", line, what, mp_error_detail());
    abort();
}

/* ---- clients --------------------------------------------------------------------------------- */

static void end_close(struct end *end)
{
    if (end->client != NULL)
        (void)close(end->fd);
    free(end->have);
    *end = (struct end){.client = NULL};
}

/* As after the handshake. */
static void end_open(struct feed *feed, struct end *end)
{
    int fd[2];
    end_close(end);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
    must(fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0);
    *end = (struct end){.client = mp__client_new(&feed->server, fd[0]), .fd = fd[1]};
    must(end->client != NULL);
    free(end->client->handshake);
    end->client->handshake = NULL;
    end->client->phase = MP__PHASE_COMMAND;
    feed->server.strangers--;
}

static void end_read(struct end *end)
{
    unsigned char bytes[4096];
    ssize_t n;
    while ((n = recv(end->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0 ||
           (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        unsigned char *more = realloc(end->have, end->size + (size_t)n);
        must(more != NULL);
        memcpy(more + end->size, bytes, (size_t)n);
        end->have = more;
        end->size += (size_t)n;
    }
}

/* Until the server has sent all that it has to say. */
static void end_drain(struct end *end)
{
    end_read(end);
    while (!end->client->is_gone && end->client->out_size > 0) {
        mp__client_flush(end->client);
        end_read(end);
    }
}

/* The last message, in *at, of a client that got one. */
static size_t last_answer(const struct end *end, const unsigned char **at)
{
    size_t from = 0, size = 0;
    while (end->size - from >= 4) {
        const unsigned char *p = end->have + from;
        size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        must(end->size - from - 4 >= size);
        *at = p + 4;
        from += 4 + size;
    }
    must(from == end->size);
    return size;
}

/* Each answer is a whole message, and begins with its kind. */
static void answers_count(struct end *end)
{
    const unsigned char *at = NULL;
    mp_obj answer;
    size_t n = last_answer(end, &at);
    if (n == 0)
        return;
    must(mp__pickle_read(&answer, at, n, MP__PICKLE_OPAQUE) == 0);
    must(answer.type == MP_TYPE_TUPLE && answer.len == 2 && answer.items[0].type == MP_TYPE_STR);
    const char *kind = answer.items[0].s;
    bool refused = strcmp(kind, "#TRACEBACK") == 0 || strcmp(kind, "#ERROR") == 0 ||
                   strcmp(kind, "#CODE") == 0 || strcmp(kind, "#UNSERIALIZABLE") == 0;
    feed_count.returned += !refused;
    feed_count.refused += refused;
    mp_obj_free(&answer);
}

static void end_feed(struct feed *feed, struct end *end, const void *bytes, size_t n)
{
    if (end->client == NULL || end->client->is_gone || end->client->phase == MP__PHASE_LAST)
        end_open(feed, end);
    unsigned char *copy = malloc(n > 0 ? n : 1); /* so that a sanitizer sees every byte too far */
    must(copy != NULL);
    memcpy(copy, bytes, n);
    mp__client_feed(end->client, copy, n);
    free(copy);
    for (int i = 0; i <= FEED_CLIENTS; i++) /* a call may answer others, who waited */
        if (feed->end[i].client != NULL) {
            feed->end[i].size = 0;
            end_drain(&feed->end[i]);
            answers_count(&feed->end[i]);
        }
    mp__waits_expire(&feed->server);
    mp__host_reap(&feed->server.host);
}

static void end_say(struct feed *feed, struct end *end, mp_obj request)
{
    size_t size;
    unsigned char *message;
    if (mp__pickle_size(request, MP__PICKLE_PROTOCOL, MP__PICKLE_OPAQUE, &size) != 0)
        return;
    message = malloc(size + 4);
    must(message != NULL);
    for (int i = 0; i < 4; i++)
        message[i] = (unsigned char)(size >> (24 - 8 * i));
    (void)mp__pickle_write(request, MP__PICKLE_PROTOCOL, MP__PICKLE_OPAQUE, message + 4);
    end_feed(feed, end, message, size + 4);
    free(message);
}

/* Two threads of a process of libmp, one of Python's, and the first one's session, which takes what
   the server does itself. */
static const char *const names[FEED_CLIENTS] = {"a|libmp:0000000000000001:c",
                                                "b|libmp:0000000000000001:c", "MainProcess",
                                                "a|libmp:0000000000000001:s"};

static struct end *end_of(struct feed *feed, unsigned client)
{
    struct end *end = &feed->end[client % FEED_CLIENTS];
    if (end->client != NULL && end->client->wait.object != NULL)
        mp__client_end(end->client);
    if (end->client == NULL || end->client->is_gone || end->client->phase != MP__PHASE_CALLS) {
        end_open(feed, end);
        end_say(feed, end,
                MP_TUPLE(MP_NONE, "accept_connection", MP_TUPLE(names[client % FEED_CLIENTS]),
                         MP_EMPTY_DICT));
    }
    return end;
}

/* ---- what is fed ----------------------------------------------------------------------------- */

/* A Pool is made of processes; and one list times a large number is more than there is memory. */
static bool is_left_out(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i + 4 <= n; i++)
        if (memcmp(p + i, "Pool", 4) == 0 || memcmp(p + i, "mul_", 4) == 0)
            return true;
    return false;
}

void feed_bytes(struct feed *feed, unsigned client, const void *bytes, size_t n)
{
    if (!is_left_out(bytes, n))
        end_feed(feed, end_of(feed, client), bytes, n);
}

void feed_message(struct feed *feed, unsigned client, const void *payload, size_t n)
{
    unsigned char *message = malloc(n + 4);
    must(message != NULL && n < 1u << 24);
    message[0] = 0;
    for (int i = 1; i < 4; i++)
        message[i] = (unsigned char)(n >> (24 - 8 * i));
    memcpy(message + 4, payload, n);
    feed_bytes(feed, client, message, n + 4);
    free(message);
}

void feed_call(struct feed *feed, unsigned client, const char *id, const char *method, mp_obj args)
{
    end_say(feed, end_of(feed, client), MP_TUPLE(id, method, args, MP_EMPTY_DICT));
}

/* ---- objects --------------------------------------------------------------------------------- */

const char *feed_id(const struct feed *feed, size_t i)
{
    return i < feed->ids ? feed->id[i] : NULL;
}

bool feed_create(struct feed *feed, const char *type_id, mp_obj args)
{
    struct end *end = &feed->end[CREATOR];
    mp_obj items[65], answer;
    const unsigned char *at = NULL;
    const char *id;
    size_t n;
    must(args.len < 65);
    items[0] = MP(type_id);
    for (size_t i = 0; i < args.len; i++)
        items[i + 1] = args.items[i];
    end_open(feed, end);
    end_say(feed, end,
            MP_TUPLE(MP_NONE, "create", mp_obj_tuple(items, args.len + 1), MP_EMPTY_DICT));
    n = last_answer(end, &at);
    must(n > 0 && mp__pickle_read(&answer, at, n, MP__PICKLE_OPAQUE) == 0);
    bool made = mp_obj_equal(answer.items[0], MP("#RETURN"));
    if (made && feed->ids < IDS) {
        must(mp_obj_as_str(answer.items[1].items[0], &id, &n) == 0 && n < FEED_ID);
        memcpy(feed->id[feed->ids], id, n);
        feed->id[feed->ids++][n] = '\0';
    }
    mp_obj_free(&answer);
    return made;
}

static mp_obj name_of(const char *name, mp_obj items[4])
{
    items[MP__OPAQUE_MODULE] = MP("multiprocessing.managers");
    items[MP__OPAQUE_NAME] = MP(name);
    items[MP__OPAQUE_ARGS] = items[MP__OPAQUE_STATE] = MP_NONE;
    return mp__obj_opaque(items, false);
}

mp_obj feed_proxy(const char *type_id, const char *id, struct feed_proxy *room)
{
    (void)name_of("Token", room->token);
    room->state[0] = MP(type_id);
    room->state[1] = MP(address);
    room->state[2] = MP(id);
    room->token[MP__OPAQUE_ARGS] = MP_EMPTY_TUPLE;
    room->token[MP__OPAQUE_STATE] = mp_obj_tuple(room->state, 3);
    room->args[0] = name_of("ListProxy", room->class);
    room->args[1] = mp__obj_opaque(room->token, true);
    room->args[2] = MP("pickle");
    room->args[3] = MP_EMPTY_DICT;
    (void)name_of("RebuildProxy", room->whole);
    room->whole[MP__OPAQUE_ARGS] = mp_obj_tuple(room->args, 4);
    return mp__obj_opaque(room->whole, false);
}

/* ---- the whole ------------------------------------------------------------------------------- */

struct feed *feed_open(void)
{
    struct feed *feed = calloc(1, sizeof *feed);
    must(feed != NULL && mp__server_prepare(&feed->server) == 0);
    feed->server.host.serial = 1; /* ids that do not change from run to run */
    feed->server.host.address_obj = mp_obj_str(address);
    (void)snprintf(feed->server.host.address.text, sizeof feed->server.host.address.text, "%s",
                   address);
    must(feed_create(feed, "list", MP_TUPLE(MP_LIST(3, 1, 2))));
    must(feed_create(feed, "dict", MP_TUPLE(MP_DICT("a", 1, "b", MP_LIST(2)))));
    must(feed_create(feed, "set", MP_TUPLE(MP_LIST(1, 2, 3))));
    must(feed_create(feed, "Namespace", MP_EMPTY_TUPLE));
    must(feed_create(feed, "Value", MP_TUPLE("i", 1)));
    must(feed_create(feed, "Array", MP_TUPLE("d", MP_LIST(1, 2))));
    must(feed_create(feed, "Lock", MP_EMPTY_TUPLE));
    must(feed_create(feed, "RLock", MP_EMPTY_TUPLE));
    must(feed_create(feed, "Semaphore", MP_TUPLE(2)));
    must(feed_create(feed, "BoundedSemaphore", MP_TUPLE(2)));
    must(feed_create(feed, "Condition", MP_EMPTY_TUPLE));
    must(feed_create(feed, "Event", MP_EMPTY_TUPLE));
    must(feed_create(feed, "Barrier", MP_TUPLE(2)));
    must(feed_create(feed, "Queue", MP_TUPLE(3)));
    must(feed_create(feed, "JoinableQueue", MP_EMPTY_TUPLE));
    return feed;
}

void feed_close(struct feed *feed)
{
    mp__server_close(&feed->server);
    for (int i = 0; i <= FEED_CLIENTS; i++)
        end_close(&feed->end[i]);
    free(feed);
}
