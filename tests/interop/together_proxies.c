/* Proxies that stand in managed objects and in messages, from one language to the other. */
#include "together.h"

#include "support/support.h"

#include <string.h>
#include <unistd.h>

/* How it works. The peer keeps what it makes and gives until it is told to forget it: by then this
 * side has proxies of its own, or nobody has. */

#define STEP(proxy, ...) MP_TUPLE(mp_obj_proxy(proxy), __VA_ARGS__)

static const double hangs = 30;

/* ---- proxies in proxies ---------------------------------------------------------------------- */

/* C stores a proxy; Python finds it there and uses it. */
static void python_reads_nested(struct peer *peer, mp_manager *manager, mp_list *outer)
{
    mp_dict *inner, *found;
    assert_mp_result(mp_manager_dict(manager, MP_DICT("x", 1), &inner), 0);
    assert_mp_result(mp_list_append(outer, mp_obj_proxy(mp_dict_proxy(inner))), 0);
    mp_proxy *got = proxy_of(
        peer_ask(peer, "do", MP_TUPLE(mp_obj_proxy(mp_list_proxy(outer)), "__getitem__", -1)));
    obj_is(peer_ask(peer, "do", MP_TUPLE(mp_obj_proxy(got), "update", MP_DICT("y", 2))), MP_NONE);
    proxy_gives(got, "copy", MP_NONE, MP_DICT("x", 1, "y", 2));
    mp_proxy_destroy(got);
    mp_dict_destroy(inner);
    peer_gives(peer, "forget", MP_NONE, MP_NONE);

    mp_obj object; /* what stands in the list keeps it alive */
    assert_mp_result(mp_list_get(outer, -1, &object), 0);
    check(object.type == MP_TYPE_PROXY);
    assert_mp_result(mp_dict_from(object, &found), 0);
    mp_obj_free(&object);
    check(mp_dict_len(found) == 2);
    mp_dict_destroy(found);
}

/* Python stores proxies three deep; C goes down to the innermost and changes it. */
static void c_reads_nested(struct peer *peer, mp_list *outer)
{
    mp_obj object;
    mp_dict *dict;
    mp_list *list, *other;
    mp_namespace *space;
    mp_proxy *made[3] = {proxy_of(peer_ask(peer, "new", MP_TUPLE("dict"))),
                         proxy_of(peer_ask(peer, "new", MP_TUPLE("list", MP_LIST(1)))),
                         proxy_of(peer_ask(peer, "new", MP_TUPLE("Namespace")))};
    obj_is(peer_ask(peer, "do", MP_TUPLE(mp_obj_proxy(made[1]), "append", mp_obj_proxy(made[2]))),
           MP_NONE);
    obj_is(peer_ask(peer, "do",
                    MP_TUPLE(mp_obj_proxy(made[0]), "__setitem__", "list", mp_obj_proxy(made[1]))),
           MP_NONE);
    obj_is(peer_ask(peer, "do",
                    MP_TUPLE(mp_obj_proxy(mp_list_proxy(outer)), "append", mp_obj_proxy(made[0]))),
           MP_NONE);
    mp_proxy_destroy(made[0]);
    mp_proxy_destroy(made[1]);
    peer_gives(peer, "forget", MP_NONE, MP_NONE);

    assert_mp_result(mp_list_get(outer, -1, &object), 0);
    assert_mp_result(mp_dict_from(object, &dict), 0);
    mp_obj_free(&object);
    assert_mp_result(mp_dict_get(dict, MP("list"), &object), 0);
    assert_mp_result(mp_list_from(object, &list), 0);
    mp_obj_free(&object);
    assert_mp_result(mp_list_get(list, -1, &object), 0);
    assert_mp_error(mp_list_from(object, &other), MP_ETYPE);
    assert_mp_result(mp_namespace_from(object, &space), 0);
    mp_obj_free(&object);
    assert_mp_result(mp_namespace_set(space, "by", MP("C")), 0);
    obj_is(peer_ask(peer, "do", MP_TUPLE(mp_obj_proxy(made[2]), "__getattr__", "by")), MP("C"));
    mp_proxy_destroy(made[2]);
    mp_namespace_destroy(space);
    mp_list_destroy(list);
    mp_dict_destroy(dict);
}

void together_nested(struct peer *peer, mp_manager *manager)
{
    mp_list *outer;
    assert_mp_result(mp_manager_list(manager, MP_NONE, &outer), 0);
    python_reads_nested(peer, manager, outer);
    c_reads_nested(peer, outer);
    mp_obj text = peer_ask(peer, "text", MP_TUPLE(mp_obj_proxy(mp_list_proxy(outer))));
    check(strncmp(text.s, "[<DictProxy object, typeid 'dict' at 0x", 39) == 0);
    mp_obj_free(&text);
    assert_mp_result(mp_list_clear(outer), 0);
    mp_list_destroy(outer);
}

void together_nested_queue(struct peer *peer, mp_manager *manager)
{
    mp_dict *outer;
    mp_obj object;
    mp_proxy *queue = proxy_make(manager, "Queue", MP_NONE);
    assert_mp_result(mp_manager_dict(manager, MP_NONE, &outer), 0);
    assert_mp_result(mp_dict_set(outer, MP("queue"), mp_obj_proxy(queue)), 0);
    mp_proxy *got = proxy_of(
        peer_ask(peer, "do", MP_TUPLE(mp_obj_proxy(mp_dict_proxy(outer)), "__getitem__", "queue")));
    obj_is(peer_ask(peer, "do", STEP(got, "put", "from Python")), MP_NONE);
    proxy_gives(queue, "get", MP_NONE, MP("from Python"));
    proxy_gives(got, "put", MP_TUPLE("from C"), MP_NONE);
    assert_mp_result(mp_dict_get(outer, MP("queue"), &object), 0);
    mp_proxy *again = proxy_of(object);
    obj_is(peer_ask(peer, "do", STEP(again, "get")), MP("from C"));
    mp_proxy_destroy(again);
    mp_proxy_destroy(got);
    mp_proxy_destroy(queue);
    mp_dict_destroy(outer);
}

/* ---- proxies in messages --------------------------------------------------------------------- */

static mp_connection *accept_python(mp_listener *listener)
{
    mp_connection *connection;
    assert_mp_result(mp_listener_accept(listener, &connection, hangs), 0);
    return connection;
}

/* Sends a list of a list's proxy, to which the other side adds 42, and says how long it is. */
static void send_list(mp_manager *manager, mp_connection *connection)
{
    mp_list *list;
    mp_obj answer;
    assert_mp_result(mp_manager_list(manager, MP_LIST(21), &list), 0);
    assert_mp_result(mp_connection_send(connection, MP_LIST(mp_obj_proxy(mp_list_proxy(list)))), 0);
    assert_mp_result(mp_connection_recv(connection, &answer), 0);
    obj_is(answer, MP(2));
    assert_mp_result(mp_list_copy(list, &answer), 0);
    obj_is(answer, MP_LIST(21, 42));
    mp_list_destroy(list);
    mp_connection_destroy(connection);
}

static void receive_dict(mp_connection *connection)
{
    mp_obj message, value;
    mp_dict *dict;
    assert_mp_result(mp_connection_recv(connection, &message), 0);
    const mp_obj *proxy = mp_obj_lookup(message, MP("proxy"));
    check(proxy != NULL);
    assert_mp_result(mp_dict_from(*proxy, &dict), 0);
    mp_obj_free(&message);
    assert_mp_result(mp_connection_send(connection, MP("mine")), 0);
    mp_connection_destroy(connection);
    assert_mp_result(mp_dict_get(dict, MP("k"), &value), 0);
    obj_is(value, MP_LIST("v"));
    mp_dict_destroy(dict);
}

void together_listener(struct peer *peer, mp_manager *manager)
{
    const mp_listener_options options = {.authkey = TOGETHER_KEY,
                                         .authkey_len = sizeof TOGETHER_KEY - 1};
    const mp_client_options client = {.authkey = TOGETHER_KEY,
                                      .authkey_len = sizeof TOGETHER_KEY - 1};
    const mp_obj key = MP_BYTES(TOGETHER_KEY, sizeof TOGETHER_KEY - 1);
    mp_listener *listener;
    mp_connection *connection;
    assert_mp_result(mp_listener_create(&listener, "localhost:0", &options), 0);
    const char *address = mp_listener_address(listener);

    peer_begin(peer, "receive_proxy", MP_TUPLE(address, key));
    send_list(manager, accept_python(listener));
    obj_is(peer_answer(peer, "receive_proxy"), MP_NONE);

    peer_begin(peer, "send_proxy", MP_TUPLE(address, key, "dict", MP_DICT("k", MP_LIST("v"))));
    receive_dict(accept_python(listener));
    obj_is(peer_answer(peer, "send_proxy"), MP_NONE);
    mp_listener_destroy(listener);

    char name[64];
    (void)snprintf(name, sizeof name, "@libmp-interop-%ld", (long)getpid());
    mp_obj there = peer_ask(peer, "listen", MP_TUPLE(name, key));
    peer_begin(peer, "accept_proxy", MP_NONE);
    assert_mp_result(mp_client(&connection, there.s, &client, hangs), 0);
    send_list(manager, connection);
    obj_is(peer_answer(peer, "accept_proxy"), MP_NONE);
    mp_obj_free(&there);
}
