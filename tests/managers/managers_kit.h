/* What the tests of managers share: a folder of the program's own for sockets, managers that must be
 * empty in the end, and calls through proxies that must go well.
 *
 * A program calls managers_run in place of support_run, and has entries made by manager_test: after
 * each of them the folder for temporary files must be as empty as before. What the library starts
 * once per program, with the first manager, is no leak. */
#ifndef TESTS_MANAGERS_KIT_H
#define TESTS_MANAGERS_KIT_H

#include "support/support.h"

#include <mp/managers.h>

/* ---- programs -------------------------------------------------------------------------------- */

#define manager_test(name, function)                                \
    {                                                               \
        (name), (function), managers_setup, managers_teardown, NULL \
    }

/* The same with `manager`, a new one for each test, of which no object may be left at the end. */
#define served_test(name, function)                             \
    {                                                           \
        (name), (function), served_setup, served_teardown, NULL \
    }
extern mp_manager *manager;

#define managers_run(group, tests)                   \
    managers_end((support_begin(), managers_begin(), \
                  cmocka_run_group_tests_name(group, tests, managers_group_setup, NULL)))

/* Makes the folder, and TMPDIR its name; takes it away again, and gives main's exit status. */
void managers_begin(void);
int managers_end(int failed);
int managers_group_setup(void **state);
int managers_setup(void **state);
int managers_teardown(void **state);
int served_setup(void **state);
int served_teardown(void **state);

/* The folder. */
const char *managers_folder(void);
/* How many names there are in it, those in its folders included; not of this program's own. */
int managers_names(void);
/* Until there are so many at most: false after `limit` seconds. */
bool managers_await_names(int most, double limit);
/* A path in the folder, in memory of the kit that the fourth call after this one overwrites. */
const char *managers_path(const char *name);

/* ---- managers -------------------------------------------------------------------------------- */

mp_manager *new_manager(void);
mp_manager *new_manager_at(const char *address);
/* Shuts it down and gives it back; of `end_empty_manager` no object may be left, or but for a moment:
 * children that ended may still count. */
void end_manager(mp_manager *m);
void end_empty_manager(mp_manager *m);

/* Another way in: as any other program would. */
mp_manager *connected_to(mp_manager *m);

/* Its server holds n objects, or will within a moment: where a death has to be noticed first. */
#define assert_objects(m, n) assert_mp_result(mp_manager_number_of_objects(m), (n))
#define await_objects(m, n) await_objects_at((m), (n), __FILE__, __LINE__)
void await_objects_at(mp_manager *m, int n, const char *file, int line);

/* The server's pid. */
pid_t server_pid(mp_manager *m);

/* "127.0.0.1:port" of a port that is free, or was a moment ago. */
const char *free_port(void);
/* No other program's, as far as its pid is its own. */
const char *abstract_address(void);

/* ---- objects and their methods --------------------------------------------------------------- */

mp_proxy *new_proxy(mp_manager *m, const char *type_id, mp_obj args);
mp_dict *new_dict(mp_manager *m, mp_obj initial);
mp_list *new_list(mp_manager *m, mp_obj initial);

/* The code of a call; its result is dropped. */
int call(mp_proxy *proxy, const char *method, mp_obj args);

/* The call gives what equals this. */
#define assert_call(proxy, method, args, expected) \
    assert_call_at((proxy), (method), (args), MP_NONE, (expected), __FILE__, __LINE__)
#define assert_call_with(proxy, method, args, kwargs, expected) \
    assert_call_at((proxy), (method), (args), (kwargs), (expected), __FILE__, __LINE__)
void assert_call_at(mp_proxy *proxy, const char *method, mp_obj args, mp_obj kwargs,
                    mp_obj expected, const char *file, int line);

/* The call gives this code. */
#define assert_raises(proxy, method, args, code) \
    support_result_is(call((proxy), (method), (args)), (code), method, __FILE__, __LINE__)

/* An int, a bool (and nothing that merely equals one), a proxy that a call gives. */
#define call_int(proxy, method, args) call_int_at((proxy), (method), (args), __FILE__, __LINE__)
int64_t call_int_at(mp_proxy *proxy, const char *method, mp_obj args, const char *file, int line);
#define call_bool(proxy, method, args) call_bool_at((proxy), (method), (args), __FILE__, __LINE__)
bool call_bool_at(mp_proxy *proxy, const char *method, mp_obj args, const char *file, int line);
#define call_proxy(proxy, method, args) call_proxy_at((proxy), (method), (args), __FILE__, __LINE__)
mp_proxy *call_proxy_at(mp_proxy *proxy, const char *method, mp_obj args, const char *file,
                        int line);

/* What the proxies of dicts and lists hold. */
#define assert_dict_is(dict, expected) assert_dict_at((dict), (expected), __FILE__, __LINE__)
void assert_dict_at(mp_dict *dict, mp_obj expected, const char *file, int line);
#define assert_list_is(list, expected) assert_list_at((list), (expected), __FILE__, __LINE__)
void assert_list_at(mp_list *list, mp_obj expected, const char *file, int line);
#define assert_item_is(dict, key, expected) \
    assert_item_at((dict), (key), (expected), __FILE__, __LINE__)
void assert_item_at(mp_dict *dict, mp_obj key, mp_obj expected, const char *file, int line);

/* The owned object equals this, and is freed. */
#define assert_owned_is(object, expected) assert_owned_at((object), (expected), __FILE__, __LINE__)
void assert_owned_at(mp_obj *object, mp_obj expected, const char *file, int line);

/* A dict or list that stands in another, with a reference of its own. */
mp_list *list_in_list(mp_list *list, long i);
mp_dict *dict_in_dict(mp_dict *dict, mp_obj key);

/* mp_error_detail holds this text. */
void check_detail_has(const char *part);

/* Seconds that the call took, which must give this code. */
#define seconds_of(expr, code) \
    (seconds_begin(), seconds_since((expr), (code), #expr, __FILE__, __LINE__))
void seconds_begin(void);
double seconds_since(int result, int code, const char *expr, const char *file, int line);

#endif
