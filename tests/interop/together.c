/* What a C program and a Python program do together in one manager, whichever of them serves it. */
#include "together.h"

#include "support/support.h"

#include <string.h>
#include <unistd.h>

/* How it works. Who has to wait announces it while it holds the lock that the other side needs to
 * go on, so that nothing depends on who is faster. Python's part runs in threads and processes of
 * its own: begin and finish, begin_process and finish_process of manager_peer.py. */

#define STEP(proxy, ...) MP_TUPLE(mp_obj_proxy(proxy), __VA_ARGS__)

static const double hangs = 30;

/* ---- synchronization ------------------------------------------------------------------------ */

static int waiter(void *arg)
{
    mp_proxy **proxies = arg, *condition = proxies[0], *ready = proxies[1];
    proxy_gives(condition, "acquire", MP_NONE, MP_TRUE);
    proxy_gives(ready, "release", MP_NONE, MP_NONE);
    proxy_gives(condition, "wait", MP_TUPLE(hangs), MP_TRUE);
    proxy_gives(condition, "release", MP_NONE, MP_NONE);
    mp_proxy_destroy(condition);
    mp_proxy_destroy(ready);
    return 0;
}

static void python_waits(struct peer *peer, mp_proxy *condition, mp_proxy *ready)
{
    obj_is(peer_ask(peer, "begin",
                    MP_TUPLE(STEP(condition, "acquire"), STEP(ready, "release"),
                             STEP(condition, "wait", hangs), STEP(condition, "release"))),
           MP_NONE);
}

static void notify(mp_proxy *condition, const char *how)
{
    proxy_gives(condition, "acquire", MP_NONE, MP_TRUE);
    proxy_gives(condition, how, MP_NONE, MP_NONE);
    proxy_gives(condition, "release", MP_NONE, MP_NONE);
}

void together_condition(struct peer *peer, mp_manager *manager)
{
    mp_proxy *condition = proxy_make(manager, "Condition", MP_NONE);
    mp_proxy *ready = proxy_make(manager, "Semaphore", MP_TUPLE(0));
    mp_proxy *both[] = {condition, ready};
    const mp_obj waited = MP_LIST(MP_TRUE, MP_NONE, MP_TRUE, MP_NONE);

    python_waits(peer, condition, ready);
    proxy_gives(ready, "acquire", MP_NONE, MP_TRUE);
    notify(condition, "notify");
    peer_gives(peer, "finish", MP_NONE, waited);

    proxy_gives(condition, "acquire", MP_NONE, MP_TRUE);
    obj_is(peer_ask(peer, "begin",
                    MP_TUPLE(STEP(condition, "acquire"), STEP(condition, "notify"),
                             STEP(condition, "release"))),
           MP_NONE);
    proxy_gives(condition, "wait", MP_TUPLE(hangs), MP_TRUE);
    proxy_gives(condition, "release", MP_NONE, MP_NONE);
    peer_gives(peer, "finish", MP_NONE, MP_LIST(MP_TRUE, MP_NONE, MP_NONE));

    python_waits(peer, condition, ready);
    pid_t child = child_fork(waiter, both);
    python_waits(peer, condition, ready);
    for (int i = 0; i < 3; i++)
        proxy_gives(ready, "acquire", MP_NONE, MP_TRUE);
    notify(condition, "notify_all");
    peer_gives(peer, "finish", MP_NONE, waited);
    peer_gives(peer, "finish", MP_NONE, waited);
    check(child_wait(child) == 0);
    mp_proxy_destroy(condition);
    mp_proxy_destroy(ready);
}

static int party(void *arg)
{
    mp_proxy **proxies = arg;
    mp_obj index = proxy_call(proxies[0], "wait", MP_NONE);
    proxy_gives(proxies[1], "append", MP_TUPLE(index), MP_NONE);
    mp_proxy_destroy(proxies[0]);
    mp_proxy_destroy(proxies[1]);
    return 0;
}

/* Python, a child of this process and the process itself. */
static void three_parties_meet(struct peer *peer, mp_proxy *barrier, mp_list *indices)
{
    mp_proxy *both[] = {barrier, mp_list_proxy(indices)};
    obj_is(peer_ask(peer, "begin", MP_TUPLE(STEP(barrier, "wait"))), MP_NONE);
    pid_t child = child_fork(party, both);
    mp_obj index = proxy_call(barrier, "wait", MP_TUPLE(hangs));
    check(child_wait(child) == 0);
    mp_obj python = peer_ask(peer, "finish", MP_NONE);
    assert_mp_result(mp_list_append(indices, index), 0);
    assert_mp_result(mp_list_extend(indices, python), 0);
    assert_mp_result(mp_list_sort(indices, false), 0);
    assert_mp_result(mp_list_copy(indices, &index), 0);
    obj_is(index, MP_LIST(0, 1, 2));
    assert_mp_result(mp_list_clear(indices), 0);
    mp_obj_free(&python);
}

static void wait_for_party(mp_proxy *barrier)
{
    int64_t waiting = 0;
    while (waiting == 0) {
        mp_obj n = proxy_call(barrier, "__getattribute__", MP_TUPLE("n_waiting"));
        assert_mp_ok(mp_obj_as_int(n, &waiting));
    }
}

void together_barrier(struct peer *peer, mp_manager *manager)
{
    mp_proxy *barrier = proxy_make(manager, "Barrier", MP_TUPLE(3));
    mp_list *indices;
    assert_mp_result(mp_manager_list(manager, MP_NONE, &indices), 0);
    for (int round = 0; round < 3; round++)
        three_parties_meet(peer, barrier, indices);
    obj_is(peer_ask(peer, "begin", MP_TUPLE(STEP(barrier, "wait"))), MP_NONE);
    wait_for_party(barrier);
    proxy_gives(barrier, "abort", MP_NONE, MP_NONE);
    peer_gives(peer, "finish", MP_NONE, MP("broken"));
    proxy_fails(barrier, "wait", MP_NONE, MP_EBROKEN, "");
    obj_is(peer_ask(peer, "do", STEP(barrier, "reset")), MP_NONE);
    proxy_fails(barrier, "wait", MP_TUPLE(0.01), MP_EBROKEN, "");
    proxy_gives(barrier, "__getattribute__", MP_TUPLE("broken"), MP_TRUE);
    mp_proxy_destroy(barrier);
    mp_list_destroy(indices);
}

void together_event(struct peer *peer, mp_manager *manager)
{
    mp_proxy *event = proxy_make(manager, "Event", MP_NONE);
    obj_is(peer_ask(peer, "begin", MP_TUPLE(STEP(event, "wait"))), MP_NONE);
    proxy_gives(event, "set", MP_NONE, MP_NONE);
    peer_gives(peer, "finish", MP_NONE, MP_LIST(MP_TRUE));
    obj_is(peer_ask(peer, "do", STEP(event, "clear")), MP_NONE);
    proxy_gives(event, "is_set", MP_NONE, MP_FALSE);
    peer_begin(peer, "do", STEP(event, "set"));
    proxy_gives(event, "wait", MP_TUPLE(hangs), MP_TRUE);
    obj_is(peer_answer(peer, "do"), MP_NONE);
    mp_proxy_destroy(event);
}

/* What is owned is released by its owner only, anything else by anybody. */
static void lock_goes_round(struct peer *peer, mp_manager *manager, const char *type_id,
                            bool is_owned)
{
    mp_proxy *lock = proxy_make(manager, type_id, MP_NONE);
    proxy_gives(lock, "acquire", MP_NONE, MP_TRUE);
    obj_is(peer_ask(peer, "do", STEP(lock, "acquire", MP_FALSE)), MP_FALSE);
    obj_is(peer_ask(peer, "do", STEP(lock, "acquire", MP_TRUE, 0.01)), MP_FALSE);
    obj_is(peer_ask(peer, "begin", MP_TUPLE(STEP(lock, "acquire"), STEP(lock, "release"))),
           MP_NONE);
    proxy_gives(lock, "release", MP_NONE, MP_NONE);
    peer_gives(peer, "finish", MP_NONE, MP_LIST(MP_TRUE, MP_NONE));
    obj_is(peer_ask(peer, "do", STEP(lock, "acquire")), MP_TRUE);
    proxy_gives(lock, "acquire", MP_TUPLE(MP_FALSE), MP_FALSE);
    proxy_gives_kw(lock, "acquire", MP_NONE, MP_DICT("timeout", 0.01), MP_FALSE);
    if (is_owned)
        proxy_fails(lock, "release", MP_NONE, MP_ESTATE, "");
    obj_is(peer_ask(peer, "do", STEP(lock, "release")), MP_NONE);
    proxy_gives(lock, "acquire", MP_NONE, MP_TRUE);
    if (is_owned)
        proxy_gives(lock, "release", MP_NONE, MP_NONE);
    else
        obj_is(peer_ask(peer, "do", STEP(lock, "release")), MP_NONE);
    proxy_gives(lock, "acquire", MP_TUPLE(MP_FALSE), MP_TRUE);
    proxy_gives(lock, "release", MP_NONE, MP_NONE);
    mp_proxy_destroy(lock);
}

void together_locks(struct peer *peer, mp_manager *manager)
{
    lock_goes_round(peer, manager, "Lock", false);
    lock_goes_round(peer, manager, "RLock", true);
    lock_goes_round(peer, manager, "Semaphore", false);
    lock_goes_round(peer, manager, "BoundedSemaphore", false);
    lock_goes_round(peer, manager, "Condition", true);
}

/* ---- many at once ---------------------------------------------------------------------------- */

enum { EACH = 100 };

static int producer(void *arg)
{
    mp_proxy **proxies = arg;
    for (int i = 0; i < EACH; i++)
        proxy_gives(proxies[0], "put", MP_TUPLE(1000 + i), MP_NONE);
    mp_proxy_destroy(proxies[0]);
    mp_proxy_destroy(proxies[1]);
    return 0;
}

static int consumer(void *arg)
{
    mp_proxy **proxies = arg;
    int64_t item, count = 0, sum = 0;
    for (;;) {
        mp_obj got = proxy_call(proxies[0], "get", MP_NONE);
        if (got.type == MP_TYPE_NONE)
            break;
        assert_mp_ok(mp_obj_as_int(got, &item));
        count++;
        sum += item;
    }
    proxy_gives(proxies[1], "append", MP_TUPLE(MP_LIST(count, sum)), MP_NONE);
    mp_proxy_destroy(proxies[0]);
    mp_proxy_destroy(proxies[1]);
    return 0;
}

static int64_t list_number(mp_obj list, size_t i)
{
    int64_t number = 0;
    assert_mp_ok(mp_obj_as_int(list.items[i], &number));
    return number;
}

void together_queue(struct peer *peer, mp_manager *manager)
{
    mp_proxy *queue = proxy_make(manager, "Queue", MP_TUPLE(5));
    mp_proxy *results = proxy_make(manager, "list", MP_NONE), *both[] = {queue, results};
    const mp_obj consume = MP_TUPLE("consume", mp_obj_proxy(queue));
    obj_is(peer_ask(peer, "begin_process", consume), MP_NONE);
    pid_t taking = child_fork(consumer, both), putting[2];
    for (int i = 0; i < 2; i++) {
        obj_is(
            peer_ask(peer, "begin_process", MP_TUPLE("produce", mp_obj_proxy(queue), 2000, EACH)),
            MP_NONE);
        putting[i] = child_fork(producer, both);
    }
    check(child_wait(putting[0]) == 0 && child_wait(putting[1]) == 0);
    mp_obj python = peer_ask(peer, "finish_process", MP_TUPLE(1));
    mp_obj_free(&python);
    python = peer_ask(peer, "finish_process", MP_TUPLE(1));
    mp_obj_free(&python);
    proxy_gives(queue, "put", MP_TUPLE(MP_NONE), MP_NONE);
    proxy_gives(queue, "put", MP_TUPLE(MP_NONE), MP_NONE);
    check(child_wait(taking) == 0);
    python = peer_ask(peer, "finish_process", MP_NONE);
    mp_obj c = proxy_call(results, "pop", MP_NONE);
    check(list_number(python, 0) + list_number(c, 0) == 4 * EACH);
    check(list_number(python, 1) + list_number(c, 1) == 2 * (3000 * EACH + EACH * (EACH - 1)));
    mp_obj_free(&python);
    mp_obj_free(&c);
    proxy_gives(queue, "qsize", MP_NONE, MP(0));
    mp_proxy_destroy(queue);
    mp_proxy_destroy(results);
}

void together_join(struct peer *peer, mp_manager *manager)
{
    mp_proxy *queue = proxy_make(manager, "JoinableQueue", MP_NONE);
    for (int i = 0; i < 2; i++)
        proxy_gives(queue, "put", MP_TUPLE(i), MP_NONE);
    obj_is(peer_ask(peer, "begin",
                    MP_TUPLE(STEP(queue, "get"), STEP(queue, "task_done"), STEP(queue, "get"),
                             STEP(queue, "task_done"))),
           MP_NONE);
    proxy_gives(queue, "join", MP_NONE, MP_NONE);
    peer_gives(peer, "finish", MP_NONE, MP_LIST(0, MP_NONE, 1, MP_NONE));
    obj_is(peer_ask(peer, "do", STEP(queue, "put", "for C")), MP_NONE);
    obj_is(peer_ask(peer, "begin", MP_TUPLE(STEP(queue, "join"))), MP_NONE);
    proxy_gives(queue, "get", MP_NONE, MP("for C"));
    proxy_gives(queue, "task_done", MP_NONE, MP_NONE);
    peer_gives(peer, "finish", MP_NONE, MP_LIST(MP_NONE));
    proxy_fails(queue, "task_done", MP_NONE, MP_EINVAL, "");
    mp_proxy_destroy(queue);
}

enum { TIMES = 50 };

static int counting(void *arg)
{
    mp_proxy **proxies = arg;
    mp_obj value;
    int64_t count;
    for (int i = 0; i < TIMES; i++) {
        proxy_gives(proxies[0], "acquire", MP_NONE, MP_TRUE);
        value = proxy_call(proxies[1], "__getitem__", MP_TUPLE("count"));
        assert_mp_ok(mp_obj_as_int(value, &count));
        proxy_gives(proxies[1], "__setitem__", MP_TUPLE("count", count + 1), MP_NONE);
        proxy_gives(proxies[0], "release", MP_NONE, MP_NONE);
    }
    mp_proxy_destroy(proxies[0]);
    mp_proxy_destroy(proxies[1]);
    return 0;
}

void together_counter(struct peer *peer, mp_manager *manager)
{
    mp_proxy *lock = proxy_make(manager, "Lock", MP_NONE);
    mp_proxy *dict = proxy_make(manager, "dict", MP_TUPLE(MP_DICT("count", 0)));
    mp_proxy *both[] = {lock, dict};
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        obj_is(peer_ask(peer, "begin_process",
                        MP_TUPLE("count", mp_obj_proxy(lock), mp_obj_proxy(dict), TIMES)),
               MP_NONE);
        children[i] = child_fork(counting, both);
    }
    for (int i = 0; i < 2; i++) {
        check(child_wait(children[i]) == 0);
        peer_gives(peer, "finish_process", MP_NONE, MP_NONE);
    }
    proxy_gives(dict, "__getitem__", MP_TUPLE("count"), MP(4 * TIMES));
    mp_proxy_destroy(lock);
    mp_proxy_destroy(dict);
}
