/* The tracker's own process: what it knows, and what it does when its tree has ended.
 *
 * How it works
 *   [ note | name NUL ][ note | name NUL ] ...   in one piece of memory that grows and is pruned
 *   It keeps none of the memory that it was forked with but its stack and variables: a large
 *   program would cost twice what it writes later. So it takes and uses no memory of malloc's.
 *   It receives until the end of the channel, removes files, then folders, then segments, tells how
 *   many there were, and ends. It has nothing to save, and nothing shared: a death of it leaves
 *   what it knew, which the processes of the tree tell the next one.
 */
#include "memory/tracker_process.h"

#include "memory/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

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

bool mp__segment_is_gone(const char *path, const struct mp__tracked_segment *segment)
{
    uint64_t device = 0, inode = 0;
    if (segment->inode == 0)
        return false;
    int rc = file_of_segment(path, &device, &inode);
    return rc == -ENOENT || (rc == 0 && (device != segment->device || inode != segment->inode));
}

/* Notes and their names in one piece of memory, each where the one before it ends. */
struct table {
    char *p;
    size_t used, size;
};

static struct mp__tracker_note note_at(const struct table *table, size_t at)
{
    struct mp__tracker_note note;
    memcpy(&note, table->p + at, sizeof note); /* NOLINT: where notes stand is memory */
    return note;
}

static void note_put(const struct table *table, size_t at, const struct mp__tracker_note *note)
{
    memcpy(table->p + at, note, sizeof *note);
}

static const char *name_at(const struct table *table, size_t at)
{
    return table->p + at + sizeof(struct mp__tracker_note);
}

static size_t note_end(const struct table *table, size_t at)
{
    return at + sizeof(struct mp__tracker_note) + note_at(table, at).size;
}

/* Gives table->used if there is none. */
static size_t note_find(const struct table *table, const struct mp__tracker_note *wanted,
                        const char *name)
{
    size_t at = 0;
    while (at < table->used) {
        struct mp__tracker_note note = note_at(table, at);
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
        struct mp__tracker_note note = note_at(table, at);
        next = note_end(table, at);
        if (note.kind == MP__TRACKED_SEGMENT &&
            mp__segment_is_gone(name_at(table, at), &note.segment))
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

static void table_add(struct table *table, const struct mp__tracker_note *note, const char *name)
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

static void message_obey(struct table *table, const struct mp__tracker_note *message,
                         const char *name)
{
    size_t at = note_find(table, message, name);
    if (at == table->used) {
        if (message->command == MP__TRACKER_NOTE)
            table_add(table, message, name);
        return;
    }
    struct mp__tracker_note note = note_at(table, at);
    note.segment = message->segment;
    note.count += message->command == MP__TRACKER_NOTE;
    note.count -= message->command == MP__TRACKER_FORGET;
    note_put(table, at, &note);
    if (note.count == 0)
        table_remove(table, at);
}

static bool thing_remove(const struct mp__tracker_note *note, const char *name)
{
    switch (note->kind) {
    case MP__TRACKED_SEGMENT:
        return !mp__segment_is_gone(name, &note->segment) && shm_unlink(name) == 0;
    case MP__TRACKED_FILE:
        return unlink(name) == 0;
    default:
        return rmdir(name) == 0;
    }
}

void mp__tracker_print(const char *text)
{
    ssize_t unused = write(STDERR_FILENO, text, strlen(text));
    (void)unused;
}

/* Without the help of stdio, which may look at memory that is gone. */
static void number_print(unsigned number)
{
    char text[16];
    size_t at = sizeof text - 1;
    text[at] = '\0';
    do {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    mp__tracker_print(text + at);
}

/* Folders may stand in each other: again as long as it gets fewer. */
static void kind_remove(const struct table *table, uint8_t kind, const char *what)
{
    unsigned removed = 0, some;
    do {
        some = 0;
        for (size_t at = 0; at < table->used; at = note_end(table, at)) {
            struct mp__tracker_note note = note_at(table, at);
            if (note.kind == kind)
                some += thing_remove(&note, name_at(table, at));
        }
        removed += some;
    } while (some > 0);
    if (removed == 0)
        return;
    mp__tracker_print("resource_tracker: There appear to be ");
    number_print(removed);
    mp__tracker_print(" leaked ");
    mp__tracker_print(what);
    mp__tracker_print(" objects to clean up at shutdown\n");
}

static void message_take(struct table *table, const char *message, size_t n)
{
    struct mp__tracker_note note;
    if (n <= sizeof note)
        return;
    memcpy(&note, message, sizeof note);
    if (note.size == n - sizeof note && message[n - 1] == '\0')
        message_obey(table, &note, message + sizeof note);
}

void mp__tracker_run(int fd)
{
    static char message[MP__TRACKER_MESSAGE_MOST];
    struct table table = {0};
    if (mp__arena != NULL)
        mp__map_release(mp__arena, mp__arena->size);
    mp__memory_shed();
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
