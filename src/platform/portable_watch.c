/* Waiting for many descriptors: poll; nobody tells who is at the other end of one.
 *
 * How it works
 *   Two arrays in step, one for poll, one of tags. POSIX has no event for an other side that only
 *   stopped sending, so a socket watched for nothing is polled for input all the same, and looked
 *   into: no byte there is the end. Where bytes are, it is not polled until it is changed, or it
 *   would be reported without end.
 */
#include "platform/platform.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

struct mp__watched {
    unsigned what;
    void *tag;
};

int mp__watch_open(struct mp__watch *watch)
{
    *watch = (struct mp__watch){.fd = -1};
    return 0;
}

void mp__watch_close(struct mp__watch *watch)
{
    free(watch->polls);
    free(watch->entries);
    *watch = (struct mp__watch){.fd = -1};
}

static bool room_make(struct mp__watch *watch)
{
    if (watch->used < watch->room)
        return true;
    size_t room = watch->room == 0 ? 16 : 2 * watch->room;
    struct pollfd *polls = realloc(watch->polls, room * sizeof *polls);
    if (polls == NULL)
        return false;
    watch->polls = polls;
    struct mp__watched *entries = realloc(watch->entries, room * sizeof *entries);
    if (entries == NULL)
        return false;
    watch->entries = entries;
    watch->room = room;
    return true;
}

static size_t place_of(const struct mp__watch *watch, int fd)
{
    size_t i = 0;
    while (i < watch->used && watch->polls[i].fd != fd)
        i++;
    return i;
}

static void entry_set(struct mp__watch *watch, size_t i, int fd, unsigned what, void *tag)
{
    short events = what & MP__WATCH_OUT ? POLLOUT : 0;
    if (what == 0 || (what & MP__WATCH_IN))
        events |= POLLIN;
    watch->polls[i] = (struct pollfd){.fd = fd, .events = events};
    watch->entries[i] = (struct mp__watched){what, tag};
}

int mp__watch_add(struct mp__watch *watch, int fd, unsigned what, void *tag)
{
    if (!room_make(watch))
        return -ENOMEM;
    entry_set(watch, watch->used++, fd, what, tag);
    return 0;
}

int mp__watch_change(struct mp__watch *watch, int fd, unsigned what, void *tag)
{
    size_t i = place_of(watch, fd);
    if (i == watch->used)
        return -ENOENT;
    entry_set(watch, i, fd, what, tag);
    return 0;
}

void mp__watch_remove(struct mp__watch *watch, int fd)
{
    size_t i = place_of(watch, fd);
    if (i == watch->used)
        return;
    watch->used--;
    watch->polls[i] = watch->polls[watch->used];
    watch->entries[i] = watch->entries[watch->used];
}

/* What there is to tell of an entry that poll found something about. */
static unsigned entry_look(struct pollfd *polled, unsigned wanted)
{
    unsigned what = 0;
    char byte;
    if (polled->revents & (POLLHUP | POLLERR | POLLNVAL))
        what |= MP__WATCH_END;
    if ((polled->revents & POLLOUT) && (wanted & MP__WATCH_OUT))
        what |= MP__WATCH_OUT;
    if ((polled->revents & POLLIN) && (wanted & MP__WATCH_IN))
        what |= MP__WATCH_IN;
    if ((polled->revents & POLLIN) && wanted == 0) {
        if (recv(polled->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
            what |= MP__WATCH_END;
        else
            polled->events = 0;
    }
    return what;
}

int mp__watch_wait(struct mp__watch *watch, struct mp__event *events, int most, mp__moment until)
{
    int found = poll(watch->polls, (nfds_t)watch->used, mp__poll_time(until)), n = 0;
    if (found < 0)
        return errno == EINTR ? 0 : -errno;
    for (size_t i = 0; i < watch->used && n < most; i++) {
        struct pollfd *polled = &watch->polls[i];
        unsigned what = polled->revents != 0 ? entry_look(polled, watch->entries[i].what) : 0;
        if (what != 0)
            events[n++] = (struct mp__event){watch->entries[i].tag, what};
    }
    return n;
}

pid_t mp__peer_pid(int fd)
{
    (void)fd;
    return 0;
}
