/* Named shared memory: the blocks that processes share which only know a name.
 *
 * How it works
 *   note with the tracker -> shm_open(O_EXCL) -> posix_fallocate -> mmap -> close the descriptor
 *   The object is private memory: the mapping, its size, its name; a forked child has a copy with
 *   the same mapping. The system keeps the memory as long as there is a name or a mapping. All of
 *   it is taken before it is mapped, so that no store into it can fail.
 *   The tracker tells this block from others of its name, before and after it, by its file. So
 *   whoever removes the name owes nobody a word, and the object that noted it forgets it when it
 *   can.
 *   A death after the note leaves a name that the tracker removes with the last process of the
 *   tree, if it came to be. That there was no such name before is looked at first, so that no note
 *   is of another's block: it would have to come to be between that look and this creation, and the
 *   death to come before the note is taken back.
 */
#include <mp/shared_memory.h>

#include "memory/memory.h"
#include "memory/tracker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHARED_MEMORY_MAGIC 0x4d505348u

enum { NAME_MOST = 254 }; /* glibc counts the slash in */

struct mp_shared_memory {
    uint32_t magic;
    atomic_bool is_noted;    /* by this object */
    atomic_bool is_unlinked; /* likewise */
    struct mp__tracked_segment segment;
    _Atomic(void *) p; /* NULL: closed */
    size_t size;
    char path[NAME_MOST + 2]; /* the name behind a slash */
};

static bool is_block(const mp_shared_memory *memory)
{
    return memory != NULL && memory->magic == SHARED_MEMORY_MAGIC;
}

static int block_check(const mp_shared_memory *memory)
{
    if (memory == NULL)
        return mp__fail(MP_EINVAL);
    return is_block(memory) ? 0 : mp__fail(MP_ETYPE);
}

static int name_check(const char *name)
{
    size_t n = strlen(name);
    if (n == 0)
        return mp__failf(MP_EINVAL, "the name is empty");
    if (n > NAME_MOST)
        return mp__failf(MP_EINVAL, "the name has more than %d bytes", NAME_MOST);
    if (strchr(name, '/') != NULL)
        return mp__failf(MP_EINVAL, "the name has a slash inside");
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0
               ? mp__failf(MP_EINVAL, "that is the name of a folder")
               : 0;
}

static int block_make(const char *name, mp_shared_memory **out)
{
    mp_shared_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return -ENOMEM;
    memory->magic = SHARED_MEMORY_MAGIC;
    memory->path[0] = '/';
    strcpy(memory->path + 1, name);
    int rc = mp__entropy(&memory->segment.tag, sizeof memory->segment.tag);
    memory->segment.tag |= 1;
    if (rc == 0)
        *out = memory;
    else
        free(memory);
    return rc;
}

static int block_open(const mp_shared_memory *memory, int flags)
{
    int fd;
    do
        fd = shm_open(memory->path, flags, 0600);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

static int block_map(mp_shared_memory *memory, int fd)
{
    void *p = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    atomic_store(&memory->p, p);
    return 0;
}

/* A limit that would be passed is told by a signal too, which nobody asked for. */
static bool size_is_allowed(size_t size)
{
    struct rlimit limit;
    return size <= PTRDIFF_MAX && (getrlimit(RLIMIT_FSIZE, &limit) != 0 ||
                                   limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur);
}

static int block_fill(int fd, size_t size)
{
    int error;
    if (!size_is_allowed(size))
        return -EFBIG;
    do
        error = posix_fallocate(fd, 0, (off_t)size);
    while (error == EINTR);
    return -error;
}

static void block_forget(mp_shared_memory *memory)
{
    if (atomic_exchange(&memory->is_noted, false))
        mp__tracker_forget_segment(memory->path + 1, &memory->segment);
}

static int block_note(mp_shared_memory *memory)
{
    int rc = mp__tracker_note_segment(memory->path + 1, &memory->segment);
    atomic_store(&memory->is_noted, rc == 0);
    return rc;
}

static int block_identify(mp_shared_memory *memory, int fd, struct stat *st)
{
    if (fstat(fd, st) != 0)
        return -errno;
    memory->segment.device = (uint64_t)st->st_dev;
    memory->segment.inode = (uint64_t)st->st_ino;
    return 0;
}

static int block_create_noted(mp_shared_memory *memory)
{
    int fd = block_open(memory, O_RDWR | O_CREAT | O_EXCL);
    if (fd < 0)
        return fd;
    mp__step("segment.made");
    struct stat st;
    int rc = block_identify(memory, fd, &st);
    mp__tracker_identify_segment(memory->path + 1, &memory->segment);
    mp__step("segment.identified");
    if (rc == 0)
        rc = block_fill(fd, memory->size);
    mp__step("segment.filled");
    if (rc == 0)
        rc = block_map(memory, fd);
    close(fd);
    if (rc != 0)
        shm_unlink(memory->path);
    return rc;
}

static int block_create(mp_shared_memory *memory)
{
    int fd = block_open(memory, O_RDONLY);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 || fd == -EMFILE || fd == -ENFILE)
        return fd >= 0 ? -EEXIST : fd;
    int rc = block_note(memory);
    if (rc != 0)
        return rc;
    rc = block_create_noted(memory);
    if (rc != 0)
        block_forget(memory);
    return rc;
}

static int block_create_unnamed(mp_shared_memory *memory)
{
    int rc;
    do {
        uint32_t number;
        rc = mp__entropy(&number, sizeof number);
        if (rc != 0)
            return rc;
        snprintf(memory->path, sizeof memory->path, "/psm_%08" PRIx32, number);
        rc = block_create(memory);
    } while (rc == -EEXIST);
    return rc;
}

int mp_shared_memory_create(mp_shared_memory **out, const char *name, size_t size)
{
    mp_shared_memory *memory;
    if (out == NULL)
        return mp__fail(MP_EINVAL);
    if (size == 0)
        return mp__failf(MP_EINVAL, "a block of no bytes");
    int rc = name != NULL ? name_check(name) : 0;
    if (rc != 0)
        return rc;
    rc = block_make(name != NULL ? name : "", &memory);
    if (rc != 0)
        return mp__fail(rc);
    memory->size = size;
    rc = name != NULL ? block_create(memory) : block_create_unnamed(memory);
    if (rc != 0) {
        rc = mp__failf(rc, "%s", memory->path + 1);
        free(memory);
        return rc;
    }
    *out = memory;
    return 0;
}

static int block_attach(mp_shared_memory *memory)
{
    struct stat st;
    int fd = block_open(memory, O_RDWR);
    if (fd < 0)
        return fd;
    int rc = block_identify(memory, fd, &st);
    if (rc == 0 && st.st_size <= 0)
        rc = MP_EINVAL;
    if (rc == 0 && (uintmax_t)st.st_size > PTRDIFF_MAX)
        rc = -ENOMEM;
    if (rc == 0) {
        memory->size = (size_t)st.st_size;
        rc = block_map(memory, fd);
    }
    close(fd);
    return rc;
}

int mp_shared_memory_attach(mp_shared_memory **out, const char *name)
{
    mp_shared_memory *memory;
    if (out == NULL || name == NULL)
        return mp__fail(MP_EINVAL);
    int rc = name_check(name);
    if (rc != 0)
        return rc;
    rc = block_make(name, &memory);
    if (rc != 0)
        return mp__fail(rc);
    rc = block_attach(memory);
    if (rc != 0) {
        free(memory);
        return rc == MP_EINVAL ? mp__failf(rc, "%s has no bytes", name) : mp__failf(rc, "%s", name);
    }
    *out = memory;
    return 0;
}

void *mp_shared_memory_buf(mp_shared_memory *memory)
{
    return is_block(memory) ? atomic_load(&memory->p) : NULL;
}

const char *mp_shared_memory_name(mp_shared_memory *memory)
{
    return is_block(memory) ? memory->path + 1 : NULL;
}

size_t mp_shared_memory_size(mp_shared_memory *memory)
{
    return is_block(memory) ? memory->size : 0;
}

int mp_shared_memory_close(mp_shared_memory *memory)
{
    int rc = block_check(memory);
    if (rc != 0)
        return rc;
    void *p = atomic_exchange(&memory->p, NULL);
    if (p != NULL)
        munmap(p, memory->size);
    return 0;
}

int mp_shared_memory_unlink(mp_shared_memory *memory)
{
    int rc = block_check(memory);
    if (rc != 0)
        return rc;
    /* what has the name by now is another's */
    if (atomic_load(&memory->is_unlinked))
        rc = -ENOENT;
    else if (shm_unlink(memory->path) != 0)
        rc = -errno;
    if (rc != 0 && rc != -ENOENT)
        return mp__failf(rc, "%s", memory->path + 1);
    mp__step("segment.unlinked");
    atomic_store(&memory->is_unlinked, true);
    block_forget(memory);
    return rc != 0 ? mp__failf(rc, "%s", memory->path + 1) : 0;
}

int mp_shared_memory_track(mp_shared_memory *memory, bool track)
{
    int rc = block_check(memory);
    if (rc != 0 || track == atomic_load(&memory->is_noted))
        return rc;
    if (!track)
        block_forget(memory);
    else
        rc = atomic_load(&memory->is_unlinked) ? -ENOENT : block_note(memory);
    return rc != 0 ? mp__failf(rc, "%s", memory->path + 1) : 0;
}

void mp_shared_memory_destroy(mp_shared_memory *memory)
{
    if (memory == NULL || mp_shared_memory_close(memory) != 0)
        return;
    memory->magic = 0;
    free(memory);
}
