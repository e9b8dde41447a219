/* A Python that does what a test of managers asks for (manager_peer.py), and calls of proxies with
 * what they must give. The asserts are as those of support.h: for any process. */
#ifndef TESTS_INTEROP_PYTHON_PEER_H
#define TESTS_INTEROP_PYTHON_PEER_H

#include <mp/mp.h>
#include <stdbool.h>
#include <sys/types.h>

/* Leads a process group of its own, in which all that it starts is. */
struct peer {
    pid_t pid;
    mp_connection *connection;
};

void peer_start(struct peer *peer, const char *python, const char *script);
/* Tells it to end and waits for its whole group; true if all ended by themselves and with 0. */
bool peer_end(struct peer *peer);
/* Kills the whole group. */
void peer_kill(struct peer *peer);

/* Has a function of manager_peer.py called with a tuple of arguments. What it gives is the
   caller's; what it raises fails the test. */
#define peer_ask(peer, name, args) peer_ask_at((peer), (name), (args), __FILE__, __LINE__)
/* The same in two parts, to do something meanwhile. */
void peer_begin(struct peer *peer, const char *name, mp_obj args);
#define peer_answer(peer, name) peer_answer_at((peer), (name), __FILE__, __LINE__)
/* It must give this. */
#define peer_gives(peer, name, args, expected) \
    obj_is_at(peer_ask(peer, name, args), (expected), (name), __FILE__, __LINE__)

mp_obj peer_ask_at(struct peer *peer, const char *name, mp_obj args, const char *file, int line);
mp_obj peer_answer_at(struct peer *peer, const char *name, const char *file, int line);

/* The object, which is freed, is of that value and type. */
#define obj_is(object, expected) obj_is_at((object), (expected), #object, __FILE__, __LINE__)
void obj_is_at(mp_obj got, mp_obj expected, const char *what, const char *file, int line);

/* Makes a managed object. */
#define proxy_make(manager, type_id, args) \
    proxy_make_at((manager), (type_id), (args), __FILE__, __LINE__)
mp_proxy *proxy_make_at(mp_manager *manager, const char *type_id, mp_obj args, const char *file,
                        int line);

/* The call gives this. */
#define proxy_gives(proxy, method, args, expected) \
    proxy_gives_at((proxy), (method), (args), MP_NONE, (expected), __FILE__, __LINE__)
#define proxy_gives_kw(proxy, method, args, kwargs, expected) \
    proxy_gives_at((proxy), (method), (args), (kwargs), (expected), __FILE__, __LINE__)
void proxy_gives_at(mp_proxy *proxy, const char *method, mp_obj args, mp_obj kwargs,
                    mp_obj expected, const char *file, int line);

/* The call gives this code, and the detail holds the text. */
#define proxy_fails(proxy, method, args, code, text) \
    proxy_fails_at((proxy), (method), (args), (code), (text), __FILE__, __LINE__)
void proxy_fails_at(mp_proxy *proxy, const char *method, mp_obj args, int code, const char *text,
                    const char *file, int line);

/* The call gives an object, to be freed. */
#define proxy_call(proxy, method, args) \
    proxy_call_at((proxy), (method), (args), MP_NONE, __FILE__, __LINE__)
mp_obj proxy_call_at(mp_proxy *proxy, const char *method, mp_obj args, mp_obj kwargs,
                     const char *file, int line);

/* The proxy that an object stands for, which is freed. */
#define proxy_of(object) proxy_of_at((object), __FILE__, __LINE__)
mp_proxy *proxy_of_at(mp_obj object, const char *file, int line);

#endif
