/* Every Python here as a client of libmp's manager: all types and methods, own types, failures,
 * references, children, deaths, over each sort of address.
 *
 *   interop_manager <manager_peer.py> [column]
 */
#include "manager_types.h"
#include "matrix.h"
#include "together.h"

#include "support/support.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* How it works. Each case is a program of its own that starts a manager; most of them then have
 * cases of Python's side run there (client_*.py). When Python has dropped what it made, the server
 * holds nothing, and it ends with 0. */

#define KEY TOGETHER_KEY

static mp_obj key_of(const char *key)
{
    return MP_BYTES(key, strlen(key));
}

static mp_manager *manager_begin(const char *address, const char *key)
{
    mp_manager *manager;
    const mp_manager_options options = {
        .address = address, .authkey = key, .authkey_len = strlen(key)};
    assert_mp_result(mp_process_set_authkey(mp_current_process(), key, strlen(key)), 0);
    manager_types_register();
    assert_mp_result(mp_manager_create(&manager, &options), 0);
    return manager;
}

static void python_uses(struct peer *peer, mp_manager *manager)
{
    peer_gives(peer, "use", MP_TUPLE(mp_manager_address(manager), key_of(KEY)), MP_NONE);
}

/* A killed client is noticed soon, not at once. */
static void wait_for_objects(mp_manager *manager, int count)
{
    while (assert_mp_ok(mp_manager_number_of_objects(manager)) != count)
        mp_sleep(0.001);
}

static void manager_end(struct peer *peer, mp_manager *manager)
{
    peer_gives(peer, "forget", MP_NONE, MP_NONE);
    wait_for_objects(manager, 0);
    assert_mp_result(mp_manager_shutdown(manager), 0);
    int code = -1;
    assert_mp_result(mp_process_exitcode(mp_manager_process(manager), &code), 1);
    check(code == 0);
    mp_manager_destroy(manager);
}

static void python_cases(struct peer *peer, const char *names)
{
    while (*names != '\0') {
        size_t n = strcspn(names, " ");
        mp_obj skipped = peer_ask(peer, "case", MP_TUPLE(MP_STRN(names, n)));
        mp_obj_free(&skipped);
        names += n + strspn(names + n, " ");
    }
}

static void run_case(struct peer *peer, const struct matrix_case *one)
{
    if (one->alone != NULL) {
        one->alone(peer);
        return;
    }
    mp_manager *manager = manager_begin(NULL, KEY);
    python_uses(peer, manager);
    if (one->python != NULL)
        python_cases(peer, one->python);
    if (one->with_manager != NULL)
        one->with_manager(peer, manager);
    manager_end(peer, manager);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void over(struct peer *peer, const char *address, const char *cases)
{
    mp_manager *manager = manager_begin(address, KEY);
    python_uses(peer, manager);
    python_cases(peer, cases);
    together_nested(peer, manager);
    manager_end(peer, manager);
}

static void over_tcp(struct peer *peer)
{
    over(peer, "localhost:0", "dict_methods");
}

static void over_abstract(struct peer *peer)
{
    char name[64];
    (void)snprintf(name, sizeof name, "@libmp-interop-%ld", (long)getpid());
    over(peer, name, "dict_methods list_changes queues nested");
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void other_keys(struct peer *peer)
{
    static const char *const keys[] = {
        KEY, "", "0123456789012345678901234567890123456789012345678901234567890123456789"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        mp_manager *manager = manager_begin(NULL, keys[i]);
        peer_gives(peer, i == 0 ? "keys" : "use",
                   MP_TUPLE(mp_manager_address(manager), key_of(keys[i])), MP_NONE);
        if (i != 0)
            python_cases(peer, "recipe");
        manager_end(peer, manager);
    }
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void c_shuts_down(struct peer *peer)
{
    mp_manager *manager = manager_begin(NULL, KEY);
    python_uses(peer, manager);
    mp_obj list = peer_ask(peer, "new", MP_TUPLE("list", MP_LIST(1)));
    mp_obj_free(&list);
    assert_mp_result(mp_manager_shutdown(manager), 0);
    peer_gives(peer, "ended", MP_NONE, MP_NONE);
    mp_manager_destroy(manager);
}

static void python_shuts_down(struct peer *peer)
{
    mp_manager *manager = manager_begin(NULL, KEY);
    mp_dict *dict;
    assert_mp_result(mp_manager_dict(manager, MP_NONE, &dict), 0);
    python_uses(peer, manager);
    peer_gives(peer, "shut_down", MP_NONE, MP_NONE);
    assert_mp_result(mp_manager_join(manager, 30), 0);
    assert_mp_error(mp_dict_len(dict), MP_EDIED);
    mp_dict_destroy(dict);
    mp_manager_destroy(manager);
}

static void server_is_killed(struct peer *peer)
{
    mp_manager *manager = manager_begin(NULL, KEY);
    python_uses(peer, manager);
    mp_proxy *lock = proxy_make(manager, "Lock", MP_NONE);
    proxy_gives(lock, "acquire", MP_NONE, MP_TRUE);
    mp_obj list = peer_ask(peer, "new", MP_TUPLE("list"));
    mp_obj_free(&list);
    peer_gives(peer, "begin", MP_TUPLE(MP_TUPLE(mp_obj_proxy(lock), "acquire")), MP_NONE);
    check(kill(mp_process_pid(mp_manager_process(manager)), SIGKILL) == 0);
    peer_gives(peer, "finish", MP_NONE, MP("server gone"));
    peer_gives(peer, "ended", MP_NONE, MP_NONE);
    assert_mp_error(mp_proxy_call(lock, "release", MP_NONE, MP_NONE, NULL), MP_EDIED);
    mp_proxy_destroy(lock);
    mp_manager_destroy(manager);
}

static void ends(struct peer *peer)
{
    c_shuts_down(peer);
    python_shuts_down(peer);
    server_is_killed(peer);
}

/* A C process that is killed with the lock leaves it to Python. */
static int holder(void *arg)
{
    mp_proxy **proxies = arg;
    proxy_gives(proxies[0], "acquire", MP_NONE, MP_TRUE);
    proxy_gives(proxies[1], "set", MP_NONE, MP_NONE);
    while (pause() != 0)
        ;
    return 1;
}

static void c_is_killed(struct peer *peer, mp_manager *manager)
{
    mp_proxy *lock = proxy_make(manager, "Lock", MP_NONE);
    mp_proxy *held = proxy_make(manager, "Event", MP_NONE), *both[] = {lock, held};
    pid_t child = child_fork(holder, both);
    proxy_gives(held, "wait", MP_NONE, MP_TRUE);
    peer_gives(peer, "begin",
               MP_TUPLE(MP_TUPLE(mp_obj_proxy(lock), "acquire", MP_TRUE, 0.01),
                        MP_TUPLE(mp_obj_proxy(held), "clear"),
                        MP_TUPLE(mp_obj_proxy(lock), "acquire"),
                        MP_TUPLE(mp_obj_proxy(lock), "release")),
               MP_NONE);
    mp_obj set = MP_TRUE; /* until Python is about to acquire */
    while (mp_obj_equal(set, MP_TRUE))
        set = proxy_call(held, "is_set", MP_NONE);
    check(kill(child, SIGKILL) == 0);
    check(child_wait(child) == -SIGKILL);
    peer_gives(peer, "finish", MP_NONE, MP_LIST(MP_FALSE, MP_NONE, MP_TRUE, MP_NONE));
    proxy_gives(lock, "acquire", MP_TUPLE(MP_FALSE), MP_TRUE);
    mp_proxy_destroy(lock);
    mp_proxy_destroy(held);
}

/* What a killed Python process held is free again, and what it referred to is gone. */
#ifndef MP_PORTABLE
static void python_is_killed(struct peer *peer, mp_manager *manager)
{
    static const char *const kinds[] = {"Lock", "RLock", "Condition", "BoundedSemaphore"};
    mp_list *list;
    assert_mp_result(mp_manager_list(manager, MP_NONE, &list), 0);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        mp_proxy *lock = proxy_make(manager, kinds[i], MP_NONE);
        mp_obj got;
        peer_gives(peer, "hold", MP_TUPLE(mp_obj_proxy(lock), mp_obj_proxy(mp_list_proxy(list))),
                   MP_NONE);
        assert_mp_result(mp_proxy_call(lock, "acquire", MP_NONE, MP_NONE, &got), MP_RECOVERED);
        obj_is(got, MP_TRUE);
        proxy_gives(lock, "release", MP_NONE, MP_NONE);
        proxy_gives(lock, "acquire", MP_NONE, MP_TRUE);
        proxy_gives(lock, "release", MP_NONE, MP_NONE);
        wait_for_objects(manager, 3); /* the list, what stands in it, the lock */
        check(mp_list_len(list) == 1);
        assert_mp_result(mp_list_clear(list), 0);
        mp_proxy_destroy(lock);
    }
    mp_list_destroy(list);
}
#endif

static void kills(struct peer *peer, mp_manager *manager)
{
    c_is_killed(peer, manager);
#ifndef MP_PORTABLE /* there nobody tells whose connection it is */
    python_is_killed(peer, manager);
#endif
}

/* ---- the recipe of the documentation --------------------------------------------------------- */

static int serving(void *arg)
{
    const mp_manager_options options = {
        .address = arg, .authkey = KEY, .authkey_len = sizeof KEY - 1};
    manager_types_register();
    int rc = mp_manager_serve(&options);
    if (rc == -EADDRINUSE)
        return 1;
    assert_mp_result(rc, 0);
    return 0;
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(fd, (struct sockaddr *)&address, size) == 0);
    check(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* Null: somebody else was quicker to take the port. */
static mp_manager *manager_reach(const char *address, pid_t server)
{
    mp_manager *manager = NULL;
    int rc;
    while ((rc = mp_manager_connect(&manager, address, KEY, sizeof KEY - 1, 30)) != 0) {
        siginfo_t info = {0};
        check(waitid(P_PID, (id_t)server, &info, WEXITED | WNOHANG | WNOWAIT) == 0);
        if (info.si_pid == server)
            return NULL;
        assert_mp_error(rc, -ECONNREFUSED);
        mp_sleep(0.001);
    }
    return manager;
}

static void remote_recipe(struct peer *peer)
{
    char address[64];
    mp_manager *manager = NULL;
    pid_t server = 0;
    while (manager == NULL) {
        (void)snprintf(address, sizeof address, "localhost:%d", free_port());
        server = child_fork(serving, address);
        manager = manager_reach(address, server);
        if (manager == NULL)
            check(child_wait(server) == 1);
    }
    python_uses(peer, manager);
    python_cases(peer, "recipe");
    peer_gives(peer, "forget", MP_NONE, MP_NONE);
    check(mp_manager_number_of_objects(manager) == 0);
    peer_gives(peer, "shut_down", MP_NONE, MP_NONE);
    check(child_wait(server) == 0);
    mp_manager_destroy(manager);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct matrix_case cases[] = {
    {.name = "values", .python = "values unreadable_values strange_values"},
    {.name = "large", .python = "large_values"},
    {.name = "dict", .python = "dict_methods dict_changes newer_methods"},
    {.name = "list", .python = "list_methods list_changes"},
    {.name = "set", .python = "set_methods"},
    {.name = "Namespace", .python = "namespaces"},
    {.name = "Value", .python = "plain_values"},
    {.name = "str", .python = "texts"},
    {.name = "Iterator", .python = "dict_iterators"},
    {.name = "random", .python = "random_calls"},
    {.name = "Lock", .python = "locks recursive_locks held", .with_manager = together_locks},
    {.name = "Semaphore", .python = "semaphores"},
    {.name = "Condition", .python = "conditions", .with_manager = together_condition},
    {.name = "Event", .python = "events", .with_manager = together_event},
    {.name = "Barrier", .python = "barriers", .with_manager = together_barrier},
    {.name = "Queue", .python = "queues queue_shutdown", .with_manager = together_queue},
    {.name = "join", .python = "joinable_queues", .with_manager = together_join},
    {.name = "counter", .with_manager = together_counter},
    {.name = "Pool", .python = "pools slow_tasks failing_tasks"},
    {.name = "own", .python = "own_types"},
    {.name = "recipe", .alone = remote_recipe},
    {.name = "errors", .python = "failures"},
    {.name = "nested", .python = "nested", .with_manager = together_nested},
    {.name = "auto", .with_manager = together_nested_queue},
    {.name = "listener", .with_manager = together_listener},
    {.name = "refs", .python = "references"},
#ifdef MP_PORTABLE /* references of killed workers are seen to be gone nowhere */
    {.name = "children", .python = "spawned_child threads"},
#else
    {.name = "children", .python = "children spawned_child threads"},
#endif
    {.name = "key", .alone = other_keys},
    {.name = "tcp", .alone = over_tcp},
    {.name = "abstract", .alone = over_abstract},
    {.name = "kill", .with_manager = kills},
    {.name = "end", .alone = ends},
};

static struct matrix matrix = {
    .sentence = "Managers: every Python here is a client of libmp's",
    .title = "Python clients of libmp's manager",
    .run = run_case,
    .cases = cases,
    .count = sizeof cases / sizeof *cases,
};

int main(int argc, char **argv)
{
    return matrix_main(&matrix, argc, argv);
}
