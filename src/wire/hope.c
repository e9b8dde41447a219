/* A receiver's hope that a message is about to come: how long it looks before it sleeps.
 *
 * How it works
 *   To sleep and be woken costs 5 to 60 us, depending on how deep an idle processor sleeps here; a
 *   look costs a fraction of one. So a receiver looks again and again for about as long as being
 *   woken would take, which is never much worse than the better choice, and which keeps both sides
 *   of a conversation awake once it runs. Where that fails it soon stops: after seven times in a
 *   row that were spent for nothing a receiver hopes only now and then, every 16th time to every
 *   1024th, to find out whether the other side has become quick. Each connection has an account of
 *   its own, for one may lead to another processor and the next to this one. On a machine with one
 *   processor nobody hopes.
 *   Where both sides have one processor the other can answer only while this one does not run: a
 *   message that came in a gap between two looks is none that looking was good for.
 *   Apart from the spinning for locks, whose waits are shorter and whose luck is another.
 *   A look at a socket is the attempt to read itself; a pipe can only be polled, and what a
 *   listener waits for too. Its callers come when they please: they have an account of their own.
 */
#include "wire/frame.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define HOPE_SPAN ((int64_t)50000)
#define SAME_PROCESSOR ((int64_t)1500) /* more than two looks take */
#define IN_VAIN_MOST 7u
#define PROBE_EVERY 16u
#define PROBE_DOUBLINGS 6u

/* Of those who have none of their own: messages, and anything that a listener waits for. */
static _Thread_local struct mp__hope for_message, for_callers;
static atomic_int cpus;

static bool is_time_to_probe(struct mp__hope *hope)
{
    unsigned more = hope->in_vain - IN_VAIN_MOST;
    unsigned every = more < PROBE_DOUBLINGS ? PROBE_EVERY << more : PROBE_EVERY << PROBE_DOUBLINGS;
    return ++hope->skipped % every == 0;
}

static bool may_hope(struct mp__hope *hope)
{
    int n = atomic_load_explicit(&cpus, memory_order_relaxed); /* a cache of one number */
    if (n == 0) {
        n = mp__cpus_online();
        atomic_store_explicit(&cpus, n, memory_order_relaxed);
    }
    return n > 1 && (hope->in_vain < IN_VAIN_MOST || is_time_to_probe(hope));
}

static void hope_ended(struct mp__hope *hope, bool fulfilled)
{
    if (fulfilled)
        *hope = (struct mp__hope){0};
    else if (hope->in_vain < IN_VAIN_MOST + PROBE_DOUBLINGS)
        hope->in_vain++;
}

bool mp__hope_for(struct mp__hope *hope, bool (*look)(void *arg), void *arg)
{
    if (!may_hope(hope))
        return false;
    if (look(arg)) /* there already: that says nothing of hoping */
        return true;
    mp__moment now = mp__now(), end = now + HOPE_SPAN, last = now, before_last;
    bool fulfilled;
    do {
        before_last = last;
        last = now;
        fulfilled = look(arg);
        now = mp__now();
    } while (!fulfilled && now < end);
    hope_ended(hope, fulfilled && now - before_last < SAME_PROCESSOR);
    return fulfilled;
}

struct reading {
    const struct mp__stream *stream;
    void *p;
    size_t n, got;
};

/* True when there is something, the end or a failure included, for a blocking call to find. */
static bool reading_look(void *arg)
{
    struct reading *r = arg;
    if (!r->stream->is_socket)
        return poll(&(struct pollfd){.fd = r->stream->fd, .events = POLLIN}, 1, 0) != 0;
    ssize_t some = recv(r->stream->fd, r->p, r->n, MSG_DONTWAIT);
    r->got = some > 0 ? (size_t)some : 0;
    return some >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

size_t mp__stream_hope(const struct mp__stream *stream, void *p, size_t n)
{
    struct reading reading = {stream, p, n, 0};
    mp__hope_for(stream->hope != NULL ? stream->hope : &for_message, reading_look, &reading);
    return reading.got;
}

struct polling {
    struct pollfd *polled;
    size_t n;
};

static bool polling_look(void *arg)
{
    struct polling *polling = arg;
    return poll(polling->polled, (nfds_t)polling->n, 0) != 0;
}

bool mp__poll_hope(struct pollfd *polled, size_t n)
{
    struct polling polling = {polled, n};
    return mp__hope_for(&for_callers, polling_look, &polling);
}
