/* Calls in threads: for types whose methods may take their time.
 *
 * How it works
 *   A connection that calls such a method gets a thread, which stays with it, so that a mutex that
 *   a method locks is locked by the same thread that later unlocks it. The loop hands it one job at
 *   a time and does not read the connection meanwhile; the thread puts the finished job into the
 *   server's list and wakes the loop, which alone touches objects, references and connections. The
 *   object has a reference while the job lasts. A result is copied in the thread, as it may be part
 *   of what another thread changes next.
 *   A client that goes while its job runs is freed when the job is back. Objects are destroyed in a
 *   thread of their own, for that may take its time too.
 */
#include "managers/carrier.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct carried {
    struct mp__managed head;
    void *self;
    struct mp__managed *maker; /* whose method gave it, which stays as long; NULL: nobody's */
};

/* What a thread is to do, and what came of it. Without an object: to make one of the type. */
struct job {
    const struct mp__registered *type;
    const struct mp__method *method; /* NULL: str(object) */
    struct mp__managed *object;
    void *self;
    mp_obj request;
    mp_obj result;
    const struct mp__registered *made_type; /* the result is an object of this type, `made` */
    void *made;
    int rc;
    char detail[512];
};

struct mp__carrier {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct mp__client *client;
    struct job job;
    bool has_job, ends;
    struct mp__carrier *next; /* in the list of finished ones */
};

static const struct mp__registered *registered_of(const struct mp__type *type)
{
    return (const void *)((const char *)type - offsetof(struct mp__registered, type));
}

/* ---- in the thread -------------------------------------------------------------------------- */

static mp_managed_call *call_of(const struct job *job)
{
    const mp_managed_method *methods = job->type->user->methods;
    size_t i = 0;
    while (strcmp(methods[i].name, job->method->name) != 0)
        i++;
    return methods[i].call;
}

/* Makes the result the argument of another type's create. */
static int result_convert(struct job *job)
{
    const struct mp__type *type = mp__result_type(job->method->result_type);
    if (type == NULL)
        return mp__failf(MP_EATTR, "'%s' is no registered typeid", job->method->result_type);
    if (!type->is_carried)
        return 0; /* the loop does it */
    const struct mp__registered *entry = registered_of(type);
    mp_obj args = mp_obj_tuple(&job->result, 1);
    if (entry->user->create == NULL)
        return mp__failf(MP_ETYPE, "'%s' objects are not made by clients", type->name);
    int rc = entry->user->create(&job->made, args, mp_obj_dict(NULL, 0));
    if (rc == 0)
        job->made_type = entry;
    return rc;
}

static int result_own(mp_obj *result)
{
    mp_obj copy;
    if (result->owned)
        return 0;
    int rc = mp_obj_copy(*result, &copy);
    if (rc == 0)
        *result = copy;
    return rc;
}

static int job_run(struct job *job)
{
    mp_obj args = mp_obj_view(job->request.items[2]), kwargs = mp_obj_view(job->request.items[3]);
    int rc;
    job->result = mp_obj_none();
    if (job->object == NULL) {
        args = mp_obj_tuple(args.items + 1, args.len - 1);
        return job->type->user->create(&job->self, args, kwargs);
    }
    if (job->method == NULL)
        rc = job->type->user->repr(job->self, &job->result);
    else
        rc = call_of(job)(job->self, args, kwargs, &job->result);
    if (rc == 0)
        rc = result_own(&job->result);
    if (rc == 0 && job->method != NULL && job->method->result_type != NULL)
        rc = result_convert(job);
    return rc;
}

static void job_do(struct job *job)
{
    job->detail[0] = '\0';
    job->rc = job_run(job);
    if (job->rc > 0)
        job->rc = mp__failf(MP_ETASK, "the method returned %d", job->rc);
    if (job->rc < 0)
        snprintf(job->detail, sizeof job->detail, "%s", mp__detail_of(job->rc));
}

static void carrier_return(struct mp__carrier *carrier)
{
    struct mp__server *server = carrier->client->server;
    pthread_mutex_lock(&server->carried_lock);
    carrier->next = server->carried;
    server->carried = carrier;
    pthread_mutex_unlock(&server->carried_lock);
    mp__server_wake(server);
}

static void *carrier_run(void *arg)
{
    struct mp__carrier *carrier = arg;
    pthread_mutex_lock(&carrier->lock);
    for (;;) {
        while (!carrier->has_job && !carrier->ends)
            pthread_cond_wait(&carrier->news, &carrier->lock);
        if (carrier->ends)
            break;
        carrier->has_job = false;
        pthread_mutex_unlock(&carrier->lock);
        job_do(&carrier->job);
        carrier_return(carrier);
        pthread_mutex_lock(&carrier->lock);
    }
    pthread_mutex_unlock(&carrier->lock);
    return NULL;
}

/* ---- handing out ---------------------------------------------------------------------------- */

/* The signals of a program are for its own threads; in a server's own process they are left as they
   are, for the processes that a method may start have the mask of its thread. */
static int thread_start(const struct mp__server *server, pthread_t *thread, void *(*run)(void *),
                        void *arg)
{
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, server->parent == 0 ? &all : NULL, &mask);
    int rc = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return -rc;
}

static int carrier_ensure(struct mp__client *client)
{
    if (client->carrier != NULL)
        return 0;
    struct mp__carrier *carrier = calloc(1, sizeof *carrier);
    if (carrier == NULL)
        return mp__fail(-ENOMEM);
    carrier->client = client;
    pthread_mutex_init(&carrier->lock, NULL);
    pthread_cond_init(&carrier->news, NULL);
    int rc = thread_start(client->server, &carrier->thread, carrier_run, carrier);
    if (rc != 0) {
        free(carrier);
        return mp__fail(rc);
    }
    client->carrier = carrier;
    return 0;
}

static int job_give(struct mp__client *client, const struct job *job)
{
    int rc = carrier_ensure(client);
    if (rc != 0)
        return rc;
    struct mp__carrier *carrier = client->carrier;
    client->is_carried = true;
    client->server->jobs++;
    pthread_mutex_lock(&carrier->lock);
    carrier->job = *job;
    carrier->has_job = true;
    pthread_cond_signal(&carrier->news);
    pthread_mutex_unlock(&carrier->lock);
    return 0;
}

int mp__carry_create(struct mp__client *client, const struct mp__type *type, mp_obj *request)
{
    struct job job = {.type = registered_of(type), .request = *request};
    if (job.type->user->create == NULL)
        return mp__failf(MP_ETYPE, "'%s' objects are not made by clients", type->name);
    return job_give(client, &job);
}

bool mp__carried_prints(const struct mp__type *type, const mp_obj *method)
{
    return registered_of(type)->user->repr != NULL &&
           (mp__obj_is_str(method, "__str__") || mp__obj_is_str(method, "__repr__"));
}

int mp__carry_call(struct mp__client *client, struct mp__managed *self,
                   const struct mp__method *method, mp_obj *request)
{
    struct job job = {.type = registered_of(self->type),
                      .method = method,
                      .object = self,
                      .self = ((struct carried *)self)->self,
                      .request = *request};
    int rc = job_give(client, &job);
    if (rc == 0)
        mp__managed_hold(self);
    return rc;
}

void mp__carrier_end(struct mp__client *client)
{
    struct mp__carrier *carrier = client->carrier;
    if (carrier == NULL)
        return;
    pthread_mutex_lock(&carrier->lock);
    carrier->ends = true;
    pthread_cond_signal(&carrier->news);
    pthread_mutex_unlock(&carrier->lock);
    pthread_join(carrier->thread, NULL);
    pthread_cond_destroy(&carrier->news);
    pthread_mutex_destroy(&carrier->lock);
    free(carrier);
    client->carrier = NULL;
}

/* ---- coming back ---------------------------------------------------------------------------- */

static struct mp__managed *carried_object(struct mp__client *client,
                                          const struct mp__registered *type, void *self)
{
    struct mp__managed *object = mp__managed_make(&client->server->host, &type->type);
    if (object == NULL) {
        if (type->user->destroy != NULL)
            type->user->destroy(self);
        mp__fail(-ENOMEM);
        return NULL;
    }
    ((struct carried *)object)->self = self;
    return object;
}

static void created_answer(struct mp__client *client, struct job *job)
{
    struct mp__managed *object = job->rc == 0 ? carried_object(client, job->type, job->self) : NULL;
    if (object == NULL) {
        mp__not_created(client, job->rc != 0 ? job->rc : -ENOMEM);
        return;
    }
    mp__created(client, object);
}

/* A result that is to be an object of a type of the library's own. */
static int result_make(struct mp__client *client, const struct job *job,
                       struct mp__managed **object)
{
    const struct mp__type *type = mp__result_type(job->method->result_type);
    struct mp__call call = {.args = mp_obj_tuple(&job->result, 1), .kwargs = mp_obj_dict(NULL, 0)};
    *object = mp__managed_make(&client->server->host, type);
    if (*object == NULL)
        return mp__fail(-ENOMEM);
    int rc = type->create != NULL ? type->create(*object, &call)
                                  : mp__failf(MP_ETYPE, "'%s' objects are not made so", type->name);
    if (rc != 0)
        mp__managed_discard(*object);
    return rc;
}

static void call_answer(struct mp__client *client, struct job *job)
{
    struct mp__call call = {.value = mp_obj_view(job->result)};
    const char *result_type = job->method != NULL ? job->method->result_type : NULL;
    struct mp__managed *object = NULL;
    int rc = job->rc;
    if (rc == 0 && result_type != NULL && job->made_type == NULL) {
        rc = result_make(client, job, &object);
    } else if (rc == 0 && result_type != NULL) {
        object = carried_object(client, job->made_type, job->made);
        if (object != NULL) {
            ((struct carried *)object)->maker = job->object;
            mp__managed_hold(job->object);
        }
        rc = object != NULL ? 0 : -ENOMEM;
    }
    if (object != NULL)
        call.value = mp_obj_int((intptr_t)object);
    if (rc == MP_EKEY)
        call.value = mp_obj_str(job->detail);
    mp__call_end(client, result_type, &call, rc);
}

static void job_finish(struct mp__client *client, struct job *job)
{
    client->is_carried = false;
    client->server->jobs--;
    if (job->rc != 0)
        mp__failf(job->rc, "%s", job->detail);
    if (job->object == NULL) {
        created_answer(client, job);
    } else {
        call_answer(client, job);
        mp__managed_release(job->object);
    }
    mp_obj_free(&job->result);
    mp_obj_free(&job->request);
    mp__command_answered(client);
    client->server->has_gone |= client->is_gone;
    client->server->goes_on |= client->in_have > 0;
    mp__client_watch(client);
}

void mp__carried_take(struct mp__server *server)
{
    pthread_mutex_lock(&server->carried_lock);
    struct mp__carrier *carrier = server->carried, *next;
    server->carried = NULL;
    pthread_mutex_unlock(&server->carried_lock);
    for (; carrier != NULL; carrier = next) {
        next = carrier->next;
        job_finish(carrier->client, &carrier->job);
    }
}

/* ---- ends of objects ------------------------------------------------------------------------ */

struct ending {
    void (*destroy)(void *self);
    void *self;
    struct mp__server *server;
};

static void *ending_run(void *arg)
{
    struct ending *ending = arg;
    struct mp__server *server = ending->server;
    ending->destroy(ending->self);
    free(ending);
    pthread_mutex_lock(&server->carried_lock);
    server->endings--;
    pthread_cond_signal(&server->ended);
    pthread_mutex_unlock(&server->carried_lock);
    return NULL;
}

static void carried_destroy(struct mp__managed *object)
{
    struct mp__server *server = object->host->server;
    void (*destroy)(void *) = registered_of(object->type)->user->destroy;
    void *self = ((struct carried *)object)->self;
    struct ending *ending = destroy != NULL ? malloc(sizeof *ending) : NULL;
    pthread_t thread;
    if (((struct carried *)object)->maker != NULL)
        mp__managed_release(((struct carried *)object)->maker);
    if (destroy == NULL)
        return;
    if (ending != NULL) {
        *ending = (struct ending){destroy, self, server};
        pthread_mutex_lock(&server->carried_lock);
        server->endings++;
        pthread_mutex_unlock(&server->carried_lock);
        if (thread_start(server, &thread, ending_run, ending) == 0) {
            pthread_detach(thread);
            return;
        }
        pthread_mutex_lock(&server->carried_lock);
        server->endings--;
        pthread_mutex_unlock(&server->carried_lock);
        free(ending);
    }
    destroy(self);
}

void mp__carried_await(struct mp__server *server)
{
    pthread_mutex_lock(&server->carried_lock);
    while (server->endings > 0)
        pthread_cond_wait(&server->ended, &server->carried_lock);
    pthread_mutex_unlock(&server->carried_lock);
}

/* ---- the type ------------------------------------------------------------------------------- */

static int carried_print(struct mp__managed *self, struct mp__call *call)
{
    return mp_obj_format(&call->value, "<%s object at %p>", self->type->name, (void *)self);
}

void mp__carried_type_fill(struct mp__registered *entry, const char *name)
{
    entry->type = (struct mp__type){.name = name,
                                    .size = sizeof(struct carried),
                                    .destroy = carried_destroy,
                                    .print = carried_print,
                                    .is_carried = true,
                                    .methods = entry->methods};
}
