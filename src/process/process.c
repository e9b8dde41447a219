/* The process object: creation, what it tells of itself, and which call fits which state.
 *
 * How it works
 *   An object stands in one of the states of the table below, seen from the calling process: it
 *   may be the caller itself, its parent, a child in one of four stages of life, or a copy of an
 *   object that some other process created. The table says what each call answers there; the
 *   files start.c and reap.c move children from stage to stage, under the registry's lock.
 */
#include "process/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(struct mp__registry) <= MP__SELF_ROOM, "the registry fits the wiped page");

static mp_process first_process = {
    .magic = MP__PROCESS_MAGIC,
    .type_name = "_MainProcess",
    .name = "MainProcess",
    .life = MP__RUNNING,
    .child = {.sentinel = -1, .child_side = -1},
    .references = 1,
};

mp_process *mp__process_current = &first_process;

struct mp__registry *mp__registry_lock(void)
{
    pthread_mutex_lock(&mp__self->room_lock);
    return (struct mp__registry *)(void *)mp__self->room;
}

void mp__registry_unlock(void)
{
    pthread_mutex_unlock(&mp__self->room_lock);
}

enum place { INITIAL, RUNNING, ENDED, CLOSED, FOREIGN, CURRENT, PARENT, PLACES };

static enum place place_of(const mp_process *p)
{
    if (p == mp__process_current)
        return CURRENT;
    if (p == mp__process_current->parent)
        return PARENT;
    if (p->life == MP__CLOSED)
        return CLOSED;
    if (p->creator != getpid())
        return FOREIGN;
    return (enum place)p->life;
}

#define NO MP_ESTATE
static const int verdicts[PLACES][MP__CALLS] = {
    /*             start       join        alive       signal      exitcode    close */
    /*             sentinel    daemon      key         name */
    [INITIAL] = {0, NO, 0, NO, 0, 0, NO, 0, 0, 0},
    [RUNNING] = {NO, 0, 0, 0, 0, 0, 0, NO, 0, 0},
    [ENDED] = {NO, 0, 0, 0, 0, 0, 0, NO, 0, 0},
    [CLOSED] = {MP_ECLOSED, MP_ECLOSED, MP_ECLOSED, MP_ECLOSED, MP_ECLOSED, 0, MP_ECLOSED,
                MP_ECLOSED, MP_ECLOSED, MP_ECLOSED},
    [FOREIGN] = {NO, NO, NO, NO, NO, NO, NO, NO, 0, 0},
    [CURRENT] = {NO, NO, 0, NO, 0, NO, NO, NO, 0, 0},
    [PARENT] = {NO, 0, 0, NO, NO, NO, NO, NO, NO, NO},
};

int mp__process_verdict(const mp_process *p, enum mp__process_call call)
{
    if (p == NULL)
        return MP_EINVAL;
    if (p->magic != MP__PROCESS_MAGIC)
        return MP_ETYPE;
    return verdicts[place_of(p)][call];
}

static bool is_process(const mp_process *p)
{
    return p != NULL && p->magic == MP__PROCESS_MAGIC;
}

static int options_check(const mp_process_options *options)
{
    if (options == NULL)
        return 0;
    if (options->name != NULL && strlen(options->name) > MP__NAME_MAX)
        return MP_EINVAL;
    return options->daemon <= MP_DAEMON_YES ? 0 : MP_EINVAL;
}

static void name_default(mp_process *p)
{
    const mp_process *creator = mp__process_current;
    unsigned n = ++mp__registry_lock()->created;
    mp__registry_unlock();
    snprintf(p->lineage, sizeof p->lineage, "%.40s%s%u", creator->lineage,
             *creator->lineage ? ":" : "", n);
    snprintf(p->name, sizeof p->name, "Process-%s", p->lineage);
}

static int arg_keep(mp_process *p, const void *arg, size_t size)
{
    p->arg_is_copy = size > 0;
    if (size == 0) {
        memcpy(&p->arg, &arg, sizeof p->arg);
        return 0;
    }
    p->arg = malloc(size);
    if (p->arg == NULL)
        return -ENOMEM;
    memcpy(p->arg, arg, size);
    return 0;
}

static void process_free(mp_process *p)
{
    if (p->arg_is_copy)
        free(p->arg);
    if (p->authkey != p->own_key)
        free(p->authkey);
    mp__child_forget(&p->child);
    p->magic = 0;
    free(p);
}

void mp__process_release(mp_process *p)
{
    if (--p->references == 0)
        process_free(p);
}

__attribute__((noinline)) static void process_clear(mp_process *p)
{
    memset((void *)p, 0, 2 * sizeof *p);
    p->child = (struct mp__child){.sentinel = -1, .child_side = -1};
}

/* Two objects: the second is the parent as the child will see it. Not by calloc, nor by what the
   compiler would make one of: it goes round malloc's cache, and dirties a page of every process
   that forks. */
static mp_process *process_alloc(void)
{
    mp_process *p = malloc(2 * sizeof *p);
    if (p != NULL)
        process_clear(p);
    return p;
}

static int process_make(mp_process **out, mp_target *target, const void *arg, size_t arg_size)
{
    mp_process *p = process_alloc();
    if (p == NULL)
        return -ENOMEM;
    int rc = arg_keep(p, arg, arg_size);
    if (rc == 0)
        rc = mp__authkey_inherit(p);
    if (rc != 0) {
        process_free(p);
        return rc;
    }
    p->magic = MP__PROCESS_MAGIC;
    p->type_name = "Process";
    p->target = target;
    p->creator = getpid();
    p->references = 1;
    *out = p;
    return 0;
}

int mp__process_make(mp_process **out, mp_target *target, void *arg, const char *name)
{
    int rc = process_make(out, target, arg, 0);
    if (rc != 0)
        return rc;
    strcpy((*out)->name, name);
    strcpy((*out)->lineage, mp__process_current->lineage);
    return 0;
}

int mp_process_create(mp_process **out, mp_target *target, const void *arg, size_t arg_size,
                      const mp_process_options *options)
{
    mp_process *p;
    int rc = options_check(options);
    if (out == NULL || target == NULL || (arg == NULL && arg_size > 0) || rc != 0)
        return mp__fail(MP_EINVAL);
    rc = process_make(&p, target, arg, arg_size);
    if (rc != 0)
        return mp__fail(rc);
    name_default(p);
    if (options != NULL && options->name != NULL && *options->name != '\0')
        strcpy(p->name, options->name);
    bool inherit = options == NULL || options->daemon == MP_DAEMON_INHERIT;
    p->daemonic = inherit ? mp__process_current->daemonic : options->daemon == MP_DAEMON_YES;
    *out = p;
    return 0;
}

void mp_process_destroy(mp_process *p)
{
    if (!is_process(p) || p == mp__process_current || p == mp__process_current->parent ||
        p == &first_process)
        return;
    mp__registry_lock();
    mp__process_release(p);
    mp__registry_unlock();
}

int mp_process_run(mp_process *p)
{
    if (!is_process(p) || p->target == NULL)
        return mp__fail(p == NULL ? MP_EINVAL : is_process(p) ? MP_ESTATE : MP_ETYPE);
    if (p->life == MP__CLOSED)
        return mp__fail(MP_ECLOSED);
    return p->target(p->arg) & 0xff;
}

pid_t mp_process_pid(const mp_process *p)
{
    if (!is_process(p) || p->life == MP__CLOSED)
        return 0;
    return p == mp__process_current ? getpid() : p->child.pid;
}

const char *mp_process_name(const mp_process *p)
{
    return is_process(p) ? p->name : NULL;
}

int mp_process_set_name(mp_process *p, const char *name)
{
    int rc = mp__process_verdict(p, MP__CALL_NAME);
    if (rc == 0 && (name == NULL || strlen(name) > MP__NAME_MAX))
        rc = MP_EINVAL;
    if (rc != 0)
        return mp__fail(rc);
    memmove(p->name, name, strlen(name) + 1);
    return 0;
}

bool mp_process_daemon(const mp_process *p)
{
    return is_process(p) && p->daemonic;
}

int mp_process_set_daemon(mp_process *p, bool daemonic)
{
    int rc = mp__process_verdict(p, MP__CALL_DAEMON);
    if (rc != 0)
        return mp__fail(rc);
    p->daemonic = daemonic;
    return 0;
}

mp_process *mp_current_process(void)
{
    return mp__process_current;
}

mp_process *mp_parent_process(void)
{
    return mp__process_current->parent;
}

int mp_cpu_count(void)
{
    return mp__cpus_online();
}

int mp_process_cpu_count(void)
{
    return mp__cpus_usable();
}
