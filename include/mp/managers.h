/**
 * \file
 * Managers: objects that live in a server process and are used through proxies by any process that
 * knows the address and the key, on this machine or another, in C or in Python.
 *
 * The protocol is that of multiprocessing.managers: mp_manager_connect reaches a server of Python's
 * (3.8 and later), and BaseManager.connect() one of this library.
 *
 * THE SERVER is one process with one thread that serves all connections in turn; calls that wait
 * (acquire, get, wait, join) are put aside until what they wait for happens. Methods of registered
 * types, and of a Pool, have a thread for each connection that calls them. It ends when the
 * process that created it ends, however that ended.
 *
 * VALUES are plain data (object.h) and proxies; everything that is got is a copy. To change a list
 * inside a dict, get it, change it and set it, or put a proxy of a managed list there. A proxy
 * that is stored in a managed object keeps what it stands for alive, as long as it is stored.
 *
 * CALLS through proxies wait for the server's answer, and for the object where the method does.
 * They return 0 if nothing else is said, or a code.
 * What the method raised comes as its code: KeyError MP_EKEY, IndexError MP_EINDEX, queue.Empty
 * MP_EEMPTY, queue.Full MP_EFULL, ValueError MP_EINVAL, TypeError MP_ETYPE, AttributeError
 * MP_EATTR, RuntimeError and AssertionError MP_ESTATE, OverflowError MP_EOVERFLOW,
 * BrokenBarrierError MP_EBROKEN, EOFError and StopIteration MP_EEOF, TimeoutError MP_ETIMEOUT, an
 * OSError with an errno -errno, any other MP_EREMOTE, and so what the server itself objects to
 * (RemoteError): unknown type or method, an object that is gone. Codes of registered types and of a
 * managed Pool's tasks (MP_ETASK, MP_EDIED, ...) come from libmp's server as they are.
 * mp_error_detail has the text of the other side.
 * Besides, every call answers MP_EDIED with a detail if the server ended or the connection broke,
 * MP_ECLOSED after shutdown by this process, MP_EINVAL for NULL where it needs something, MP_ETYPE
 * for what is no such object, MP_EPICKLE, MP_ETYPE and MP_EOVERFLOW for values that cannot be
 * sent, those of a call beyond 64 MiB among them where the server is libmp's, -ENOMEM.
 *
 * THREADS AND FORK. Each thread of each process has a connection of its own, which is what owns a
 * managed RLock or Condition. Any thread may use a proxy; a forked child may use those it inherits,
 * and has references of its own to them: a child of mp_process before start returns, where the
 * server is libmp's; else, and in other children, from its first call on, as in Python.
 *
 * KILL -9 of a client: its references are gone; a Lock, RLock or Condition it held and a unit of a
 * BoundedSemaphore are free to whoever acquires next (MP_RECOVERED from mp_proxy_call), and may
 * still be released by somebody else, as after an ordinary end; it waits no more, and a barrier it
 * waited in is broken; an item that was on its way to it may be lost, what it had received and not
 * done counts as done. Of a client of Python's that comes by TCP, or where the system does not tell
 * who comes (the portable form), only the end of a connection shows, not that of the process.
 * CPython's server frees nothing. Of the server: every call answers MP_EDIED; socket and folder are
 * removed by its creator's shutdown, or when the last process of the tree has ended.
 */
#ifndef MP_MANAGERS_H
#define MP_MANAGERS_H

#include "object.h"
#include "pool.h"
#include "process.h"

/**
 * A manager, mirroring Python's SyncManager.
 *
 *     mp_manager *manager;
 *     mp_dict *dict;
 *     MP_CHECK(mp_manager_create(&manager, NULL));            // Python: Manager()
 *     MP_CHECK(mp_manager_dict(manager, MP_NONE, &dict));     // Python: manager.dict()
 *     MP_CHECK(mp_dict_set(dict, MP("answer"), MP(42)));      // here or in a child
 *     MP_CHECK(mp_dict_println(dict, stdout));                // {'answer': 42}
 *     mp_dict_destroy(dict);
 *     mp_manager_destroy(manager);
 */
typedef struct mp_manager mp_manager;

/** A proxy of a managed dict, mirroring Python's DictProxy. */
typedef struct mp_dict mp_dict;

/**
 * A proxy of a managed list, mirroring Python's ListProxy. Indices may be negative.
 *
 *     mp_list *list;
 *     MP_CHECK(mp_manager_list(manager, MP_LIST(3, 1), &list)); // manager.list([3, 1])
 *     MP_CHECK(mp_list_append(list, MP(2)));                    // list.append(2)
 *     MP_CHECK(mp_list_sort(list, false));                      // list.sort()
 *     mp_list_destroy(list);
 */
typedef struct mp_list mp_list;

/**
 * A proxy of a managed Namespace, mirroring Python's NamespaceProxy.
 *
 *     mp_namespace *shared;
 *     MP_CHECK(mp_manager_namespace(manager, MP_NONE, &shared)); // manager.Namespace()
 *     MP_CHECK(mp_namespace_set(shared, "x", MP(10)));           // shared.x = 10
 *     mp_namespace_destroy(shared);
 */
typedef struct mp_namespace mp_namespace;

/**
 * A proxy of any managed object, mirroring Python's BaseProxy. Its methods are called by name:
 *
 *     mp_proxy *queue;
 *     mp_obj item;
 *     MP_CHECK(mp_manager_proxy(manager, "Queue", MP_TUPLE(10), MP_NONE, &queue));
 *     MP_CHECK(mp_proxy_call(queue, "put", MP_TUPLE("work"), MP_NONE, NULL));
 *     MP_CHECK(mp_proxy_call(queue, "get", MP_NONE, MP_DICT("timeout", 1.5), &item));
 */
typedef struct mp_proxy mp_proxy;

/** Options of a manager; all zero is Python's default. */
typedef struct mp_manager_options {
    const char *address; /**< as mp_listener_create takes it; NULL: a socket in a new folder */
    const void *authkey; /**< NULL: this process's, see mp_process_authkey */
    size_t authkey_len;  /**< bytes */
    mp_initializer *initializer; /**< runs in the server first; anything but 0: no manager */
    void *initarg;               /**< what it is given */
    double shutdown_timeout;     /**< seconds until a server that is to end is killed; 0: 1.0 */
} mp_manager_options;

/**
 * A method of a managed type.
 * `args` is a tuple, `kwargs` a dict, both borrowed. Several threads may be inside at the same
 * time, with the same `self` too.
 * Returns 0 and *result, which is None at first, and freed by the library if it is owned; or a
 * code, which the caller gets as it is, a Python client as the exception that mp_error_exception
 * names, with mp_error_detail() as its text.
 */
typedef int mp_managed_call(void *self, mp_obj args, mp_obj kwargs, mp_obj *result);

/** A method, and with `result_typeid` the type of which its result is made, to be a proxy. */
typedef struct mp_managed_method {
    const char *name;          /**< what a proxy calls it by */
    mp_managed_call *call;     /**< what runs in the server */
    const char *result_typeid; /**< NULL: by value. Else its create gets (result,) */
} mp_managed_method;

/** A type of the user's own. */
typedef struct mp_managed_type {
    int (*create)(void **self, mp_obj args, mp_obj kwargs); /**< NULL: no client creates it */
    void (*destroy)(void *self); /**< may be NULL; mp_manager_create's server leaves out the last */
    int (*repr)(void *self, mp_obj *text); /**< what str(proxy) gives; may be NULL */
    const mp_managed_method *methods;      /**< ends with a name of NULL */
} mp_managed_type;

MP_BEGIN_DECLS

/* ---- managers ----------------------------------------------------------------------------- */

/**
 * Start a manager's server in a child process.
 * Python: SyncManager(address, authkey); .start(initializer, initargs); Manager()
 * Waits until it serves. The caller owns *out. The server ignores SIGINT, has the registered types
 * of this moment, and is a child as mp_active_children lists them.
 * Returns 0; MP_EINVAL (ValueError) for an address that is none; -EADDRINUSE, -EACCES, ...
 * (OSError); MP_EDIED (EOFError) if the initializer failed; MP_ESTATE (AssertionError) in a
 * daemonic process; -EAGAIN, -ENOMEM, MP_ENOSLOT.
 * \param options may be NULL
 */
MP_API int mp_manager_create(mp_manager **out, const mp_manager_options *options);

/**
 * Serve in this process until a client asks to shut down.
 * Python: BaseManager(address, authkey).get_server().serve_forever()
 * Waits for that. The initializer runs first. `shutdown_timeout` is not used.
 * Returns 0 after shutdown; the initializer's failure is MP_ETASK; otherwise as mp_manager_create.
 * \param options may be NULL, but nobody knows the address then
 */
MP_API int mp_manager_serve(const mp_manager_options *options);

/**
 * Use a server that runs already, in C or in Python.
 * Python: BaseManager(address, authkey).connect()
 * Waits at most `timeout`. The caller owns *out.
 * Returns 0; MP_EAUTH (AuthenticationError) for a wrong key; MP_ETIMEOUT; MP_EEOF; MP_EINVAL
 * (ValueError) for an address that is none; -ECONNREFUSED, -ENOENT, ... (OSError).
 * \param authkey NULL: this process's
 */
MP_API int mp_manager_connect(mp_manager **out, const char *address, const void *authkey, size_t n,
                              double timeout);

/** Give the address, for mp_manager_connect. Python: manager.address. Valid until destroy. */
MP_API const char *mp_manager_address(mp_manager *manager);

/**
 * End the server, and wait for its end.
 * Python: BaseManager.shutdown()
 * Waits up to three times the shutdown timeout: for an answer, for the server to leave, and for one
 * that was terminated; then it is killed.
 * Proxies remain, and answer MP_ECLOSED. In a process that did not create it: ends nothing.
 * Returns 0, the second time too; MP_ESTATE (AttributeError) for a manager that was connected.
 */
MP_API int mp_manager_shutdown(mp_manager *manager);

/**
 * Wait until the server's process has ended.
 * Python: BaseManager.join(timeout=None)
 * Returns 0; MP_ETIMEOUT; MP_ESTATE (AssertionError) where this process did not create it.
 */
MP_API int mp_manager_join(mp_manager *manager, double timeout);

/**
 * Ask how many objects the server holds.
 * Python: BaseManager._number_of_objects()
 * Returns the number.
 */
MP_API int mp_manager_number_of_objects(mp_manager *manager);

/**
 * Give the server's process, to look at or to signal.
 * Python: BaseManager._process
 * The manager's, valid until destroy. NULL where this process did not create it.
 */
MP_API mp_process *mp_manager_process(mp_manager *manager);

/**
 * Shut down what was created here, and give the object back; NULL is fine.
 * Python: the last reference goes
 * Waits as mp_manager_shutdown. Proxies remain.
 */
MP_API void mp_manager_destroy(mp_manager *manager);

/**
 * Register a type, for the servers that this process creates from now on.
 * Python: BaseManager.register(typeid, callable, exposed=..., method_to_typeid=...)
 * Does not wait. `type` and all it points to must stay. A type_id that is known is replaced. Method
 * names must be names of Python's.
 * Returns 0; MP_EINVAL; -ENOMEM.
 */
MP_API int mp_manager_register(const char *type_id, const mp_managed_type *type);

/**
 * Register a task under a name, by which a managed Pool knows it.
 * Python: has no need of it
 * Clients pass "name" where Python passes a function, and one of Python's that has this name, with
 * or without its module's in front, will do. As mp_manager_register.
 *
 *     mp_proxy_call(pool_proxy, "apply", MP_TUPLE("square", MP_TUPLE(7)), MP_NONE, &result);
 *
 * This calls the task with (7,); map and its fellows call it with each item.
 * Returns 0; MP_EINVAL; -ENOMEM.
 */
MP_API int mp_manager_register_task(const char *name, mp_task *task);

/* ---- making objects ------------------------------------------------------------------------ */

/**
 * Create a managed dict.
 * Python: manager.dict(initial)
 * The caller owns *out.
 * Returns 0, or a code of the list above; MP_ETYPE (TypeError) for an `initial` that is no dict.
 * \param initial a dict, or None
 */
MP_API int mp_manager_dict(mp_manager *manager, mp_obj initial, mp_dict **out);

/** Create a managed list. Python: manager.list(initial). As mp_manager_dict; any container. */
MP_API int mp_manager_list(mp_manager *manager, mp_obj initial, mp_list **out);

/** Create a managed Namespace. Python: manager.Namespace(**initial). As mp_manager_dict. */
MP_API int mp_manager_namespace(mp_manager *manager, mp_obj initial, mp_namespace **out);

/**
 * Create a managed object of any type.
 * Python: manager.<type_id>(*args, **kwargs)
 * The types are "Array", "Barrier", "BoundedSemaphore", "Condition", "dict", "Event",
 * "JoinableQueue", "list", "Lock", "Namespace", "Pool", "Queue", "RLock", "Semaphore", "set",
 * "Value", what was registered, and what a server of Python's has. The caller owns *out.
 * Returns 0; MP_EREMOTE (RemoteError) for a type the server does not know, and whatever its
 * constructor raises; or a code of the list above.
 * \param args a tuple, or None
 * \param kwargs a dict with str keys, or None
 */
MP_API int mp_manager_proxy(mp_manager *manager, const char *type_id, mp_obj args, mp_obj kwargs,
                            mp_proxy **out);

/* ---- any proxy ----------------------------------------------------------------------------- */

/**
 * Call a method of the managed object.
 * Python: proxy.<method>(*args, **kwargs), proxy._callmethod(method, args, kwargs)
 * The caller owns *out. Locks, semaphores, events, conditions, barriers and queues follow the rules
 * of threading and queue: MP_EEMPTY after a get that found nothing, False after an acquire that ran
 * out of time; a negative timeout is MP_EINVAL for locks and queues, but for a lock's -1 (none).
 * Returns 0; MP_RECOVERED after an acquire, as above, from a server of libmp; or a code of the list
 * above. A result that is an object of its own comes as a proxy: take it with mp_proxy_from, or
 * its reference stays as long as this process is connected.
 * \param args a tuple, or None
 * \param kwargs a dict with str keys, or None
 * \param out may be NULL: the result is dropped
 */
MP_API int mp_proxy_call(mp_proxy *proxy, const char *method, mp_obj args, mp_obj kwargs,
                         mp_obj *out);

/**
 * Get a copy of the whole object.
 * Python: proxy._getvalue()
 * The caller owns *out.
 * Returns 0; MP_EPICKLE (PicklingError) for one that has no value, such as a Lock; or a code of
 * the list above.
 */
MP_API int mp_proxy_getvalue(mp_proxy *proxy, mp_obj *out);

/**
 * Print the managed object.
 * Python: print(proxy, end="", file=out)
 * Returns 0, or a code of the list above; -EIO, ... if `out` refuses.
 */
MP_API int mp_proxy_print(mp_proxy *proxy, FILE *out);

/**
 * Describe the proxy itself: <ListProxy object, typeid 'list' at 0x7f0012345678>.
 * Python: repr(proxy)
 * Asks nobody. Writes as snprintf, at most n bytes with the NUL.
 * Returns the whole length without the NUL, or a code.
 */
MP_API int mp_proxy_repr(mp_proxy *proxy, char *buf, size_t n);

/** Name the type of what a proxy stands for. Python: proxy._token.typeid. Valid until destroy. */
MP_API const char *mp_proxy_typeid(mp_proxy *proxy);

/**
 * Drop the proxy and its reference; the managed object goes with the last one.
 * Python: the last reference goes
 * Waits a second at most, and for no answer of libmp's server. What is not taken in that time goes
 * with a later call, or when this process ends. In a forked child it drops the child's own.
 * NULL is fine. Not for what mp_dict_proxy and its fellows give.
 */
MP_API void mp_proxy_destroy(mp_proxy *proxy);

/**
 * Make an object that stands for the proxy, to be put into a list, a dict or a message.
 * Python: the proxy itself
 * A literal that borrows from the proxy, which must live until the receiver has made its own of it.
 */
MP_API mp_obj mp_obj_proxy(mp_proxy *proxy);

/**
 * Make a proxy of an object that stands for one.
 * Python: unpickling does it
 * The caller owns *out, which has a reference of its own. The server is reached at the address
 * that the object tells, with the key of a manager or proxy of that address which this process has,
 * else with the process's own (mp_process_set_authkey).
 * Returns 0; MP_ETYPE (TypeError) for another object; MP_EREMOTE (RemoteError) if what it stands
 * for is gone; or a code of mp_manager_connect.
 */
MP_API int mp_proxy_from(mp_obj object, mp_proxy **out);

/**
 * Make a proxy of an object that stands for a dict, a list or a Namespace.
 * Python: unpickling does it
 * As mp_proxy_from; MP_ETYPE (TypeError) also if it stands for something else.
 */
MP_API int mp_dict_from(mp_obj object, mp_dict **out);
MP_API int mp_list_from(mp_obj object, mp_list **out);           /**< as mp_dict_from */
MP_API int mp_namespace_from(mp_obj object, mp_namespace **out); /**< as mp_dict_from */

/**
 * Give the proxy inside: the dict's, list's or namespace's, not to be destroyed.
 * Python: the dict itself
 * For mp_proxy_call and its fellows. Borrowed, valid until destroy.
 */
MP_API mp_proxy *mp_dict_proxy(mp_dict *dict);
MP_API mp_proxy *mp_list_proxy(mp_list *list);                 /**< as mp_dict_proxy */
MP_API mp_proxy *mp_namespace_proxy(mp_namespace *namespace_); /**< as mp_dict_proxy */

/* ---- dict ---------------------------------------------------------------------------------- */

/**
 * Get the value of a key.
 * Python: dict[key]
 * The caller owns *out, here and in all that follow; it may be NULL.
 * Returns 0; MP_EKEY (KeyError); MP_ETYPE (TypeError) for a key that is a list, dict or set.
 */
MP_API int mp_dict_get(mp_dict *dict, mp_obj key, mp_obj *out);

/** Get the value, or a copy of `otherwise`. Python: dict.get(key, otherwise) */
MP_API int mp_dict_get_default(mp_dict *dict, mp_obj key, mp_obj otherwise, mp_obj *out);

/** Set a key's value. Python: dict[key] = value. MP_ETYPE (TypeError) as mp_dict_get. */
MP_API int mp_dict_set(mp_dict *dict, mp_obj key, mp_obj value);

/** Delete a key. Python: del dict[key]. MP_EKEY (KeyError). */
MP_API int mp_dict_del(mp_dict *dict, mp_obj key);

/** Ask for a key. Python: key in dict. Returns 1 or 0. */
MP_API int mp_dict_contains(mp_dict *dict, mp_obj key);

/** Count the keys. Python: len(dict). Returns the number. */
MP_API int mp_dict_len(mp_dict *dict);

/** Get the keys as a list, in the order in which they came in. Python: dict.keys() */
MP_API int mp_dict_keys(mp_dict *dict, mp_obj *out);

/** Get the values as a list. Python: dict.values() */
MP_API int mp_dict_values(mp_dict *dict, mp_obj *out);

/** Get a list of tuples (key, value). Python: dict.items() */
MP_API int mp_dict_items(mp_dict *dict, mp_obj *out);

/** Get the whole dict as a plain one. Python: dict.copy() */
MP_API int mp_dict_copy(mp_dict *dict, mp_obj *out);

/** Remove a key and get its value. Python: dict.pop(key). MP_EKEY (KeyError). */
MP_API int mp_dict_pop(mp_dict *dict, mp_obj key, mp_obj *out);

/** Remove the last pair and get it, a tuple. Python: dict.popitem(). MP_EKEY (KeyError). */
MP_API int mp_dict_popitem(mp_dict *dict, mp_obj *out);

/** Get the value, which is set first where it is missing. Python: dict.setdefault(key, value) */
MP_API int mp_dict_setdefault(mp_dict *dict, mp_obj key, mp_obj value, mp_obj *out);

/** Set all the pairs of a dict, in one step. Python: dict.update(other). MP_ETYPE. */
MP_API int mp_dict_update(mp_dict *dict, mp_obj other);

/** Delete all keys. Python: dict.clear() */
MP_API int mp_dict_clear(mp_dict *dict);

/** Print the content. Python: print(dict, end="", file=out). As mp_proxy_print. */
MP_API int mp_dict_print(mp_dict *dict, FILE *out);

/** Print the content and a newline. Python: print(dict, file=out). As mp_proxy_print. */
MP_API int mp_dict_println(mp_dict *dict, FILE *out);

/** Describe the proxy, as mp_proxy_repr. Python: repr(dict) */
MP_API int mp_dict_repr(mp_dict *dict, char *buf, size_t n);

/** Drop the proxy, as mp_proxy_destroy. Python: the last reference goes. */
MP_API void mp_dict_destroy(mp_dict *dict);

/* ---- list ---------------------------------------------------------------------------------- */

/** Get an item. Python: list[i]. MP_EINDEX (IndexError). The caller owns *out, may be NULL. */
MP_API int mp_list_get(mp_list *list, long i, mp_obj *out);

/** Get a plain list of the items from..to-1; LONG_MAX for the end. Python: list[from:to] */
MP_API int mp_list_slice(mp_list *list, long from, long to, mp_obj *out);

/** Replace an item. Python: list[i] = value. MP_EINDEX (IndexError). */
MP_API int mp_list_set(mp_list *list, long i, mp_obj value);

/** Remove an item. Python: del list[i]. MP_EINDEX (IndexError). */
MP_API int mp_list_del(mp_list *list, long i);

/** Add an item at the end. Python: list.append(value) */
MP_API int mp_list_append(mp_list *list, mp_obj value);

/** Add all items of a container. Python: list.extend(values). MP_ETYPE (TypeError). */
MP_API int mp_list_extend(mp_list *list, mp_obj values);

/** Put an item before the one at i. Python: list.insert(i, value). Any i will do. */
MP_API int mp_list_insert(mp_list *list, long i, mp_obj value);

/** Remove an item and get it; -1 is the last. Python: list.pop(i). MP_EINDEX (IndexError). */
MP_API int mp_list_pop(mp_list *list, long i, mp_obj *out);

/** Remove the first item that is equal. Python: list.remove(value). MP_EINVAL (ValueError). */
MP_API int mp_list_remove(mp_list *list, mp_obj value);

/** Turn the order round. Python: list.reverse() */
MP_API int mp_list_reverse(mp_list *list);

/**
 * Sort, equal items staying in their order.
 * Python: list.sort(reverse=reverse)
 * Returns 0; MP_ETYPE (TypeError) if two items have no order, such as 1 and "1": any order then.
 */
MP_API int mp_list_sort(mp_list *list, bool reverse);

/** Find the first item that is equal. Python: list.index(value). Returns its place; MP_EINVAL. */
MP_API int mp_list_index(mp_list *list, mp_obj value);

/** Count the items that are equal. Python: list.count(value). Returns the number. */
MP_API int mp_list_count(mp_list *list, mp_obj value);

/** Ask for an item that is equal. Python: value in list. Returns 1 or 0. */
MP_API int mp_list_contains(mp_list *list, mp_obj value);

/** Count the items. Python: len(list). Returns the number. */
MP_API int mp_list_len(mp_list *list);

/** Repeat the content n times, none for n < 1. Python: list *= n */
MP_API int mp_list_imul(mp_list *list, long n);

/** Get the whole list as a plain one. Python: list[:] */
MP_API int mp_list_copy(mp_list *list, mp_obj *out);

/** Remove all items. Python: del list[:] */
MP_API int mp_list_clear(mp_list *list);

/** Print the content. Python: print(list, end="", file=out). As mp_proxy_print. */
MP_API int mp_list_print(mp_list *list, FILE *out);

/** Print the content and a newline. Python: print(list, file=out). As mp_proxy_print. */
MP_API int mp_list_println(mp_list *list, FILE *out);

/** Describe the proxy, as mp_proxy_repr. Python: repr(list) */
MP_API int mp_list_repr(mp_list *list, char *buf, size_t n);

/** Drop the proxy, as mp_proxy_destroy. Python: the last reference goes. */
MP_API void mp_list_destroy(mp_list *list);

/* ---- Namespace ----------------------------------------------------------------------------- */

/** Get an attribute. Python: namespace.name. MP_EATTR (AttributeError). The caller owns *out. */
MP_API int mp_namespace_get(mp_namespace *namespace_, const char *name, mp_obj *out);

/** Set an attribute. Python: namespace.name = value */
MP_API int mp_namespace_set(mp_namespace *namespace_, const char *name, mp_obj value);

/** Delete an attribute. Python: del namespace.name. MP_EATTR (AttributeError). */
MP_API int mp_namespace_del(mp_namespace *namespace_, const char *name);

/** Drop the proxy, as mp_proxy_destroy. Python: the last reference goes. */
MP_API void mp_namespace_destroy(mp_namespace *namespace_);

MP_END_DECLS

/**
 * Run the block that follows, then shut the manager down.
 * Python: with manager:
 * However the block is left: its end, break, return, goto. The manager still has to be destroyed.
 * Of one that was shut down before, the program ends as MP_CHECK ends it.
 *
 *     MP_WITH_MANAGER(manager) { MP_CHECK(mp_manager_dict(manager, MP_NONE, &dict)); }
 */
#define MP_WITH_MANAGER(x) MP_WITH_(manager, x, MP_CAT_(mp_guard_, __COUNTER__))

typedef struct mp_manager_guard_ {
    mp_manager *object;
    bool once;
} mp_manager_guard_;

MP_BEGIN_DECLS
MP_API int mp_manager_enter_(mp_manager *manager);
MP_END_DECLS

static inline mp_manager_guard_ mp_manager_guard_begin_(mp_manager *x, const char *file, int line)
{
    mp_manager_guard_ guard = {x, true};
    mp_guard_check_(mp_manager_enter_(x), file, line, "manager");
    return guard;
}

static inline void mp_manager_guard_end_(mp_manager_guard_ *guard)
{
    (void)mp_manager_shutdown(guard->object);
}

#endif
