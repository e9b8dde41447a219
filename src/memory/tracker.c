/* The tracker: a process that outlives a tree of processes, and removes what it left behind.
 *
 * How it works
 *   processes of the tree --[ command | kind | segment | name ]--> tracker: { the same, counted }
 *   All of the tree hold the sending end of one channel, which every forked child inherits; an exec
 *   closes it. A name is sent before there is anything of that name, and what was sent arrives
 *   though its sender dies. When the last process has ended, whatever way, the tracker sees the end
 *   of the channel, removes what is still noted, and ends: nothing else ends it but SIGKILL.
 *   A segment is named by one and removed by any other, which tells nobody, and the next may get its
 *   name: each is known by its file. Notes of those that are gone are dropped when they get many.
 *   A process keeps the names that it noted itself. When a send says that the tracker is gone it
 *   starts another, tells it those, and goes on; what others noted is lost unless they notice too.
 *   A program that closes all descriptors it knows nothing of has left the tree as far as the
 *   tracker knows; a call made later begins a tree of its own.
 *   The tracker shares nothing with the tree but pages that neither has written since the fork.
 *   A death between the starting of it and the first note leaves a tracker that ends at once. One
 *   between making a segment and telling its file leaves a note of whatever has the name in the end.
 *
 *   Globals: line, inherited by children; names, whose parent's a child drops; both under
 *   mp__self->tracker_lock, which is held across fork().
 */
#include "memory/tracker.h"

#include "memory/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum command { COMMAND_NOTE = '+', COMMAND_IDENTIFY = '=', COMMAND_FORGET = '-' };

/* A message, and what the tracker knows; the name with its NUL follows. */
struct note {
    struct mp__segment segment;
    uint32_t count; /* of notes with this name and tag; 0: of no further use */
    uint16_t size;  /* of the name with the NUL */
    uint8_t kind, command;
};

enum { NAME_MOST = 4000, MESSAGE_MOST = sizeof(struct note) + NAME_MOST + 2 };

static int file_of_segment(const char *path, uint64_t *device, uint64_t *inode)
{
    int fd = shm_open(path, O_RDONLY, 0);
    if (fd < 0)
        return -errno;
    int rc = mp__fd_note(fd, device, inode);
    if (rc == 0)
        close(fd);
    return rc;
}

/* The name is gone, or another's. What cannot be looked at is still there. */
static bool segment_is_gone(const char *path, const struct mp__segment *segment)
{
    uint64_t device, inode;
    if (segment->inode == 0)
        return false;
    int rc = file_of_segment(path, &device, &inode);
    return rc == -ENOENT || (rc == 0 && (device != segment->device || inode != segment->inode));
}

/* ---- the tracker's side ---------------------------------------------------------------------- */

/* Notes and their names in one piece of memory, each where the one before it ends. */
struct table {
    char *p;
    size_t used, size;
};

static struct note note_at(const struct table *table, size_t at)
{
    struct note note;
    memcpy(&note, table->p + at, sizeof note);
    return note;
}

static void note_put(const struct table *table, size_t at, const struct note *note)
{
    memcpy(table->p + at, note, sizeof *note);
}

static const char *name_at(const struct table *table, size_t at)
{
    return table->p + at + sizeof(struct note);
}

static size_t note_end(const struct table *table, size_t at)
{
    return at + sizeof(struct note) + note_at(table, at).size;
}

/* Gives table->used if there is none. */
static size_t note_find(const struct table *table, const struct note *wanted, const char *name)
{
    size_t at = 0;
    while (at < table->used) {
        struct note note = note_at(table, at);
        if (note.segment.tag == wanted->segment.tag && note.kind == wanted->kind &&
            note.size == wanted->size && memcmp(name_at(table, at), name, note.size) == 0)
            break;
        at = note_end(table, at);
    }
    return at;
}

static void table_prune(struct table *table)
{
    size_t kept = 0, next;
    for (size_t at = 0; at < table->used; at = next) {
        struct note note = note_at(table, at);
        next = note_end(table, at);
        if (note.kind == MP__TRACKED_SEGMENT && segment_is_gone(name_at(table, at), &note.segment))
            continue;
        memmove(table->p + kept, table->p + at, next - at);
        kept += next - at;
    }
    table->used = kept;
}

static bool table_has_room(struct table *table, size_t more)
{
    if (table->size - table->used >= more)
        return true;
    table_prune(table);
    if (table->size - table->used >= table->size / 2 + more)
        return true;
    size_t size = table->size > 0 ? 2 * table->size : 1 << 16;
    char *p = mp__map_shared(size); /* malloc's locks may be another thread's for ever */
    if (p == NULL)
        return table->size - table->used >= more;
    if (table->used > 0)
        memcpy(p, table->p, table->used);
    if (table->size > 0)
        mp__map_release(table->p, table->size);
    table->p = p;
    table->size = size;
    return true;
}

static void table_add(struct table *table, const struct note *note, const char *name)
{
    if (!table_has_room(table, sizeof *note + note->size))
        return; /* one name may be left behind; all others are kept */
    note_put(table, table->used, note);
    memcpy(table->p + table->used + sizeof *note, name, note->size);
    table->used += sizeof *note + note->size;
}

static void table_remove(struct table *table, size_t at)
{
    size_t end = note_end(table, at);
    memmove(table->p + at, table->p + end, table->used - end);
    table->used -= end - at;
}

static void message_obey(struct table *table, const struct note *message, const char *name)
{
    size_t at = note_find(table, message, name);
    if (at == table->used) {
        if (message->command == COMMAND_NOTE)
            table_add(table, message, name);
        return;
    }
    struct note note = note_at(table, at);
    note.segment = message->segment;
    note.count += message->command == COMMAND_NOTE;
    note.count -= message->command == COMMAND_FORGET;
    note_put(table, at, &note);
    if (note.count == 0)
        table_remove(table, at);
}

static bool thing_remove(const struct note *note, const char *name)
{
    switch (note->kind) {
    case MP__TRACKED_SEGMENT:
        return !segment_is_gone(name, &note->segment) && shm_unlink(name) == 0;
    case MP__TRACKED_FILE:
        return unlink(name) == 0;
    default:
        return rmdir(name) == 0;
    }
}

static void stderr_print(const char *text)
{
    ssize_t unused = write(STDERR_FILENO, text, strlen(text));
    (void)unused;
}

/* Folders may stand in each other: again as long as it gets fewer. */
static void kind_remove(const struct table *table, uint8_t kind, const char *what)
{
    char text[128];
    unsigned removed = 0, some;
    do {
        some = 0;
        for (size_t at = 0; at < table->used; at = note_end(table, at)) {
            struct note note = note_at(table, at);
            if (note.kind == kind)
                some += thing_remove(&note, name_at(table, at));
        }
        removed += some;
    } while (some > 0);
    if (removed == 0)
        return;
    snprintf(text, sizeof text,
             "resource_tracker: There appear to be %u leaked %s objects to clean up at shutdown\n",
             removed, what);
    stderr_print(text);
}

static void message_take(struct table *table, const char *message, size_t n)
{
    struct note note;
    if (n <= sizeof note)
        return;
    memcpy(&note, message, sizeof note);
    if (note.size == n - sizeof note && message[n - 1] == '\0')
        message_obey(table, &note, message + sizeof note);
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
            message_take(&table, message, (size_t)n);
        else if (n == 0 || errno != EINTR)
            break;
    }
    kind_remove(&table, MP__TRACKED_FILE, "file");
    kind_remove(&table, MP__TRACKED_FOLDER, "folder");
    kind_remove(&table, MP__TRACKED_SEGMENT, "shared_memory");
}

/* ---- this process's side --------------------------------------------------------------------- */

struct name {
    struct name *next;
    struct note note;
    char text[];
};

static struct name *names;
static size_t names_count, names_most = 256; /* then those are looked for that are gone */

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

static void name_remove(struct name **at)
{
    struct name *name = *at;
    *at = name->next;
    free(name);
    names_count--;
}

static void names_drop(void)
{
    while (names != NULL)
        name_remove(&names);
}

static void names_prune(void)
{
    char path[NAME_MOST + 2] = "/";
    if (names_count < names_most)
        return;
    for (struct name **at = &names; *at != NULL;) {
        strcpy(path + 1, (*at)->text);
        if ((*at)->note.kind == MP__TRACKED_SEGMENT && segment_is_gone(path, &(*at)->note.segment))
            name_remove(at);
        else
            at = &(*at)->next;
    }
    if (2 * names_count > names_most)
        names_most = 2 * names_count;
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

static int message_send(enum command command, const struct note *about, const char *name)
{
    char message[MESSAGE_MOST];
    bool slash = about->kind == MP__TRACKED_SEGMENT; /* shm_unlink wants one */
    size_t size = strlen(name) + 1;
    struct note note = *about;
    note.size = (uint16_t)(slash + size);
    note.command = (uint8_t)command;
    memcpy(message, &note, sizeof note);
    message[sizeof note] = '/';
    memcpy(message + sizeof note + slash, name, size);
    for (;;) {
        if (send(line.fd, message, sizeof note + slash + size, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno != EINTR)
            return errno == ECONNRESET ? -EPIPE : -errno;
    }
}

static int names_tell(void)
{
    int rc = 0;
    for (const struct name *name = names; name != NULL && rc == 0; name = name->next)
        rc = message_send(COMMAND_NOTE, &name->note, name->text);
    return rc;
}

/* The first of `names` is new. */
static int newest_tell(void)
{
    if (line_is_ours()) {
        int rc = message_send(COMMAND_NOTE, &names->note, names->text);
        if (rc != -EPIPE)
            return rc;
        stderr_print("resource_tracker: process died unexpectedly, relaunching. "
                     "Some resources might leak.\n");
        close(line.fd);
    }
    int rc = tracker_start();
    if (rc == 0)
        rc = names_tell();
    return rc == -EPIPE ? -EAGAIN : rc;
}

static struct note note_of(enum mp__tracked kind, const struct mp__segment *segment)
{
    struct note note = {.kind = (uint8_t)kind, .count = 1};
    if (segment != NULL)
        note.segment = *segment;
    return note;
}

static int name_note(const struct note *note, const char *text)
{
    if (strlen(text) > NAME_MOST)
        return -ENAMETOOLONG;
    size_t size = strlen(text) + 1;
    struct name *name = malloc(sizeof *name + size);
    if (name == NULL)
        return -ENOMEM;
    memcpy(name->text, text, size);
    name->note = *note;
    tracker_lock();
    names_prune();
    name->next = names;
    names = name;
    names_count++;
    int rc = newest_tell();
    if (rc != 0)
        name_remove(&names);
    tracker_unlock();
    mp__step("tracker.noted");
    return rc;
}

static struct name **name_find(const struct note *note, const char *text)
{
    struct name **at = &names;
    while (*at != NULL &&
           ((*at)->note.kind != note->kind || (*at)->note.segment.tag != note->segment.tag ||
            strcmp((*at)->text, text) != 0))
        at = &(*at)->next;
    return at;
}

static void name_tell(enum command command, const struct note *note, const char *text)
{
    if (strlen(text) > NAME_MOST)
        return;
    tracker_lock();
    struct name **at = name_find(note, text);
    if (*at != NULL && command == COMMAND_FORGET)
        name_remove(at);
    else if (*at != NULL)
        (*at)->note = *note;
    if (line_is_ours())
        (void)message_send(command, note, text); /* of one that is gone the next note takes care */
    tracker_unlock();
}

int mp__tracker_note(enum mp__tracked kind, const char *name)
{
    struct note note = note_of(kind, NULL);
    return name_note(&note, name);
}

void mp__tracker_forget(enum mp__tracked kind, const char *name)
{
    struct note note = note_of(kind, NULL);
    name_tell(COMMAND_FORGET, &note, name);
}

int mp__tracker_note_segment(const char *name, const struct mp__segment *segment)
{
    struct note note = note_of(MP__TRACKED_SEGMENT, segment);
    return name_note(&note, name);
}

void mp__tracker_identify_segment(const char *name, const struct mp__segment *segment)
{
    struct note note = note_of(MP__TRACKED_SEGMENT, segment);
    name_tell(COMMAND_IDENTIFY, &note, name);
}

void mp__tracker_forget_segment(const char *name, const struct mp__segment *segment)
{
    struct note note = note_of(MP__TRACKED_SEGMENT, segment);
    name_tell(COMMAND_FORGET, &note, name);
}
