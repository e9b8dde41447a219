/* The server's loop: the door, the connections, the clock, and its end.
 *
 * How it works
 *   A round takes a batch of events, serves each, then does what is due: waits that ran out,
 *   processes that have ended, calls that came back from threads. A connection that ended is
 *   marked, gives up what it held at once, and is freed at the end of the round, so no event of
 *   the batch meets memory that has gone. A door that no descriptor is left for is not watched for
 *   a while, so that it does not spin; nor is it while all strangers are too new to be sent away.
 *   A server in a process of its own is told of its parent's end by a signal, where the system
 *   does that, and looks once a second; SIGTERM ends it in order.
 *
 *   Globals: the servers of this process, with the lock that forks take.
 */
#include "managers/server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STRANGERS_MOST = 32, BATCH = 64, BACKLOG = 128 };
#define HANDSHAKE_TIME (5 * MP__SECOND)
#define LOOK_FIRST (5 * MP__MS)
#define LOOK MP__SECOND
#define GRACE (20 * MP__MS)
#define DOOR_PAUSE (100 * MP__MS)

/* ---- forks ---------------------------------------------------------------------------------- */

/* A method of a registered type may fork, and as long as a child has a copy of a connection its
   client does not see the server's end: a child closes all of them first. */
static struct mp__server *servers;
static void servers_leave(void);
static struct mp__fork_lock fds_lock = MP__FORK_LOCK(servers_leave);

static void fd_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* A child of a server's own process. SIGINT stays ignored, as in Python. */
static void signals_reset(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_DFL;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGCONT, &action, NULL);
}

static void servers_leave(void)
{
    for (struct mp__server *server = servers; server != NULL; server = server->next) {
        if (server->parent != 0)
            signals_reset();
        for (struct mp__client *client = server->clients; client != NULL; client = client->next)
            fd_close(client->fd);
        fd_close(server->door.fd);
        fd_close(server->watch.fd);
        fd_close(server->wake[0]);
        fd_close(server->wake[1]);
    }
    servers = NULL;
}

static void server_enlist(struct mp__server *server)
{
    mp__fork_lock_take(&fds_lock);
    server->next = servers;
    servers = server;
    mp__fork_lock_give(&fds_lock);
}

static void server_delist(struct mp__server *server)
{
    mp__fork_lock_take(&fds_lock);
    struct mp__server **at = &servers;
    while (*at != NULL && *at != server)
        at = &(*at)->next;
    if (*at != NULL)
        *at = server->next;
    mp__fork_lock_give(&fds_lock);
}

/* ---- connections ---------------------------------------------------------------------------- */

void mp__client_watch(struct mp__client *client)
{
    unsigned what = MP__WATCH_IN;
    if (client->is_gone)
        return;
    if (client->out_size > 0)
        what = MP__WATCH_OUT;
    else if (client->wait.object != NULL || client->is_carried)
        what = 0;
    if (what == client->watched)
        return;
    client->watched = what;
    if (mp__watch_change(&client->server->watch, client->fd, what | MP__WATCH_EDGE, client) != 0)
        mp__client_end(client);
}

static void objects_leave(struct mp__client *client)
{
    struct mp__host *host = &client->server->host;
    for (uint32_t i = 0; i < host->used; i++) {
        struct mp__managed *object = host->objects[i];
        if (object != NULL && object->type->left != NULL)
            object->type->left(object, client);
    }
}

/* A process that ends closes its descriptors first: a look now may be too early. */
static void look_soon(struct mp__server *server, struct mp__holder *holder)
{
    holder->is_suspect = true;
    server->look_pause = LOOK_FIRST;
    server->next_look = mp__moment_in(LOOK_FIRST);
}

void mp__client_end(struct mp__client *client)
{
    struct mp__server *server = client->server;
    if (client->is_gone)
        return;
    client->is_gone = true;
    server->has_gone = true;
    mp__watch_remove(&server->watch, client->fd);
    mp__fork_lock_take(&fds_lock);
    (void)shutdown(client->fd, SHUT_RDWR); /* a process that was forked may have a copy */
    close(client->fd);
    client->fd = -1;
    mp__fork_lock_give(&fds_lock);
    mp__moved_drop(client);
    if (client->phase == MP__PHASE_SHAKING)
        server->strangers--;
    mp__wait_abandon(client);
    if (client->mutexes > 0)
        objects_leave(client);
    if (client->is_session)
        mp__holder_drop(server, client->holder);
    else if (client->pid > 0)
        look_soon(server, client->holder);
}

static void client_free(struct mp__client *client)
{
    free(client->handshake);
    free(client->in);
    free(client->out);
    free(client);
}

/* Frees what has gone, but for what a thread is still at work for. */
static void clients_sweep(struct mp__server *server)
{
    struct mp__client **at = &server->clients;
    server->has_gone = false;
    while (*at != NULL) {
        struct mp__client *client = *at;
        if (client->is_gone && !client->is_carried) {
            *at = client->next;
            mp__carrier_end(client);
            client_free(client);
        } else {
            at = &client->next;
        }
    }
}

struct mp__client *mp__client_new(struct mp__server *server, int fd)
{
    struct mp__client *client = calloc(1, sizeof *client);
    struct mp__handshake *handshake = malloc(sizeof *handshake);
    if (client == NULL || handshake == NULL ||
        mp__watch_add(&server->watch, fd, MP__WATCH_IN | MP__WATCH_EDGE, client) != 0) {
        free(client);
        free(handshake);
        return NULL;
    }
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on); /* of use to TCP alone */
    *client = (struct mp__client){.next = server->clients,
                                  .server = server,
                                  .fd = fd,
                                  .watched = MP__WATCH_IN,
                                  .pid = mp__peer_pid(fd),
                                  .holder = &server->anybody,
                                  .deadline = mp__moment_in(HANDSHAKE_TIME),
                                  .handshake = handshake};
    mp__handshake_begin(handshake, fd, MP__HANDSHAKE_ACCEPT, server->key, server->key_size);
    server->clients = client;
    server->strangers++;
    if (client->deadline < server->next_deadline)
        server->next_deadline = client->deadline;
    return client;
}

/* Who is to go for the next one: the oldest that has not proven the key. */
static struct mp__client *stranger_to_go(const struct mp__server *server)
{
    struct mp__client *oldest = NULL;
    for (struct mp__client *client = server->clients; client != NULL; client = client->next)
        if (client->phase == MP__PHASE_SHAKING && !client->is_gone &&
            !mp__handshake_is_proven(client->handshake))
            oldest = client; /* the list begins with the youngest */
    return oldest;
}

/* ---- the door ------------------------------------------------------------------------------- */

/* Not watched until `again`; 0: from now on. */
static void door_rest(struct mp__server *server, mp__moment again)
{
    if ((again == 0) != (server->door_again == 0))
        (void)mp__watch_change(&server->watch, server->door.fd, again == 0 ? MP__WATCH_IN : 0,
                               &server->door);
    server->door_again = again;
}

/* There is room for one more; the one that makes it has had its time. */
static bool room_make(struct mp__server *server)
{
    if (server->strangers < STRANGERS_MOST)
        return true;
    struct mp__client *oldest = stranger_to_go(server);
    mp__moment again =
        oldest == NULL ? mp__moment_in(DOOR_PAUSE) : oldest->deadline - HANDSHAKE_TIME + GRACE;
    if (oldest == NULL || !mp__moment_passed(again)) {
        door_rest(server, again);
        return false;
    }
    mp__client_end(oldest);
    return true;
}

/* Lets in a few; the others are there in the next round. */
static void door_answer(struct mp__server *server)
{
    for (int i = 0; i < STRANGERS_MOST && room_make(server); i++) {
        mp__fork_lock_take(&fds_lock);
        int fd = mp__door_take(&server->door, NULL);
        struct mp__client *client = fd >= 0 ? mp__client_new(server, fd) : NULL;
        mp__fork_lock_give(&fds_lock);
        if (client != NULL) {
            mp__client_shake(client, false);
            continue;
        }
        if (fd >= 0)
            close(fd);
        else if (fd != -EAGAIN)
            door_rest(server, mp__moment_in(DOOR_PAUSE));
        return;
    }
}

/* ---- rounds --------------------------------------------------------------------------------- */

static void wake_take(struct mp__server *server)
{
    char bytes[64];
    while (read(server->wake[0], bytes, sizeof bytes) > 0)
        continue;
    mp__carried_take(server);
}

static void wake_await(struct mp__server *server)
{
    struct pollfd wake = {.fd = server->wake[0], .events = POLLIN};
    (void)poll(&wake, 1, -1);
    wake_take(server);
}

static void client_serve(struct mp__client *client, unsigned what)
{
    if (client->is_gone)
        return;
    if (client->phase == MP__PHASE_SHAKING) {
        mp__client_shake(client, (what & MP__WATCH_END) != 0);
    } else if (client->out_size > 0) {
        if (what & MP__WATCH_END)
            mp__client_end(client);
        else if (what & MP__WATCH_OUT)
            mp__client_flush(client);
    } else if (client->wait.object != NULL || client->is_carried) {
        if (what & MP__WATCH_END)
            mp__client_end(client);
    } else {
        mp__client_read(client, (what & MP__WATCH_END) != 0);
    }
    mp__client_watch(client);
}

static void event_serve(struct mp__server *server, const struct mp__event *event)
{
    if (event->tag == &server->door)
        door_answer(server);
    else if (event->tag == server->wake)
        wake_take(server);
    else
        client_serve(event->tag, event->what);
}

/* Connections that had sent more before they were answered. */
static void clients_go_on(struct mp__server *server)
{
    server->goes_on = false;
    for (struct mp__client *client = server->clients; client != NULL; client = client->next)
        if (!client->is_gone && client->phase != MP__PHASE_SHAKING && client->in_have > 0 &&
            client->wait.object == NULL && !client->is_carried && client->out_size == 0) {
            mp__client_feed(client, NULL, 0);
            mp__client_watch(client);
        }
}

static void due_do(struct mp__server *server)
{
    mp__waits_expire(server);
    while (server->goes_on)
        clients_go_on(server);
    if (atomic_exchange(&server->has_news, false))
        server->next_look = 0;
    if (mp__now() >= server->next_look) {
        bool all = mp__now() >= server->next_look_at_all;
        mp__holders_look(server, all);
        if (all)
            server->next_look_at_all = mp__moment_in(LOOK);
        server->look_pause = server->look_pause < LOOK / 2 ? 2 * server->look_pause : LOOK;
        server->next_look = mp__moment_in(server->look_pause);
        if (server->parent != 0 && getppid() != server->parent)
            atomic_store(&server->stopping, true);
    }
    if (server->door_again != 0 &&
        (server->strangers < STRANGERS_MOST || mp__moment_passed(server->door_again)))
        door_rest(server, 0);
    mp__host_reap(&server->host);
    if (server->has_gone)
        clients_sweep(server);
}

static mp__moment round_end(const struct mp__server *server)
{
    mp__moment until = server->next_deadline;
    if (server->next_look < until)
        until = server->next_look;
    return server->door_again != 0 && server->door_again < until ? server->door_again : until;
}

struct round {
    struct mp__server *server;
    struct mp__event events[BATCH];
    int n;
};

static bool round_look(void *arg)
{
    struct round *round = arg;
    round->n = mp__watch_wait(&round->server->watch, round->events, BATCH, 0);
    return round->n != 0;
}

int mp__server_run(struct mp__server *server)
{
    struct round round = {.server = server};
    struct mp__hope hope = {0};
    mp__log(MP_LOG_INFO, "manager serving at '%s'", server->host.address.text);
    while (!atomic_load(&server->stopping)) {
        if (!mp__hope_for(&hope, round_look, &round))
            round.n = mp__watch_wait(&server->watch, round.events, BATCH, round_end(server));
        if (round.n < 0)
            return round.n;
        for (int i = 0; i < round.n; i++)
            event_serve(server, &round.events[i]);
        due_do(server);
    }
    return 0;
}

/* ---- beginning and end ---------------------------------------------------------------------- */

void mp__server_wake(const struct mp__server *server)
{
    ssize_t n;
    do
        n = write(server->wake[1], "", 1);
    while (n < 0 && errno == EINTR); /* full: it is awake */
}

static int key_copy(struct mp__server *server, const void *key, size_t n)
{
    server->key = malloc(n > 0 ? n : 1);
    if (server->key == NULL)
        return -ENOMEM;
    if (n > 0)
        memcpy(server->key, key, n);
    server->key_size = n;
    return 0;
}

static int key_set(struct mp__server *server, const mp_manager_options *options)
{
    size_t n = options->authkey_len;
    const void *key = options->authkey;
    if (key == NULL)
        key = mp_process_authkey(mp_current_process(), &n);
    return key == NULL ? -ENOMEM : key_copy(server, key, n);
}

static int wake_open(struct mp__server *server)
{
    int rc = mp__pipe_open(server->wake);
    if (rc != 0)
        return rc;
    rc = mp__fd_unblock(server->wake[0]);
    return rc == 0 ? mp__fd_unblock(server->wake[1]) : rc;
}

/* Without a door, for what needs none. */
int mp__server_prepare(struct mp__server *server)
{
    *server = (struct mp__server){.door = {.fd = -1},
                                  .watch = {.fd = -1},
                                  .next_deadline = MP__NEVER,
                                  .look_pause = LOOK,
                                  .wake = {-1, -1},
                                  .buffer = malloc(MP__READ_SIZE)};
    server->host.server = server;
    server_enlist(server);
    (void)mp__entropy(&server->host.serial, sizeof server->host.serial);
    pthread_mutex_init(&server->carried_lock, NULL);
    pthread_cond_init(&server->ended, NULL);
    if (server->buffer == NULL)
        return -ENOMEM;
    int rc = mp__watch_open(&server->watch);
    if (rc == 0)
        rc = wake_open(server);
    if (rc == 0)
        rc = mp__watch_add(&server->watch, server->wake[0], MP__WATCH_IN, server->wake);
    return rc;
}

static int door_open(struct mp__server *server, const char *address)
{
    int rc = mp__door_open(&server->door, address, BACKLOG);
    if (rc != 0)
        return rc;
    server->host.address = server->door.address;
    server->host.address_obj = mp__address_to_obj(&server->host.address, server->host.address_pair);
    return mp__watch_add(&server->watch, server->door.fd, MP__WATCH_IN, &server->door);
}

int mp__server_open(struct mp__server *server, const mp_manager_options *options)
{
    int rc = mp__server_prepare(server);
    if (rc == 0)
        rc = key_set(server, options);
    if (rc == 0)
        rc = door_open(server, options->address);
    if (rc != 0)
        mp__server_close(server);
    return rc;
}

void mp__server_close(struct mp__server *server)
{
    server_delist(server);
    for (struct mp__client *client = server->clients; client != NULL; client = client->next)
        mp__client_end(client);
    mp__holders_end(server);
    while (server->jobs > 0)
        wake_await(server);
    mp__host_end(&server->host);
    mp__carried_await(server);
    clients_sweep(server);
    if (server->door.fd >= 0)
        mp__door_close(&server->door);
    for (int i = 0; i < 2; i++)
        if (server->wake[i] >= 0)
            close(server->wake[i]);
    if (server->watch.fd >= 0 || server->watch.entries != NULL)
        mp__watch_close(&server->watch);
    free(server->buffer);
    free(server->reply);
    free(server->key);
    pthread_cond_destroy(&server->ended);
    pthread_mutex_destroy(&server->carried_lock);
}
