/* The tracker: a process that outlives a tree of processes, and removes what it left behind.
 *
 * How it works
 *   processes of the tree --[ command | kind | segment | name ]--> tracker: { the same, counted }
 *   All of the tree hold the sending end of one channel, which every forked child inherits; an exec
 *   closes it. A name is sent before there is anything of that name, and what was sent arrives
 *   though its sender dies. When the last process has ended, whatever way, the tracker sees the end
 *   of the channel, removes what is still noted, and ends: nothing else ends it but SIGKILL.
 *   A segment is named by one and removed by any other, which tells nobody, and the next may get
 *   its name: each is known by its file. Notes of those that are gone are dropped when they get
 *   many.
 *   A process keeps the names that it noted itself. When a send says that the tracker is gone it
 *   starts another, tells it those, and goes on; what others noted is lost unless they notice too.
 *   A program that closes all descriptors it knows nothing of has left the tree as far as the
 *   tracker knows; a call made later begins a tree of its own.
 *   A death between the starting of it and the first note leaves a tracker that ends at once. One
 *   between making a segment and telling its file leaves a note of whatever has the name in the
 *   end.
 *
 *   Globals: line, inherited by children; names, whose parent's a child drops; both under
 *   mp__self->tracker_lock, which is held across fork().
 */
#include "memory/tracker_process.h"

#include "memory/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct name {
    struct name *next;
    struct mp__tracker_note note;
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
    char path[MP__TRACKED_NAME_MOST + 2] = "/";
    if (names_count < names_most)
        return;
    for (struct name **at = &names; *at != NULL;) {
        strcpy(path + 1, (*at)->text);
        if ((*at)->note.kind == MP__TRACKED_SEGMENT &&
            mp__segment_is_gone(path, &(*at)->note.segment))
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
        rc = mp__detach(mp__tracker_run, fd[0], "mp-tracker");
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

static int message_send(enum mp__tracker_command command, const struct mp__tracker_note *about,
                        const char *name)
{
    char message[MP__TRACKER_MESSAGE_MOST];
    bool slash = about->kind == MP__TRACKED_SEGMENT; /* shm_unlink wants one */
    size_t size = strlen(name) + 1;
    struct mp__tracker_note note = *about;
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
        rc = message_send(MP__TRACKER_NOTE, &name->note, name->text);
    return rc;
}

/* The first of `names` is new. */
static int newest_tell(void)
{
    if (line_is_ours()) {
        int rc = message_send(MP__TRACKER_NOTE, &names->note, names->text);
        if (rc != -EPIPE)
            return rc;
        mp__tracker_print("resource_tracker: process died unexpectedly, relaunching. "
                          "Some resources might leak.\n");
        close(line.fd);
    }
    int rc = tracker_start();
    if (rc == 0)
        rc = names_tell();
    return rc == -EPIPE ? -EAGAIN : rc;
}

static struct mp__tracker_note note_of(enum mp__tracked kind,
                                       const struct mp__tracked_segment *segment)
{
    struct mp__tracker_note note = {.kind = (uint8_t)kind, .count = 1};
    if (segment != NULL)
        note.segment = *segment;
    return note;
}

static int name_note(const struct mp__tracker_note *note, const char *text)
{
    if (strlen(text) > MP__TRACKED_NAME_MOST)
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

static struct name **name_find(const struct mp__tracker_note *note, const char *text)
{
    struct name **at = &names;
    while (*at != NULL &&
           ((*at)->note.kind != note->kind || (*at)->note.segment.tag != note->segment.tag ||
            strcmp((*at)->text, text) != 0))
        at = &(*at)->next;
    return at;
}

static void name_tell(enum mp__tracker_command command, const struct mp__tracker_note *note,
                      const char *text)
{
    if (strlen(text) > MP__TRACKED_NAME_MOST)
        return;
    tracker_lock();
    struct name **at = name_find(note, text);
    if (*at != NULL && command == MP__TRACKER_FORGET)
        name_remove(at);
    else if (*at != NULL)
        (*at)->note = *note;
    if (line_is_ours())
        (void)message_send(command, note, text); /* of one that is gone the next note takes care */
    tracker_unlock();
}

void mp__tracker_ensure(void)
{
    tracker_lock();
    if (!line_is_ours())
        (void)tracker_start();
    tracker_unlock();
}

int mp__tracker_note(enum mp__tracked kind, const char *name)
{
    struct mp__tracker_note note = note_of(kind, NULL);
    return name_note(&note, name);
}

void mp__tracker_forget(enum mp__tracked kind, const char *name)
{
    struct mp__tracker_note note = note_of(kind, NULL);
    name_tell(MP__TRACKER_FORGET, &note, name);
}

int mp__tracker_note_segment(const char *name, const struct mp__tracked_segment *segment)
{
    struct mp__tracker_note note = note_of(MP__TRACKED_SEGMENT, segment);
    return name_note(&note, name);
}

void mp__tracker_identify_segment(const char *name, const struct mp__tracked_segment *segment)
{
    struct mp__tracker_note note = note_of(MP__TRACKED_SEGMENT, segment);
    name_tell(MP__TRACKER_IDENTIFY, &note, name);
}

void mp__tracker_forget_segment(const char *name, const struct mp__tracked_segment *segment)
{
    struct mp__tracker_note note = note_of(MP__TRACKED_SEGMENT, segment);
    name_tell(MP__TRACKER_FORGET, &note, name);
}
