/* Python's TestMyManager: types of one's own, which of their methods are exposed, what they raise. */
#include "managers/managers_kit.h"

#include <errno.h>
#include <mp/mp.h>
#include <stdlib.h>
#include <string.h>

/* ---- class FooBar ---------------------------------------------------------------------------- */

static int f(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    (void)args;
    (void)kwargs;
    *result = MP("f()");
    return 0;
}

static int g(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    (void)args;
    (void)kwargs;
    (void)result;
    return MP_EINVAL; /* ValueError */
}

static int h(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)f(self, args, kwargs, result);
    *result = MP("_h()");
    return 0;
}

static int make_foobar(void **self, mp_obj args, mp_obj kwargs)
{
    (void)self;
    return args.len + kwargs.len > 0 ? MP_ETYPE : 0;
}

static const mp_managed_method methods_of_foo[] = {{"f", f, NULL}, {"g", g, NULL}, {0}};
static const mp_managed_method methods_of_bar[] = {{"f", f, NULL}, {"_h", h, NULL}, {0}};
static const mp_managed_type foo_type = {.create = make_foobar, .methods = methods_of_foo};
static const mp_managed_type bar_type = {.create = make_foobar, .methods = methods_of_bar};

/* ---- def baz() ------------------------------------------------------------------------------- */

static int make_baz(void **self, mp_obj args, mp_obj kwargs)
{
    (void)args;
    (void)kwargs;
    *self = calloc(1, sizeof(int));
    return *self != NULL ? 0 : -ENOMEM;
}

static int next_square(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    int *i = self;
    (void)args;
    (void)kwargs;
    if (*i == 10)
        return MP_EEOF; /* StopIteration */
    *result = MP(*i * *i);
    ++*i;
    return 0;
}

static const mp_managed_method methods_of_baz[] = {{"__next__", next_square, NULL}, {0}};
static const mp_managed_type baz_type = {
    .create = make_baz, .destroy = free, .methods = methods_of_baz};

/* ---- a Foo's maker --------------------------------------------------------------------------- */

static int make_nothing(void **self, mp_obj args, mp_obj kwargs)
{
    (void)self;
    (void)args;
    (void)kwargs;
    return 0;
}

/* Its result is what the other type's create gets. */
static int count_up_to(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    int64_t end;
    (void)self;
    (void)kwargs;
    if (mp_obj_unpack(args, "q", &end) != 0)
        return MP_ETYPE;
    *result = MP(end);
    return 0;
}

struct counter {
    int64_t at, end;
};

static int make_counter(void **self, mp_obj args, mp_obj kwargs)
{
    struct counter *counter = calloc(1, sizeof *counter);
    (void)kwargs;
    *self = counter;
    return counter != NULL ? mp_obj_unpack(args, "q", &counter->end) : -ENOMEM;
}

static int next_count(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    struct counter *counter = self;
    (void)args;
    (void)kwargs;
    if (counter->at == counter->end)
        return MP_EEOF;
    *result = MP(counter->at++);
    return 0;
}

static const mp_managed_method methods_of_counter[] = {{"__next__", next_count, NULL}, {0}};
static const mp_managed_type counter_type = {
    .create = make_counter, .destroy = free, .methods = methods_of_counter};
static const mp_managed_method methods_of_maker[] = {{"count_up_to", count_up_to, "Counter"}, {0}};
static const mp_managed_type maker_type = {.create = make_nothing, .methods = methods_of_maker};

static void register_all(void)
{
    assert_mp_result(mp_manager_register("Foo", &foo_type), 0);
    assert_mp_result(mp_manager_register("Bar", &bar_type), 0);
    assert_mp_result(mp_manager_register("baz", &baz_type), 0);
    assert_mp_result(mp_manager_register("Maker", &maker_type), 0);
    assert_mp_result(mp_manager_register("Counter", &counter_type), 0);
}

/* ---- the tests ------------------------------------------------------------------------------- */

static mp_manager *new_my_manager(void)
{
    register_all();
    return new_manager();
}

static void common(mp_manager *m)
{
    mp_proxy *foo = new_proxy(m, "Foo", MP_NONE), *bar = new_proxy(m, "Bar", MP_NONE),
             *baz = new_proxy(m, "baz", MP_NONE);
    assert_call(foo, "f", MP_NONE, MP("f()"));
    assert_raises(foo, "g", MP_NONE, MP_EINVAL);
    assert_raises(foo, "_h", MP_NONE, MP_EREMOTE);
    check_detail_has("_h");
    assert_call(bar, "f", MP_NONE, MP("f()"));
    assert_call(bar, "_h", MP_NONE, MP("_h()"));
    assert_raises(bar, "g", MP_NONE, MP_EREMOTE);
    for (int i = 0; i < 10; i++)
        assert_call(baz, "__next__", MP_NONE, MP(i * i));
    assert_raises(baz, "__next__", MP_NONE, MP_EEOF);
    mp_proxy_destroy(foo);
    mp_proxy_destroy(bar);
    mp_proxy_destroy(baz);
    assert_objects(m, 0);
}

static int exit_code_of(mp_manager *m)
{
    int code = MP_EXIT_UNKNOWN;
    assert_mp_result(mp_process_exitcode(mp_manager_process(m), &code), 1);
    return code;
}

static void test_mymanager(void **state)
{
    (void)state;
    mp_manager *m = new_my_manager();
    common(m);
    assert_mp_result(mp_manager_shutdown(m), 0);
    check(exit_code_of(m) == 0);
    mp_manager_destroy(m);
}

/* However the block is left. */
static int leave_from_inside(mp_manager *m)
{
    MP_WITH_MANAGER(m) {
        common(m);
        return 42;
    }
    return 0;
}

static void test_mymanager_context(void **state)
{
    (void)state;
    mp_manager *m = new_my_manager();
    check(leave_from_inside(m) == 42);
    check(exit_code_of(m) == 0);
    mp_manager_destroy(m);
}

static void test_mymanager_context_prestarted(void **state)
{
    (void)state;
    mp_proxy *foo = NULL;
    mp_manager *m = new_my_manager();
    assert_mp_result(mp_process_is_alive(mp_manager_process(m)), 1);
    MP_WITH_MANAGER(m) {
        common(m);
        foo = new_proxy(m, "Foo", MP_NONE);
    }
    check(exit_code_of(m) == 0);
    assert_raises(foo, "f", MP_NONE, MP_ECLOSED);
    mp_proxy_destroy(foo);
    mp_manager_destroy(m);
}

static void test_method_to_typeid(void **state)
{
    (void)state;
    mp_manager *m = new_my_manager();
    mp_proxy *maker = new_proxy(m, "Maker", MP_NONE);
    mp_proxy *counter = call_proxy(maker, "count_up_to", MP_TUPLE(3));
    check(strcmp(mp_proxy_typeid(counter), "Counter") == 0);
    assert_objects(m, 2);
    for (int i = 0; i < 3; i++)
        assert_call(counter, "__next__", MP_NONE, MP(i));
    assert_raises(counter, "__next__", MP_NONE, MP_EEOF);
    assert_raises(counter, "count_up_to", MP_TUPLE(3), MP_EREMOTE);
    mp_proxy_destroy(counter);
    assert_objects(m, 1);
    assert_mp_result(mp_proxy_call(maker, "count_up_to", MP_TUPLE(3), MP_NONE, NULL), 0);
    assert_objects(m, 1);
    mp_proxy_destroy(maker);
    end_empty_manager(m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        manager_test("TestMyManager.test_mymanager: some methods are exposed, one raises",
                     test_mymanager),
        manager_test("TestMyManager.test_mymanager_context: the block's end shuts it down",
                     test_mymanager_context),
        manager_test("TestMyManager.test_mymanager_context_prestarted: one that runs enters too",
                     test_mymanager_context_prestarted),
        manager_test("TestMyManager: a method may give the proxy of another type",
                     test_method_to_typeid),
    };
    return managers_run("TestMyManager", tests);
}
