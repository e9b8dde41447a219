/* Requests and answers: from bytes to calls, and back.
 *
 * How it works
 *   A request is a pickled (id, method, args, kwargs), an answer a pickled (kind, value), each a
 *   message of a connection. What the pickle wants called is never called: of the few calls that
 *   are understood, such as slices, the parts are used, all others are refused.
 *   A value that leaves its container may hold the last reference to what a proxy in it stands for.
 *   A client of libmp is told so and has that reference from then on; another makes its own before
 *   its next request, as Python does when it reads the value, and until then the reference stays.
 *   The answer is encoded into the server's one buffer before anything else happens, and what the
 *   socket does not take is kept with the connection, which is not read until it has gone.
 */
#include "managers/carrier.h"
#include "managers/iterable.h"
#include "managers/server.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { REPLY_KEPT = 1 << 18, READS_AT_ONCE = 16 };

static bool is_busy(const struct mp__client *client)
{
    return client->wait.object != NULL || client->is_carried || client->out_size > 0 ||
           client->is_gone || client->phase == MP__PHASE_LAST;
}

/* ---- authentication ------------------------------------------------------------------------- */

/* Python's clients wait for one answer more, whatever it says. */
static void stranger_refuse(struct mp__client *client)
{
    mp__client_traceback(client, "AuthenticationError: digest received was wrong");
    mp__client_end(client);
}

void mp__client_shake(struct mp__client *client, bool has_ended)
{
    int rc = mp__handshake_go(client->handshake);
    if (rc == 0)
        return;
    if (rc == MP_EAUTH) {
        stranger_refuse(client);
        return;
    }
    if (rc < 0) {
        mp__client_end(client);
        return;
    }
    free(client->handshake);
    client->handshake = NULL;
    client->phase = MP__PHASE_COMMAND;
    client->server->strangers--;
    if (client->pid > 0)
        client->holder = mp__holder_of_pid(client->server, client->pid);
    mp__client_read(client, has_ended); /* it may be here already */
}

/* ---- answers -------------------------------------------------------------------------------- */

static bool out_keep(struct mp__client *client, const unsigned char *p, size_t n)
{
    client->out = malloc(n);
    if (client->out == NULL)
        return false;
    memcpy(client->out, p, n);
    client->out_from = 0;
    client->out_size = n;
    return true;
}

static ssize_t some_send(const struct mp__client *client, const unsigned char *p, size_t n)
{
    ssize_t sent;
    do
        sent = send(client->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : sent;
}

static bool reply_send(struct mp__client *client, const unsigned char *p, size_t n)
{
    if (client->is_gone)
        return false;
    ssize_t sent = some_send(client, p, n);
    if (sent < 0 || ((size_t)sent < n && !out_keep(client, p + sent, n - (size_t)sent))) {
        mp__client_end(client);
        return false;
    }
    if ((size_t)sent == n && client->phase == MP__PHASE_LAST)
        mp__client_end(client);
    return true;
}

void mp__client_flush(struct mp__client *client)
{
    ssize_t sent =
        some_send(client, client->out + client->out_from, client->out_size - client->out_from);
    if (sent < 0) {
        mp__client_end(client);
        return;
    }
    client->out_from += (size_t)sent;
    if (client->out_from < client->out_size)
        return;
    free(client->out);
    client->out = NULL;
    client->out_size = 0;
    if (client->phase == MP__PHASE_LAST)
        mp__client_end(client);
    client->server->goes_on |= client->in_have > 0;
}

static bool reply_room(struct mp__server *server, size_t n)
{
    if (n <= server->reply_room && (server->reply_room <= REPLY_KEPT || n > REPLY_KEPT))
        return true;
    size_t room = n < REPLY_KEPT ? REPLY_KEPT : n;
    unsigned char *reply = realloc(server->reply, room);
    if (reply == NULL)
        return false;
    server->reply = reply;
    server->reply_room = room;
    return true;
}

/* Encodes a message into the server's buffer; its size, or 0: it cannot be. */
static size_t reply_encode(struct mp__server *server, const char *kind, mp_obj value)
{
    mp_obj pair[2] = {mp_obj_str(kind), mp_obj_view(value)};
    mp_obj message = mp_obj_tuple(pair, 2);
    size_t n;
    if (mp__pickle_size(message, MP__PICKLE_PROTOCOL, MP__PICKLE_OPAQUE, &n) != 0)
        return 0;
    if (!reply_room(server, n + MP__FRAME_HEAD_MOST)) {
        mp__fail(-ENOMEM);
        return 0;
    }
    size_t head = mp__frame_head(server->reply, n);
    mp__pickle_write(message, MP__PICKLE_PROTOCOL, MP__PICKLE_OPAQUE, server->reply + head);
    return head + n;
}

bool mp__client_reply(struct mp__client *client, const char *kind, mp_obj value)
{
    size_t n = reply_encode(client->server, kind, value);
    if (n == 0)
        n = reply_encode(client->server, "#UNSERIALIZABLE", mp_obj_str(mp_error_detail()));
    if (n == 0) {
        mp__client_end(client);
        return false;
    }
    return reply_send(client, client->server->reply, n);
}

void mp__client_traceback(struct mp__client *client, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!mp__utf8_is_valid(text, strlen(text)))
        strcpy(text, "Exception: of a text that is no UTF-8");
    strncat(text, "\n", sizeof text - strlen(text) - 1);
    mp__client_reply(client, "#TRACEBACK", mp_obj_str(text));
}

void mp__client_fail(struct mp__client *client, int code, const mp_obj *key)
{
    struct mp__exception exception;
    mp_obj text = mp_obj_str(mp__detail_of(code));
    if (client->is_libmp && key == NULL) {
        mp_obj pair[2] = {mp_obj_int(code), text};
        mp__client_reply(client, "#CODE", mp_obj_tuple(pair, 2));
        return;
    }
    mp__client_reply(client, "#ERROR",
                     mp__exception_of(&exception, code, key != NULL ? key : &text, client->called));
}

enum { MOVED_MOST = 64 };

/* References to those objects for the client's process, and their ids. */
static size_t moved_give(struct mp__client *client, struct mp__managed *const *found, size_t n,
                         mp_obj *ids, char (*texts)[MP__ID_ROOM])
{
    size_t given = 0;
    for (size_t i = 0; i < n; i++)
        if (mp__holder_take(client->holder, found[i]) == 0) {
            mp__managed_id(found[i], texts[given]);
            ids[given] = mp_obj_str(texts[given]);
            given++;
        }
    return given;
}

void mp__moved_drop(struct mp__client *client)
{
    for (int i = 0; i < 2; i++)
        mp__drop(&client->server->host, &client->moved[i]);
}

bool mp__client_reply_moved(struct mp__client *client, mp_obj value, const mp_obj *taken, size_t of)
{
    struct mp__managed *found[MOVED_MOST];
    char texts[MOVED_MOST][MP__ID_ROOM];
    mp_obj ids[MOVED_MOST], pair[2];
    struct mp__host *host = &client->server->host;
    size_t n = 0;
    for (size_t i = 0; i < of && !client->is_gone; i++)
        if (mp__type_is_container(taken[i].type))
            n += mp__proxies_in(host, &taken[i], found + n, MOVED_MOST - n);
    if (n == 0)
        return mp__client_reply(client, "#RETURN", value);
    if (!client->is_libmp) {
        for (size_t i = 0; i < of && i < 2; i++) {
            mp__drop(host, &client->moved[i]);
            (void)mp__keep(host, &taken[i], &client->moved[i]);
        }
        return mp__client_reply(client, "#RETURN", value);
    }
    n = moved_give(client, found, n, ids, texts);
    pair[0] = mp_obj_view(value);
    pair[1] = mp_obj_tuple(ids, n);
    bool sent = mp__client_reply(client, "#MOVED", mp_obj_tuple(pair, 2));
    for (size_t i = 0; i < n && !sent; i++)
        mp__holder_give(client->server, client->holder, found[i]);
    return sent;
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* ('#PROXY', (names, Token)); the reference that the object was made with becomes the client's. */
static void proxy_reply(struct mp__client *client, struct mp__managed *object)
{
    mp_obj names[MP__METHODS_MOST], pair[2];
    struct mp__token token;
    char id[MP__ID_ROOM];
    int rc = client->is_gone ? MP_EDIED : mp__holder_take(client->holder, object);
    mp__managed_release(object);
    if (rc != 0) {
        mp__fail(rc);
        mp__client_fail(client, rc, NULL);
        return;
    }
    mp__managed_id(object, id);
    pair[0] = mp__methods_tuple(object->type, names);
    pair[1] = mp__obj_token(&token, mp_obj_str(object->type->name), object->host->address_obj,
                            mp_obj_str(id));
    mp__client_reply(client, "#PROXY", mp_obj_tuple(pair, 2));
}

mp_obj mp__methods_tuple(const struct mp__type *type, mp_obj names[MP__METHODS_MOST])
{
    size_t n = 0;
    while (n < MP__METHODS_MOST && type->methods[n].name != NULL) {
        names[n] = mp_obj_str(type->methods[n].name);
        n++;
    }
    return mp_obj_tuple(names, n);
}

void mp__call_end(struct mp__client *client, const char *result_type, struct mp__call *call, int rc)
{
    if (rc == MP__PARKED)
        return;
    if (rc < 0)
        mp__client_fail(client, rc, rc == MP_EKEY ? &call->value : NULL);
    else if (result_type != NULL)
        proxy_reply(client, (struct mp__managed *)(intptr_t)call->value.i);
    else if (rc == MP_RECOVERED)
        mp__answer_recovered(client, call->value);
    else
        mp__client_reply_moved(client, call->value, call->kept, 2);
    mp__call_free(&client->server->host, call);
}

static bool is_getvalue(const mp_obj *name)
{
    return mp__obj_is_str(name, "#GETVALUE");
}

/* What every object answers though it exposes nothing of the kind. */
static mp__method_call *fallback_of(const struct mp__type *type, const mp_obj *name)
{
    if (mp__obj_is_str(name, "__str__") || mp__obj_is_str(name, "__repr__"))
        return type->print;
    return is_getvalue(name) ? type->getvalue : NULL;
}

static void not_exposed(struct mp__client *client, const struct mp__type *type, const mp_obj *name)
{
    bool is_str = name->type == MP_TYPE_STR;
    mp__client_traceback(client, "AttributeError: method '%.*s' of '%s' object is not exposed",
                         is_str && name->len < 200 ? (int)name->len : 1, is_str ? name->s : "?",
                         type->name);
}

static enum mp__called called_of(const struct mp__type *type, const struct mp__method *method)
{
    if (method != NULL && strcmp(method->name, "__next__") == 0)
        return MP__CALLED_NEXT;
    if (type == &mp__type_queue || type == &mp__type_joinable_queue)
        return MP__CALLED_QUEUE;
    return type->is_carried ? MP__CALLED_REGISTERED : MP__CALLED_OWN;
}

/* True: the request stays with the thread that has the call. */
static bool method_run(struct mp__client *client, mp_obj *request)
{
    const mp_obj *parts = request->items;
    struct mp__managed *self = mp__managed_find(&client->server->host, &parts[0]);
    if (self == NULL) {
        mp__client_traceback(client, "KeyError: the server has no such object");
        return false;
    }
    const struct mp__method *method = mp__method_find(self->type, &parts[1]);
    client->called = called_of(self->type, method);
    mp__method_call *run = method != NULL ? method->call : fallback_of(self->type, &parts[1]);
    if (self->type->is_carried && (method != NULL || mp__carried_prints(self->type, &parts[1]))) {
        int rc = mp__carry_call(client, self, method, request);
        if (rc != 0)
            mp__client_fail(client, rc, NULL);
        return rc == 0;
    }
    if (run == NULL && is_getvalue(&parts[1])) {
        mp__client_reply(client, "#UNSERIALIZABLE", mp_obj_str("it has no value to be copied"));
        return false;
    }
    if (run == NULL) {
        not_exposed(client, self->type, &parts[1]);
        return false;
    }
    struct mp__call call = {
        .args = mp_obj_view(parts[2]), .kwargs = mp_obj_view(parts[3]), .client = client};
    mp__managed_hold(self);
    int rc = run(self, &call);
    mp__call_end(client, method != NULL ? method->result_type : NULL, &call, rc);
    mp__managed_release(self);
    return false;
}

/* ---- requests ------------------------------------------------------------------------------- */

static bool keys_are_str(const mp_obj *dict)
{
    for (size_t i = 0; i < dict->len; i++)
        if (dict->items[2 * i].type != MP_TYPE_STR)
            return false;
    return true;
}

/* A sequence of four, of which the last two are a sequence and a dict with str keys. */
static bool is_request(mp_obj *request)
{
    mp_obj *parts = (mp_obj *)(uintptr_t)request->items; /* the block is this process's own */
    if ((request->type != MP_TYPE_TUPLE && request->type != MP_TYPE_LIST) || request->len != 4)
        return false;
    if (parts[2].type == MP_TYPE_LIST)
        parts[2].type = MP_TYPE_TUPLE;
    return parts[2].type == MP_TYPE_TUPLE && parts[3].type == MP_TYPE_DICT &&
           keys_are_str(&parts[3]);
}

void mp__command_answered(struct mp__client *client)
{
    if (client->phase != MP__PHASE_COMMAND)
        return;
    client->phase = MP__PHASE_LAST;
    if (client->out_size == 0)
        mp__client_end(client);
}

/* Of what Python wants called only what is understood here; and of names, which call nothing, those
   of tasks for a Pool. */
static bool is_understood(const mp_obj *o, bool names_too)
{
    static const char *const names[][2] = {{"builtins", "slice"},
                                           {"builtins", "range"},
                                           {"array", "array"},
                                           {MP__MANAGERS_MODULE, "Token"}};
    if (o->type == MP__TYPE_OPAQUE && o->items[MP__OPAQUE_ARGS].type == MP_TYPE_NONE)
        return names_too;
    if (o->type == MP__TYPE_OPAQUE) {
        size_t i = 0, n = sizeof names / sizeof names[0];
        while (i < n && !mp__opaque_calls(o, names[i][0], names[i][1]))
            i++;
        return i < n;
    }
    size_t n = mp__type_is_container(o->type) ? mp__obj_items(o) : 0;
    for (size_t i = 0; i < n; i++)
        if (mp__type_is_container(o->items[i].type) && !is_understood(&o->items[i], names_too)) {
            if (o->items[i].type == MP__TYPE_OPAQUE)
                mp__failf(MP_EPICKLE, "%.100s.%.100s is no plain data",
                          o->items[i].items[MP__OPAQUE_MODULE].s,
                          o->items[i].items[MP__OPAQUE_NAME].s);
            return false;
        }
    return true;
}

static bool is_for_pool(const struct mp__host *host, const mp_obj *request)
{
    if ((request->type != MP_TYPE_TUPLE && request->type != MP_TYPE_LIST) || request->len == 0)
        return false;
    const struct mp__managed *object = mp__managed_find(host, &request->items[0]);
    return object != NULL && object->type == mp__type_pool();
}

static void request_run(struct mp__client *client, const unsigned char *p, size_t n)
{
    mp_obj request = mp_obj_none();
    int rc = mp__pickle_read(&request, p, n, 0);
    if (rc == MP_EPICKLE) { /* something is called in it */
        rc = mp__pickle_read(&request, p, n, MP__PICKLE_OPAQUE);
        if (rc == 0 && !is_understood(&request, is_for_pool(&client->server->host, &request)))
            rc = MP_EPICKLE;
    }
    bool taken = false;
    mp__moved_drop(client);
    if (rc != 0) {
        mp__client_traceback(client, "UnpicklingError: %s", mp_error_detail());
    } else if (!is_request(&request)) {
        mp__client_traceback(client, "ValueError: a request is (id, method, args, kwargs)");
    } else if (client->phase == MP__PHASE_COMMAND || client->is_session ||
               (client->is_libmp && request.items[0].type == MP_TYPE_NONE)) {
        taken = mp__command_run(client, &request);
    } else {
        taken = method_run(client, &request);
    }
    if (!taken)
        mp_obj_free(&request);
    if (!client->is_carried)
        mp__command_answered(client);
    mp__host_reap(&client->server->host);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* The size of the message that the bytes begin with, 0 if they are too few to tell, SIZE_MAX if
   it is none that is taken; *head is where it begins. */
static size_t message_size(const unsigned char *p, size_t n, size_t *head)
{
    *head = 4;
    if (n < 4)
        return 0;
    size_t size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    return size > MP__REQUEST_MOST || size == 0 ? SIZE_MAX : size;
}

/* Runs the whole messages that the bytes begin with, one after the other while the client can take
   an answer; how many bytes that were. */
static size_t messages_run(struct mp__client *client, const unsigned char *p, size_t n)
{
    size_t done = 0, head;
    while (!is_busy(client)) {
        size_t size = message_size(p + done, n - done, &head);
        if (size == SIZE_MAX) {
            mp__client_traceback(client, "OverflowError: a request of too many bytes, or of none");
            mp__client_end(client);
            break;
        }
        if (size == 0 || n - done - head < size)
            break;
        request_run(client, p + done + head, size);
        done += head + size;
    }
    return done;
}

static bool in_append(struct mp__client *client, const unsigned char *p, size_t n)
{
    if (client->in_have + n > client->in_room) {
        size_t room = client->in_room + client->in_room / 2;
        if (room < client->in_have + n)
            room = client->in_have + n;
        unsigned char *in = realloc(client->in, room);
        if (in == NULL)
            return false;
        client->in = in;
        client->in_room = room;
    }
    memcpy(client->in + client->in_have, p, n);
    client->in_have += n;
    return true;
}

static void in_drop(struct mp__client *client, size_t n)
{
    client->in_have -= n;
    if (client->in_have > 0 && n > 0)
        memmove(client->in, client->in + n, client->in_have);
    if (client->in_have == 0) {
        free(client->in);
        client->in = NULL;
        client->in_room = 0;
    }
}

static bool is_tcp(const struct mp__server *server)
{
    return server->host.address.any.sa_family == AF_INET;
}

void mp__client_feed(struct mp__client *client, const unsigned char *bytes, size_t n)
{
    if (client->in_have == 0) {
        size_t done = messages_run(client, bytes, n);
        bytes += done;
        n -= done;
    }
    if (n > 0 && !client->is_gone && !in_append(client, bytes, n))
        mp__client_end(client);
    if (client->in_have > 0 && !client->is_gone)
        in_drop(client, messages_run(client, client->in, client->in_have));
    if (client->in_have > 0 && !client->is_gone && is_tcp(client->server))
        mp__fd_acknowledge(client->fd);
}

/* Reads a part of what is there; how much, 0: no more now, or never. */
static size_t some_read(struct mp__client *client)
{
    ssize_t n;
    do
        n = recv(client->fd, client->server->buffer, MP__READ_SIZE, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        mp__client_feed(client, client->server->buffer, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        mp__client_end(client);
    return n > 0 ? (size_t)n : 0;
}

void mp__client_read(struct mp__client *client, bool has_ended)
{
    size_t n = MP__READ_SIZE;
    /* one read that is short has emptied the socket, but does not say whether that was the end */
    for (int i = 0; i < READS_AT_ONCE && !is_busy(client); i++) {
        if (n == 0 || (n < MP__READ_SIZE && !has_ended))
            return;
        n = some_read(client);
    }
    client->watched = MP__WATCH_EDGE; /* to be told again of what there is */
}
