/* Queues as mp_wait sees them. */
#include "queue/queue.h"
#include "wire/wire.h"

static int queue_ready(const mp_waitable *item)
{
    int rc = mp__queue_check(item->queue);
    return rc != 0 ? rc : mp__ring_count(item->queue) > 0;
}

static void queue_park(const mp_waitable *item, mp__moment until)
{
    mp__queue_park(item->queue, until);
}

static int simple_ready(const mp_waitable *item)
{
    int rc = mp__object_check(item->simple_queue, MP__KIND_SIMPLE_QUEUE);
    if (rc == 0 && mp__queue_is_closed(&item->simple_queue->queue))
        rc = MP_ECLOSED;
    return rc != 0 ? rc : mp__ring_count(&item->simple_queue->queue) > 0;
}

static void simple_park(const mp_waitable *item, mp__moment until)
{
    mp__queue_park(&item->simple_queue->queue, until);
}

static const struct mp__wait_class queue_class = {.ready = queue_ready, .park = queue_park};
static const struct mp__wait_class simple_class = {.ready = simple_ready, .park = simple_park};

void mp__queue_wait_register(void)
{
    mp__wait_register(MP_WAIT_QUEUE, &queue_class);
    mp__wait_register(MP_WAIT_SIMPLE_QUEUE, &simple_class);
}
