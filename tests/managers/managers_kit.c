/* The folder, managers and calls of the tests of managers. */
#include "managers/managers_kit.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Longer than a loan to a child that never begins, shorter than what a server gives a handshake. */
enum { PATIENCE = 4 * SUPPORT_TIME_FACTOR, PATHS = 4 };

mp_manager *manager;

static char folder[64];

/* Of the portable form, which may leave this one name, empty, until its next program starts. */
static char life_file[32];
static int names_before;

/* ---- programs -------------------------------------------------------------------------------- */

void managers_begin(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/libmp-test-XXXXXX");
    (void)snprintf(life_file, sizeof life_file, "mp.life.%ld", (long)getuid());
    if (mkdtemp(folder) == NULL || setenv("TMPDIR", folder, 1) != 0) {
        perror(folder);
        exit(1);
    }
}

int managers_end(int failed)
{
    (void)unlink(managers_path(life_file));
    if (rmdir(folder) != 0) {
        perror(folder);
        return 1;
    }
    return failed != 0;
}

int managers_group_setup(void **state)
{
    (void)support_group_setup_processes(state);
    end_manager(new_manager());
    return 0;
}

const char *managers_folder(void)
{
    return folder;
}

static int names_in(const char *path, int depth)
{
    int count = 0;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char inner[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            strcmp(entry->d_name, life_file) == 0)
            continue;
        (void)snprintf(inner, sizeof inner, "%s/%.200s", path, entry->d_name);
        count += 1 + (depth > 0 ? names_in(inner, depth - 1) : 0);
    }
    (void)closedir(dir);
    return count;
}

int managers_names(void)
{
    return names_in(folder, 2);
}

static void moment(void)
{
    const struct timespec span = {.tv_nsec = 1000000};
    (void)nanosleep(&span, NULL);
}

bool managers_await_names(int most, double limit)
{
    double end = clock_seconds() + limit;
    while (managers_names() > most) {
        if (clock_seconds() > end)
            return false;
        moment();
    }
    return true;
}

const char *managers_path(const char *name)
{
    static char paths[PATHS][128];
    static unsigned next;
    char *path = paths[next++ % PATHS];
    (void)snprintf(path, sizeof paths[0], "%s/%.60s", folder, name);
    return path;
}

int managers_setup(void **state)
{
    names_before = managers_names();
    return support_setup(state);
}

int managers_teardown(void **state)
{
    int result = support_teardown(state);
    if (!managers_await_names(names_before, PATIENCE)) {
        print_error("%d names in %s before the test, %d after it\n", names_before, folder,
                    managers_names());
        return -1;
    }
    return result;
}

int served_setup(void **state)
{
    int result = managers_setup(state);
    manager = new_manager();
    return result;
}

int served_teardown(void **state)
{
    double end = clock_seconds() + PATIENCE;
    int left = 0;
    /* children that ended a moment ago may still count */
    while (manager != NULL && (left = mp_manager_number_of_objects(manager)) > 0 &&
           clock_seconds() < end)
        moment();
    mp_manager_destroy(manager);
    manager = NULL;
    if (left != 0)
        print_error("the server still holds objects: %d\n", left);
    return managers_teardown(state) != 0 || left != 0 ? -1 : 0;
}

/* ---- managers -------------------------------------------------------------------------------- */

mp_manager *new_manager(void)
{
    return new_manager_at(NULL);
}

mp_manager *new_manager_at(const char *address)
{
    mp_manager *m;
    const mp_manager_options options = {.address = address, .shutdown_timeout = 20};
    assert_mp_result(mp_manager_create(&m, &options), 0);
    return m;
}

void end_manager(mp_manager *m)
{
    assert_mp_result(mp_manager_shutdown(m), 0);
    mp_manager_destroy(m);
}

void end_empty_manager(mp_manager *m)
{
    await_objects(m, 0);
    end_manager(m);
}

mp_manager *connected_to(mp_manager *m)
{
    mp_manager *other;
    assert_mp_result(mp_manager_connect(&other, mp_manager_address(m), NULL, 0, MP_FOREVER), 0);
    return other;
}

void await_objects_at(mp_manager *m, int n, const char *file, int line)
{
    double end = clock_seconds() + PATIENCE;
    int count;
    while ((count = assert_mp_ok(mp_manager_number_of_objects(m))) != n) {
        if (clock_seconds() > end)
            support_fail(file, line, "the server holds %d objects, not %d", count, n);
        moment();
    }
}

pid_t server_pid(mp_manager *m)
{
    mp_process *process = mp_manager_process(m);
    check(process != NULL);
    return mp_process_pid(process);
}

const char *abstract_address(void)
{
    static char text[48];
    (void)snprintf(text, sizeof text, "@libmp test of managers %ld", (long)getpid());
    return text;
}

/* Below those that systems give to who asks for any, and from sixteen that only this pid and some far
 * from it begin with: hardly anybody takes it meanwhile. */
const char *free_port(void)
{
    static char text[32];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static unsigned next;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0);
    for (int rc = -1; rc != 0;) {
        unsigned place = ((unsigned)getpid() * 16 + next++) % 20000;
        address.sin_port = htons((uint16_t)(10000 + place));
        rc = bind(fd, (const struct sockaddr *)&address, sizeof address);
        check(rc == 0 || errno == EADDRINUSE);
    }
    (void)snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(address.sin_port));
    (void)close(fd);
    return text;
}

/* ---- objects and their methods --------------------------------------------------------------- */

mp_proxy *new_proxy(mp_manager *m, const char *type_id, mp_obj args)
{
    mp_proxy *proxy;
    assert_mp_result(mp_manager_proxy(m, type_id, args, MP_NONE, &proxy), 0);
    return proxy;
}

mp_dict *new_dict(mp_manager *m, mp_obj initial)
{
    mp_dict *dict;
    assert_mp_result(mp_manager_dict(m, initial, &dict), 0);
    return dict;
}

mp_list *new_list(mp_manager *m, mp_obj initial)
{
    mp_list *list;
    assert_mp_result(mp_manager_list(m, initial, &list), 0);
    return list;
}

int call(mp_proxy *proxy, const char *method, mp_obj args)
{
    return mp_proxy_call(proxy, method, args, MP_NONE, NULL);
}

void assert_owned_at(mp_obj *object, mp_obj expected, const char *file, int line)
{
    if (!mp_obj_equal(*object, expected))
        support_fail(file, line, "got %.150s, not %.150s", mp_obj_repr(*object),
                     mp_obj_repr(expected));
    mp_obj_free(object);
}

void assert_call_at(mp_proxy *proxy, const char *method, mp_obj args, mp_obj kwargs,
                    mp_obj expected, const char *file, int line)
{
    mp_obj result;
    int rc = mp_proxy_call(proxy, method, args, kwargs, &result);
    support_result_is(rc, 0, method, file, line);
    assert_owned_at(&result, expected, file, line);
}

int64_t call_int_at(mp_proxy *proxy, const char *method, mp_obj args, const char *file, int line)
{
    mp_obj result;
    int64_t i;
    support_result_is(mp_proxy_call(proxy, method, args, MP_NONE, &result), 0, method, file, line);
    support_result_is(mp_obj_as_int(result, &i), 0, method, file, line);
    mp_obj_free(&result);
    return i;
}

bool call_bool_at(mp_proxy *proxy, const char *method, mp_obj args, const char *file, int line)
{
    mp_obj result;
    bool b;
    support_result_is(mp_proxy_call(proxy, method, args, MP_NONE, &result), 0, method, file, line);
    support_result_is(mp_obj_as_bool(result, &b), 0, method, file, line);
    mp_obj_free(&result);
    return b;
}

mp_proxy *call_proxy_at(mp_proxy *proxy, const char *method, mp_obj args, const char *file,
                        int line)
{
    mp_obj result;
    mp_proxy *made;
    support_result_is(mp_proxy_call(proxy, method, args, MP_NONE, &result), 0, method, file, line);
    support_result_is(mp_proxy_from(result, &made), 0, method, file, line);
    mp_obj_free(&result);
    return made;
}

void assert_dict_at(mp_dict *dict, mp_obj expected, const char *file, int line)
{
    mp_obj copy;
    support_result_is(mp_dict_copy(dict, &copy), 0, "copy", file, line);
    assert_owned_at(&copy, expected, file, line);
}

void assert_list_at(mp_list *list, mp_obj expected, const char *file, int line)
{
    mp_obj copy;
    support_result_is(mp_list_copy(list, &copy), 0, "copy", file, line);
    assert_owned_at(&copy, expected, file, line);
}

void assert_item_at(mp_dict *dict, mp_obj key, mp_obj expected, const char *file, int line)
{
    mp_obj value;
    support_result_is(mp_dict_get(dict, key, &value), 0, "get", file, line);
    assert_owned_at(&value, expected, file, line);
}

mp_list *list_in_list(mp_list *list, long i)
{
    mp_obj object;
    mp_list *inner;
    assert_mp_result(mp_list_get(list, i, &object), 0);
    assert_mp_result(mp_list_from(object, &inner), 0);
    mp_obj_free(&object);
    return inner;
}

mp_dict *dict_in_dict(mp_dict *dict, mp_obj key)
{
    mp_obj object;
    mp_dict *inner;
    assert_mp_result(mp_dict_get(dict, key, &object), 0);
    assert_mp_result(mp_dict_from(object, &inner), 0);
    mp_obj_free(&object);
    return inner;
}

void check_detail_has(const char *part)
{
    if (strstr(mp_error_detail(), part) == NULL)
        support_fail(__FILE__, __LINE__, "'%.200s' does not hold '%s'", mp_error_detail(), part);
}

static _Thread_local double seconds_start;

void seconds_begin(void)
{
    seconds_start = clock_seconds();
}

double seconds_since(int result, int code, const char *expr, const char *file, int line)
{
    double took = clock_seconds() - seconds_start;
    support_result_is(result, code, expr, file, line);
    return took;
}
