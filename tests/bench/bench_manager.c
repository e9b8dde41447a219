/* Managers against a bare request and reply over a socket pair, and against CPython's: gets and sets
 * of a dict by one client and by four, connecting with authentication, and what is made and ended.
 *
 * A call through a proxy is one request and one reply. What nothing can beat by much is two processes
 * that do just that with messages of the same sizes: each sends with one write, and blocks in one
 * read until all is there. Neither spins.
 */
#include "kit.h"

#include <mp/mp.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS = 4, ROOM = 512 };

/* Where servers run while the client has the first CPU; FREE: where the scheduler likes. */
enum where { NEXT, SAME, FREE, PLACES };

struct served {
    mp_manager *manager;
    mp_dict *dict;
};
static struct served served[PLACES];
static mp_dict *dict; /* the one that is called now */

/* ---- libmp ---------------------------------------------------------------------------------- */

static int pin_server(void *where)
{
    if (*(const enum where *)where != FREE)
        bench_pin(*(const enum where *)where == NEXT ? 1 : 0);
    return 0;
}

static void server_start(enum where where)
{
    mp_manager_options options = {.initializer = pin_server, .initarg = &where};
    MP_CHECK(mp_manager_create(&served[where].manager, &options));
    MP_CHECK(mp_manager_dict(served[where].manager, MP_DICT("answer", 42), &served[where].dict));
}

static void get_one(void)
{
    mp_obj value;
    bench_check(mp_dict_get(dict, MP("answer"), &value) == 0 && value.i == 42);
    mp_obj_free(&value);
}

static void get_batch(uint64_t n)
{
    while (n-- > 0)
        get_one();
}

static void set_batch(uint64_t n)
{
    while (n-- > 0)
        bench_check(mp_dict_set(dict, MP("answer"), MP(42)) == 0);
}

static double calls_time(bench_batch *batch, enum where where, double seconds)
{
    dict = served[where].dict;
    return where == FREE ? bench_unpinned(batch, seconds) : bench_alone(batch, seconds);
}

static uint64_t client_body(struct bench_team *team, unsigned index)
{
    uint64_t done = 0;
    (void)index;
    for (; !bench_is_over(team); done += 2) {
        get_batch(1);
        set_batch(1);
    }
    return done;
}

static void connect_batch(uint64_t n)
{
    while (n-- > 0) {
        mp_manager *manager;
        bench_check(mp_manager_connect(&manager, mp_manager_address(served[NEXT].manager), NULL, 0,
                                       MP_FOREVER) == 0);
        mp_manager_destroy(manager);
    }
}

static void dict_life_batch(uint64_t n)
{
    while (n-- > 0) {
        mp_dict *some;
        bench_check(mp_manager_dict(served[NEXT].manager, MP_NONE, &some) == 0);
        mp_dict_destroy(some);
    }
}

static void manager_life_batch(uint64_t n)
{
    while (n-- > 0) {
        mp_manager *some;
        bench_check(mp_manager_create(&some, NULL) == 0);
        mp_manager_destroy(some);
    }
}

/* ---- the same by hand ----------------------------------------------------------------------- */

struct exchange {
    size_t request, reply;
};
static struct exchange get_sizes, set_sizes;
static struct exchange exchange; /* the one under way */
static int raw_fd;

/* Of a message that holds the object, with its head. */
static size_t message_size(mp_obj object)
{
    void *bytes;
    size_t size;
    MP_CHECK(mp_obj_dumps(object, 4, &bytes, &size));
    free(bytes);
    bench_check(size + 4 <= ROOM);
    return size + 4;
}

static void sizes_learn(void)
{
    get_sizes.request =
        message_size(MP_TUPLE("1000001", "__getitem__", MP_TUPLE("answer"), MP_EMPTY_DICT));
    get_sizes.reply = message_size(MP_TUPLE("#RETURN", 42));
    set_sizes.request =
        message_size(MP_TUPLE("1000001", "__setitem__", MP_TUPLE("answer", 42), MP_EMPTY_DICT));
    set_sizes.reply = message_size(MP_TUPLE("#RETURN", MP_NONE));
}

/* False at the end of the stream. */
static bool raw_receive(int fd, size_t size)
{
    char message[ROOM];
    ssize_t n = recv(fd, message, size, MSG_WAITALL);
    bench_check(n == 0 || n == (ssize_t)size);
    return n > 0;
}

static void raw_send(int fd, size_t size)
{
    static const char message[ROOM];
    bench_check(write(fd, message, size) == (ssize_t)size);
}

static void raw_batch(uint64_t n)
{
    while (n-- > 0) {
        raw_send(raw_fd, exchange.request);
        bench_check(raw_receive(raw_fd, exchange.reply));
    }
}

static _Noreturn void raw_serve(int fd, enum where where)
{
    (void)pin_server(&where);
    while (raw_receive(fd, exchange.request))
        raw_send(fd, exchange.reply);
    _exit(0);
}

static double raw_time(const struct exchange *sizes, enum where where, double seconds)
{
    int ends[2], status;
    exchange = *sizes;
    bench_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    pid_t pid = fork();
    bench_check(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        raw_serve(ends[1], where);
    }
    close(ends[1]);
    raw_fd = ends[0];
    double ns =
        where == FREE ? bench_unpinned(raw_batch, seconds) : bench_alone(raw_batch, seconds);
    close(ends[0]);
    bench_check(waitpid(pid, &status, 0) == pid && status == 0);
    return ns;
}

/* ---- sides ---------------------------------------------------------------------------------- */

static double get_next(double seconds)
{
    return calls_time(get_batch, NEXT, seconds);
}

static double set_next(double seconds)
{
    return calls_time(set_batch, NEXT, seconds);
}

static double get_same(double seconds)
{
    return calls_time(get_batch, SAME, seconds);
}

static double set_same(double seconds)
{
    return calls_time(set_batch, SAME, seconds);
}

static double get_free(double seconds)
{
    return calls_time(get_batch, FREE, seconds);
}

static double raw_get_next(double seconds)
{
    return raw_time(&get_sizes, NEXT, seconds);
}

static double raw_set_next(double seconds)
{
    return raw_time(&set_sizes, NEXT, seconds);
}

static double raw_get_same(double seconds)
{
    return raw_time(&get_sizes, SAME, seconds);
}

static double raw_set_same(double seconds)
{
    return raw_time(&set_sizes, SAME, seconds);
}

static double raw_get_free(double seconds)
{
    return raw_time(&get_sizes, FREE, seconds);
}

static double clients(double seconds)
{
    dict = served[FREE].dict;
    return bench_together(CLIENTS, BENCH_SPREAD, client_body, seconds);
}

static double connect_next(double seconds)
{
    return bench_alone(connect_batch, seconds);
}

static double dict_life(double seconds)
{
    return bench_alone(dict_life_batch, seconds);
}

static double manager_life(double seconds)
{
    return bench_unpinned(manager_life_batch, seconds);
}

int main(int argc, char **argv)
{
    static const struct bench_row rows[] = {
        {"dict get, server on the next CPU", get_next, raw_get_next, "manager_get_next", 1.2, 2.5},
        {"dict set, server on the next CPU", set_next, raw_set_next, "manager_set_next", 1.2, 2.5},
        {"dict get, server on the same CPU", get_same, raw_get_same, "manager_get_same", 1.2, 2.5},
        {"dict set, server on the same CPU", set_same, raw_set_same, "manager_set_same", 1.2, 2.5},
        {"dict get, placed by the scheduler", get_free, raw_get_free, "manager_get_free", 1.2, 2.5},
        {"4 clients, get and set in turn", clients, NULL, "manager_clients 4 spread", 0, 5},
        {"connecting with authentication", connect_next, NULL, "manager_connect_next", 0, 5},
        {"a dict's life: make, destroy", dict_life, NULL, "manager_dict_next", 0, 0},
        {"a manager's life", manager_life, NULL, "manager_life_free", 0, 0},
    };
    sizes_learn();
    for (enum where where = NEXT; where < PLACES; where++)
        server_start(where);
    int status = bench_main(argc, argv, rows, sizeof rows / sizeof *rows);
    for (enum where where = NEXT; where < PLACES; where++) {
        mp_dict_destroy(served[where].dict);
        mp_manager_destroy(served[where].manager);
    }
    return status;
}
