/* Futures in the order in which they get done.
 *
 * How it works
 *   An array of those not given yet, without duplicates, in the order they came in. The next is the
 *   first of them that is done; those before it move up by one place, so that it stays an array,
 *   and as tasks are begun in order, there are never many of them.
 */
#include "futures/futures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct mp_completion {
    uint32_t magic;
    mp__moment until;
    size_t total, given; /* futures from fs[given] on are left */
    mp_future **fs;
    bool are_of_one;
};

static int compare_pointers(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (mp_future *const *)a, y = (uintptr_t) * (mp_future *const *)b;
    return (x > y) - (x < y);
}

struct place {
    mp_future *future;
    size_t at;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = compare_pointers(&x->future, &y->future);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

/* Copies each once, where it came first: how many. */
static size_t unique_copy(mp_future *const *fs, size_t n, struct place *places, mp_future **out)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        places[i] = (struct place){fs[i], i};
    qsort(places, n, sizeof *places, compare_places);
    memset(out, 0, n * sizeof(mp_future *));
    for (size_t i = 0; i < n; i++)
        if (i == 0 || places[i].future != places[i - 1].future)
            out[places[i].at] = places[i].future;
    for (size_t i = 0; i < n; i++)
        if (out[i] != NULL)
            out[kept++] = out[i];
    return kept;
}

int mp_as_completed(mp_future *const *fs, size_t n, mp_completion **out, double timeout)
{
    mp__moment until;
    int rc = mp__futures_check(fs, n);
    if (rc != 0)
        return rc;
    if (out == NULL || mp__moment_of(timeout, &until) != 0)
        return mp__fail(MP_EINVAL);
    mp_completion *completion = malloc(sizeof *completion);
    struct place *places = calloc(n + 1, sizeof *places);
    mp_future **copy = calloc(n + 1, sizeof(mp_future *));
    if (completion == NULL || places == NULL || copy == NULL) {
        free(completion);
        free(places);
        free(copy);
        return mp__fail(-ENOMEM);
    }
    *completion = (mp_completion){MP__COMPLETION_MAGIC, until, 0, 0, copy, false};
    completion->total = unique_copy(fs, n, places, copy);
    completion->are_of_one = mp__futures_are_of_one(copy, completion->total);
    free(places);
    for (size_t i = 0; i < completion->total; i++)
        mp__work_expect(mp__future_work(copy[i]));
    *out = completion;
    return 0;
}

/* The place of one that is done; `total`: none is. */
static size_t done_find(const mp_completion *completion)
{
    size_t i = completion->given;
    while (i < completion->total && !mp__future_is_done(completion->fs[i]))
        i++;
    return i;
}

static bool any_is_done(void *arg)
{
    const mp_completion *completion = arg;
    return done_find(completion) < completion->total;
}

static mp_future *done_take(mp_completion *completion, size_t at)
{
    mp_future *future = completion->fs[at], **first = completion->fs + completion->given;
    memmove(first + 1, first, (at - completion->given) * sizeof(mp_future *));
    *first = future;
    completion->given++;
    return future;
}

int mp_completion_next(mp_completion *completion, mp_future **out)
{
    if (completion == NULL)
        return mp__fail(MP_EINVAL);
    if (completion->magic != MP__COMPLETION_MAGIC)
        return mp__fail(MP_ETYPE);
    size_t left = completion->total - completion->given;
    if (left == 0)
        return 0;
    mp_future *const *first = completion->fs + completion->given;
    int rc = mp__future_check(*first);
    if (rc == 0)
        rc = mp__futures_await(first, left, completion->are_of_one, any_is_done, completion,
                               completion->until);
    if (rc == MP_ETIMEOUT)
        return mp__failf(rc, "%zu (of %zu) futures unfinished", left, completion->total);
    if (rc != 0)
        return rc;
    mp_future *future = done_take(completion, done_find(completion));
    if (out != NULL)
        *out = future;
    return 1;
}

void mp_completion_destroy(mp_completion *completion)
{
    if (completion == NULL || completion->magic != MP__COMPLETION_MAGIC)
        return;
    completion->magic = 0;
    free(completion->fs);
    free(completion);
}
