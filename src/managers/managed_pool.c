/* Pool for the clients of a server, and what its methods give: AsyncResult and Iterator.
 *
 * How it works
 *   They are registered types like a user's, over mp_pool. A client passes the name of a registered
 *   task where Python passes a function; one of Python's that has this name will do, as only the
 *   name travels. What apply_async and imap give reaches the type of its proxy as the address of
 *   the result, which only methods here can pass on: no client can create those types.
 */
#include "managers/carrier.h"
#include "managers/iterable.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const mp_obj *argument(const mp_obj *args, const mp_obj *kwargs, size_t i, const char *name)
{
    if (i < args->len)
        return &args->items[i];
    return kwargs->len > 0 ? mp_obj_lookup(*kwargs, mp_obj_str(name)) : NULL;
}

static bool is_given(const mp_obj *o)
{
    return o != NULL && o->type != MP_TYPE_NONE;
}

static int refused(const char *name)
{
    return mp__failf(MP_ETYPE, "a managed Pool takes no '%s'", name);
}

/* ---- Pool ----------------------------------------------------------------------------------- */

static int pool_create(void **self, mp_obj args, mp_obj kwargs)
{
    const mp_obj *processes = argument(&args, &kwargs, 0, "processes");
    const mp_obj *tasks = argument(&args, &kwargs, 3, "maxtasksperchild");
    mp_pool_options options = {.maxtasksperchild = 0};
    int64_t n = 0, most = 0;
    int rc = 0;
    if (is_given(argument(&args, &kwargs, 1, "initializer")))
        return refused("initializer");
    if (is_given(processes)) {
        rc = mp_obj_as_int(*processes, &n);
        if (rc == 0 && (n < 1 || n > INT32_MAX))
            rc = mp__failf(MP_EINVAL, "Number of processes must be at least 1");
    }
    if (rc == 0 && is_given(tasks)) {
        rc = mp_obj_as_int(*tasks, &most);
        if (rc == 0 && (most < 1 || most > INT32_MAX))
            rc = mp__failf(MP_EINVAL, "maxtasksperchild must be a positive int or None");
    }
    options.maxtasksperchild = (unsigned)most;
    return rc == 0 ? mp_pool_create((mp_pool **)self, (int)n, &options) : rc;
}

static void pool_destroy(void *self)
{
    mp_pool_destroy(self);
}

static int pool_repr(void *self, mp_obj *text)
{
    return mp_obj_format(text, "<multiprocessing.pool.Pool at %p>", self);
}

/* What a Python client sees as ValueError. */
static int not_running(int rc)
{
    return rc == MP_ESTATE || rc == MP_ECLOSED ? mp__failf(MP_EINVAL, "Pool not running") : rc;
}

/* (func, args or iterable, ...): the task; no keyword arguments and no callbacks for it. */
static int task_of(const mp_obj *args, const mp_obj *kwargs, mp_task **task)
{
    static const char *const none[] = {"callback", "error_callback"};
    const mp_obj *function = argument(args, kwargs, 0, "func");
    if (function == NULL)
        return mp__failf(MP_ETYPE, "missing argument: 'func'");
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (is_given(argument(args, kwargs, 3 + i, none[i])))
            return refused(none[i]);
    *task = mp__task_find(function);
    if (*task != NULL)
        return 0;
    const mp_obj *name =
        function->type == MP__TYPE_OPAQUE ? &function->items[MP__OPAQUE_NAME] : function;
    return mp__failf(MP_EATTR, "no task '%.*s' is registered",
                     name->type == MP_TYPE_STR ? (int)name->len : 1,
                     name->type == MP_TYPE_STR ? name->s : "?");
}

static int apply_parts(const mp_obj *args, const mp_obj *kwargs, mp_task **task, mp_obj *arg)
{
    const mp_obj *given = argument(args, kwargs, 1, "args");
    const mp_obj *kwds = argument(args, kwargs, 2, "kwds");
    if (is_given(kwds) && (kwds->type != MP_TYPE_DICT || kwds->len > 0))
        return refused("kwds");
    *arg = given != NULL ? mp_obj_view(*given) : mp_obj_tuple(NULL, 0);
    return task_of(args, kwargs, task);
}

static int pool_apply(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    mp_task *task;
    mp_obj arg;
    int rc = apply_parts(&args, &kwargs, &task, &arg);
    return rc == 0 ? not_running(mp_pool_apply(self, task, arg, result)) : rc;
}

/* The address of what was made, for the type of the result. */
static int made(int rc, const void *what, mp_obj *result)
{
    if (rc == 0)
        *result = mp_obj_int((intptr_t)what);
    return not_running(rc);
}

static int pool_apply_async(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    mp_task *task;
    mp_obj arg;
    mp_async_result *async = NULL;
    int rc = apply_parts(&args, &kwargs, &task, &arg);
    if (rc != 0)
        return rc;
    rc = mp_pool_apply_async(self, task, arg, &async, NULL);
    return made(rc, async, result);
}

/* A list of what Python would iterate over: the caller's. */
static int items_of(const mp_obj *o, mp_obj *list)
{
    struct mp__iterable it;
    int rc = mp__iterable_begin(&it, NULL, o);
    if (rc != 0)
        return rc;
    mp_obj *items = malloc((it.len + 1) * sizeof *items);
    for (size_t i = 0; i < it.len && items != NULL; i++)
        items[i] = it.items[i * it.stride];
    rc = items != NULL ? mp_obj_copy(mp_obj_list(items, it.len), list) : mp__fail(-ENOMEM);
    free(items);
    mp__iterable_end(&it);
    return rc;
}

static int map_parts(const mp_obj *args, const mp_obj *kwargs, mp_task **task, mp_obj *iterable,
                     mp_map_options *options)
{
    const mp_obj *items = argument(args, kwargs, 1, "iterable");
    const mp_obj *chunksize = argument(args, kwargs, 2, "chunksize");
    int64_t n = 0;
    if (items == NULL)
        return mp__failf(MP_ETYPE, "missing argument: 'iterable'");
    if (is_given(chunksize)) {
        int rc = mp_obj_as_int(*chunksize, &n);
        if (rc == 0 && n < 1)
            rc = mp__failf(MP_EINVAL, "Chunksize must be 1+, not %lld", (long long)n);
        if (rc != 0)
            return rc;
    }
    *options = (mp_map_options){.chunksize = (size_t)n};
    int rc = task_of(args, kwargs, task);
    return rc == 0 ? items_of(items, iterable) : rc;
}

static int pool_map(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    mp_task *task;
    mp_obj items;
    mp_map_options options;
    int rc = map_parts(&args, &kwargs, &task, &items, &options);
    if (rc != 0)
        return rc;
    rc = mp_pool_map(self, task, items, result, &options);
    mp_obj_free(&items);
    if (rc < 0)
        mp_obj_free(result); /* the failure is the answer */
    return not_running(rc);
}

static int pool_map_async(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    mp_task *task;
    mp_obj items;
    mp_map_options options;
    mp_async_result *async = NULL;
    int rc = map_parts(&args, &kwargs, &task, &items, &options);
    if (rc != 0)
        return rc;
    rc = mp_pool_map_async(self, task, items, &async, &options);
    mp_obj_free(&items);
    return made(rc, async, result);
}

typedef int imap_maker(mp_pool *pool, mp_task *task, mp_obj iterable, mp_imap **out,
                       const mp_map_options *options);

static int imap_make(imap_maker *make, void *self, const mp_obj *args, const mp_obj *kwargs,
                     mp_obj *result)
{
    mp_task *task;
    mp_obj items;
    mp_map_options options;
    mp_imap *imap = NULL;
    int rc = map_parts(args, kwargs, &task, &items, &options);
    if (rc != 0)
        return rc;
    rc = make(self, task, items, &imap, &options);
    mp_obj_free(&items);
    return made(rc, imap, result);
}

static int pool_imap(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    return imap_make(mp_pool_imap, self, &args, &kwargs, result);
}

static int pool_imap_unordered(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    return imap_make(mp_pool_imap_unordered, self, &args, &kwargs, result);
}

static int pool_close(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)args, (void)kwargs, (void)result;
    return mp_pool_close(self);
}

static int pool_terminate(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)args, (void)kwargs, (void)result;
    return mp_pool_terminate(self);
}

static int pool_join(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)args, (void)kwargs, (void)result;
    int rc = mp_pool_join(self, MP_FOREVER);
    return rc == MP_ESTATE ? mp__failf(MP_EINVAL, "Pool is still running") : rc;
}

/* ---- AsyncResult ---------------------------------------------------------------------------- */

static int address_take(void **self, mp_obj args, mp_obj kwargs)
{
    (void)kwargs;
    *self = (void *)(intptr_t)args.items[0].i;
    return 0;
}

/* (timeout=None) */
static int timeout_of(const mp_obj *args, const mp_obj *kwargs, double *timeout)
{
    const mp_obj *given = argument(args, kwargs, 0, "timeout");
    *timeout = MP_FOREVER;
    return is_given(given) ? mp_obj_as_float(*given, timeout) : 0;
}

static void result_destroy(void *self)
{
    mp_async_result_destroy(self);
}

static int result_get(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    double timeout;
    int rc = timeout_of(&args, &kwargs, &timeout);
    return rc == 0 ? mp_async_result_get(self, result, timeout) : rc;
}

static int result_wait(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    double timeout;
    int rc = timeout_of(&args, &kwargs, &timeout);
    (void)result;
    if (rc == 0)
        rc = mp_async_result_wait(self, timeout);
    return rc == MP_ETIMEOUT ? 0 : rc;
}

static int result_ready(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)args, (void)kwargs;
    *result = mp_obj_bool(mp_async_result_ready(self));
    return 0;
}

static int result_successful(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)args, (void)kwargs;
    int rc = mp_async_result_successful(self);
    if (rc == MP_ESTATE)
        return mp__failf(MP_EINVAL, "the result is not ready");
    *result = mp_obj_bool(rc == 1);
    return rc < 0 ? rc : 0;
}

/* ---- Iterator ------------------------------------------------------------------------------- */

static void imap_destroy(void *self)
{
    mp_imap_destroy(self);
}

static int imap_next(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    double timeout;
    int rc = timeout_of(&args, &kwargs, &timeout);
    if (rc == 0)
        rc = mp_imap_next(self, result, timeout);
    if (rc == 0)
        return mp__failf(MP_EEOF, "%s", "");
    return rc == 1 ? 0 : rc;
}

/* Of generators, which this is none. */
static int imap_refuse(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self, (void)args, (void)kwargs, (void)result;
    return mp__failf(MP_EATTR, "an iterator over results has no such method");
}

/* ---- the types ------------------------------------------------------------------------------ */

#define RESULT "AsyncResult of Pool"
#define IMAP "Iterator of Pool"

static const mp_managed_method pool_methods[] = {{"apply", pool_apply, NULL},
                                                 {"apply_async", pool_apply_async, RESULT},
                                                 {"close", pool_close, NULL},
                                                 {"imap", pool_imap, IMAP},
                                                 {"imap_unordered", pool_imap_unordered, IMAP},
                                                 {"join", pool_join, NULL},
                                                 {"map", pool_map, NULL},
                                                 {"map_async", pool_map_async, RESULT},
                                                 {"starmap", pool_map, NULL},
                                                 {"starmap_async", pool_map_async, RESULT},
                                                 {"terminate", pool_terminate, NULL},
                                                 {NULL, NULL, NULL}};
static const mp_managed_method result_methods[] = {{"get", result_get, NULL},
                                                   {"ready", result_ready, NULL},
                                                   {"successful", result_successful, NULL},
                                                   {"wait", result_wait, NULL},
                                                   {NULL, NULL, NULL}};
static const mp_managed_method imap_methods[] = {{"__next__", imap_next, NULL},
                                                 {"send", imap_refuse, NULL},
                                                 {"throw", imap_refuse, NULL},
                                                 {"close", imap_refuse, NULL},
                                                 {NULL, NULL, NULL}};

static const mp_managed_type pool_type = {pool_create, pool_destroy, pool_repr, pool_methods};
static const mp_managed_type result_type = {address_take, result_destroy, NULL, result_methods};
static const mp_managed_type imap_type = {address_take, imap_destroy, NULL, imap_methods};

/* Made at first use, by whichever thread comes first, and kept. */
static const struct mp__type *type_once(struct mp__registered *_Atomic *made, const char *name,
                                        const mp_managed_type *user)
{
    struct mp__registered *entry = atomic_load(made), *none = NULL;
    if (entry != NULL)
        return &entry->type;
    entry = mp__registered_make(name, name, user);
    if (entry == NULL)
        return NULL;
    if (!atomic_compare_exchange_strong(made, &none, entry)) {
        free(entry);
        entry = none;
    }
    return &entry->type;
}

const struct mp__type *mp__type_pool(void)
{
    static struct mp__registered *_Atomic made;
    return type_once(&made, "Pool", &pool_type);
}

const struct mp__type *mp__result_type(const char *name)
{
    static struct mp__registered *_Atomic made_result;
    static struct mp__registered *_Atomic made_imap;
    if (strcmp(name, RESULT) == 0)
        return type_once(&made_result, "AsyncResult", &result_type);
    if (strcmp(name, IMAP) == 0)
        return type_once(&made_imap, "Iterator", &imap_type);
    mp_obj text = mp_obj_str(name);
    return mp__type_find(&text);
}
