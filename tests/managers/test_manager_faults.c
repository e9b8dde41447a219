/* Faults that managers once had, in references, restarts and stopped servers: each test was one. */
#include "base/sanitized.h"
#include "managers/raw_client.h"

#include <errno.h>
#include <inttypes.h>
#include <mp/mp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void stop_server(mp_manager *m)
{
    check(kill(server_pid(m), SIGSTOP) == 0);
}

static void continue_server(mp_manager *m)
{
    check(kill(server_pid(m), SIGCONT) == 0);
}

/* Counts by a connection of its own: what all others had sent before has been done by then. */
static int64_t objects_in_turn(const char *address)
{
    mp_obj answer;
    int64_t n;
    raw_command(address, "number_of_objects", MP_EMPTY_TUPLE, &answer);
    assert_mp_result(mp_obj_as_int(answer, &n), 0);
    mp_obj_free(&answer);
    return n;
}

/* ---- references ------------------------------------------------------------------------------ */

enum { PROXY_ID = 2, PROXY_ITEMS = 6, GUESSES = 4 };

static uint64_t id_of(mp_obj proxy)
{
    check(proxy.len == PROXY_ITEMS && proxy.items[PROXY_ID].type == MP_TYPE_STR);
    return strtoull(proxy.items[PROXY_ID].s, NULL, 16);
}

/* Ids are a serial number above 24 bits of the place in the table. */
static uint64_t guessed_id(uint64_t known, int guess)
{
    return known + (UINT64_C(1) << 24) + (uint64_t)guess;
}

static int store_forged(mp_list *list, uint64_t id)
{
    char text[32];
    mp_obj items[PROXY_ITEMS], forged = mp_obj_proxy(mp_list_proxy(list));
    (void)snprintf(text, sizeof text, "%" PRIx64, id);
    memcpy(items, forged.items, sizeof items);
    items[PROXY_ID] = mp_obj_str(text);
    forged.items = items;
    return mp_list_append(list, forged);
}

static void test_a_proxy_stored_before_its_object_is_made_takes_nothing_from_it(void **state)
{
    (void)state;
    bool was_guessed = false;
    mp_list *list = new_list(manager, MP_NONE);
    uint64_t known = id_of(mp_obj_proxy(mp_list_proxy(list)));
    for (int i = 0; i < GUESSES; i++)
        check(store_forged(list, guessed_id(known, i)) < 0);
    mp_dict *dict = new_dict(manager, MP_DICT("key", 1));
    for (int i = 0; i < GUESSES; i++)
        was_guessed |= id_of(mp_obj_proxy(mp_dict_proxy(dict))) == guessed_id(known, i);
    check(was_guessed); /* else this test tries nothing */
    assert_mp_result(mp_list_clear(list), 0);
    assert_item_is(dict, MP("key"), MP(1));
    assert_objects(manager, 2);
    mp_list_destroy(list);
    mp_dict_destroy(dict);
}

static void test_proxies_that_are_destroyed_all_go(void **state)
{
    (void)state;
    enum { MANY = SANITIZED ? 4000 : 20000 };
    mp_dict **dicts = malloc(MANY * sizeof(mp_dict *));
    check(dicts != NULL);
    for (int i = 0; i < MANY; i++)
        dicts[i] = new_dict(manager, MP_NONE);
    assert_objects(manager, MANY);
    for (int i = 0; i < MANY; i++)
        mp_dict_destroy(dicts[i]);
    assert_objects(manager, 0);
    free(dicts);
}

/* By a client that knows the server under another name than the server itself. */
static void test_what_is_stored_under_another_name_of_the_host_stays(void **state)
{
    (void)state;
    mp_manager *m = new_manager_at(free_port()), *other;
    char address[64];
    (void)snprintf(address, sizeof address, "localhost%s", strchr(mp_manager_address(m), ':'));
    assert_mp_result(mp_manager_connect(&other, address, NULL, 0, MP_FOREVER), 0);
    mp_list *list = new_list(other, MP_NONE);
    mp_dict *dict = new_dict(other, MP_DICT("key", 1)), *again;
    mp_obj stored;
    assert_mp_result(mp_list_append(list, mp_obj_proxy(mp_dict_proxy(dict))), 0);
    mp_dict_destroy(dict);
    assert_objects(m, 2);
    assert_mp_result(mp_list_get(list, 0, &stored), 0);
    assert_mp_result(mp_dict_from(stored, &again), 0);
    mp_obj_free(&stored);
    assert_item_is(again, MP("key"), MP(1));
    mp_dict_destroy(again);
    mp_list_destroy(list);
    mp_manager_destroy(other);
    end_empty_manager(m);
}

/* A token is how a process says which one it is; nobody may say two. */
static void test_a_connection_is_accepted_once(void **state)
{
    (void)state;
    mp_connection *session[2];
    for (int i = 0; i < 2; i++) {
        session[i] = raw_connect(mp_manager_address(manager));
        raw_ask(session[i], NULL, "accept_connection",
                MP_TUPLE(i == 0 ? "one|libmp:1111:s" : "two|libmp:2222:s"));
        raw_answer(session[i], "#RETURN", NULL);
    }
    raw_ask(session[0], NULL, "accept_connection", MP_TUPLE("one|libmp:2222:s"));
    raw_answer(session[0], "#TRACEBACK", NULL);
    for (int i = 0; i < 2; i++)
        mp_connection_destroy(session[i]);
    check(objects_in_turn(mp_manager_address(manager)) == 0);
    assert_mp_error(mp_manager_join(manager, MP_NOWAIT), MP_ETIMEOUT);
}

static int take_and_die(void *queue)
{
    mp_dict *dict = new_dict(manager, MP_NONE);
    assert_call(queue, "get", MP_NONE, MP("item"));
    assert_mp_result(mp_dict_len(dict), 0);
    (void)raise(SIGKILL);
    return 1;
}

/* What others call done before its taker dies is not done twice. */
static void test_what_is_done_already_is_not_lost_with_its_taker(void **state)
{
    (void)state;
    mp_proxy *queue = new_proxy(manager, "JoinableQueue", MP_NONE);
    assert_raises(queue, "put", MP_TUPLE("item"), 0);
    assert_raises(queue, "task_done", MP_NONE, 0);
    check(child_wait(child_fork(take_and_die, queue)) == -SIGKILL);
    await_objects(manager, 1); /* its dict is gone, as it is */
    assert_raises(queue, "task_done", MP_NONE, MP_EINVAL);
    assert_raises(queue, "join", MP_NONE, 0);
    mp_proxy_destroy(queue);
}

/* ---- servers that are stopped ---------------------------------------------------------------- */

static void test_a_connect_that_times_out_leaves_all_proxies_alone(void **state)
{
    (void)state;
    mp_manager *other = NULL;
    mp_dict *dict = new_dict(manager, MP_DICT("key", 1));
    const char *address = mp_manager_address(manager);
    stop_server(manager);
    int rc = mp_manager_connect(&other, address, NULL, 0, 0.2);
    continue_server(manager);
    assert_mp_result(rc, MP_ETIMEOUT);
    check(other == NULL);
    check(objects_in_turn(address) == 1);
    assert_item_is(dict, MP("key"), MP(1));
    mp_dict_destroy(dict);
}

static void *count_objects(void *tid)
{
    atomic_store((atomic_int *)tid, (int)syscall(SYS_gettid));
    assert_objects(manager, 0);
    return NULL;
}

/* A thread that asks a stopped server, and is asleep. */
static pthread_t start_asking(void)
{
    static atomic_int tid;
    pthread_t thread;
    atomic_store(&tid, 0);
    check(pthread_create(&thread, NULL, count_objects, &tid) == 0);
    while (atomic_load(&tid) == 0)
        mp_sleep(0.0005);
    check(child_await_sleep((pid_t)atomic_load(&tid)));
    return thread;
}

static int do_nothing(void *unused)
{
    (void)unused;
    return 0;
}

/* Nobody lets the server go on before both have returned. */
static void test_a_stopped_server_holds_up_neither_a_start_nor_a_connect(void **state)
{
    (void)state;
    if (SANITIZED) {
        print_message("SKIPPED: a sanitizer's allocator may be locked for ever in the child\n");
        return;
    }
    mp_process *process;
    mp_manager *other = NULL;
    mp_dict *dict = new_dict(manager, MP_NONE); /* so that there is something to lend */
    mp_dict_destroy(dict);
    assert_mp_result(mp_process_create(&process, do_nothing, NULL, 0, NULL), 0);
    stop_server(manager);
    pthread_t thread = start_asking();
    assert_mp_result(mp_process_start(process), 0);
    assert_mp_error(mp_manager_connect(&other, mp_manager_address(manager), NULL, 0, 0.2),
                    MP_ETIMEOUT);
    continue_server(manager);
    check(pthread_join(thread, NULL) == 0);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    mp_process_destroy(process);
}

/* ---- servers that come again ----------------------------------------------------------------- */

static void test_the_end_of_an_old_manager_is_not_that_of_the_new_one(void **state)
{
    (void)state;
    char address[32];
    (void)snprintf(address, sizeof address, "%s", free_port());
    mp_manager *old = new_manager_at(address);
    mp_dict *lost = new_dict(old, MP_NONE);
    check(kill(server_pid(old), SIGKILL) == 0);
    assert_mp_result(mp_manager_join(old, MP_FOREVER), 0);
    mp_manager *m = new_manager_at(address);
    mp_dict *dict = new_dict(m, MP_DICT("key", 1));
    mp_manager_destroy(old);
    mp_dict_destroy(lost);
    assert_item_is(dict, MP("key"), MP(1));
    assert_mp_error(mp_manager_join(m, MP_NOWAIT), MP_ETIMEOUT);
    mp_dict_destroy(dict);
    end_empty_manager(m);
}

static int serve(void *address)
{
    const mp_manager_options options = {.address = address};
    assert_mp_result(mp_manager_serve(&options), 0);
    return 0;
}

/* A server in a child; returns when it listens, and asks by no manager of this process. */
static pid_t serve_at(char *address)
{
    mp_client_options options = {0};
    mp_connection *connection;
    double end = clock_seconds() + 20;
    pid_t pid = child_fork(serve, address);
    options.authkey = mp_process_authkey(mp_current_process(), &options.authkey_len);
    int rc;
    while ((rc = mp_client(&connection, address, &options, 20)) == -ECONNREFUSED) {
        check(clock_seconds() < end);
        mp_sleep(0.002);
    }
    assert_mp_result(rc, 0);
    mp_connection_destroy(connection);
    return pid;
}

static void test_old_proxies_mean_nothing_to_a_server_that_came_again(void **state)
{
    (void)state;
    char address[32];
    mp_manager *before, *m;
    (void)snprintf(address, sizeof address, "%s", free_port());
    pid_t pid = serve_at(address);
    assert_mp_result(mp_manager_connect(&before, address, NULL, 0, MP_FOREVER), 0);
    mp_dict *old = new_dict(before, MP_DICT("whose", "old"));
    check(kill(pid, SIGKILL) == 0 && child_wait(pid) == -SIGKILL);
    pid = serve_at(address);
    assert_mp_result(mp_manager_connect(&m, address, NULL, 0, MP_FOREVER), 0);
    mp_dict *dict = new_dict(m, MP_DICT("whose", "new"));
    for (int i = 0; i < 2; i++)
        check(mp_dict_set(old, MP("whose"), MP("old")) < 0);
    mp_dict_destroy(old);
    assert_item_is(dict, MP("whose"), MP("new"));
    assert_objects(m, 1);
    mp_dict_destroy(dict);
    await_objects(m, 0);
    mp_manager_destroy(before);
    raw_shutdown(address);
    check(child_wait(pid) == 0);
    mp_manager_destroy(m);
}

/* ---- a client that neither reads nor goes ---------------------------------------------------- */

static double cpu_seconds(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    check(clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &used) == 0);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* Half a second of it would be a loop; the sleep is the span that is measured. */
static void test_a_client_that_says_goodbye_and_does_not_read_costs_nothing(void **state)
{
    (void)state;
    enum { BIG = 8 << 20 };
    char ident[RAW_IDENT], *text = malloc(BIG);
    const char *address = mp_manager_address(manager);
    check(text != NULL);
    memset(text, 'a', BIG);
    raw_create(address, "list", ident);
    mp_connection *session = raw_session(address);
    raw_ask(session, ident, "append", MP_TUPLE(mp_obj_strn(text, BIG)));
    raw_answer(session, "#RETURN", NULL);
    raw_ask(session, ident, "pop", MP_EMPTY_TUPLE);
    check(shutdown(mp_connection_fileno(session), SHUT_WR) == 0);
    check(objects_in_turn(address) == 1);
    double before = cpu_seconds(server_pid(manager));
    mp_sleep(1);
    double used = cpu_seconds(server_pid(manager)) - before;
    print_message("| the server used %.3f s of 1 s |\n", used);
    check(used < 0.2);
    mp_connection_destroy(session);
    raw_command(address, "decref", MP_TUPLE(ident), NULL);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("a proxy stored before its object is made takes nothing from it",
                    test_a_proxy_stored_before_its_object_is_made_takes_nothing_from_it),
        served_test("proxies that are destroyed all go", test_proxies_that_are_destroyed_all_go),
        manager_test("what is stored under another name of the host stays",
                     test_what_is_stored_under_another_name_of_the_host_stays),
        served_test("a connection is accepted once", test_a_connection_is_accepted_once),
        served_test("what is done already is not lost with its taker",
                    test_what_is_done_already_is_not_lost_with_its_taker),
        served_test("a connect that times out leaves all proxies alone",
                    test_a_connect_that_times_out_leaves_all_proxies_alone),
        served_test("a stopped server holds up neither a start nor a connect",
                    test_a_stopped_server_holds_up_neither_a_start_nor_a_connect),
        manager_test("the end of an old manager is not that of the new one",
                     test_the_end_of_an_old_manager_is_not_that_of_the_new_one),
        manager_test("old proxies mean nothing to a server that came again",
                     test_old_proxies_mean_nothing_to_a_server_that_came_again),
        served_test("a client that says goodbye and does not read costs nothing",
                    test_a_client_that_says_goodbye_and_does_not_read_costs_nothing),
    };
    return managers_run("Managers: faults", tests);
}
