/* A C program's calls of types of the Python manager's own, what they give and raise, references
 * and children. */
#include "server_cases.h"

#include "support/support.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- own types ------------------------------------------------------------------------------- */

void server_own_types(struct peer *peer, mp_manager *manager)
{
    mp_proxy *maths = proxy_make(manager, "Maths", MP_NONE), *few, *only, *another, *numbers;
    (void)peer;
    proxy_gives(maths, "add", MP_TUPLE(2, 3), MP(5));
    proxy_gives_kw(maths, "add", MP_TUPLE(2), MP_DICT("y", 0.5), MP(2.5));
    proxy_gives_kw(maths, "add", MP_NONE, MP_DICT("x", "a", "y", "b"), MP("ab"));
    proxy_gives(maths, "mul", MP_TUPLE(3, "ab"), MP("ababab"));
    proxy_gives_kw(maths, "echo", MP_TUPLE(1, MP_TUPLE(2)), MP_DICT("k", MP_LIST(3)),
                   MP_TUPLE(MP_TUPLE(1, MP_TUPLE(2)), MP_DICT("k", MP_LIST(3))));
    proxy_fails(maths, "add", MP_NONE, MP_ETYPE, "add()");
    proxy_fails(maths, "add", MP_TUPLE(1, "2"), MP_ETYPE, "unsupported operand");
    proxy_fails(maths, "nothing", MP_NONE, MP_EREMOTE, "nothing");
    proxy_fails(maths, "_hidden", MP_NONE, MP_EREMOTE, "_hidden");
    proxy_gives(maths, "keep", MP_TUPLE("kept"), MP_NONE);
    proxy_gives(maths, "kept", MP_NONE, MP("kept"));
    another = proxy_of(proxy_call(maths, "another", MP_TUPLE(8)));
    check(strcmp(mp_proxy_typeid(another), "Maths") == 0);
    numbers = proxy_of(proxy_call(maths, "numbers", MP_TUPLE(3)));
    for (int i = 0; i < 3; i++)
        proxy_gives(numbers, "__next__", MP_NONE, MP(i * i));
    proxy_fails(numbers, "__next__", MP_NONE, MP_EEOF, "");
    assert_mp_result(mp_manager_proxy(manager, "FewMaths", MP_NONE, MP_DICT("start", 4), &few), 0);
    proxy_gives(few, "_hidden", MP_NONE, MP("hidden"));
    proxy_gives(few, "kept", MP_NONE, MP(4));
    proxy_fails(few, "mul", MP_TUPLE(1, 2), MP_EREMOTE, "mul");
    only = proxy_make(manager, "OnlyMul", MP_TUPLE(1));
    proxy_gives(only, "mul", MP_TUPLE(2, 3), MP(6));
    proxy_fails(only, "add", MP_TUPLE(1, 2), MP_EREMOTE, "add");
    mp_proxy_destroy(only);
    mp_proxy_destroy(few);
    mp_proxy_destroy(numbers);
    mp_proxy_destroy(another);
    mp_proxy_destroy(maths);
}

/* ---- results --------------------------------------------------------------------------------- */

static void sender_refuses(mp_proxy *sender, const char *name, int code)
{
    proxy_fails(sender, "gives", MP_TUPLE(name), code, "");
    proxy_gives(sender, "gives", MP_TUPLE("int64"), MP(INT64_MAX));
}

void server_gives(struct peer *peer, mp_manager *manager)
{
    const mp_obj one = MP(1);
    mp_proxy *sender = proxy_make(manager, "Sender", MP_NONE);
    mp_obj got;
    (void)peer;
    proxy_gives(sender, "gives", MP_TUPLE("bytearray"), MP_BYTES("ab\0", 3));
    proxy_gives(sender, "gives", MP_TUPLE("lone"), MP("\xed\xa0\x80x"));
    proxy_gives(sender, "gives", MP_TUPLE("keys"), MP_LIST("a"));
    proxy_gives(sender, "gives", MP_TUPLE("shared"), MP_LIST(MP_LIST(1), MP_LIST(1), MP_LIST(1)));
    proxy_gives(sender, "gives", MP_TUPLE("frozen"), mp_obj_frozenset(&one, 1));
    proxy_gives(sender, "gives", MP_TUPLE("tuple"), MP_TUPLE(1, MP_TUPLE(2, MP_LIST(3))));
    got = proxy_call(sender, "gives", MP_TUPLE("nan"));
    check(got.type == MP_TYPE_FLOAT && isnan(got.f));
    got = proxy_call(sender, "gives", MP_TUPLE("negative zero"));
    check(got.type == MP_TYPE_FLOAT && signbit(got.f));
    got = proxy_call(sender, "gives", MP_TUPLE("text"));
    check(got.type == MP_TYPE_STR && got.len == 16 << 16);
    mp_obj_free(&got);
    got = proxy_call(sender, "gives", MP_TUPLE("numbers"));
    check(got.type == MP_TYPE_LIST && got.len == 100000 &&
          mp_obj_equal(got.items[99999], MP(99999)));
    mp_obj_free(&got);
    sender_refuses(sender, "beyond", MP_EOVERFLOW);
    sender_refuses(sender, "below", MP_EOVERFLOW);
    sender_refuses(sender, "huge", MP_EOVERFLOW);
    sender_refuses(sender, "complex", MP_EPICKLE);
    sender_refuses(sender, "class", MP_EPICKLE);
    sender_refuses(sender, "function", MP_EPICKLE);
    sender_refuses(sender, "object", MP_EPICKLE);
    sender_refuses(sender, "slice", MP_EPICKLE);
    sender_refuses(sender, "ellipsis", MP_EPICKLE);
    sender_refuses(sender, "exception", MP_EPICKLE);
    sender_refuses(sender, "lambda", MP_EPICKLE); /* nor can Python pickle these */
    sender_refuses(sender, "lock", MP_EPICKLE);
    proxy_fails(sender, "itself", MP_NONE, MP_EPICKLE, "");
    mp_proxy_destroy(sender);
}

/* ---- exceptions ------------------------------------------------------------------------------ */

void server_raises(struct peer *peer, mp_manager *manager)
{
    static const struct {
        const char *name;
        int code;
    } plain[] = {{"KeyError", MP_EKEY},
                 {"IndexError", MP_EINDEX},
                 {"ValueError", MP_EINVAL},
                 {"TypeError", MP_ETYPE},
                 {"AttributeError", MP_EATTR},
                 {"RuntimeError", MP_ESTATE},
                 {"AssertionError", MP_ESTATE},
                 {"OverflowError", MP_EOVERFLOW},
                 {"EOFError", MP_EEOF},
                 {"StopIteration", MP_EEOF},
                 {"TimeoutError", MP_ETIMEOUT},
                 {"ZeroDivisionError", MP_EREMOTE},
                 {"Exception", MP_EREMOTE},
                 {"LookupError", MP_EREMOTE},
                 {"OSError", MP_EREMOTE},
                 {"NotImplementedError", MP_EREMOTE},
                 {"Odd", MP_EREMOTE},
                 {"StopAsyncIteration", MP_EREMOTE},
                 {"ArithmeticError", MP_EREMOTE}};
    mp_proxy *sender = proxy_make(manager, "Sender", MP_NONE);
    (void)peer;
    proxy_fails(sender, "raises", MP_TUPLE("ZeroDivisionError", 1, "one"), MP_EREMOTE, "one");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        proxy_fails(sender, "raises", MP_TUPLE(plain[i].name, "told so"), plain[i].code, "told so");
        proxy_fails(sender, "raises", MP_TUPLE(plain[i].name), plain[i].code, "");
        proxy_fails(sender, "raises", MP_TUPLE(plain[i].name, MP_LIST(2.5), 1, MP_NONE),
                    plain[i].code, "2.5");
    }
    proxy_fails(sender, "raises", MP_TUPLE("Empty"), MP_EEMPTY, "");
    proxy_fails(sender, "raises", MP_TUPLE("Full"), MP_EFULL, "");
    proxy_fails(sender, "raises", MP_TUPLE("BrokenBarrierError"), MP_EBROKEN, "");
    proxy_fails(sender, "raises", MP_TUPLE("OSError", ENOENT, "no such thing", "/name"), -ENOENT,
                "no such thing");
    proxy_fails(sender, "raises", MP_TUPLE("OSError", ENOSPC, "full up"), -ENOSPC, "full up");
    proxy_fails(sender, "raises", MP_TUPLE("PermissionError", EACCES, "keep out"), -EACCES,
                "keep out");
    proxy_fails(sender, "raises", MP_TUPLE("UnicodeDecodeError"), MP_EREMOTE, "invalid start");
    proxy_fails(sender, "noted", MP_NONE, MP_EKEY, "'k'");
    proxy_fails(sender, "chained", MP_NONE, MP_EREMOTE, "second");
    proxy_fails(sender, "raises", MP_NONE, MP_ETYPE, "name");
    mp_proxy_destroy(sender);
}

/* ---- what the server itself objects to ------------------------------------------------------- */

void server_refuses(struct peer *peer, mp_manager *manager)
{
    mp_list *list, *copy;
    mp_proxy *proxy;
    mp_obj object, got;
    (void)peer;
    assert_mp_error(mp_manager_proxy(manager, "no such type", MP_NONE, MP_NONE, &proxy),
                    MP_EREMOTE);
    check(strstr(mp_error_detail(), "no such type") != NULL);
    assert_mp_error(mp_manager_proxy(manager, "Maths", MP_TUPLE(1, 2, 3), MP_NONE, &proxy),
                    MP_EREMOTE);
    check(strstr(mp_error_detail(), "TypeError") != NULL);
    assert_mp_error(mp_manager_proxy(manager, "list", MP(5), MP_NONE, &proxy), MP_ETYPE);
    assert_mp_result(mp_manager_list(manager, MP_LIST(1), &list), 0);
    proxy_fails(mp_list_proxy(list), "nothing", MP_NONE, MP_EREMOTE, "nothing");
    proxy_fails(mp_list_proxy(list), "__class__", MP_NONE, MP_EREMOTE, "__class__");

    assert_mp_result(mp_obj_copy(mp_obj_proxy(mp_list_proxy(list)), &object), 0);
    mp_list_destroy(list);
    assert_mp_error(mp_list_from(object, &copy), MP_EREMOTE); /* it is gone */
    mp_obj_free(&object);
    assert_mp_result(mp_manager_list(manager, MP_LIST(1), &list), 0);
    assert_mp_result(mp_list_get(list, 0, &got), 0);
    obj_is(got, MP(1));
    mp_list_destroy(list);
    proxy = proxy_make(manager, "Lock", MP_NONE);
    assert_mp_error(mp_proxy_getvalue(proxy, &got), MP_EPICKLE);
    mp_proxy_destroy(proxy);
}

/* ---- references and children ----------------------------------------------------------------- */

void server_references(struct peer *peer, mp_manager *manager)
{
    mp_dict *dict, *again;
    mp_list *list;
    mp_obj object;
    check(mp_manager_number_of_objects(manager) == 0);
    assert_mp_result(mp_manager_dict(manager, MP_DICT("a", 1), &dict), 0);
    assert_mp_result(mp_manager_list(manager, MP_NONE, &list), 0);
    check(mp_manager_number_of_objects(manager) == 2);
    mp_list_destroy(list);
    check(mp_manager_number_of_objects(manager) == 1);
    object = peer_ask(peer, "do", MP_TUPLE(mp_obj_proxy(mp_dict_proxy(dict)), "copy"));
    obj_is(object, MP_DICT("a", 1));
    peer_gives(peer, "forget", MP_NONE, MP_NONE);
    assert_mp_result(mp_obj_copy(mp_obj_proxy(mp_dict_proxy(dict)), &object), 0);
    assert_mp_result(mp_dict_from(object, &again), 0);
    mp_obj_free(&object);
    mp_dict_destroy(dict);
    check(mp_manager_number_of_objects(manager) == 1);
    check(mp_dict_len(again) == 1);
    mp_dict_destroy(again);
    check(mp_manager_number_of_objects(manager) == 0);
}

static int child_appends(void *arg)
{
    mp_proxy *list = *(mp_proxy **)arg;
    proxy_gives(list, "append", MP_TUPLE("forked"), MP_NONE);
    mp_proxy_destroy(list);
    return 0;
}

static int process_appends(void *arg)
{
    mp_proxy *list = *(mp_proxy **)arg;
    proxy_gives(list, "append", MP_TUPLE("process"), MP_NONE);
    mp_proxy_destroy(list);
    return 0;
}

struct outliving {
    mp_proxy *list, *event;
    struct signal_pipe running;
};

/* The parent drops its proxy while the child, which has a reference from its start on, waits. */
static int child_outlives_the_proxy(void *arg)
{
    struct outliving *outliving = *(struct outliving **)arg;
    pipe_tell(&outliving->running, 'r');
    proxy_gives(outliving->event, "wait", MP_TUPLE(30), MP_TRUE);
    proxy_gives(outliving->list, "append", MP_TUPLE(1), MP_NONE);
    proxy_gives(outliving->list, "__len__", MP_NONE, MP(1));
    mp_proxy_destroy(outliving->list);
    mp_proxy_destroy(outliving->event);
    return 0;
}

static mp_process *process_of(mp_target *target, const void *arg, size_t size)
{
    mp_process *process;
    assert_mp_result(mp_process_create(&process, target, arg, size, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    return process;
}

static void process_ends(mp_process *process)
{
    int code = -1;
    assert_mp_result(mp_process_join(process, 30), 0);
    assert_mp_result(mp_process_exitcode(process, &code), 1);
    check(code == 0);
    mp_process_destroy(process);
}

void server_children(struct peer *peer, mp_manager *manager)
{
    mp_proxy *list = proxy_make(manager, "list", MP_NONE);
    (void)peer;
    child_must_succeed(child_appends, &list);
    process_ends(process_of(process_appends, &list, sizeof list));
    proxy_gives(list, "pop", MP_NONE, MP("process"));
    proxy_gives(list, "pop", MP_NONE, MP("forked"));
    mp_proxy_destroy(list);

    struct outliving outliving = {.list = proxy_make(manager, "list", MP_NONE),
                                  .event = proxy_make(manager, "Event", MP_NONE)};
    struct outliving *arg = &outliving;
    pipe_open(&outliving.running);
    mp_process *process = process_of(child_outlives_the_proxy, &arg, sizeof arg);
    check(pipe_await(&outliving.running) == 'r');
    mp_proxy_destroy(outliving.list);
    proxy_gives(outliving.event, "set", MP_NONE, MP_NONE);
    process_ends(process);
    mp_proxy_destroy(outliving.event);
    pipe_close(&outliving.running);
}
