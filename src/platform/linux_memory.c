/* Shared and private mappings, their limits, and random bytes, as Linux gives them. */
#include "platform/platform.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

void *mp__map_shared(size_t size)
{
    void *p =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, size, MADV_DONTDUMP);
    return p;
}

void mp__map_punch(void *p, size_t size)
{
    madvise(p, size, MADV_REMOVE);
}

void mp__map_release(void *p, size_t size)
{
    munmap(p, size);
}

void *mp__map_wiped(size_t size, void (*reset)(void))
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    /* covers _Fork and raw clone too; some emulators refuse it, and some take any advice, which is
       no advice at all, without following it */
    if (madvise(p, size, -1) == 0 || madvise(p, size, MADV_WIPEONFORK) != 0)
        pthread_atfork(NULL, NULL, reset);
    return p;
}

/* The first number in a file, or SIZE_MAX. */
static size_t number_in(const char *path, const char *key)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return SIZE_MAX;
    char line[256];
    size_t value = SIZE_MAX;
    size_t key_length = strlen(key);
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, key, key_length) != 0)
            continue;
        char *end;
        unsigned long long n = strtoull(line + key_length, &end, 10);
        if (end != line + key_length)
            value = n > SIZE_MAX ? SIZE_MAX : (size_t)n;
        break;
    }
    fclose(f);
    return value;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t kib(size_t n)
{
    return n > SIZE_MAX / 1024 ? SIZE_MAX : n * 1024;
}

size_t mp__memory_limit(void)
{
    size_t total = kib(number_in("/proc/meminfo", "MemTotal:"));
    size_t group = min_size(number_in("/sys/fs/cgroup/memory.max", ""),
                            number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes", ""));
    size_t limit = min_size(total, group);
    return limit == SIZE_MAX ? SIZE_MAX : limit / 4 * 3;
}

size_t mp__address_limit(void)
{
    unsigned long long cap = 16ull << 30;
    size_t limit = cap < SIZE_MAX / 8 ? (size_t)cap : SIZE_MAX / 8;
    struct rlimit space;
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY &&
        space.rlim_cur / 4 < limit)
        limit = (size_t)(space.rlim_cur / 4);
    if (number_in("/proc/sys/vm/overcommit_memory", "") != 2)
        return limit;
    /* strict accounting ignores MAP_NORESERVE: take a modest share of what may still be promised */
    size_t allowed = kib(number_in("/proc/meminfo", "CommitLimit:"));
    size_t used = kib(number_in("/proc/meminfo", "Committed_AS:"));
    size_t left = allowed > used && allowed != SIZE_MAX ? (allowed - used) / 4 : 0;
    return min_size(limit, min_size((size_t)256 << 20, left));
}

int mp__entropy(void *p, size_t size)
{
    return getentropy(p, size) == 0 ? 0 : -errno;
}
