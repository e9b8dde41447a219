/* A type and some tasks of the program's own, as Python clients of its manager use them. */
#include "manager_types.h"

#include "support/support.h"

#include <errno.h>
#include <mp/mp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Maths ----------------------------------------------------------------------------------- */

struct maths {
    pthread_mutex_t mutex; /* calls come from several threads */
    int64_t start;
};

static int maths_create(void **self, mp_obj args, mp_obj kwargs)
{
    int64_t start = 0;
    int rc = args.len == 0 ? 0 : mp_obj_unpack(args, "q", &start);
    if (rc != 0 || kwargs.len != 0)
        return rc != 0 ? rc : MP_ETYPE;
    struct maths *maths = malloc(sizeof *maths);
    if (maths == NULL)
        return -ENOMEM;
    *maths = (struct maths){.start = start};
    (void)pthread_mutex_init(&maths->mutex, NULL);
    *self = maths;
    return 0;
}

static void maths_destroy(void *self)
{
    struct maths *maths = self;
    (void)pthread_mutex_destroy(&maths->mutex);
    free(maths);
}

static int64_t maths_start(struct maths *maths)
{
    (void)pthread_mutex_lock(&maths->mutex);
    int64_t start = maths->start;
    (void)pthread_mutex_unlock(&maths->mutex);
    return start;
}

static int maths_repr(void *self, mp_obj *text)
{
    return mp_obj_format(text, "Maths of %lld", (long long)maths_start(self));
}

/* An argument by its place or its name; NULL: not given. */
static const mp_obj *argument(mp_obj args, mp_obj kwargs, size_t place, const char *name)
{
    return place < args.len ? &args.items[place] : mp_obj_lookup(kwargs, MP(name));
}

static int maths_add(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    const mp_obj *x = argument(args, kwargs, 0, "x"), *y = argument(args, kwargs, 1, "y");
    size_t given = args.len + kwargs.len;
    double sum[2] = {0, 0};
    if (x == NULL || given != 1 + (size_t)(y != NULL))
        return MP_ETYPE;
    if (mp_obj_as_float(*x, &sum[0]) != 0 || (y != NULL && mp_obj_as_float(*y, &sum[1]) != 0))
        return MP_ETYPE;
    if (x->type == MP_TYPE_INT && (y == NULL || y->type == MP_TYPE_INT))
        *result = MP((int64_t)(sum[0] + sum[1]));
    else
        *result = MP(sum[0] + sum[1]);
    return 0;
}

static int maths_mul(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    (void)kwargs;
    int64_t x, y;
    int rc = mp_obj_unpack(args, "qq", &x, &y);
    if (rc == 0)
        *result = MP(x * y);
    return rc;
}

static int maths_echo(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    return mp_obj_copy(MP_TUPLE(args, kwargs), result);
}

static int maths_keep(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    struct maths *maths = self;
    int64_t start;
    (void)kwargs;
    (void)result;
    int rc = mp_obj_unpack(args, "q", &start);
    if (rc != 0)
        return rc;
    (void)pthread_mutex_lock(&maths->mutex);
    maths->start = start;
    (void)pthread_mutex_unlock(&maths->mutex);
    return 0;
}

static int maths_kept(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)args;
    (void)kwargs;
    *result = MP(maths_start(self));
    return 0;
}

static int maths_another(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    (void)kwargs;
    return args.len == 1 ? mp_obj_copy(args.items[0], result) : MP_ETYPE;
}

/* Fails as it is told, by the code's name. */
static int maths_fail(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    static const int codes[] = {ENOENT, EACCES, ENOSPC, ENOMEM, EPIPE};
    const char *name;
    (void)self;
    (void)kwargs;
    (void)result;
    int rc = mp_obj_unpack(args, "s", &name);
    if (rc != 0)
        return rc;
    for (int code = MP_ERROR_FIRST_ + 1; code <= MP_ENOSLOT; code++) {
        if (strcmp(mp_error_name(code), name) == 0)
            return code;
    }
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(mp_error_name(-codes[i]), name) == 0)
            return -codes[i];
    }
    return MP_EREMOTE;
}

static const struct mp_managed_method maths_methods[] = {
    {.name = "add", .call = maths_add},
    {.name = "mul", .call = maths_mul},
    {.name = "echo", .call = maths_echo},
    {.name = "keep", .call = maths_keep},
    {.name = "kept", .call = maths_kept},
    {.name = "fail", .call = maths_fail},
    {.name = "another", .call = maths_another, .result_typeid = "Maths"},
    {.name = NULL},
};

static const struct mp_managed_type maths_type = {
    .create = maths_create,
    .destroy = maths_destroy,
    .repr = maths_repr,
    .methods = maths_methods,
};

/* ---- the total, which all clients share ------------------------------------------------------ */

static struct {
    pthread_mutex_t mutex;
    int64_t sum;
} total = {PTHREAD_MUTEX_INITIALIZER, 0};

static int total_create(void **self, mp_obj args, mp_obj kwargs)
{
    *self = &total;
    return args.len + kwargs.len == 0 ? 0 : MP_ETYPE;
}

static int total_add(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    int64_t x;
    (void)self;
    (void)kwargs;
    int rc = mp_obj_unpack(args, "q", &x);
    if (rc != 0)
        return rc;
    (void)pthread_mutex_lock(&total.mutex);
    *result = MP(total.sum += x);
    (void)pthread_mutex_unlock(&total.mutex);
    return 0;
}

static const struct mp_managed_method total_methods[] = {
    {.name = "add", .call = total_add},
    {.name = NULL},
};

static const struct mp_managed_type total_type = {.create = total_create, .methods = total_methods};

/* ---- tasks ----------------------------------------------------------------------------------- */

/* apply gives (x,), map gives x. */
static int task_square(mp_obj arg, mp_obj *result)
{
    int64_t x;
    int rc = mp_obj_unpack(arg, "q", &x);
    if (rc == 0)
        *result = MP(x * x);
    return rc;
}

static int task_add(mp_obj arg, mp_obj *result)
{
    int64_t x, y;
    int rc = mp_obj_unpack(arg, "qq", &x, &y);
    if (rc == 0)
        *result = MP(x + y);
    return rc;
}

static int task_fail(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    return 7;
}

/* Runs as long as there is a file of that name. */
static int task_until_gone(mp_obj arg, mp_obj *result)
{
    const char *path;
    int rc = mp_obj_unpack(arg, "s", &path);
    if (rc != 0)
        return rc;
    while (access(path, F_OK) == 0)
        mp_sleep(0.001);
    *result = MP("gone");
    return 0;
}

void manager_types_register(void)
{
    assert_mp_result(mp_manager_register("Maths", &maths_type), 0);
    assert_mp_result(mp_manager_register("get_total", &total_type), 0);
    assert_mp_result(mp_manager_register_task("square", task_square), 0);
    assert_mp_result(mp_manager_register_task("add", task_add), 0);
    assert_mp_result(mp_manager_register_task("fail", task_fail), 0);
    assert_mp_result(mp_manager_register_task("until_gone", task_until_gone), 0);
}
