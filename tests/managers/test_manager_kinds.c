/* NULL, and objects of another kind, where a manager or a proxy is asked for. */
#include "managers/managers_kit.h"

#include <limits.h>
#include <mp/mp.h>

/* Every call with an object `x` that is not what it should be. */
static void calls_of_managers(mp_manager *x, int code)
{
    mp_dict *dict = NULL;
    mp_list *list = NULL;
    mp_namespace *namespace_ = NULL;
    mp_proxy *proxy = NULL;
    assert_mp_error(mp_manager_shutdown(x), code);
    assert_mp_error(mp_manager_join(x, MP_NOWAIT), code);
    assert_mp_error(mp_manager_number_of_objects(x), code);
    assert_mp_error(mp_manager_dict(x, MP_NONE, &dict), code);
    assert_mp_error(mp_manager_list(x, MP_NONE, &list), code);
    assert_mp_error(mp_manager_namespace(x, MP_NONE, &namespace_), code);
    assert_mp_error(mp_manager_proxy(x, "Lock", MP_NONE, MP_NONE, &proxy), code);
    check(mp_manager_address(x) == NULL);
    check(mp_manager_process(x) == NULL);
    check(dict == NULL && list == NULL && namespace_ == NULL && proxy == NULL);
}

static void calls_of_proxies(mp_proxy *x, int code)
{
    char text[64];
    mp_obj got;
    assert_mp_error(mp_proxy_call(x, "acquire", MP_NONE, MP_NONE, &got), code);
    assert_mp_error(mp_proxy_getvalue(x, &got), code);
    assert_mp_error(mp_proxy_print(x, stdout), code);
    assert_mp_error(mp_proxy_repr(x, text, sizeof text), code);
    check(mp_proxy_typeid(x) == NULL);
}

static void calls_of_dicts(mp_dict *x, int code)
{
    char text[64];
    mp_obj got;
    assert_mp_error(mp_dict_get(x, MP(1), &got), code);
    assert_mp_error(mp_dict_get_default(x, MP(1), MP(2), &got), code);
    assert_mp_error(mp_dict_set(x, MP(1), MP(2)), code);
    assert_mp_error(mp_dict_del(x, MP(1)), code);
    assert_mp_error(mp_dict_contains(x, MP(1)), code);
    assert_mp_error(mp_dict_len(x), code);
    assert_mp_error(mp_dict_keys(x, &got), code);
    assert_mp_error(mp_dict_values(x, &got), code);
    assert_mp_error(mp_dict_items(x, &got), code);
    assert_mp_error(mp_dict_copy(x, &got), code);
    assert_mp_error(mp_dict_pop(x, MP(1), &got), code);
    assert_mp_error(mp_dict_popitem(x, &got), code);
    assert_mp_error(mp_dict_setdefault(x, MP(1), MP(2), &got), code);
    assert_mp_error(mp_dict_update(x, MP_EMPTY_DICT), code);
    assert_mp_error(mp_dict_clear(x), code);
    assert_mp_error(mp_dict_print(x, stdout), code);
    assert_mp_error(mp_dict_println(x, stdout), code);
    assert_mp_error(mp_dict_repr(x, text, sizeof text), code);
    check(mp_dict_proxy(x) == NULL);
}

static void calls_of_lists(mp_list *x, int code)
{
    char text[64];
    mp_obj got;
    assert_mp_error(mp_list_get(x, 0, &got), code);
    assert_mp_error(mp_list_slice(x, 0, LONG_MAX, &got), code);
    assert_mp_error(mp_list_set(x, 0, MP(1)), code);
    assert_mp_error(mp_list_del(x, 0), code);
    assert_mp_error(mp_list_append(x, MP(1)), code);
    assert_mp_error(mp_list_extend(x, MP_EMPTY_LIST), code);
    assert_mp_error(mp_list_insert(x, 0, MP(1)), code);
    assert_mp_error(mp_list_pop(x, 0, &got), code);
    assert_mp_error(mp_list_remove(x, MP(1)), code);
    assert_mp_error(mp_list_reverse(x), code);
    assert_mp_error(mp_list_sort(x, false), code);
    assert_mp_error(mp_list_index(x, MP(1)), code);
    assert_mp_error(mp_list_count(x, MP(1)), code);
    assert_mp_error(mp_list_contains(x, MP(1)), code);
    assert_mp_error(mp_list_len(x), code);
    assert_mp_error(mp_list_imul(x, 2), code);
    assert_mp_error(mp_list_copy(x, &got), code);
    assert_mp_error(mp_list_clear(x), code);
    assert_mp_error(mp_list_print(x, stdout), code);
    assert_mp_error(mp_list_println(x, stdout), code);
    assert_mp_error(mp_list_repr(x, text, sizeof text), code);
    check(mp_list_proxy(x) == NULL);
}

static void calls_of_namespaces(mp_namespace *x, int code)
{
    mp_obj got;
    assert_mp_error(mp_namespace_get(x, "name", &got), code);
    assert_mp_error(mp_namespace_set(x, "name", MP(1)), code);
    assert_mp_error(mp_namespace_del(x, "name"), code);
    check(mp_namespace_proxy(x) == NULL);
}

static void test_null_is_a_value_error(void **state)
{
    (void)state;
    calls_of_managers(NULL, MP_EINVAL);
    calls_of_proxies(NULL, MP_EINVAL);
    calls_of_dicts(NULL, MP_EINVAL);
    calls_of_lists(NULL, MP_EINVAL);
    calls_of_namespaces(NULL, MP_EINVAL);
    mp_manager_destroy(NULL);
    mp_proxy_destroy(NULL);
    mp_dict_destroy(NULL);
    mp_list_destroy(NULL);
    mp_namespace_destroy(NULL);
    check(mp_obj_proxy(NULL).type != MP_TYPE_PROXY || mp_proxy_from(mp_obj_proxy(NULL), NULL) < 0);
}

static void test_another_kind_of_object_is_a_type_error(void **state)
{
    (void)state;
    mp_lock *lock;
    mp_dict *dict = new_dict(manager, MP_DICT("key", 1));
    mp_list *list = new_list(manager, MP_LIST(1));
    mp_namespace *namespace_;
    mp_proxy *queue = new_proxy(manager, "Queue", MP_NONE);
    assert_mp_result(mp_manager_namespace(manager, MP_NONE, &namespace_), 0);
    assert_mp_result(mp_lock_create(&lock), 0);
    calls_of_managers((mp_manager *)(void *)lock, MP_ETYPE);
    calls_of_managers((mp_manager *)(void *)dict, MP_ETYPE);
    calls_of_proxies((mp_proxy *)(void *)lock, MP_ETYPE);
    calls_of_proxies((mp_proxy *)(void *)manager, MP_ETYPE);
    calls_of_dicts((mp_dict *)(void *)manager, MP_ETYPE);
    calls_of_dicts((mp_dict *)(void *)list, MP_ETYPE);
    calls_of_dicts((mp_dict *)(void *)queue, MP_ETYPE);
    calls_of_lists((mp_list *)(void *)dict, MP_ETYPE);
    calls_of_lists((mp_list *)(void *)namespace_, MP_ETYPE);
    calls_of_lists((mp_list *)(void *)queue, MP_ETYPE);
    calls_of_namespaces((mp_namespace *)(void *)dict, MP_ETYPE);
    calls_of_namespaces((mp_namespace *)(void *)lock, MP_ETYPE);
    assert_dict_is(dict, MP_DICT("key", 1));
    assert_list_is(list, MP_LIST(1));
    mp_dict_destroy(dict);
    mp_list_destroy(list);
    mp_namespace_destroy(namespace_);
    mp_proxy_destroy(queue);
    mp_lock_destroy(lock);
}

static void test_a_null_argument_is_a_value_error(void **state)
{
    (void)state;
    mp_manager *other;
    mp_proxy *proxy = new_proxy(manager, "Queue", MP_NONE), *another;
    mp_dict *dict = new_dict(manager, MP_NONE);
    mp_namespace *namespace_;
    assert_mp_result(mp_manager_namespace(manager, MP_NONE, &namespace_), 0);
    assert_mp_error(mp_manager_create(NULL, NULL), MP_EINVAL);
    assert_mp_error(mp_manager_connect(NULL, mp_manager_address(manager), NULL, 0, 1), MP_EINVAL);
    assert_mp_error(mp_manager_connect(&other, NULL, NULL, 0, 1), MP_EINVAL);
    assert_mp_error(mp_manager_dict(manager, MP_NONE, NULL), MP_EINVAL);
    assert_mp_error(mp_manager_list(manager, MP_NONE, NULL), MP_EINVAL);
    assert_mp_error(mp_manager_namespace(manager, MP_NONE, NULL), MP_EINVAL);
    assert_mp_error(mp_manager_proxy(manager, "Lock", MP_NONE, MP_NONE, NULL), MP_EINVAL);
    assert_mp_error(mp_manager_proxy(manager, NULL, MP_NONE, MP_NONE, &another), MP_EINVAL);
    assert_mp_error(mp_proxy_call(proxy, NULL, MP_NONE, MP_NONE, NULL), MP_EINVAL);
    assert_mp_error(mp_proxy_print(proxy, NULL), MP_EINVAL);
    assert_mp_error(mp_proxy_repr(proxy, NULL, 10), MP_EINVAL);
    assert_mp_error(mp_proxy_from(mp_obj_proxy(proxy), NULL), MP_EINVAL);
    assert_mp_error(mp_dict_from(mp_obj_proxy(mp_dict_proxy(dict)), NULL), MP_EINVAL);
    assert_mp_error(mp_dict_print(dict, NULL), MP_EINVAL);
    assert_mp_error(mp_dict_repr(dict, NULL, 10), MP_EINVAL);
    assert_mp_error(mp_namespace_get(namespace_, NULL, NULL), MP_EINVAL);
    assert_mp_error(mp_namespace_set(namespace_, NULL, MP(1)), MP_EINVAL);
    assert_mp_error(mp_namespace_del(namespace_, NULL), MP_EINVAL);
    assert_mp_error(mp_manager_join(manager, __builtin_nan("")), MP_EINVAL);
    check(mp_proxy_repr(proxy, NULL, 0) > 0);
    assert_objects(manager, 3);
    mp_proxy_destroy(proxy);
    mp_dict_destroy(dict);
    mp_namespace_destroy(namespace_);
}

/* ---- registration ---------------------------------------------------------------------------- */

static int nothing(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    (void)args;
    (void)kwargs;
    (void)result;
    return 0;
}

static int no_task(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    return 0;
}

static void test_only_names_of_pythons_can_be_registered(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "with space", "1st", "a-b", "a.b", "a(", "\xc3"};
    static const mp_managed_method good_methods[] = {{"call", nothing, NULL}, {0}};
    const mp_managed_type good = {.methods = good_methods}, no_methods = {0};
    assert_mp_error(mp_manager_register(NULL, &good), MP_EINVAL);
    assert_mp_error(mp_manager_register("Good", NULL), MP_EINVAL);
    assert_mp_error(mp_manager_register("Good", &no_methods), MP_EINVAL);
    assert_mp_error(mp_manager_register_task(NULL, no_task), MP_EINVAL);
    assert_mp_error(mp_manager_register_task("task", NULL), MP_EINVAL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const mp_managed_method methods[] = {{"call", nothing, NULL}, {bad[i], nothing, NULL}, {0}};
        const mp_managed_type type = {.methods = methods};
        assert_mp_error(mp_manager_register("Type", &type), MP_EINVAL);
    }
    const mp_managed_method without_call[] = {{"call", NULL, NULL}, {0}};
    const mp_managed_type useless = {.methods = without_call};
    assert_mp_error(mp_manager_register("Type", &useless), MP_EINVAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        manager_test("NULL is a value error", test_null_is_a_value_error),
        served_test("another kind of object is a type error",
                    test_another_kind_of_object_is_a_type_error),
        served_test("a NULL argument is a value error", test_a_null_argument_is_a_value_error),
        manager_test("only names of Python's can be registered",
                     test_only_names_of_pythons_can_be_registered),
    };
    return managers_run("Managers: kinds", tests);
}
