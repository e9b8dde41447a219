/* What a connection asks of the server itself: to make objects, to count references, to end.
 *
 * How it works
 *   A new connection gives one command and is closed after the answer; accept_connection makes it
 *   one of calls instead. A client of libmp says in the name that it gives there that it is one,
 *   and which process: "Process-1|libmp:<number>:<what>", with s for what is its session and c for
 *   the others. Those may create objects too; a session goes on with commands, among them three
 *   that CPython does not have: adopt references to many objects at once, as far as they exist;
 *   drop some; and lend all to a child that is about to be forked, so that it has them whatever its
 *   parent does next.
 */
#include "managers/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void done(struct mp__client *client)
{
    mp__client_reply(client, "#RETURN", mp_obj_none());
}

static void no_such_object(struct mp__client *client)
{
    mp__client_traceback(client, "KeyError: the server has no such object");
}

/* ---- objects -------------------------------------------------------------------------------- */

void mp__created(struct mp__client *client, struct mp__managed *object)
{
    mp_obj names[MP__METHODS_MOST], pair[2];
    char id[MP__ID_ROOM];
    int rc = client->is_gone ? MP_EDIED : mp__holder_take(client->holder, object);
    mp__managed_release(object);
    if (rc != 0) {
        mp__client_traceback(client, "MemoryError");
        return;
    }
    mp__managed_id(object, id);
    mp__log(MP_LOG_DEBUG, "'%s' callable returned object with id '%s'", object->type->name, id);
    pair[0] = mp_obj_str(id);
    pair[1] = mp__methods_tuple(object->type, names);
    mp__client_reply(client, "#RETURN", mp_obj_tuple(pair, 2));
}

void mp__not_created(struct mp__client *client, int code)
{
    char text[512];
    snprintf(text, sizeof text, "%s", mp__detail_of(code));
    mp__client_traceback(client, "%s: %s", mp_error_exception(code), text);
}

static bool create(struct mp__client *client, mp_obj *request)
{
    mp_obj args = request->items[2];
    const struct mp__type *type = args.len > 0 ? mp__type_find(&args.items[0]) : NULL;
    if (type == NULL) {
        bool is_str = args.len > 0 && args.items[0].type == MP_TYPE_STR && args.items[0].len < 200;
        mp__client_traceback(client, "KeyError: '%s' is no registered typeid",
                             is_str ? args.items[0].s : "?");
        return false;
    }
    if (type->is_carried) {
        int rc = mp__carry_create(client, type, request);
        if (rc != 0)
            mp__not_created(client, rc);
        return rc == 0;
    }
    struct mp__call call = {.args = mp_obj_tuple(args.items + 1, args.len - 1),
                            .kwargs = mp_obj_view(request->items[3])};
    struct mp__managed *object = mp__managed_make(&client->server->host, type);
    int rc = object == NULL ? mp__fail(-ENOMEM)
             : type->create == NULL
                 ? mp__failf(MP_ETYPE, "'%s' objects are not made by clients", type->name)
                 : type->create(object, &call);
    mp__call_free(&client->server->host, &call);
    if (rc == 0) {
        mp__created(client, object);
    } else {
        mp__not_created(client, rc);
        if (object != NULL)
            mp__managed_discard(object);
    }
    return false;
}

static struct mp__managed *object_of(struct mp__client *client, const mp_obj *args)
{
    return args->len == 1 ? mp__managed_find(&client->server->host, &args->items[0]) : NULL;
}

static void incref(struct mp__client *client, const mp_obj *args)
{
    struct mp__managed *object = object_of(client, args);
    if (object == NULL)
        no_such_object(client);
    else if (mp__holder_take(client->holder, object) != 0)
        mp__client_traceback(client, "MemoryError");
    else
        done(client);
}

static void decref(struct mp__client *client, const mp_obj *args)
{
    struct mp__managed *object = object_of(client, args);
    if (object == NULL)
        no_such_object(client);
    else if (!mp__holder_give(client->server, client->holder, object))
        mp__client_traceback(client, "AssertionError: nobody has a reference to it");
    else
        done(client);
}

static void adopt(struct mp__client *client, const mp_obj *args)
{
    for (size_t i = 0; i < args->len; i++) {
        struct mp__managed *object = mp__managed_find(&client->server->host, &args->items[i]);
        if (object != NULL)
            (void)mp__holder_take(client->holder, object);
    }
    done(client);
}

/* (number): a child of this session's process is about to be forked, with this number and with the
   same references. Without an answer. */
static void lend(struct mp__client *client, const mp_obj *args)
{
    int64_t token;
    if (args->len == 1 && mp_obj_as_int(args->items[0], &token) == 0)
        (void)mp__holder_lend(client->server, client->holder, (uint64_t)token);
}

static void drop(struct mp__client *client, const mp_obj *args)
{
    for (size_t i = 0; i < args->len; i++) {
        struct mp__managed *object = mp__managed_find(&client->server->host, &args->items[i]);
        if (object != NULL)
            mp__holder_give(client->server, client->holder, object);
    }
}

static void get_methods(struct mp__client *client, const mp_obj *args)
{
    mp_obj names[MP__METHODS_MOST];
    struct mp__managed *object = NULL;
    if (args->len == 1 && args->items[0].type == MP__TYPE_OPAQUE) {
        const mp_obj *state = &args->items[0].items[MP__OPAQUE_STATE];
        if (state->type == MP_TYPE_TUPLE && state->len == 3)
            object = mp__managed_find(&client->server->host, &state->items[2]);
    }
    if (object == NULL)
        no_such_object(client);
    else
        mp__client_reply(client, "#RETURN", mp__methods_tuple(object->type, names));
}

/* ---- the server ----------------------------------------------------------------------------- */

static void number_of_objects(struct mp__client *client, const mp_obj *args)
{
    (void)args;
    mp__client_reply(client, "#RETURN", mp_obj_int(client->server->host.count));
}

static void debug_info(struct mp__client *client, const mp_obj *args)
{
    const struct mp__host *host = &client->server->host;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    (void)args;
    for (uint32_t i = 0; i < host->used && out != NULL; i++) {
        char id[MP__ID_ROOM];
        const struct mp__managed *object = host->objects[i];
        if (object == NULL)
            continue;
        mp__managed_id(object, id);
        fprintf(out, "  %s:       refcount=%" PRIu64 "\n    <%s>\n", id, object->references,
                object->type->name);
    }
    if (out == NULL || fclose(out) != 0)
        mp__client_traceback(client, "MemoryError");
    else
        mp__client_reply(client, "#RETURN", mp_obj_strn(text, size));
    free(text);
}

static void stop(struct mp__client *client, const mp_obj *args)
{
    (void)args;
    mp__log(MP_LOG_DEBUG, "manager received shutdown message");
    done(client);
    atomic_store(&client->server->stopping, true);
}

static void dummy(struct mp__client *client, const mp_obj *args)
{
    (void)args;
    done(client);
}

/* ---- connections ---------------------------------------------------------------------------- */

/* The session's old connection is one whose end has not been seen. */
static void session_take_over(struct mp__client *client)
{
    for (struct mp__client *old = client->server->clients; old != NULL; old = old->next)
        if (old != client && old->is_session && old->holder == client->holder) {
            old->is_session = false;
            old->holder = &client->server->anybody;
            mp__client_end(old);
        }
}

/* What a client of libmp says of itself behind its name; the answer to it. */
static const char *libmp_join(struct mp__client *client, const char *said)
{
    uint64_t token;
    char what;
    if (sscanf(said, "|libmp:%16" SCNx64 ":%c", &token, &what) != 2)
        return NULL;
    struct mp__holder *holder = what == 's' ? mp__holder_of_token(client->server, token)
                                            : mp__holder_find(client->server, token);
    if (holder == NULL || holder == &client->server->anybody)
        return NULL; /* its session has ended */
    client->is_libmp = true;
    client->holder = holder;
    if (what != 's')
        return "libmp";
    if (holder->in_session)
        session_take_over(client);
    bool was_lent = client->holder->lent_until != MP__NEVER;
    client->holder->in_session = true;
    client->holder->lent_until = MP__NEVER;
    client->is_session = true;
    return was_lent ? "libmp lent" : "libmp";
}

static void accept_connection(struct mp__client *client, const mp_obj *args)
{
    const char *said = NULL;
    if (client->phase != MP__PHASE_COMMAND) {
        mp__client_traceback(client, "AssertionError: the connection has been accepted");
        return;
    }
    if (args->len >= 1 && args->items[0].type == MP_TYPE_STR)
        said = strstr(args->items[0].s, "|libmp:");
    const char *answer = said != NULL ? libmp_join(client, said) : NULL;
    client->phase = MP__PHASE_CALLS;
    mp__client_reply(client, "#RETURN", mp_obj_str(answer));
}

bool mp__command_run(struct mp__client *client, mp_obj *request)
{
    static const struct {
        const char *name;
        void (*run)(struct mp__client *client, const mp_obj *args);
        bool of_sessions;
    } commands[] = {{"accept_connection", accept_connection, false},
                    {"incref", incref, false},
                    {"decref", decref, false},
                    {"dummy", dummy, false},
                    {"get_methods", get_methods, false},
                    {"number_of_objects", number_of_objects, false},
                    {"debug_info", debug_info, false},
                    {"shutdown", stop, false},
                    {"adopt", adopt, true},
                    {"lend", lend, true},
                    {"drop", drop, true}};
    const mp_obj *name = &request->items[1];
    if (mp__obj_is_str(name, "create"))
        return create(client, request);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (!mp__obj_is_str(name, commands[i].name) ||
            (commands[i].of_sessions && !client->is_session))
            continue;
        commands[i].run(client, &request->items[2]);
        return false;
    }
    mp__client_traceback(client, "AssertionError: no such command of the server");
    return false;
}
