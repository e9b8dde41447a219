/* mp_wait: waiting for descriptors, connections, and what the layers above add.
 *
 * How it works
 *   A table tells for each kind of item how to ask it, and which descriptor speaks for it. Items
 *   with a descriptor are waited for by one poll, however long; an item without one, which lives
 *   in shared memory, is asked again after each slice of the poll, 1 ms at first, then up to 10.
 *   One such item alone is slept for on its own gate. Ready is what one look finds: all items
 *   are asked, then all descriptors, and only then is anything written to the caller's array.
 */
#include "wire/connection.h"
#include "wire/wait.h"

#include <errno.h>
#include <mp/timeout.h>
#include <poll.h>
#include <stdlib.h>

#define KINDS (MP_WAIT_LISTENER + 1)
#define SLICE_LEAST MP__MS
#define SLICE_MOST (10 * MP__MS)
#define FEW 16

/* ---- kinds --------------------------------------------------------------------------------- */

static int fd_descriptor(const mp_waitable *item, int *fd)
{
    *fd = item->fd;
    return item->fd < 0 ? MP_EINVAL : 0;
}

static int connection_fault(const mp_connection *c)
{
    if (c == NULL)
        return MP_EINVAL;
    if (c->magic != MP__CONNECTION_MAGIC)
        return MP_ETYPE;
    return atomic_load(&c->fd) < 0 ? MP_ECLOSED : 0;
}

static int connection_ready(const mp_waitable *item)
{
    int rc = connection_fault(item->connection);
    return rc != 0 ? rc : mp__connection_has_kept(item->connection);
}

static int connection_descriptor(const mp_waitable *item, int *fd)
{
    int rc = connection_fault(item->connection);
    if (rc == 0)
        *fd = atomic_load(&item->connection->fd);
    return rc;
}

static const struct mp__wait_class fd_class = {.descriptor = fd_descriptor};
static const struct mp__wait_class connection_class = {.ready = connection_ready,
                                                       .descriptor = connection_descriptor};

static _Atomic(const struct mp__wait_class *) classes[KINDS] = {
    [MP_WAIT_FD] = &fd_class,
    [MP_WAIT_CONNECTION] = &connection_class,
};

void mp__wait_register(mp_wait_kind kind, const struct mp__wait_class *kind_class)
{
    atomic_store(&classes[kind], kind_class);
}

static const struct mp__wait_class *class_of(const mp_waitable *item)
{
    unsigned kind = (unsigned)item->kind;
    return kind < KINDS ? atomic_load(&classes[kind]) : NULL;
}

/* ---- no item twice -------------------------------------------------------------------------- */

static bool is_before(const mp_waitable *x, const mp_waitable *y)
{
    if (x->kind != y->kind)
        return x->kind < y->kind;
    if (x->kind == MP_WAIT_FD)
        return x->fd < y->fd;
    return (uintptr_t)x->connection < (uintptr_t)y->connection;
}

static int compare_items(const void *a, const void *b)
{
    const mp_waitable *x = *(const mp_waitable *const *)a, *y = *(const mp_waitable *const *)b;
    return is_before(y, x) - is_before(x, y);
}

/* 0, MP_EINVAL or -ENOMEM. */
static int twins_refuse(const mp_waitable *items, size_t n)
{
    const mp_waitable *few[FEW], **sorted = few;
    int rc = 0;
    if (n > FEW)
        sorted = calloc(n, sizeof(mp_waitable *));
    if (sorted == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        sorted[i] = &items[i];
    qsort(sorted, n, sizeof(mp_waitable *), compare_items);
    for (size_t i = 1; i < n; i++)
        if (compare_items(&sorted[i - 1], &sorted[i]) == 0)
            rc = MP_EINVAL;
    if (sorted != few)
        free(sorted);
    return rc;
}

/* ---- one wait ------------------------------------------------------------------------------- */

/* Item by item its descriptor, as poll wants it, and whether it said itself that it is ready. */
struct look {
    const mp_waitable *items;
    size_t n;
    struct pollfd *polled;
    bool *said;
    size_t shared; /* items without a descriptor */
};

static int look_prepare(struct look *look)
{
    for (size_t i = 0; i < look->n; i++) {
        const struct mp__wait_class *its = class_of(&look->items[i]);
        int fd = -1;
        if (its == NULL)
            return MP_EINVAL;
        int rc = its->descriptor != NULL ? its->descriptor(&look->items[i], &fd) : 0;
        if (rc != 0)
            return rc;
        look->polled[i] = (struct pollfd){.fd = fd, .events = POLLIN};
        look->shared += fd < 0;
    }
    return 0;
}

/* Asks the items; gives how many said yes, or a code. */
static int look_ask(struct look *look)
{
    int ready = 0;
    for (size_t i = 0; i < look->n; i++) {
        const struct mp__wait_class *its = class_of(&look->items[i]);
        int rc = its->ready != NULL ? its->ready(&look->items[i]) : 0;
        if (rc < 0)
            return rc;
        look->said[i] = rc > 0;
        ready += rc > 0;
    }
    return ready;
}

/* Polls until `until`; a signal ends it early, with no descriptor ready. */
static int look_poll(struct look *look, mp__moment until)
{
    int n = poll(look->polled, (nfds_t)look->n, mp__poll_time(until));
    if (n < 0 && errno != EINTR)
        return -errno;
    for (size_t i = 0; i < look->n; i++) {
        if (n <= 0)
            look->polled[i].revents = 0;
        if (look->polled[i].revents & POLLNVAL)
            return -EBADF;
    }
    return 0;
}

static int look_count(const struct look *look)
{
    int ready = 0;
    for (size_t i = 0; i < look->n; i++)
        ready += look->said[i] || look->polled[i].revents != 0;
    return ready;
}

/* Sleeps until something may be ready; `slice` grows from one sleep to the next. */
static int look_sleep(struct look *look, int64_t *slice, mp__moment until)
{
    const struct mp__wait_class *first = class_of(look->items);
    if (look->n == 1 && look->shared == 1 && first->park != NULL) {
        first->park(look->items, until);
        look->polled[0].revents = 0;
        return 0;
    }
    if (look->shared == 0)
        return look_poll(look, until);
    mp__moment end = mp__moment_in(*slice);
    *slice = *slice < SLICE_MOST / 2 ? *slice * 2 : SLICE_MOST;
    return look_poll(look, end < until ? end : until);
}

static int look_until(struct look *look, mp__moment until)
{
    int64_t slice = SLICE_LEAST;
    for (;;) {
        int rc = look_ask(look);
        if (rc < 0)
            return rc;
        bool at_once = rc > 0 || mp__moment_passed(until);
        rc = at_once ? look_poll(look, 0) : look_sleep(look, &slice, until);
        if (rc != 0)
            return rc;
        rc = look_count(look);
        if (rc > 0 || at_once)
            return rc;
    }
}

/* ---- the call ------------------------------------------------------------------------------- */

static int wait_for(mp_waitable *items, size_t n, mp__moment until)
{
    struct pollfd few_polled[FEW];
    bool few_said[FEW];
    struct look look = {.items = items, .n = n, .polled = few_polled, .said = few_said};
    if (n > FEW) {
        look.polled = calloc(n, sizeof *look.polled);
        look.said = calloc(n, sizeof *look.said);
    }
    int rc = -ENOMEM;
    if (look.polled != NULL && look.said != NULL)
        rc = look_prepare(&look);
    if (rc == 0)
        rc = look_until(&look, until);
    for (size_t i = 0; rc >= 0 && i < n; i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.*): look_prepare fills both for all n */
        items[i].ready = look.said[i] || look.polled[i].revents != 0;
    if (n > FEW) {
        free(look.polled);
        free(look.said);
    }
    return rc;
}

int mp_wait(mp_waitable *items, size_t n, double timeout)
{
    mp__moment until;
    int rc = mp__moment_of(timeout, &until);
    if (rc == 0 && items == NULL && n > 0)
        rc = MP_EINVAL;
    if (rc == 0 && n == 0) {
        mp_sleep(timeout);
        return 0;
    }
    if (rc == 0)
        rc = twins_refuse(items, n);
    if (rc == 0)
        rc = wait_for(items, n, until);
    return rc < 0 ? mp__fail(rc) : rc;
}
