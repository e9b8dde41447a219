/* Managers: the server's process from its making to its end, and the object by which its creator,
 * or whoever connects, uses it.
 *
 * How it works
 *   The server is a child like any other. It opens its door and says where that is, or why it could
 *   not, through a pipe; the creator waits for that or for the child's end. To end it the creator
 *   asks it to, on a connection of its own, and waits; a server that does not leave in time is
 *   terminated, then killed. What it leaves then, the tracker removes.
 *   The managers of a process are listed, so that its exit ends their servers before it waits for
 *   its children.
 *
 *   A death of the creator: the server is signalled, or looks, and ends in order.
 *
 *   Globals: the list with its lock; in the server's process, the server for the signal handler.
 */
#include "managers/hub.h"
#include "managers/server.h"
#include "memory/memory.h"
#include "process/process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANAGER_MAGIC UINT32_C(0x4d504d47)
#define SHUTDOWN_TIME 1.0

struct mp_manager {
    uint32_t magic;
    struct mp__hub *hub;
    mp_process *process;  /* NULL: connected only */
    struct mp__door door; /* the server's, to be removed when that could not */
    pid_t creator;
    double shutdown_timeout;
    struct mp_manager *next;
};

static struct mp_manager *managers;
static struct mp__fork_lock managers_lock = MP__FORK_LOCK(NULL);

static int fault_of(const mp_manager *manager)
{
    if (manager == NULL)
        return mp__fail(MP_EINVAL);
    return manager->magic != MANAGER_MAGIC ? mp__fail(MP_ETYPE) : 0;
}

static bool is_creator(const mp_manager *manager)
{
    return manager->process != NULL && manager->creator == getpid();
}

/* ---- the server's process ------------------------------------------------------------------- */

struct start {
    mp_manager_options options;
    mp_connection *report;
};

static struct mp__server *serving;

static void news(int signal_number)
{
    int error = errno;
    if (signal_number == SIGTERM)
        atomic_store(&serving->stopping, true);
    atomic_store(&serving->has_news, true);
    mp__server_wake(serving);
    errno = error;
}

static void signals_set(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_IGN;
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = news;
    action.sa_flags = SA_RESTART;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGCONT, &action, NULL);
}

/* (code, text): the address or why there is none, and what the door left in the file system. */
static void report(mp_connection *connection, int code, const char *text,
                   const struct mp__door *door)
{
    mp_obj parts[] = {mp_obj_int(code),
                      mp_obj_str(text),
                      mp_obj_str(door->file),
                      mp_obj_str(door->folder),
                      mp_obj_int((int64_t)door->device),
                      mp_obj_int((int64_t)door->inode)};
    (void)mp_connection_send(connection, mp_obj_tuple(parts, sizeof parts / sizeof parts[0]));
    mp_connection_destroy(connection);
}

static int server_main(void *arg)
{
    struct start *start = arg;
    static struct mp__server server;
    const mp_manager_options *options = &start->options;
    if (options->initializer != NULL && options->initializer(options->initarg) != 0)
        return 1;
    int rc = mp__server_open(&server, options);
    if (rc != 0) {
        report(start->report, rc, mp__detail_of(rc), &server.door);
        return 1;
    }
    server.parent = getppid();
    serving = &server;
    signals_set();
    mp__parent_signal(SIGCONT);
    report(start->report, 0, server.host.address.text, &server.door);
    rc = mp__server_run(&server);
    mp__door_close(&server.door);
    mp__log(MP_LOG_INFO, "manager exiting with exitcode 0");
    return rc == 0 ? 0 : 1;
}

int mp_manager_serve(const mp_manager_options *options)
{
    static const mp_manager_options defaults;
    struct mp__server server;
    if (options == NULL)
        options = &defaults;
    if (options->initializer != NULL && options->initializer(options->initarg) != 0)
        return mp__failf(MP_ETASK, "the initializer failed");
    int rc = mp__server_open(&server, options);
    if (rc != 0)
        return rc;
    rc = mp__server_run(&server);
    mp__server_close(&server);
    return rc != 0 ? mp__fail(rc) : 0;
}

/* ---- creating ------------------------------------------------------------------------------- */

/* Waits for what the server's process says, or for its end. */
static int report_await(mp_connection *connection, mp_process *process, mp_obj *said)
{
    mp_waitable items[2] = {mp_waitable_connection_(connection), mp_waitable_process_(process)};
    int rc = mp_wait(items, 2, MP_FOREVER);
    if (rc < 0)
        return rc;
    if (!items[0].ready)
        return mp__failf(MP_EDIED, "the manager's process ended before it served");
    rc = mp_connection_recv(connection, said);
    if (rc == MP_EEOF)
        rc = mp__failf(MP_EDIED, "the manager's process ended before it served");
    return rc;
}

/* What the server that was started says of itself. */
static int server_await(mp_connection *connection, mp_process *process, mp_obj *said)
{
    int rc = report_await(connection, process, said);
    if (rc != 0)
        return rc;
    int code = (int)said->items[0].i;
    if (code != 0) {
        rc = mp__failf(code, "%s", said->items[1].s);
        mp_obj_free(said);
    }
    return rc;
}

/* The server's door, closed, as this process would have to remove it. */
static int door_of(const mp_obj *said, struct mp__door *door)
{
    const mp_obj *parts = said->items;
    *door = (struct mp__door){
        .fd = -1, .device = (uint64_t)parts[4].i, .inode = (uint64_t)parts[5].i, .owner = getpid()};
    snprintf(door->folder, sizeof door->folder, "%s", parts[3].s);
    if (parts[2].type == MP_TYPE_STR && (door->file = strdup(parts[2].s)) == NULL)
        return mp__fail(-ENOMEM);
    return 0;
}

static int process_start(struct start *start, mp_process **out)
{
    mp_process_options options = {.daemon = MP_DAEMON_NO};
    char name[MP__NAME_MAX];
    mp_process *process;
    int rc = mp_process_create(&process, server_main, start, 0, &options);
    if (rc != 0)
        return rc;
    const char *number = strchr(mp_process_name(process), '-');
    snprintf(name, sizeof name, "SyncManager%s", number != NULL ? number : "");
    rc = mp_process_set_name(process, name);
    if (rc == 0)
        rc = mp_process_start(process);
    if (rc != 0)
        mp_process_destroy(process);
    else
        *out = process;
    return rc;
}

static void process_discard(mp_process *process)
{
    (void)mp_process_kill(process);
    (void)mp_process_join(process, MP_FOREVER);
    mp_process_destroy(process);
}

static int server_start(struct start *start, mp_process **process, mp_obj *said)
{
    mp_connection *here;
    int rc = mp_pipe(&here, &start->report, false);
    if (rc != 0)
        return rc;
    mp__tracker_ensure(); /* so that a server that is killed leaves its socket to this process */
    rc = process_start(start, process);
    mp_connection_destroy(start->report);
    if (rc == 0) {
        rc = server_await(here, *process, said);
        if (rc != 0)
            process_discard(*process);
    }
    mp_connection_destroy(here);
    return rc;
}

static int manager_new(mp_manager **out, const char *address, const void *key, size_t n)
{
    mp_manager *manager = calloc(1, sizeof *manager);
    if (manager == NULL)
        return mp__fail(-ENOMEM);
    int rc = mp__hub_of(&manager->hub, address, key, n);
    if (rc != 0) {
        free(manager);
        return rc;
    }
    manager->magic = MANAGER_MAGIC;
    *out = manager;
    return 0;
}

static void managers_finish(void);

static void hook_set(void)
{
    mp__managers_finish = managers_finish;
}

static void manager_enlist(mp_manager *manager)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, hook_set);
    mp__fork_lock_take(&managers_lock);
    manager->next = managers;
    managers = manager;
    mp__fork_lock_give(&managers_lock);
}

static void manager_delist(mp_manager *manager)
{
    mp__fork_lock_take(&managers_lock);
    mp_manager **at = &managers;
    while (*at != NULL && *at != manager)
        at = &(*at)->next;
    if (*at != NULL)
        *at = manager->next;
    mp__fork_lock_give(&managers_lock);
}

int mp_manager_create(mp_manager **out, const mp_manager_options *options)
{
    struct start start = {.report = NULL};
    mp_process *process;
    mp_manager *manager;
    mp_obj said;
    if (out == NULL)
        return mp__fail(MP_EINVAL);
    if (options != NULL)
        start.options = *options;
    double timeout = start.options.shutdown_timeout;
    if (!(timeout >= 0))
        return mp__fail(MP_EINVAL);
    if (start.options.authkey == NULL)
        start.options.authkey =
            mp_process_authkey(mp_current_process(), &start.options.authkey_len);
    if (start.options.authkey == NULL)
        return -ENOMEM;
    int rc = server_start(&start, &process, &said);
    if (rc != 0)
        return rc;
    mp__hubs_expire(said.items[1].s);
    rc = manager_new(&manager, said.items[1].s, start.options.authkey, start.options.authkey_len);
    if (rc == 0) {
        rc = door_of(&said, &manager->door);
        if (rc != 0)
            mp_manager_destroy(manager);
    }
    mp_obj_free(&said);
    if (rc != 0) {
        process_discard(process);
        return rc;
    }
    manager->process = process;
    manager->creator = getpid();
    manager->shutdown_timeout = timeout > 0 ? timeout : SHUTDOWN_TIME;
    manager_enlist(manager);
    *out = manager;
    return 0;
}

int mp_manager_connect(mp_manager **out, const char *address, const void *authkey, size_t n,
                       double timeout)
{
    mp_manager *manager;
    mp__moment until;
    if (out == NULL || address == NULL || (authkey == NULL && n > 0))
        return mp__fail(MP_EINVAL);
    int rc = mp__moment_of(timeout, &until);
    if (rc != 0)
        return mp__fail(rc);
    if (authkey == NULL)
        authkey = mp_process_authkey(mp_current_process(), &n);
    if (authkey == NULL)
        return -ENOMEM;
    rc = manager_new(&manager, address, authkey, n);
    if (rc != 0)
        return rc;
    bool is_new = !atomic_load(&manager->hub->is_known) || atomic_load(&manager->hub->is_inherited);
    if (is_new)
        rc = mp__hub_ensure(manager->hub, until);
    if (rc == 0)
        rc = mp__hub_command_alone(manager->hub, "dummy", mp_obj_tuple(NULL, 0), mp_obj_none(),
                                   NULL, until);
    if (rc != 0) {
        mp_manager_destroy(manager);
        return rc;
    }
    *out = manager;
    return 0;
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Whoever does not leave when asked is told to, then made to. */
static void server_end(mp_manager *manager)
{
    double timeout = manager->shutdown_timeout;
    int64_t span;
    mp__moment until = mp__span_of(timeout, &span) == 0 ? mp__moment_in(span) : MP__NEVER;
    mp__log(MP_LOG_INFO, "sending shutdown message to manager");
    /* first, so that the calls of others say why they fail */
    atomic_store(&manager->hub->is_closed, true);
    /* else somebody else may be at that address by now */
    if (mp_process_is_alive(manager->process))
        (void)mp__hub_command_alone(manager->hub, "shutdown", mp_obj_tuple(NULL, 0), mp_obj_none(),
                                    NULL, until);
    if (mp_process_join(manager->process, timeout) == MP_ETIMEOUT) {
        mp__log(MP_LOG_INFO, "manager still alive");
        (void)mp_process_terminate(manager->process);
        if (mp_process_join(manager->process, timeout) == MP_ETIMEOUT)
            (void)mp_process_kill(manager->process);
        (void)mp_process_join(manager->process, MP_FOREVER);
    }
    int code;
    if (mp_process_exitcode(manager->process, &code) != 0 || code != 0)
        mp__door_close(&manager->door); /* the server could not */
}

int mp_manager_shutdown(mp_manager *manager)
{
    int rc = fault_of(manager);
    if (rc != 0)
        return rc;
    if (manager->process == NULL)
        return mp__failf(MP_ESTATE, "the manager was connected to, not created here");
    if (is_creator(manager) && !atomic_load(&manager->hub->is_closed))
        server_end(manager);
    return 0;
}

static void managers_finish(void)
{
    for (mp_manager *manager = managers; manager != NULL; manager = manager->next)
        if (is_creator(manager))
            (void)mp_manager_shutdown(manager);
}

int mp_manager_join(mp_manager *manager, double timeout)
{
    int rc = fault_of(manager);
    if (rc != 0)
        return rc;
    if (!is_creator(manager))
        return mp__failf(MP_ESTATE, "the manager was not created by this process");
    return mp_process_join(manager->process, timeout);
}

mp_process *mp_manager_process(mp_manager *manager)
{
    return fault_of(manager) == 0 && is_creator(manager) ? manager->process : NULL;
}

void mp_manager_destroy(mp_manager *manager)
{
    if (manager == NULL || manager->magic != MANAGER_MAGIC)
        return;
    if (manager->process != NULL) {
        (void)mp_manager_shutdown(manager);
        manager_delist(manager);
        mp_process_destroy(manager->process);
    }
    mp__hub_leave(manager->hub);
    free(manager->door.file);
    manager->magic = 0;
    free(manager);
}

int mp_manager_enter_(mp_manager *manager)
{
    int rc = fault_of(manager);
    if (rc == 0 && atomic_load(&manager->hub->is_closed))
        rc = mp__failf(MP_ECLOSED, "the manager was shut down");
    return rc;
}

/* ---- using it ------------------------------------------------------------------------------- */

const char *mp_manager_address(mp_manager *manager)
{
    return fault_of(manager) == 0 ? manager->hub->address.text : NULL;
}

int mp_manager_number_of_objects(mp_manager *manager)
{
    mp_obj value;
    int64_t n;
    int rc = fault_of(manager);
    if (rc == 0)
        rc = mp__hub_command(manager->hub, "number_of_objects", mp_obj_tuple(NULL, 0),
                             mp_obj_none(), &value);
    if (rc == 0)
        rc = mp_obj_as_int(value, &n);
    return rc == 0 ? (int)n : rc;
}

/* (typeid, *args) */
static int create_args(const char *type_id, mp_obj args, mp_obj **all, size_t *n)
{
    *n = args.type == MP_TYPE_NONE ? 1 : 1 + args.len;
    *all = malloc(*n * sizeof **all);
    if (*all == NULL)
        return mp__fail(-ENOMEM);
    (*all)[0] = mp_obj_str(type_id);
    if (*n > 1)
        memcpy(*all + 1, args.items, args.len * sizeof **all);
    return 0;
}

/* Makes a proxy of the answer to create, (id, names). */
static int created_take(struct mp__hub *hub, const char *type_id, mp_obj *answer, mp_proxy **out)
{
    int rc = 0;
    if (answer->type != MP_TYPE_TUPLE || answer->len != 2 || answer->items[0].type != MP_TYPE_STR)
        rc = mp__failf(MP_EREMOTE, "the server's answer is none of the protocol");
    if (rc == 0) {
        rc = mp__proxy_make(out, hub, type_id, answer->items[0], answer->items[1]);
        if (rc != 0)
            mp__hub_drop(hub, &answer->items[0]);
    }
    mp_obj_free(answer);
    return rc;
}

int mp_manager_proxy(mp_manager *manager, const char *type_id, mp_obj args, mp_obj kwargs,
                     mp_proxy **out)
{
    mp_obj *all, answer;
    size_t n;
    int rc = fault_of(manager);
    if (rc == 0 && (type_id == NULL || out == NULL))
        rc = mp__fail(MP_EINVAL);
    if (rc == 0)
        rc = mp__arguments_check(&args, &kwargs);
    if (rc == 0)
        rc = create_args(type_id, args, &all, &n);
    if (rc != 0)
        return rc;
    mp__log(MP_LOG_DEBUG, "requesting creation of a shared '%s' object", type_id);
    rc = mp__hub_create(manager->hub, mp_obj_tuple(all, n), kwargs, &answer);
    free(all);
    return rc == 0 ? created_take(manager->hub, type_id, &answer, out) : rc;
}
