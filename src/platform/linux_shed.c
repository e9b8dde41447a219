/* Giving back memory that a forked process has no use for, as Linux lets one see what there is.
 *
 * How it works
 *   /proc/self/maps is read line by line. What may be given back is private memory of no file from
 *   a size on that matters: malloc's, and the stacks of threads that are not there. Kept is what
 *   the caller stands on: its stack, its thread's variables, and what follows a file, which is that
 *   file's variables. What was given back is zeros from then on.
 *   Where somebody else lives in the process too, sanitizers or valgrind, all is left as it is.
 */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SHED_LEAST ((size_t)1 << 20)

__attribute__((weak)) void __asan_init(void);
__attribute__((weak)) void __tsan_init(void);

static bool others_live_here(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return __asan_init != NULL || __tsan_init != NULL ||
           (preloaded != NULL && strstr(preloaded, "vgpreload") != NULL);
}

struct mapping {
    uintptr_t start, end;
    bool is_private_memory, is_of_file;
};

static const char *number_read(const char *p, unsigned base, uintptr_t *number)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit;
    *number = 0;
    while (*p != '\0' && (digit = memchr(digits, *p, base)) != NULL) {
        *number = *number * base + (uintptr_t)(digit - digits);
        p++;
    }
    return p;
}

static const char *words_skip(const char *p, int count)
{
    while (count-- > 0) {
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    return p;
}

/* start-end perms offset device inode  name */
static struct mapping mapping_of(const char *text)
{
    struct mapping mapping = {0};
    uintptr_t inode;
    const char *p = number_read(text, 16, &mapping.start);
    number_read(p + (*p == '-'), 16, &mapping.end);
    const char *permissions = words_skip(text, 1);
    p = number_read(words_skip(text, 4), 10, &inode);
    const char *name = p + strspn(p, " ");
    mapping.is_of_file = inode != 0;
    mapping.is_private_memory =
        inode == 0 && strncmp(permissions, "rw-p", 4) == 0 &&
        (*name == '\0' || strcmp(name, "[heap]") == 0 || strncmp(name, "[anon:", 6) == 0);
    return mapping;
}

static bool mapping_holds(const struct mapping *mapping, const void *p)
{
    return (uintptr_t)p >= mapping->start && (uintptr_t)p < mapping->end;
}

static void mapping_shed(const struct mapping *mapping, const struct mapping *before)
{
    static char own;
    char here = 0;
    bool is_variables = before->is_of_file && before->end == mapping->start;
    if (mapping->is_private_memory && !is_variables &&
        mapping->end - mapping->start >= SHED_LEAST && !mapping_holds(mapping, &here) &&
        !mapping_holds(mapping, &errno) && !mapping_holds(mapping, &own))
        madvise((void *)mapping->start, mapping->end - mapping->start, MADV_DONTNEED);
}

/* A line at a time, however it arrives; a name that is too long is a file's, and cut. */
struct lines {
    int fd;
    size_t at, have;
    char chunk[4096], line[512];
};

static bool byte_next(struct lines *lines, char *byte)
{
    if (lines->at == lines->have) {
        ssize_t n = read(lines->fd, lines->chunk, sizeof lines->chunk);
        lines->at = 0;
        lines->have = n > 0 ? (size_t)n : 0;
    }
    if (lines->have == 0)
        return false;
    *byte = lines->chunk[lines->at++];
    return true;
}

static bool line_next(struct lines *lines)
{
    size_t n = 0;
    char byte = '\0';
    while (byte_next(lines, &byte) && byte != '\n')
        if (n < sizeof lines->line - 1)
            lines->line[n++] = byte;
    lines->line[n] = '\0';
    return byte == '\n';
}

void mp__memory_shed(void)
{
    static struct lines lines;
    struct mapping before = {0};
    lines.fd = others_live_here() ? -1 : open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (lines.fd < 0)
        return;
    while (line_next(&lines)) {
        struct mapping mapping = mapping_of(lines.line);
        mapping_shed(&mapping, &before);
        before = mapping;
    }
    close(lines.fd);
}
