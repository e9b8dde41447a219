/* Pools, tasks, inputs and results for the tests of Python's pools. */
#include "parity_pool_kit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(SAY_WHEN == -EPROTO, "a code that no part of a pool uses");

mp_pool *new_pool_with(int processes, const mp_pool_options *options)
{
    mp_pool *pool;
    assert_mp_result(mp_pool_create(&pool, processes, options), 0);
    return pool;
}

mp_pool *new_pool(int processes)
{
    return new_pool_with(processes, NULL);
}

void end_pool(mp_pool *pool)
{
    assert_mp_result(mp_pool_close(pool), 0);
    assert_mp_result(mp_pool_join(pool, MP_FOREVER), 0);
    mp_pool_destroy(pool);
}

void end_broken_pool(mp_pool *pool)
{
    assert_mp_result(mp_pool_close(pool), 0);
    assert_mp_error(mp_pool_join(pool, MP_FOREVER), MP_EBROKENPOOL);
    mp_pool_destroy(pool);
}

int sqr(mp_obj arg, mp_obj *result)
{
    int64_t x;
    double seconds = 0;
    if (mp_obj_as_int(arg, &x) != 0 && mp_obj_unpack(arg, "qd", &x, &seconds) != 0)
        return mp_task_fail(INVALID_LITERAL, "not a number");
    mp_sleep(seconds);
    *result = MP(x * x);
    return 0;
}

mp_event *go;

int sqr_once_told(mp_obj arg, mp_obj *result)
{
    assert_mp_result(mp_event_wait(go, MP_FOREVER), 0);
    return sqr(arg, result);
}

int mul(mp_obj arg, mp_obj *result)
{
    int64_t x, y;
    if (mp_obj_unpack(arg, "qq", &x, &y) != 0)
        return mp_task_fail(INVALID_LITERAL, "not two numbers");
    *result = MP(x * y);
    return 0;
}

int identity(mp_obj arg, mp_obj *result)
{
    *result = arg;
    return 0;
}

int give_pid(mp_obj arg, mp_obj *result)
{
    (void)arg;
    *result = MP((int64_t)getpid());
    return 0;
}

int to_int(mp_obj arg, mp_obj *result)
{
    const char *text;
    char *end;
    if (mp_obj_unpack(arg, "s", &text) != 0)
        return mp_task_fail(INVALID_LITERAL, "not a str");
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0')
        return mp_task_fail(INVALID_LITERAL, "invalid literal for int(): '%s'", text);
    *result = MP(value);
    return 0;
}

int raise_foo(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    return mp_task_fail(RAISED, "foo");
}

mp_obj range(int64_t n)
{
    mp_obj list;
    mp_obj *items = malloc((size_t)(n + 1) * sizeof *items);
    check(items != NULL);
    for (int64_t i = 0; i < n; i++)
        items[i] = MP(i);
    assert_mp_result(mp_obj_copy(mp_obj_list(items, (size_t)n), &list), 0);
    free(items);
    return list;
}

int64_t owned_int(mp_obj *o)
{
    int64_t i;
    assert_mp_result(mp_obj_as_int(*o, &i), 0);
    mp_obj_free(o);
    return i;
}

mp_barrier *meeting;

void new_meeting(int n)
{
    assert_mp_result(mp_barrier_create(&meeting, (unsigned)n, NULL, NULL, MP_FOREVER), 0);
}

static int meet_and_give_pid(mp_obj arg, mp_obj *result)
{
    assert_mp_ok(mp_barrier_wait(meeting, MP_FOREVER));
    return give_pid(arg, result);
}

void pids_of_workers(mp_pool *pool, int n, int64_t *pids)
{
    mp_obj items = range(n), list;
    const mp_map_options options = {.chunksize = 1};
    assert_mp_result(mp_pool_map(pool, meet_and_give_pid, items, &list, &options), 0);
    check(list.len == (size_t)n);
    for (int i = 0; i < n; i++) {
        assert_mp_result(mp_obj_as_int(list.items[i], &pids[i]), 0);
        for (int earlier = 0; earlier < i; earlier++)
            check(pids[earlier] != pids[i]);
    }
    mp_obj_free(&list);
    mp_obj_free(&items);
}

void take_squares(mp_obj *list, size_t n)
{
    check(list->type == MP_TYPE_LIST && list->len == n);
    for (size_t i = 0; i < n; i++)
        check(mp_obj_equal(list->items[i], MP((int64_t)(i * i))));
    mp_obj_free(list);
}

void check_detail(const char *part)
{
    if (strstr(mp_error_detail(), part) == NULL)
        support_fail(__FILE__, __LINE__, "'%s' does not tell of '%s'", mp_error_detail(), part);
}

int generate(void *context, mp_obj *item)
{
    struct generator *generator = context;
    generator->calls++;
    if (generator->at == generator->when)
        return SAY_WHEN;
    if (generator->at >= generator->total)
        return 0;
    *item = MP(generator->at++);
    return 1;
}
