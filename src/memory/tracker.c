/* The tracker: a process that outlives a tree of processes, and removes what it left behind.
 *
 * How it works
 *   processes of the tree --[ command | kind | name ]--> tracker { name x times noted, ... }
 *   All of the tree hold the sending end of one channel, which every forked child inherits; an exec
 *   closes it. A name is sent before there is anything of that name, and what was sent arrives
 *   though its sender dies. When the last process has ended, whatever way, the tracker sees the end
 *   of the channel, removes what is still noted, and ends: nothing else ends it but SIGKILL.
 *   A process keeps the names that it noted itself. When a send says that the tracker is gone it
 *   starts another, tells it those, and goes on; what others noted is lost unless they notice too.
 *   A program that closes all descriptors it knows nothing of has left the tree as far as the
 *   tracker knows; a call made later begins a tree of its own.
 *   The tracker shares nothing with the tree but pages that neither has written since the fork.
 *   A death between the starting of it and the first note leaves a tracker that ends at once.
 *
 *   Globals: line, inherited by children; names, whose parent's a child drops; both under
 *   mp__self->tracker_lock, which is held across fork().
 */
#include "memory/tracker.h"

#include "memory/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAME_MOST = 4000, MESSAGE_HEAD = 2, MESSAGE_MOST = MESSAGE_HEAD + NAME_MOST + 2 };
enum command { COMMAND_NOTE = '+', COMMAND_FORGET = '-' };

/* ---- the tracker's side ---------------------------------------------------------------------- */

/* What it knows, records in one piece of memory: head, then the name with its NUL. */
struct record {
    uint32_t count;
    uint16_t size; /* with the NUL */
    uint8_t kind;
    uint8_t unused;
};

struct table {
    char *p;
    size_t used, size;
};

static struct record record_at(const struct table *table, size_t at)
{
    struct record record;
    memcpy(&record, table->p + at, sizeof record);
    return record;
}

static const char *name_at(const struct table *table, size_t at)
{
    return table->p + at + sizeof(struct record);
}

static size_t record_end(const struct table *table, size_t at)
{
    return at + sizeof(struct record) + record_at(table, at).size;
}

/* Gives table->used if there is none. */
static size_t record_find(const struct table *table, uint8_t kind, const char *name, size_t size)
{
    size_t at = 0;
    while (at < table->used) {
        struct record record = record_at(table, at);
        if (record.kind == kind && record.size == size &&
            memcmp(name_at(table, at), name, size) == 0)
            break;
        at = record_end(table, at);
    }
    return at;
}

static bool table_has_room(struct table *table, size_t more)
{
    if (table->size - table->used >= more)
        return true;
    size_t size = table->size > 0 ? 2 * table->size : 1 << 16;
    char *p = mp__map_shared(size); /* malloc's locks may be another thread's for ever */
    if (p == NULL)
        return false;
    if (table->used > 0)
        memcpy(p, table->p, table->used);
    if (table->size > 0)
        mp__map_release(table->p, table->size);
    table->p = p;
    table->size = size;
    return true;
}

static void table_note(struct table *table, uint8_t kind, const char *name, size_t size)
{
    size_t at = record_find(table, kind, name, size);
    struct record record = {.count = 1, .size = (uint16_t)size, .kind = kind};
    if (at < table->used) {
        record = record_at(table, at);
        record.count++;
    } else {
        if (!table_has_room(table, sizeof record + size))
            return; /* one name may be left behind; all others are kept */
        memcpy(table->p + at + sizeof record, name, size);
        table->used += sizeof record + size;
    }
    memcpy(table->p + at, &record, sizeof record);
}

static void table_forget(struct table *table, uint8_t kind, const char *name, size_t size)
{
    size_t at = record_find(table, kind, name, size);
    if (at == table->used)
        return;
    struct record record = record_at(table, at);
    if (--record.count > 0) {
        memcpy(table->p + at, &record, sizeof record);
        return;
    }
    size_t end = record_end(table, at);
    memmove(table->p + at, table->p + end, table->used - end);
    table->used -= end - at;
}

static bool thing_remove(uint8_t kind, const char *name)
{
    switch (kind) {
    case MP__TRACKED_SEGMENT:
        return shm_unlink(name) == 0;
    case MP__TRACKED_FILE:
        return unlink(name) == 0;
    default:
        return rmdir(name) == 0;
    }
}

static unsigned kind_remove(const struct table *table, uint8_t kind)
{
    unsigned removed = 0;
    for (size_t at = 0; at < table->used; at = record_end(table, at))
        if (record_at(table, at).kind == kind)
            removed += thing_remove(kind, name_at(table, at));
    return removed;
}

static void line_of_text(const char *text)
{
    ssize_t unused = write(STDERR_FILENO, text, strlen(text));
    (void)unused;
}

static void leaks_report(unsigned n)
{
    char text[128];
    snprintf(text, sizeof text,
             "resource_tracker: There appear to be %u leaked objects to clean up at shutdown\n", n);
    line_of_text(text);
}

static void all_remove(const struct table *table)
{
    unsigned removed = kind_remove(table, MP__TRACKED_FILE), some;
    do { /* a folder may stand in another */
        some = kind_remove(table, MP__TRACKED_FOLDER);
        removed += some;
    } while (some > 0);
    removed += kind_remove(table, MP__TRACKED_SEGMENT);
    if (removed > 0)
        leaks_report(removed);
}

static void message_obey(struct table *table, const char *message, size_t n)
{
    if (n <= MESSAGE_HEAD + 1 || message[n - 1] != '\0')
        return;
    uint8_t kind = (uint8_t)message[1];
    if (message[0] == COMMAND_NOTE)
        table_note(table, kind, message + MESSAGE_HEAD, n - MESSAGE_HEAD);
    else
        table_forget(table, kind, message + MESSAGE_HEAD, n - MESSAGE_HEAD);
}

static void tracker_run(int fd)
{
    static char message[MESSAGE_MOST];
    struct table table = {0};
    if (mp__arena != NULL)
        mp__map_release(mp__arena, mp__arena->size);
    for (;;) {
        ssize_t n = recv(fd, message, sizeof message, 0);
        if (n > 0)
            message_obey(&table, message, (size_t)n);
        else if (n == 0 || errno != EINTR)
            break;
    }
    all_remove(&table);
}

/* ---- this process's side --------------------------------------------------------------------- */

struct name {
    struct name *next;
    enum mp__tracked kind;
    char text[];
};

static struct name *names;

static struct {
    int fd;
    uint64_t device, inode;
} line = {.fd = -1};

/* This thread is starting a tracker, and has the lock that its forks would wait for. */
static _Thread_local bool is_starting MP__TLS_FAST;

static void fork_prepare(void)
{
    if (!is_starting)
        pthread_mutex_lock(&mp__self->tracker_lock);
}

static void fork_parent(void)
{
    if (!is_starting)
        pthread_mutex_unlock(&mp__self->tracker_lock);
}

/* In the child the page of the lock is new. */
static void fork_handlers_set(void)
{
    static bool are_set;
    if (!are_set)
        are_set = pthread_atfork(fork_prepare, fork_parent, NULL) == 0;
}

static void names_drop(void)
{
    while (names != NULL) {
        struct name *next = names->next;
        free(names);
        names = next;
    }
}

static void tracker_lock(void)
{
    pthread_mutex_lock(&mp__self->tracker_lock);
    if (!mp__self->has_tracked)
        names_drop();
    mp__self->has_tracked = true;
}

static void tracker_unlock(void)
{
    pthread_mutex_unlock(&mp__self->tracker_lock);
}

static bool line_is_ours(void)
{
    return mp__fd_is(line.fd, line.device, line.inode);
}

static int line_open(void)
{
    int fd[2];
    int rc = mp__channel_open(fd);
    if (rc != 0)
        return rc;
    line.fd = mp__fd_raise(fd[1], MP__FD_FLOOR_KEPT);
    rc = line.fd < 0 ? line.fd : mp__fd_note(line.fd, &line.device, &line.inode);
    if (rc == 0) {
        mp__step("tracker.opened");
        rc = mp__detach(tracker_run, fd[0], "mp-tracker");
        if (rc != 0)
            close(line.fd);
    }
    close(fd[0]);
    if (rc != 0)
        line.fd = -1;
    return rc;
}

static int tracker_start(void)
{
    fork_handlers_set();
    is_starting = true;
    int rc = line_open();
    is_starting = false;
    mp__step("tracker.started");
    return rc;
}

static int message_send(enum command command, enum mp__tracked kind, const char *name)
{
    char message[MESSAGE_MOST] = {(char)command, (char)kind, '/'};
    size_t head = MESSAGE_HEAD + (kind == MP__TRACKED_SEGMENT); /* shm_unlink wants the slash */
    size_t size = strlen(name) + 1;
    memcpy(message + head, name, size);
    for (;;) {
        if (send(line.fd, message, head + size, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno != EINTR)
            return errno == ECONNRESET ? -EPIPE : -errno;
    }
}

static int names_tell(void)
{
    int rc = 0;
    for (const struct name *name = names; name != NULL && rc == 0; name = name->next)
        rc = message_send(COMMAND_NOTE, name->kind, name->text);
    return rc;
}

/* The first of `names` is new. */
static int newest_tell(void)
{
    if (line_is_ours()) {
        int rc = message_send(COMMAND_NOTE, names->kind, names->text);
        if (rc != -EPIPE)
            return rc;
        line_of_text("resource_tracker: process died unexpectedly, relaunching. "
                     "Some resources might leak.\n");
        close(line.fd);
    }
    int rc = tracker_start();
    if (rc == 0)
        rc = names_tell();
    return rc == -EPIPE ? -EAGAIN : rc;
}

static void newest_drop(void)
{
    struct name *name = names;
    names = name->next;
    free(name);
}

int mp__tracker_note(enum mp__tracked kind, const char *text)
{
    if (strlen(text) > NAME_MOST)
        return -ENAMETOOLONG;
    size_t size = strlen(text) + 1;
    struct name *name = malloc(sizeof *name + size);
    if (name == NULL)
        return -ENOMEM;
    memcpy(name->text, text, size);
    name->kind = kind;
    tracker_lock();
    name->next = names;
    names = name;
    int rc = newest_tell();
    if (rc != 0)
        newest_drop();
    tracker_unlock();
    mp__step("tracker.noted");
    return rc;
}

static void names_remove(enum mp__tracked kind, const char *text)
{
    for (struct name **at = &names; *at != NULL; at = &(*at)->next) {
        struct name *name = *at;
        if (name->kind != kind || strcmp(name->text, text) != 0)
            continue;
        *at = name->next;
        free(name);
        return;
    }
}

void mp__tracker_forget(enum mp__tracked kind, const char *text)
{
    if (strlen(text) > NAME_MOST)
        return;
    tracker_lock();
    names_remove(kind, text);
    if (line_is_ours())
        (void)message_send(COMMAND_FORGET, kind, text);
    tracker_unlock();
}
