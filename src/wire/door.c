/* Doors: sockets that listen, and the files that stand for them.
 *
 * How it works
 *   A socket's file is bound, made its owner's alone, and only then listened at, so that there is
 *   no moment at which others could get in. Before folder and file come to be the tracker knows
 *   their names; it forgets them once they are gone again. A path where something stands already
 *   is never noted: it would be removed as ours.
 *   What a process has not closed when it exits is removed then.
 *   A death between any two of these leaves names to the tracker, which removes what there is of
 *   them when the last process of the tree has ended. A forked child's copy listens at the same
 *   socket; the file is the opener's, who removes it only while it is still the one it made.
 *
 *   Globals: the open doors, with the lock that forks take.
 */
#include "memory/memory.h"
#include "platform/platform.h"
#include "wire/address.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RANDOM_CHARS = 8, TRIES = 100 };

#define FOLDER_PREFIX "/pymp-"
#define FILE_PREFIX "/listener-"

/* ---- names ---------------------------------------------------------------------------------- */

static int random_chars(char text[RANDOM_CHARS + 1])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    unsigned char random[RANDOM_CHARS];
    int rc = mp__entropy(random, sizeof random);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < RANDOM_CHARS; i++)
        text[i] = alphabet[random[i] % (sizeof alphabet - 1)];
    text[RANDOM_CHARS] = '\0';
    return 0;
}

/* The folder for temporary files, if a socket's path of our making has room behind it. */
static const char *folder_for_temporary(void)
{
    const char *folder = getenv("TMPDIR");
    size_t more = sizeof FOLDER_PREFIX + sizeof FILE_PREFIX + (size_t)2 * RANDOM_CHARS;
    struct sockaddr_un un;
    if (folder == NULL || *folder != '/' || strlen(folder) + more > sizeof un.sun_path)
        return "/tmp";
    return folder;
}

static int folder_try(struct mp__door *door)
{
    char random[RANDOM_CHARS + 1];
    int rc = random_chars(random);
    if (rc != 0)
        return rc;
    snprintf(door->folder, sizeof door->folder, "%s%s%s", folder_for_temporary(), FOLDER_PREFIX,
             random);
    rc = mp__tracker_note(MP__TRACKED_FOLDER, door->folder);
    mp__step("door.folder_noted");
    if (rc == 0 && mkdir(door->folder, 0700) != 0) {
        rc = -errno;
        mp__tracker_forget(MP__TRACKED_FOLDER, door->folder);
    }
    if (rc != 0)
        *door->folder = '\0';
    mp__step("door.folder_made");
    return rc;
}

static int folder_make(struct mp__door *door)
{
    int rc = -EEXIST;
    for (int i = 0; rc == -EEXIST && i < TRIES; i++)
        rc = folder_try(door);
    return rc;
}

static int address_make(struct mp__door *door)
{
    char random[RANDOM_CHARS + 1], text[2 * MP__ADDRESS_ROOM];
    int rc = random_chars(random);
    if (rc == 0)
        rc = folder_make(door);
    if (rc != 0)
        return mp__failf(rc, "making a folder in %s", folder_for_temporary());
    mp__log(MP_LOG_INFO, "created temp directory %s", door->folder);
    snprintf(text, sizeof text, "%s%s%s", door->folder, FILE_PREFIX, random);
    return mp__address_parse(&door->address, text);
}

static char *path_absolute(const char *path)
{
    char here[PATH_MAX] = "";
    if (*path != '/' && getcwd(here, sizeof here) == NULL)
        return NULL;
    size_t room = strlen(here) + 1 + strlen(path) + 1;
    char *whole = malloc(room);
    if (whole != NULL)
        snprintf(whole, room, "%s%s%s", here, *path == '/' ? "" : "/", path);
    return whole;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Binds to a path that nothing stands at. */
static int file_bind(struct mp__door *door)
{
    struct stat status;
    const char *path = door->address.un.sun_path;
    if (lstat(path, &status) == 0)
        return -EADDRINUSE;
    door->file = path_absolute(path);
    if (door->file == NULL)
        return -errno;
    int rc = mp__tracker_note(MP__TRACKED_FILE, door->file);
    mp__step("door.noted");
    if (rc == 0 && bind(door->fd, &door->address.any, door->address.size) != 0) {
        rc = -errno;
        mp__tracker_forget(MP__TRACKED_FILE, door->file);
    }
    if (rc != 0) {
        free(door->file);
        door->file = NULL;
        return rc;
    }
    mp__step("door.bound");
    if (lstat(path, &status) != 0)
        return -errno;
    door->device = (uint64_t)status.st_dev;
    door->inode = (uint64_t)status.st_ino;
    return chmod(path, 0600) != 0 ? -errno : 0;
}

/* Abstract names and ports need no file; a port 0 becomes one. */
static int name_bind(struct mp__door *door)
{
    struct mp__address bound;
    socklen_t size = sizeof bound.un;
    if (bind(door->fd, &door->address.any, door->address.size) != 0 ||
        getsockname(door->fd, &bound.any, &size) != 0)
        return -errno;
    mp__address_from_system(&door->address, &bound.any, size);
    return 0;
}

static int socket_open(struct mp__door *door, int backlog)
{
    const struct mp__address *address = &door->address;
    int family = address->any.sa_family, on = 1;
    door->fd = mp__socket_open(family);
    if (door->fd < 0)
        return door->fd;
    if (setsockopt(door->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        fcntl(door->fd, F_SETFL, O_NONBLOCK) != 0)
        return -errno;
    bool has_file = family == AF_UNIX && *address->un.sun_path != '\0';
    int rc = has_file ? file_bind(door) : name_bind(door);
    if (rc == 0 && listen(door->fd, backlog) != 0)
        rc = -errno;
    return rc;
}

/* ---- at exit -------------------------------------------------------------------------------- */

/* A copy of an open door that has names, known by where its file's name stands. */
struct open_door {
    struct open_door *next;
    struct mp__door door;
};

static struct open_door *open_doors;
static struct mp__fork_lock open_doors_lock = MP__FORK_LOCK(NULL);
static pid_t exit_registered; /* where: a child does not run the handlers of its parent */

static void names_remove(struct mp__door *door);

static void doors_remove(void)
{
    for (struct open_door *open = open_doors; open != NULL; open = open->next)
        if (open->door.owner == getpid())
            names_remove(&open->door);
}

static void door_enlist(const struct mp__door *door)
{
    struct open_door *open = door->file != NULL ? malloc(sizeof *open) : NULL;
    if (open == NULL)
        return;
    open->door = *door;
    mp__fork_lock_take(&open_doors_lock);
    if (exit_registered != door->owner && atexit(doors_remove) == 0)
        exit_registered = door->owner;
    open->next = open_doors;
    open_doors = open;
    mp__fork_lock_give(&open_doors_lock);
}

static void door_delist(const struct mp__door *door)
{
    mp__fork_lock_take(&open_doors_lock);
    struct open_door **at = &open_doors, *open;
    while (*at != NULL && (*at)->door.file != door->file)
        at = &(*at)->next;
    open = *at;
    if (open != NULL)
        *at = open->next;
    mp__fork_lock_give(&open_doors_lock);
    free(open);
}

int mp__door_open(struct mp__door *door, const char *address, int backlog)
{
    memset(door, 0, sizeof *door);
    door->fd = -1;
    door->owner = getpid();
    int rc = address == NULL ? address_make(door) : mp__address_parse(&door->address, address);
    if (rc == 0) {
        rc = socket_open(door, backlog);
        if (rc != 0)
            mp__failf(rc, "listening on '%s'", door->address.text);
    }
    if (rc != 0) {
        mp__door_close(door);
        return rc;
    }
    door_enlist(door);
    mp__log(MP_LOG_SUBDEBUG, "listener created with address='%s'", door->address.text);
    return rc;
}

/* ---- closing -------------------------------------------------------------------------------- */

static bool file_is_ours(const struct mp__door *door)
{
    struct stat status;
    return lstat(door->file, &status) == 0 && (uint64_t)status.st_dev == door->device &&
           (uint64_t)status.st_ino == door->inode;
}

static void names_remove(struct mp__door *door)
{
    if (door->file != NULL) {
        if (file_is_ours(door))
            unlink(door->file);
        mp__step("door.unlinked");
        mp__tracker_forget(MP__TRACKED_FILE, door->file);
    }
    if (*door->folder != '\0') {
        rmdir(door->folder);
        mp__step("door.folder_removed");
        mp__tracker_forget(MP__TRACKED_FOLDER, door->folder);
    }
}

void mp__door_close(struct mp__door *door)
{
    int error = errno;
    if (door->file != NULL)
        door_delist(door);
    if (door->owner == getpid() && door->fd >= 0)
        mp__log(MP_LOG_SUBDEBUG, "closing listener with address='%s'", door->address.text);
    if (door->owner == getpid())
        names_remove(door);
    if (door->fd >= 0)
        close(door->fd);
    free(door->file);
    door->fd = -1;
    door->file = NULL;
    *door->folder = '\0';
    door->owner = 0;
    errno = error;
}

/* ---- taking what comes ---------------------------------------------------------------------- */

/* Tells of the connection that came, not of the door. */
static bool is_of_the_comer(int error)
{
    switch (error) {
    case EINTR:
    case EWOULDBLOCK:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EPERM: /* a firewall's */
        return true;
    default:
        return error == EAGAIN;
    }
}

int mp__door_take(const struct mp__door *door, struct mp__address *peer)
{
    struct mp__address from;
    unsigned size = sizeof from.un;
    int fd = mp__fd_accept(door->fd, &from.any, &size);
    if (fd < 0)
        return is_of_the_comer(-fd) ? -EAGAIN : fd;
    if (door->address.any.sa_family == AF_INET)
        mp__fd_hurry(fd);
    if (peer != NULL)
        mp__address_from_system(peer, &from.any, size < sizeof from.un ? size : sizeof from.un);
    return fd;
}
