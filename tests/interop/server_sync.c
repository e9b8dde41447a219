/* A C program's locks and their kin, barriers, queues and pools in a manager of Python's. */
#include "matrix.h"
#include "server_cases.h"

#include "support/support.h"

#include <pthread.h>

/* How it works. Ownership is a connection's, and each thread of each process has its own: what
 * another owner would see is asked in a forked child, or in a thread. */

struct question {
    mp_proxy *proxy;
    const char *method;
    mp_obj args, expected;
    int code;
};

static int ask(void *arg)
{
    struct question *q = arg;
    if (q->code != 0)
        proxy_fails(q->proxy, q->method, q->args, q->code, "");
    else
        proxy_gives(q->proxy, q->method, q->args, q->expected);
    return 0;
}

static int ask_in_child(void *arg)
{
    struct question *q = arg;
    (void)ask(q);
    mp_proxy_destroy(q->proxy);
    return 0;
}

static void *ask_in_thread(void *arg)
{
    (void)ask(arg);
    return NULL;
}

/* What another process gets. */
static void other_gets(mp_proxy *proxy, const char *method, mp_obj args, mp_obj expected, int code)
{
    struct question q = {proxy, method, args, expected, code};
    child_must_succeed(ask_in_child, &q);
}

/* What another thread gets. */
static void thread_gets(mp_proxy *proxy, const char *method, mp_obj args, mp_obj expected, int code)
{
    struct question q = {proxy, method, args, expected, code};
    pthread_t thread;
    check(pthread_create(&thread, NULL, ask_in_thread, &q) == 0);
    check(pthread_join(thread, NULL) == 0);
}

void server_locks(struct peer *peer, mp_manager *manager)
{
    mp_proxy *lock = proxy_make(manager, "Lock", MP_NONE);
    (void)peer;
    proxy_gives(lock, "acquire", MP_NONE, MP_TRUE);
    proxy_gives(lock, "acquire", MP_TUPLE(MP_FALSE), MP_FALSE);
    proxy_gives(lock, "acquire", MP_TUPLE(MP_TRUE, 0.01), MP_FALSE);
    proxy_gives_kw(lock, "acquire", MP_NONE, MP_DICT("timeout", 0.01), MP_FALSE);
    proxy_gives_kw(lock, "acquire", MP_NONE, MP_DICT("blocking", MP_FALSE), MP_FALSE);
    other_gets(lock, "release", MP_NONE, MP_NONE, 0);
    proxy_fails(lock, "release", MP_NONE, MP_ESTATE, "unlocked");
    proxy_fails(lock, "acquire", MP_TUPLE(MP_TRUE, -5), MP_EINVAL, "");
    proxy_fails(lock, "acquire", MP_TUPLE(MP_FALSE, 1), MP_EINVAL, "");
    proxy_fails(lock, "acquire", MP_TUPLE(MP_TRUE, "soon"), MP_ETYPE, "");
    proxy_fails(lock, "acquire", MP_TUPLE(MP_TRUE, 1e30), MP_EOVERFLOW, "");
    mp_proxy_destroy(lock);

    lock = proxy_make(manager, "RLock", MP_NONE);
    proxy_gives(lock, "acquire", MP_NONE, MP_TRUE);
    proxy_gives(lock, "acquire", MP_NONE, MP_TRUE);
    other_gets(lock, "acquire", MP_TUPLE(MP_FALSE), MP_FALSE, 0);
    other_gets(lock, "release", MP_NONE, MP_NONE, MP_ESTATE);
    thread_gets(lock, "acquire", MP_TUPLE(MP_FALSE), MP_FALSE, 0);
    thread_gets(lock, "release", MP_NONE, MP_NONE, MP_ESTATE);
    proxy_gives(lock, "release", MP_NONE, MP_NONE);
    other_gets(lock, "acquire", MP_TUPLE(MP_FALSE), MP_FALSE, 0);
    proxy_gives(lock, "release", MP_NONE, MP_NONE);
    proxy_fails(lock, "release", MP_NONE, MP_ESTATE, "");
    thread_gets(lock, "acquire", MP_TUPLE(MP_FALSE), MP_TRUE, 0);
    mp_proxy_destroy(lock);
}

void server_semaphores(struct peer *peer, mp_manager *manager)
{
    mp_proxy *semaphore = proxy_make(manager, "Semaphore", MP_TUPLE(2));
    (void)peer;
    proxy_gives(semaphore, "acquire", MP_NONE, MP_TRUE);
    other_gets(semaphore, "acquire", MP_NONE, MP_TRUE, 0);
    proxy_gives(semaphore, "acquire", MP_TUPLE(MP_FALSE), MP_FALSE);
    for (int i = 0; i < 3; i++)
        proxy_gives(semaphore, "release", MP_NONE, MP_NONE);
    for (int i = 0; i < 4; i++)
        proxy_gives(semaphore, "acquire", MP_TUPLE(MP_FALSE), i < 3 ? MP_TRUE : MP_FALSE);
    mp_proxy_destroy(semaphore);

    semaphore = proxy_make(manager, "BoundedSemaphore", MP_TUPLE(1));
    proxy_fails(semaphore, "release", MP_NONE, MP_EINVAL, "too many times");
    proxy_gives(semaphore, "acquire", MP_NONE, MP_TRUE);
    proxy_gives_kw(semaphore, "acquire", MP_NONE, MP_DICT("timeout", 0.01), MP_FALSE);
    proxy_gives(semaphore, "release", MP_NONE, MP_NONE);
    proxy_fails(semaphore, "release", MP_NONE, MP_EINVAL, "too many times");
    mp_proxy_destroy(semaphore);
    assert_mp_error(mp_manager_proxy(manager, "Semaphore", MP_TUPLE(-1), MP_NONE, &semaphore),
                    MP_EREMOTE);
}

void server_condition(struct peer *peer, mp_manager *manager)
{
    mp_proxy *condition = proxy_make(manager, "Condition", MP_NONE);
    (void)peer;
    proxy_fails(condition, "notify", MP_NONE, MP_ESTATE, "un-acquired");
    proxy_fails(condition, "wait", MP_TUPLE(0.01), MP_ESTATE, "un-acquired");
    proxy_gives(condition, "acquire", MP_NONE, MP_TRUE);
    proxy_gives(condition, "wait", MP_TUPLE(0.01), MP_FALSE);
    proxy_gives_kw(condition, "wait", MP_NONE, MP_DICT("timeout", 0), MP_FALSE);
    other_gets(condition, "acquire", MP_TUPLE(MP_FALSE), MP_FALSE, 0);
    proxy_gives(condition, "notify", MP_TUPLE(2), MP_NONE);
    proxy_gives(condition, "notify_all", MP_NONE, MP_NONE);
    proxy_gives(condition, "release", MP_NONE, MP_NONE);
    proxy_fails(condition, "release", MP_NONE, MP_ESTATE, "");
    mp_proxy_destroy(condition);
}

void server_event(struct peer *peer, mp_manager *manager)
{
    mp_proxy *event = proxy_make(manager, "Event", MP_NONE);
    (void)peer;
    proxy_gives(event, "is_set", MP_NONE, MP_FALSE);
    proxy_gives(event, "wait", MP_TUPLE(0.01), MP_FALSE);
    proxy_gives(event, "set", MP_NONE, MP_NONE);
    proxy_gives(event, "wait", MP_NONE, MP_TRUE);
    proxy_gives(event, "wait", MP_TUPLE(MP_NONE), MP_TRUE);
    proxy_gives(event, "clear", MP_NONE, MP_NONE);
    proxy_gives(event, "is_set", MP_NONE, MP_FALSE);
    mp_proxy_destroy(event);
}

void server_barrier(struct peer *peer, mp_manager *manager)
{
    mp_proxy *barrier = proxy_make(manager, "Barrier", MP_TUPLE(2));
    (void)peer;
    proxy_gives(barrier, "__getattribute__", MP_TUPLE("parties"), MP(2));
    proxy_gives(barrier, "__getattribute__", MP_TUPLE("n_waiting"), MP(0));
    proxy_gives(barrier, "__getattribute__", MP_TUPLE("broken"), MP_FALSE);
    proxy_fails(barrier, "__getattribute__", MP_TUPLE("nothing"), MP_EATTR, "nothing");
    proxy_fails(barrier, "wait", MP_TUPLE(0.01), MP_EBROKEN, "");
    proxy_gives(barrier, "__getattribute__", MP_TUPLE("broken"), MP_TRUE);
    proxy_fails(barrier, "wait", MP_NONE, MP_EBROKEN, "");
    proxy_gives(barrier, "reset", MP_NONE, MP_NONE);
    proxy_gives(barrier, "__getattribute__", MP_TUPLE("broken"), MP_FALSE);
    proxy_gives(barrier, "abort", MP_NONE, MP_NONE);
    proxy_fails(barrier, "wait", MP_NONE, MP_EBROKEN, "");
    mp_proxy_destroy(barrier);
    barrier = proxy_make(manager, "Barrier", MP_TUPLE(1, MP_NONE, 5));
    proxy_gives(barrier, "wait", MP_NONE, MP(0));
    mp_proxy_destroy(barrier);
}

/* From Python 3.13 on. */
static void queue_shuts_down(mp_manager *manager)
{
    mp_proxy *queue = proxy_make(manager, "Queue", MP_NONE);
    proxy_gives(queue, "put", MP_TUPLE(1), MP_NONE);
    int rc = mp_proxy_call(queue, "shutdown", MP_NONE, MP_NONE, NULL);
    if (rc != MP_EREMOTE) {
        assert_mp_result(rc, 0);
        proxy_fails(queue, "put", MP_TUPLE(2), MP_ECLOSED, "");
        proxy_gives(queue, "get", MP_NONE, MP(1));
        proxy_fails(queue, "get", MP_NONE, MP_ECLOSED, "");
    }
    mp_proxy_destroy(queue);
}

void server_queue(struct peer *peer, mp_manager *manager)
{
    mp_proxy *queue = proxy_make(manager, "Queue", MP_TUPLE(2));
    (void)peer;
    queue_shuts_down(manager);
    proxy_gives(queue, "empty", MP_NONE, MP_TRUE);
    proxy_fails(queue, "get_nowait", MP_NONE, MP_EEMPTY, "");
    proxy_fails(queue, "get", MP_TUPLE(MP_FALSE), MP_EEMPTY, "");
    proxy_fails(queue, "get", MP_TUPLE(MP_TRUE, 0.01), MP_EEMPTY, "");
    proxy_fails(queue, "get", MP_TUPLE(MP_TRUE, -1), MP_EINVAL, "non-negative");
    proxy_gives(queue, "put", MP_TUPLE("a"), MP_NONE);
    proxy_gives_kw(queue, "put", MP_TUPLE(MP_DICT("b", MP_TUPLE(MP_NONE))),
                   MP_DICT("timeout", 5, "block", MP_TRUE), MP_NONE);
    proxy_gives(queue, "full", MP_NONE, MP_TRUE);
    proxy_gives(queue, "qsize", MP_NONE, MP(2));
    proxy_fails(queue, "put_nowait", MP_TUPLE(1), MP_EFULL, "");
    proxy_fails(queue, "put", MP_TUPLE(1, MP_TRUE, 0.01), MP_EFULL, "");
    proxy_fails(queue, "put", MP_NONE, MP_ETYPE, "item");
    proxy_gives(queue, "get", MP_NONE, MP("a"));
    proxy_gives_kw(queue, "get", MP_NONE, MP_DICT("timeout", 5), MP_DICT("b", MP_TUPLE(MP_NONE)));
    for (int i = 0; i < 2; i++)
        proxy_gives(queue, "task_done", MP_NONE, MP_NONE);
    proxy_fails(queue, "task_done", MP_NONE, MP_EINVAL, "too many times");
    proxy_gives(queue, "join", MP_NONE, MP_NONE);
    mp_proxy_destroy(queue);
}

void server_pool(struct peer *peer, mp_manager *manager)
{
    mp_proxy *pool = proxy_make(manager, "Pool", MP_TUPLE(1));
    proxy_fails(pool, "apply", MP_TUPLE("square", MP_TUPLE(7)), MP_ETYPE, "callable");
    proxy_gives(pool, "map", MP_TUPLE("square", MP_EMPTY_LIST), MP_EMPTY_LIST);
    mp_proxy *result = proxy_of(proxy_call(pool, "apply_async", MP_TUPLE("square", MP_TUPLE(7))));
    proxy_fails(result, "get", MP_TUPLE(30), MP_ETYPE, "callable");
    proxy_gives(result, "ready", MP_NONE, MP_TRUE);
    proxy_gives(result, "successful", MP_NONE, MP_FALSE);
    proxy_gives(result, "wait", MP_NONE, MP_NONE);
    mp_proxy_destroy(result);
    proxy_fails(pool, "join", MP_NONE, MP_EINVAL, "still running");
    proxy_gives(pool, "close", MP_NONE, MP_NONE);
    proxy_fails(pool, "apply", MP_TUPLE("square", MP_TUPLE(7)), MP_EINVAL, "not running");
    proxy_gives(pool, "join", MP_NONE, MP_NONE);
    mp_proxy_destroy(pool);
    (void)peer;
}
