/* The types and tasks that a server knows: its own, and what the program has registered.
 *
 * How it works
 *   Registered ones stand in lists that only grow, newest first, so that what is replaced stays
 *   valid for the objects it has. A server's process has them as they were when it was forked.
 *
 *   Globals: the two lists, each entry complete before one atomic store puts it at the head.
 */
#include "managers/carrier.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct registered_task {
    struct registered_task *next;
    mp_task *task;
    char name[];
};

static struct mp__registered *_Atomic types;
static struct registered_task *_Atomic tasks;

static const struct mp__type *const own_types[] = {
    &mp__type_dict,          &mp__type_list,
    &mp__type_set,           &mp__type_namespace,
    &mp__type_value,         &mp__type_array,
    &mp__type_lock,          &mp__type_rlock,
    &mp__type_semaphore,     &mp__type_bounded_semaphore,
    &mp__type_condition,     &mp__type_event,
    &mp__type_barrier,       &mp__type_queue,
    &mp__type_joinable_queue};

const struct mp__type *mp__type_find(const mp_obj *name)
{
    for (const struct mp__registered *entry = atomic_load(&types); entry != NULL;
         entry = entry->next)
        if (mp__obj_is_str(name, entry->key))
            return &entry->type;
    for (size_t i = 0; i < sizeof own_types / sizeof own_types[0]; i++)
        if (mp__obj_is_str(name, own_types[i]->name))
            return own_types[i];
    return mp__obj_is_str(name, "Pool") ? mp__type_pool() : NULL;
}

/* ---- types ---------------------------------------------------------------------------------- */

struct mp__registered *mp__registered_make(const char *key, const char *name,
                                           const mp_managed_type *user)
{
    size_t n = 0, names = strlen(key) + strlen(name) + 2;
    while (user->methods[n].name != NULL)
        n++;
    struct mp__registered *entry =
        calloc(1, sizeof *entry + (n + 1) * sizeof(struct mp__method) + names);
    if (entry == NULL)
        return NULL;
    char *text = (char *)(entry->methods + n + 1);
    entry->user = user;
    entry->key = strcpy(text, key);
    for (size_t i = 0; i < n; i++)
        entry->methods[i] = (struct mp__method){.name = user->methods[i].name,
                                                .result_type = user->methods[i].result_typeid};
    mp__carried_type_fill(entry, strcpy(text + strlen(key) + 1, name));
    return entry;
}

/* As Python has them, since Python's proxies get methods of these names. */
static bool is_identifier(const char *name)
{
    if (name[0] >= '0' && name[0] <= '9')
        return false;
    for (size_t i = 0; name[i] != '\0'; i++) {
        bool letter = (name[i] | 0x20) >= 'a' && (name[i] | 0x20) <= 'z';
        bool digit = name[i] >= '0' && name[i] <= '9';
        if (!letter && !digit && name[i] != '_')
            return false;
    }
    return name[0] != '\0';
}

static int type_check(const char *type_id, const mp_managed_type *type)
{
    size_t n = 0;
    if (type_id == NULL || *type_id == '\0' || type == NULL || type->methods == NULL)
        return MP_EINVAL;
    for (; type->methods[n].name != NULL; n++)
        if (!is_identifier(type->methods[n].name) || type->methods[n].call == NULL)
            return mp__failf(MP_EINVAL, "'%s' is no method's name, or has no function",
                             type->methods[n].name);
    return n < MP__METHODS_MOST ? 0 : MP_EINVAL;
}

int mp_manager_register(const char *type_id, const mp_managed_type *type)
{
    int rc = type_check(type_id, type);
    if (rc != 0)
        return mp__fail(rc);
    struct mp__registered *entry = mp__registered_make(type_id, type_id, type);
    if (entry == NULL)
        return mp__fail(-ENOMEM);
    entry->next = atomic_load(&types);
    while (!atomic_compare_exchange_weak(&types, &entry->next, entry))
        continue;
    return 0;
}

/* ---- tasks ---------------------------------------------------------------------------------- */

int mp_manager_register_task(const char *name, mp_task *task)
{
    if (name == NULL || *name == '\0' || task == NULL)
        return mp__fail(MP_EINVAL);
    struct registered_task *entry = malloc(sizeof *entry + strlen(name) + 1);
    if (entry == NULL)
        return mp__fail(-ENOMEM);
    entry->task = task;
    strcpy(entry->name, name);
    entry->next = atomic_load(&tasks);
    while (!atomic_compare_exchange_weak(&tasks, &entry->next, entry))
        continue;
    return 0;
}

/* "name", or "module.name". */
static bool is_name_of(const char *registered, const mp_obj *module, const mp_obj *name)
{
    size_t n = module->len;
    if (mp__obj_is_str(name, registered))
        return true;
    return strlen(registered) > n && strncmp(registered, module->s, n) == 0 &&
           registered[n] == '.' && mp__obj_is_str(name, registered + n + 1);
}

mp_task *mp__task_find(const mp_obj *function)
{
    mp_obj module = mp_obj_str(""), name = *function;
    if (function->type == MP__TYPE_OPAQUE &&
        function->items[MP__OPAQUE_ARGS].type == MP_TYPE_NONE) {
        module = function->items[MP__OPAQUE_MODULE];
        name = function->items[MP__OPAQUE_NAME];
    }
    for (struct registered_task *entry = atomic_load(&tasks); entry != NULL; entry = entry->next)
        if (is_name_of(entry->name, &module, &name))
            return entry->task;
    return NULL;
}
