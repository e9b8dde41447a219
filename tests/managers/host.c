/* A host without a server: counts what is stored and held, and plays the client of one call. */
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct mp__host {
    long kept, objects, limit;
};

static struct mp__host the_host = {.limit = -1};

struct mp__host *test_host(void)
{
    return &the_host;
}

long host_kept(void)
{
    return the_host.kept;
}

long host_objects(void)
{
    return the_host.objects;
}

void host_keep_limit(long more)
{
    the_host.limit = more;
}

/* ---- what the server gives the types ------------------------------------------------------ */

/* The object of one of host_proxy's proxies. */
static struct mp__managed *proxy_target(const mp_obj *proxy)
{
    void *object = NULL;
    check(sscanf(proxy->items[MP__PROXY_ID].s, "%p", &object) == 1);
    return object;
}

int mp__keep(struct mp__host *host, const mp_obj *from, mp_obj *kept)
{
    if (host->limit == 0)
        return mp__fail(-ENOMEM);
    if (from->type == MP_TYPE_PROXY)
        mp__managed_hold(proxy_target(from));
    int rc = mp_obj_copy(*from, kept);
    host->limit -= host->limit > 0;
    host->kept += rc == 0;
    return rc;
}

/* What was taken out of an object is kept still; None stands where nothing was. */
void mp__drop(struct mp__host *host, mp_obj *kept)
{
    if (kept->type == MP_TYPE_PROXY)
        mp__managed_release(proxy_target(kept));
    host->kept -= kept->owned;
    mp_obj_free(kept);
}

int mp__peek(struct mp__host *host, const mp_obj *proxy, mp_obj *copy)
{
    struct mp__managed *object = proxy_target(proxy);
    struct mp__call call = {.args = MP_EMPTY_TUPLE, .kwargs = MP_EMPTY_DICT};
    (void)host;
    if (object->type->getvalue == NULL)
        return mp__failf(MP_ETYPE, "no value");
    int rc = object->type->getvalue(object, &call);
    if (rc == 0)
        rc = mp_obj_copy(call.value, copy);
    mp_obj_free(&call.value);
    free(call.scratch);
    return rc;
}

struct mp__managed *mp__managed_new(struct mp__host *host, const struct mp__type *type)
{
    struct mp__managed *object = calloc(1, type->size);
    check(object != NULL);
    object->type = type;
    object->host = host;
    object->references = 1;
    host->objects++;
    return object;
}

void mp__managed_hold(struct mp__managed *object)
{
    object->references++;
}

void mp__managed_release(struct mp__managed *object)
{
    if (--object->references > 0)
        return;
    if (object->type->destroy != NULL)
        object->type->destroy(object);
    object->host->objects--;
    free(object);
}

int mp__call_expects(const struct mp__call *call, size_t least, size_t most)
{
    if (call->args.len >= least && call->args.len <= most)
        return 0;
    return mp__failf(MP_ETYPE, "expected %zu to %zu arguments, got %zu", least, most,
                     call->args.len);
}

const mp_obj *mp__call_argument(const struct mp__call *call, size_t position, const char *name)
{
    if (position < call->args.len)
        return &call->args.items[position];
    return name != NULL ? mp_obj_lookup(call->kwargs, MP(name)) : NULL;
}

/* ---- the client --------------------------------------------------------------------------- */

static mp_obj answer;
static struct mp__managed *answer_object;

/* Each proxy lives until four more have been made. */
mp_obj host_proxy(struct mp__managed *object)
{
    static struct {
        mp_obj items[MP__PROXY_ITEMS];
        char id[24];
    } proxies[4], *proxy;
    static unsigned made;
    proxy = &proxies[made++ % 4];
    snprintf(proxy->id, sizeof proxy->id, "%p", (void *)object);
    proxy->items[MP__PROXY_TYPEID] = MP(object->type->name);
    proxy->items[MP__PROXY_ADDRESS] = MP("here");
    proxy->items[MP__PROXY_ID] = MP(proxy->id);
    proxy->items[MP__PROXY_MODULE] = MP("multiprocessing.managers");
    proxy->items[MP__PROXY_CLASS] = MP("AutoProxy");
    return mp__obj_proxy(proxy->items);
}

static void call_begin(struct mp__call *call, mp_obj args, mp_obj kwargs)
{
    *call = (struct mp__call){.args = args, .kwargs = kwargs};
    if (args.type == MP_TYPE_NONE)
        call->args = MP_EMPTY_TUPLE;
    if (kwargs.type == MP_TYPE_NONE)
        call->kwargs = MP_EMPTY_DICT;
    mp_obj_free(&answer);
    answer_object = NULL;
}

/* The client gets a copy, then the server lets go of what the answer stood on. */
static void call_end(struct mp__call *call)
{
    mp_obj value = call->value;
    check(mp_obj_copy(value, &answer) == 0);
    mp_obj_free(&call->value);
    free(call->scratch);
    mp__drop(&the_host, &call->kept[1]);
    mp__drop(&the_host, &call->kept[0]);
}

struct mp__managed *host_create(const struct mp__type *type, mp_obj args, mp_obj kwargs)
{
    struct mp__managed *object = mp__managed_new(&the_host, type);
    struct mp__call call;
    call_begin(&call, args, kwargs);
    int rc = type->create(object, &call);
    call_end(&call);
    if (rc == 0)
        return object;
    the_host.objects--;
    free(object);
    return NULL;
}

void host_destroy(struct mp__managed *object)
{
    mp__managed_release(object);
    mp_obj_free(&answer);
}

static const struct mp__method *method_find(const struct mp__type *type, const char *name)
{
    const struct mp__method *method = type->methods;
    while (method->name != NULL && strcmp(method->name, name) != 0)
        method++;
    return method;
}

int host_call(struct mp__managed *object, const char *name, mp_obj args, mp_obj kwargs)
{
    const struct mp__type *type = object->type;
    const struct mp__method *method = method_find(type, name);
    mp__method_call *run = method->call;
    struct mp__call call;
    if (strcmp(name, "__str__") == 0)
        run = type->print;
    if (strcmp(name, "#GETVALUE") == 0)
        run = type->getvalue;
    check(run != NULL);
    call_begin(&call, args, kwargs);
    int rc = run(object, &call);
    if (rc == 0 && method->name != NULL && method->result_type != NULL)
        answer_object = (struct mp__managed *)(intptr_t)call.value.i;
    call_end(&call);
    return rc;
}

mp_obj host_answer(void)
{
    return answer;
}

struct mp__managed *host_answer_object(void)
{
    return answer_object;
}

/* ---- checks ------------------------------------------------------------------------------- */

static char *text_of(mp_obj o)
{
    char *text = mp_obj_repr(o);
    check(text != NULL);
    return text;
}

void host_check_call(struct mp__managed *object, const char *method, mp_obj args, mp_obj kwargs,
                     const char *expected, const char *file, int line)
{
    int rc = host_call(object, method, args, kwargs);
    if (rc != 0)
        support_fail(file, line, "%s: %s (%s)", method, mp_error_name(rc), mp_error_detail());
    char *text = text_of(answer);
    if (strcmp(text, expected) != 0)
        support_fail(file, line, "%s: %s, not %s", method, text, expected);
    free(text);
}

static void refusal_check(int rc, int code, const char *text, const char *file, int line)
{
    char *key = code == MP_EKEY && rc == code ? text_of(answer) : NULL;
    const char *said = key != NULL ? key : mp_error_detail();
    if (rc != code || strcmp(said, text) != 0)
        support_fail(file, line, "%s (%s), not %s (%s)", mp_error_name(rc), said,
                     mp_error_name(code), text);
    free(key);
}

void host_check_refusal(struct mp__managed *object, const char *method, mp_obj args, mp_obj kwargs,
                        int code, const char *text, const char *file, int line)
{
    refusal_check(host_call(object, method, args, kwargs), code, text, file, line);
}

void host_check_no_object(const struct mp__type *type, mp_obj args, mp_obj kwargs, int code,
                          const char *text, const char *file, int line)
{
    struct mp__managed *object = mp__managed_new(&the_host, type);
    struct mp__call call;
    call_begin(&call, args, kwargs);
    int rc = type->create(object, &call);
    call_end(&call);
    the_host.objects--;
    free(object);
    refusal_check(rc, code, text, file, line);
}

void host_check_nothing_left(const char *file, int line)
{
    mp_obj_free(&answer);
    if (the_host.kept != 0 || the_host.objects != 0)
        support_fail(file, line, "%ld stored, %ld objects left", the_host.kept, the_host.objects);
}
