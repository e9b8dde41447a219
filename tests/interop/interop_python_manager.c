/* libmp as a client of the manager of every Python here: all types and methods, what it gives and
 * raises, references, children, ends, over each sort of address.
 *
 *   interop_python_manager <manager_peer.py> [column]
 */
#include "matrix.h"
#include "server_cases.h"
#include "together.h"

#include "support/support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* How it works. The Python of the row starts a manager with its first case, and all of them use it;
 * each case is a program of its own that connects to it, and leaves no object there. */

#define KEY TOGETHER_KEY
#define KEY_BYTES MP_BYTES(KEY, sizeof KEY - 1)

static const double hangs = 30;

/* NULL: anywhere. */
static mp_manager *manager_begin(struct peer *peer, const char *address)
{
    mp_manager *manager;
    assert_mp_result(mp_process_set_authkey(mp_current_process(), KEY, sizeof KEY - 1), 0);
    mp_obj there = peer_ask(peer, "serve", MP_TUPLE(address, KEY_BYTES));
    assert_mp_result(mp_manager_connect(&manager, there.s, NULL, 0, hangs), 0);
    check(strcmp(mp_manager_address(manager), there.s) == 0);
    mp_obj_free(&there);
    return manager;
}

static void manager_end(struct peer *peer, mp_manager *manager)
{
    peer_gives(peer, "forget", MP_NONE, MP_NONE);
    check(assert_mp_ok(mp_manager_number_of_objects(manager)) == 0);
    assert_mp_error(mp_manager_shutdown(manager), MP_ESTATE);
    mp_manager_destroy(manager);
}

static void run_case(struct peer *peer, const struct matrix_case *one)
{
    if (one->alone != NULL) {
        one->alone(peer);
        return;
    }
    mp_manager *manager = manager_begin(peer, NULL);
    one->with_manager(peer, manager);
    manager_end(peer, manager);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void over(struct peer *peer, const char *address)
{
    peer_gives(peer, "end_server", MP_NONE, MP_NONE);
    mp_manager *manager = manager_begin(peer, address);
    server_dict(peer, manager);
    server_event(peer, manager);
    together_nested(peer, manager);
    manager_end(peer, manager);
    peer_gives(peer, "end_server", MP_NONE, MP_NONE);
}

static void over_tcp(struct peer *peer)
{
    over(peer, "localhost:0");
}

static void over_abstract(struct peer *peer)
{
    char name[64];
    (void)snprintf(name, sizeof name, "@libmp-interop-%ld", (long)getpid());
    over(peer, name);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void other_keys(struct peer *peer)
{
    static const char *const keys[] = {"", "wrong", KEY "!"};
    mp_manager *manager = manager_begin(peer, NULL), *none;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_mp_error(
            mp_manager_connect(&none, mp_manager_address(manager), keys[i], strlen(keys[i]), hangs),
            MP_EAUTH);
    server_list(peer, manager);
    manager_end(peer, manager);
}

/* ---- Python's older servers ------------------------------------------------------------------ */

static void nested_auto_proxies(struct peer *peer)
{
    mp_obj version = peer_ask(peer, "version", MP_NONE);
    if (strncmp(version.s, "3.8.", 4) == 0)
        case_skip(peer, "its server cannot take a proxy without a class of its own (bpo-30256)");
    mp_obj_free(&version);
    mp_manager *manager = manager_begin(peer, NULL);
    together_nested_queue(peer, manager);
    manager_end(peer, manager);
}

static void tasks(struct peer *peer)
{
    case_skip(peer, "a Pool of its server wants Python functions, which C has no way to name");
}

/* ---- kills ----------------------------------------------------------------------------------- */

static int holder(void *arg)
{
    mp_proxy **proxies = arg;
    proxy_gives(proxies[0], "acquire", MP_NONE, MP_TRUE);
    proxy_gives(proxies[1], "set", MP_NONE, MP_NONE);
    while (pause() != 0)
        ;
    return 1;
}

/* Python's server frees nothing, and serves the others as before. */
static void c_is_killed(struct peer *peer)
{
    mp_manager *manager = manager_begin(peer, NULL);
    mp_proxy *lock = proxy_make(manager, "Lock", MP_NONE);
    mp_proxy *held = proxy_make(manager, "Event", MP_NONE), *both[] = {lock, held};
    pid_t child = child_fork(holder, both);
    proxy_gives(held, "wait", MP_NONE, MP_TRUE);
    check(kill(child, SIGKILL) == 0 && child_wait(child) == -SIGKILL);
    proxy_gives(lock, "acquire", MP_TUPLE(MP_FALSE), MP_FALSE);
    proxy_gives(lock, "release", MP_NONE, MP_NONE);
    proxy_gives(lock, "acquire", MP_NONE, MP_TRUE);
    mp_proxy_destroy(lock);
    mp_proxy_destroy(held);
    mp_manager_destroy(manager);
    peer_gives(peer, "end_server", MP_NONE, MP_NONE);
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void all_is_over(mp_manager *manager, mp_list *list)
{
    mp_list *another;
    mp_obj got;
    for (int i = 0; i < 3; i++)
        assert_mp_error(mp_list_get(list, 0, &got), MP_EDIED);
    check(mp_manager_list(manager, MP_NONE, &another) < 0);
    check(mp_manager_number_of_objects(manager) < 0);
    mp_list_destroy(list);
    mp_manager_destroy(manager);
}

static void ends(struct peer *peer)
{
    static const char *const how[] = {"end_server", "kill_server"};
    for (size_t i = 0; i < 2; i++) {
        mp_manager *manager = manager_begin(peer, NULL);
        mp_list *list;
        assert_mp_result(mp_manager_list(manager, MP_LIST(1), &list), 0);
        check(mp_list_len(list) == 1);
        mp_obj answer = peer_ask(peer, how[i], MP_NONE);
        mp_obj_free(&answer);
        all_is_over(manager, list);
    }
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct matrix_case cases[] = {
    {.name = "values", .with_manager = server_values},
    {.name = "large", .with_manager = server_large},
    {.name = "dict", .with_manager = server_dict},
    {.name = "list", .with_manager = server_list},
    {.name = "set", .with_manager = server_set},
    {.name = "Namespace", .with_manager = server_namespace},
    {.name = "Value", .with_manager = server_value},
    {.name = "str", .with_manager = server_print},
    {.name = "Iterator", .with_manager = server_iterators},
    {.name = "Lock", .with_manager = server_locks},
    {.name = "locks", .with_manager = together_locks},
    {.name = "Semaphore", .with_manager = server_semaphores},
    {.name = "Condition", .with_manager = server_condition},
    {.name = "notify", .with_manager = together_condition},
    {.name = "Event", .with_manager = server_event},
    {.name = "wake", .with_manager = together_event},
    {.name = "Barrier", .with_manager = server_barrier},
    {.name = "parties", .with_manager = together_barrier},
    {.name = "Queue", .with_manager = server_queue},
    {.name = "many", .with_manager = together_queue},
    {.name = "join", .with_manager = together_join},
    {.name = "counter", .with_manager = together_counter},
    {.name = "Pool", .with_manager = server_pool},
    {.name = "tasks", .alone = tasks},
    {.name = "own", .with_manager = server_own_types},
    {.name = "results", .with_manager = server_gives},
    {.name = "raised", .with_manager = server_raises},
    {.name = "errors", .with_manager = server_refuses},
    {.name = "nested", .with_manager = together_nested},
    {.name = "auto", .alone = nested_auto_proxies},
    {.name = "listener", .with_manager = together_listener},
    {.name = "refs", .with_manager = server_references},
    {.name = "children", .with_manager = server_children},
    {.name = "key", .alone = other_keys},
    {.name = "tcp", .alone = over_tcp},
    {.name = "abstract", .alone = over_abstract},
    {.name = "kill", .alone = c_is_killed},
    {.name = "end", .alone = ends},
};

static struct matrix matrix = {
    .sentence = "Managers: libmp is a client of every Python's here",
    .title = "libmp as a client of Python's manager",
    .run = run_case,
    .cases = cases,
    .count = sizeof cases / sizeof *cases,
};

int main(int argc, char **argv)
{
    return matrix_main(&matrix, argc, argv);
}
