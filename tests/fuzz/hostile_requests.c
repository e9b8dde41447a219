/* What a manager's clients send, made up at random: calls of every method of every type with any
 * arguments and with proxies among them, and messages changed or cut short. Each is answered, or
 * ends its connection; run it under the sanitizers.
 *
 *   hostile_requests [requests]
 *
 * The seed is printed; LIBMP_TEST_SEED repeats it.
 */
#include "managers/feed.h"
#include "support/support.h"
#include "wire/objects.h"
#include "wire/random_object.h"

#include <stdlib.h>
#include <string.h>

enum { REQUESTS_OF_A_SERVER = 400, ROOM = 1 << 14 };

static unsigned long requests = 100000;

/* By type, in the order of feed_open's objects; then what the server itself does. */
#define METHODS(...)                                                    \
    {                                                                   \
        (const char *const[]){__VA_ARGS__},                             \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *) \
    }
#define ACQUIRER METHODS("acquire", "release", "locked")
#define QUEUE                                                                                \
    METHODS("put", "get", "put", "get", "empty", "full", "get_nowait", "join", "put_nowait", \
            "qsize", "task_done", "shutdown")
static const struct {
    const char *const *names;
    size_t n;
} methods[] = {
    METHODS("__contains__", "__delitem__", "__getitem__", "__setitem__", "__len__", "__reversed__",
            "__add__", "__imul__", "__mul__", "__rmul__", "append", "count", "extend", "index",
            "insert", "remove", "reverse", "sort", "pop", "clear", "copy", "#GETVALUE", "__str__"),
    METHODS("__contains__", "__delitem__", "__getitem__", "__iter__", "__len__", "__setitem__",
            "clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update",
            "values", "__or__", "__ior__", "__ror__", "__reversed__", "fromkeys", "__repr__"),
    METHODS("add", "discard", "remove", "pop", "clear", "copy", "update", "difference",
            "intersection", "isdisjoint", "issubset", "issuperset", "symmetric_difference", "union",
            "difference_update", "intersection_update", "symmetric_difference_update", "__and__",
            "__sub__", "__xor__", "__or__", "__iand__", "__isub__", "__ixor__", "__ior__", "__eq__",
            "__le__", "__lt__", "__ge__", "__gt__", "__ne__", "__rsub__", "__iter__"),
    METHODS("__getattribute__", "__setattr__", "__delattr__", "__str__"),
    METHODS("get", "set"),
    METHODS("__len__", "__getitem__", "__setitem__", "#GETVALUE"),
    ACQUIRER,
    ACQUIRER,
    ACQUIRER,
    ACQUIRER,
    METHODS("acquire", "release", "wait", "notify", "notify_all", "locked"),
    METHODS("is_set", "set", "clear", "wait"),
    METHODS("__getattribute__", "wait", "abort", "reset"),
    QUEUE,
    QUEUE,
    METHODS("incref", "decref", "adopt", "lend", "drop", "dummy", "get_methods",
            "number_of_objects", "debug_info", "accept_connection", "create", "__next__", "send"),
};
enum { KINDS = sizeof methods / sizeof *methods };

/* One of the type's, now and then of another. */
static const char *any_method(struct rng *rng, size_t kind)
{
    if (rng_below(rng, 20) == 0)
        kind = rng_below(rng, KINDS);
    return methods[kind].names[rng_below(rng, methods[kind].n)];
}

static const char *const types[] = {"list",  "dict",      "set",      "Namespace", "Value",
                                    "Array", "Semaphore", "Iterator", "Queue",     "Barrier"};

/* ---- arguments ------------------------------------------------------------------------------- */

struct argument {
    struct random_object *random;
    struct feed_proxy proxy;
};

static void argument_free(struct argument *argument)
{
    if (argument->random != NULL)
        random_object_free(argument->random);
}

static mp_obj any_argument(struct rng *rng, const struct feed *feed, struct argument *argument)
{
    static const char *const words[] = {"a", "b", "parties", "n_waiting", "x", "_y"};
    const char *id = feed_id(feed, rng_below(rng, 24));
    switch (rng_below(rng, 8)) {
    case 0:
    case 1:
        return MP((long)rng_below(rng, 8) - 3);
    case 2:
        return MP(words[rng_below(rng, sizeof words / sizeof *words)]);
    case 3:
        return MP(0.0001 * (double)rng_below(rng, 4));
    case 4:
        return rng_below(rng, 2) == 0 ? MP_NONE : mp_obj_bool(rng_below(rng, 2) != 0);
    case 5:
        return feed_proxy(types[rng_below(rng, sizeof types / sizeof *types)],
                          id != NULL ? id : "77", &argument->proxy);
    case 6:
        return MP(id != NULL ? id : "list");
    default:
        argument->random = random_object_make(rng, 2);
        return random_object_get(argument->random);
    }
}

/* Who is to be asked for a method of the kind; seldom somebody else. */
static unsigned any_client(struct rng *rng, size_t kind)
{
    if (kind == KINDS - 1 && rng_below(rng, 10) != 0)
        return FEED_SESSION;
    return (unsigned)rng_below(rng, FEED_SESSION);
}

static void call_something(struct feed *feed, struct rng *rng)
{
    struct argument argument[4] = {{.random = NULL}};
    mp_obj args[4];
    size_t kind = rng_below(rng, KINDS), n = rng_below(rng, 4);
    const char *id = kind < KINDS - 1 ? feed_id(feed, kind) : NULL;
    n = n == 3 ? 1 : n;
    const char *method = any_method(rng, kind);
    for (size_t i = 0; i < n; i++)
        args[i] = strstr(method, "mul") == NULL ? any_argument(rng, feed, &argument[i])
                                                : MP((long)rng_below(rng, 3));
    feed_call(feed, any_client(rng, kind), id, method, mp_obj_tuple(args, n));
    for (size_t i = 0; i < n; i++)
        argument_free(&argument[i]);
}

static void create_something(struct feed *feed, struct rng *rng)
{
    struct argument argument = {.random = NULL};
    mp_obj args[2] = {any_argument(rng, feed, &argument), MP(1)};
    (void)feed_create(feed, types[rng_below(rng, sizeof types / sizeof *types)],
                      mp_obj_tuple(args, rng_below(rng, 3)));
    argument_free(&argument);
}

static void print_and_check_count(unsigned one_in)
{
    print_message("answers: returned %lu, refused %lu\n", feed_count.returned, feed_count.refused);
    check(feed_count.returned >= requests / one_in && feed_count.refused >= requests / one_in);
    feed_count = (struct feed_count){.returned = 0};
}

static void test_calls_of_every_kind_are_answered(void **state)
{
    (void)state;
    struct rng rng = rng_start(rng_seed());
    support_time_limit(3000);
    for (unsigned long done = 0; done < requests;) {
        struct feed *feed = feed_open();
        for (int i = 0; i < REQUESTS_OF_A_SERVER; i++, done++) {
            if (rng_below(&rng, 30) == 0)
                create_something(feed, &rng);
            else
                call_something(feed, &rng);
        }
        feed_close(feed);
    }
    print_and_check_count(5);
}

/* ---- messages -------------------------------------------------------------------------------- */

static size_t any_message(struct feed *feed, struct rng *rng, unsigned char *message)
{
    struct argument argument[2] = {{.random = NULL}};
    size_t kind = rng_below(rng, KINDS), size;
    const char *id = kind < KINDS - 1 ? feed_id(feed, kind) : NULL;
    mp_obj args[2] = {any_argument(rng, feed, &argument[0]), any_argument(rng, feed, &argument[1])};
    const mp_obj request = MP_TUPLE(mp_obj_str(id), any_method(rng, kind),
                                    mp_obj_tuple(args, rng_below(rng, 3)), MP_EMPTY_DICT);
    if (mp__pickle_size(request, 4, MP__PICKLE_OPAQUE, &size) != 0 || size > ROOM / 2)
        size = 0;
    else
        (void)mp__pickle_write(request, 4, MP__PICKLE_OPAQUE, message);
    for (int i = 0; i < 2; i++)
        argument_free(&argument[i]);
    return size;
}

static size_t change(struct rng *rng, unsigned char *p, size_t n)
{
    static const char edges[] = "\x00\x01\x7f\x80\xff(.0h\x94Re]}\x85\x93N";
    for (uint64_t k = rng_below(rng, 4); k > 0 && n > 1; k--) {
        size_t at = rng_below(rng, n);
        if (rng_below(rng, 3) == 0)
            p[at] = (unsigned char)edges[rng_below(rng, sizeof edges - 1)];
        else if (rng_below(rng, 2) == 0)
            p[at] = (unsigned char)(p[at] ^ (1 << rng_below(rng, 8)));
        else
            n = at + 1;
    }
    return n;
}

static void test_changed_messages_are_answered_or_end_their_connection(void **state)
{
    (void)state;
    static unsigned char message[ROOM];
    struct rng rng = rng_start(rng_seed());
    support_time_limit(3000);
    for (unsigned long done = 0; done < requests;) {
        struct feed *feed = feed_open();
        for (int i = 0; i < REQUESTS_OF_A_SERVER; i++, done++) {
            size_t n = change(&rng, message, any_message(feed, &rng, message));
            unsigned client = (unsigned)rng_below(&rng, FEED_CLIENTS);
            if (rng_below(&rng, 10) == 0)
                feed_bytes(feed, client, message, n);
            else
                feed_message(feed, client, message, n);
        }
        feed_close(feed);
    }
    print_and_check_count(20);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        support_test("calls of every kind are answered", test_calls_of_every_kind_are_answered),
        support_test("changed messages are answered, or end their connection",
                     test_changed_messages_are_answered_or_end_their_connection),
    };
    if (argc > 1)
        requests = strtoul(argv[1], NULL, 10);
    return support_run("Hostile requests", tests);
}
