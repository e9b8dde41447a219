/* Servers in this process or in a child, where they listen, and their end. */
#include "managers/raw_client.h"

#include <errno.h>
#include <mp/mp.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- mp_manager_serve ------------------------------------------------------------------------ */

static int connect_when_it_is_there(mp_manager **m, const char *address)
{
    double end = clock_seconds() + 20;
    int rc;
    while ((rc = mp_manager_connect(m, address, NULL, 0, 20)) == -ENOENT || rc == -ECONNREFUSED) {
        check(clock_seconds() < end);
        mp_sleep(0.002);
    }
    return rc;
}

static int serve(void *address)
{
    const mp_manager_options options = {.address = address};
    assert_mp_result(mp_manager_serve(&options), 0);
    return 7;
}

static void serves_until_it_is_told(const char *address)
{
    mp_manager *m;
    pid_t pid = child_fork(serve, (void *)(uintptr_t)address);
    assert_mp_result(connect_when_it_is_there(&m, address), 0);
    check(strcmp(mp_manager_address(m), address) == 0);
    mp_dict *dict = new_dict(m, MP_DICT("key", 1));
    assert_mp_result(mp_dict_len(dict), 1);
    assert_objects(m, 1);
    assert_mp_error(mp_manager_shutdown(m), MP_ESTATE);
    assert_mp_error(mp_manager_join(m, 1), MP_ESTATE);
    raw_shutdown(address);
    check(child_wait(pid) == 7);
    assert_mp_error(mp_dict_len(dict), MP_EDIED);
    mp_dict_destroy(dict);
    mp_manager_destroy(m);
}

static void test_serve_returns_when_a_client_asks_for_it(void **state)
{
    (void)state;
    serves_until_it_is_told(managers_path("serve.sock"));
    check(managers_names() == 0);
    serves_until_it_is_told(abstract_address());
    serves_until_it_is_told(free_port());
}

static void test_the_socket_is_its_owners_alone(void **state)
{
    (void)state;
    struct stat info;
    char folder[128];
    mp_manager *m = new_manager();
    check(stat(mp_manager_address(m), &info) == 0);
    check(S_ISSOCK(info.st_mode) && (info.st_mode & 0777) == 0600);
    (void)snprintf(folder, sizeof folder, "%s", mp_manager_address(m));
    *strrchr(folder, '/') = '\0';
    check(stat(folder, &info) == 0);
    check(S_ISDIR(info.st_mode) && (info.st_mode & 0777) == 0700);
    check(strncmp(folder, managers_folder(), strlen(managers_folder())) == 0);
    check(strncmp(strrchr(folder, '/'), "/pymp-", 6) == 0);
    end_manager(m);
    check(managers_names() == 0);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void test_an_interrupt_does_not_end_a_server(void **state)
{
    (void)state;
    mp_process *children[4];
    mp_manager *m = new_manager();
    mp_dict *dict = new_dict(m, MP_NONE);
    check(kill(server_pid(m), SIGINT) == 0);
    for (int i = 0; i < 20; i++)
        assert_mp_result(mp_dict_set(dict, MP(i), MP(i)), 0);
    assert_mp_result(mp_active_children(children, 4), 1);
    check(mp_process_pid(children[0]) == server_pid(m));
    mp_process_destroy(children[0]);
    mp_dict_destroy(dict);
    end_empty_manager(m);
    assert_mp_result(mp_active_children(children, 4), 0);
}

/* A program that forgets its manager leaves no process and no file: the teardown looks. */
static int make_and_forget(void *how)
{
    mp_manager *m = new_manager();
    mp_dict *dict = new_dict(m, MP_DICT("key", 1));
    assert_mp_result(mp_dict_len(dict), 1);
    if (how == NULL)
        return 0;
    (void)raise(SIGKILL);
    return 1;
}

static void test_a_server_ends_with_who_made_it(void **state)
{
    (void)state;
    mp_process *process;
    check(child_wait(child_fork(make_and_forget, NULL)) == 0);
    check(child_wait(child_fork(make_and_forget, &process)) == -SIGKILL);
    assert_mp_result(mp_process_create(&process, make_and_forget, NULL, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    mp_process_destroy(process);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        manager_test("serve returns when a client asks for it",
                     test_serve_returns_when_a_client_asks_for_it),
        manager_test("the socket is its owner's alone", test_the_socket_is_its_owners_alone),
        manager_test("an interrupt does not end a server", test_an_interrupt_does_not_end_a_server),
        manager_test("a server ends with who made it", test_a_server_ends_with_who_made_it),
    };
    return managers_run("Managers: servers", tests);
}
