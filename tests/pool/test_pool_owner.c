/* Whose a pool is: its maker's alone. And what is no pool. */
#include "pool_kit.h"

#include <mp/process.h>
#include <mp/queues.h>
#include <mp/synchronize.h>
#include <string.h>
#include <unistd.h>

struct things {
    mp_pool *pool;
    mp_async_result *result;
    mp_imap *imap;
};

static int no_items(void *context, mp_obj *item)
{
    (void)context;
    (void)item;
    return 0;
}

static int ignore(const void *item, void *result, void *context)
{
    (void)item;
    (void)result;
    (void)context;
    return 0;
}

/* Every call but the destroys says `code`. */
static void everything_is(struct things *things, int code)
{
    mp_pool *pool = things->pool;
    mp_async_result *result;
    mp_imap *imap;
    mp_obj results = MP(1);
    int item = 1;
    assert_mp_error(mp_pool_apply(pool, square, MP(1), NULL), code);
    assert_mp_error(mp_pool_apply_async(pool, square, MP(1), &result, NULL), code);
    assert_mp_error(mp_pool_map(pool, square, MP_LIST(1), &results, NULL), code);
    check(results.type == MP_TYPE_NONE);
    assert_mp_error(mp_pool_map_async(pool, square, MP_LIST(1), &result, NULL), code);
    assert_mp_error(mp_pool_imap(pool, square, MP_LIST(1), &imap, NULL), code);
    assert_mp_error(mp_pool_imap_unordered(pool, square, MP_LIST(1), &imap, NULL), code);
    assert_mp_error(mp_pool_imap_from(pool, square, no_items, NULL, &imap, NULL), code);
    assert_mp_error(mp_pool_imap_unordered_from(pool, square, no_items, NULL, &imap, NULL), code);
    assert_mp_error(mp_pool_map_array(pool, ignore, &item, 1, sizeof item, NULL, 0, NULL), code);
    assert_mp_error(mp_pool_close(pool), code);
    assert_mp_error(mp_pool_terminate(pool), code);
    assert_mp_error(mp_pool_join(pool, MP_FOREVER), code);
    assert_mp_error(mp_async_result_get(things->result, NULL, MP_FOREVER), code);
    assert_mp_error(mp_async_result_wait(things->result, MP_FOREVER), code);
    assert_mp_error(mp_async_result_successful(things->result), code);
    check(!mp_async_result_ready(things->result));
    assert_mp_error(mp_imap_next(things->imap, NULL, MP_FOREVER), code);
}

static int use_and_forget(void *arg)
{
    struct things *things = arg;
    everything_is(things, MP_ESTATE);
    mp_imap_destroy(things->imap);
    mp_async_result_destroy(things->result);
    mp_pool_destroy(things->pool);
    return 0;
}

static void test_a_child_may_only_forget(void **state)
{
    (void)state;
    struct things things = {.pool = new_pool(2)};
    mp_process *process;
    mp_obj value;
    assert_mp_result(mp_pool_apply_async(things.pool, square, MP(5), &things.result, NULL), 0);
    assert_mp_result(mp_async_result_wait(things.result, MP_FOREVER), 0);
    assert_mp_result(mp_pool_imap(things.pool, square, MP_LIST(6), &things.imap, NULL), 0);
    child_must_succeed(use_and_forget, &things);
    struct things of_nothing = things;
    assert_mp_result(
        mp_pool_map_async(things.pool, square, MP_EMPTY_LIST, &of_nothing.result, NULL), 0);
    child_must_succeed(use_and_forget, &of_nothing);
    mp_async_result_destroy(of_nothing.result);
    assert_mp_result(mp_process_create(&process, use_and_forget, &things, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    int code;
    assert_mp_result(mp_process_exitcode(process, &code), 1);
    check(code == 0);
    mp_process_destroy(process);
    assert_mp_result(mp_async_result_get(things.result, &value, MP_FOREVER), 0);
    check(take_int(&value) == 25);
    assert_mp_result(mp_imap_next(things.imap, &value, MP_FOREVER), 1);
    check(take_int(&value) == 36);
    mp_async_result_destroy(things.result);
    mp_imap_destroy(things.imap);
    pool_works(things.pool);
    end_pool(things.pool);
}

static struct things outer;

static int use_the_own_pool(mp_obj arg, mp_obj *result)
{
    (void)arg;
    (void)result;
    assert_mp_error(mp_pool_close(outer.pool), MP_ESTATE);
    assert_mp_error(mp_pool_terminate(outer.pool), MP_ESTATE);
    assert_mp_error(mp_pool_apply(outer.pool, square, MP(1), NULL), MP_ESTATE);
    return 0;
}

/* The second one's workers are forked when the variable points to the first. */
static void test_a_task_may_not_use_a_pool(void **state)
{
    (void)state;
    outer.pool = new_pool(1);
    mp_pool *pool = new_pool(1);
    assert_mp_result(mp_pool_apply(pool, use_the_own_pool, MP_NONE, NULL), 0);
    end_pool(pool);
    pool_works(outer.pool);
    end_pool(outer.pool);
}

static int return_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static int find_no_pool_allowed(void *arg)
{
    mp_pool *pool;
    (void)arg;
    assert_mp_error(mp_pool_create(&pool, 1, NULL), MP_ESTATE);
    return 0;
}

static int find_no_children_allowed(mp_obj arg, mp_obj *result)
{
    (void)arg;
    mp_process *process;
    check(mp_process_daemon(mp_current_process()));
    assert_mp_result(mp_process_create(&process, return_at_once, NULL, 0, NULL), 0);
    assert_mp_error(mp_process_start(process), MP_ESTATE);
    mp_process_destroy(process);
    *result = MP(find_no_pool_allowed(NULL));
    return 0;
}

static void test_daemonic_processes_make_no_pools(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    mp_process *process;
    int code;
    const mp_process_options options = {.daemon = MP_DAEMON_YES};
    assert_mp_result(mp_pool_apply(pool, find_no_children_allowed, MP_NONE, NULL), 0);
    end_pool(pool);
    assert_mp_result(mp_process_create(&process, find_no_pool_allowed, NULL, 0, &options), 0);
    assert_mp_result(mp_process_start(process), 0);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    assert_mp_result(mp_process_exitcode(process, &code), 1);
    check(code == 0);
    mp_process_destroy(process);
}

static int tell_who_is_who(mp_obj arg, mp_obj *result)
{
    int64_t maker;
    mp_process *children[1];
    assert_mp_result(mp_obj_as_int(arg, &maker), 0);
    check(mp_parent_process() != NULL);
    check(mp_process_pid(mp_parent_process()) == maker);
    check(getppid() != maker);
    assert_mp_result(mp_process_is_alive(mp_parent_process()), 1);
    assert_mp_result(mp_active_children(children, 1), 0);
    check(mp_process_pid(mp_current_process()) == getpid());
    *result = MP((int64_t)getppid());
    return 0;
}

static void test_who_is_who(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(2);
    mp_obj supervisor;
    assert_mp_result(mp_pool_apply(pool, tell_who_is_who, MP((int64_t)getpid()), &supervisor), 0);
    check(take_int(&supervisor) != getpid());
    assert_mp_result(mp_active_children(NULL, 0), 0);
    end_pool(pool);
}

static void test_objects_of_another_kind(void **state)
{
    (void)state;
    mp_lock *lock;
    mp_process *process;
    struct things right = {.pool = new_pool(1)}, wrong;
    assert_mp_result(mp_lock_create(&lock), 0);
    assert_mp_result(mp_process_create(&process, return_at_once, NULL, 0, NULL), 0);
    assert_mp_result(mp_pool_apply_async(right.pool, square, MP(5), &right.result, NULL), 0);
    assert_mp_result(mp_pool_imap(right.pool, square, MP_LIST(6), &right.imap, NULL), 0);
    wrong = (struct things){(void *)lock, (void *)lock, (void *)lock};
    everything_is(&wrong, MP_ETYPE);
    wrong = (struct things){(void *)process, (void *)process, (void *)process};
    everything_is(&wrong, MP_ETYPE);
    wrong = (struct things){(void *)right.imap, (void *)right.pool, (void *)right.result};
    everything_is(&wrong, MP_ETYPE);
    mp_pool_destroy((void *)lock);
    mp_pool_destroy((void *)right.result);
    mp_async_result_destroy((void *)right.imap);
    mp_imap_destroy((void *)right.pool);
    assert_mp_error(mp_lock_acquire((void *)right.pool, MP_NOWAIT), MP_ETYPE);
    assert_mp_error(mp_process_join((void *)right.pool, MP_NOWAIT), MP_ETYPE);
    assert_mp_result(mp_lock_acquire(lock, MP_NOWAIT), 0);
    assert_mp_result(mp_lock_release(lock), 0);
    assert_mp_result(mp_async_result_get(right.result, NULL, MP_FOREVER), 0);
    assert_mp_result(mp_imap_next(right.imap, NULL, MP_FOREVER), 1);
    mp_async_result_destroy(right.result);
    mp_imap_destroy(right.imap);
    mp_lock_destroy(lock);
    mp_process_destroy(process);
    pool_works(right.pool);
    end_pool(right.pool);
}

static int put_into(mp_obj arg, mp_obj *result)
{
    void *queue;
    mp_obj handle;
    assert_mp_result(mp_obj_unpack(arg, "Oi", &handle, NULL), 0);
    assert_mp_result(mp_obj_as_handle(handle, &queue), 0);
    assert_mp_result(mp_queue_put(queue, *mp_obj_item(arg, 1), MP_FOREVER), 0);
    *result = handle;
    return 0;
}

/* The queue is younger than the pool, but lies in shared memory. */
static void test_shared_objects_go_in_and_out_as_handles(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    mp_queue *queue;
    void *same;
    mp_obj message, result;
    assert_mp_result(mp_queue_create(&queue, 0), 0);
    assert_mp_result(mp_pool_apply(pool, put_into, MP_TUPLE(mp_obj_handle(queue), 8), &result), 0);
    assert_mp_result(mp_obj_as_handle(result, &same), 0);
    check(same == queue);
    mp_obj_free(&result);
    assert_mp_result(mp_queue_get(queue, &message, MP_NOWAIT), 0);
    check(take_int(&message) == 8);
    mp_queue_destroy(queue);
    end_pool(pool);
}

static int fail_at_length(mp_obj arg, mp_obj *result)
{
    char text[2000];
    (void)result;
    (void)arg;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)mp_task_fail(7, "an earlier one");
    return mp_task_fail(8, "%s", text);
}

static int fail_in_a_way(mp_obj arg, mp_obj *result)
{
    int64_t way;
    assert_mp_result(mp_obj_as_int(arg, &way), 0);
    if (way == 0)
        return 5;
    if (way == 1)
        return mp_task_fail(0, "no code");
    (void)mp_task_fail(9, "not a failure in the end");
    *result = MP("fine");
    return 0;
}

static void test_ways_to_fail(void **state)
{
    (void)state;
    mp_pool *pool = new_pool(1);
    mp_obj result;
    assert_mp_error(mp_pool_apply(pool, fail_at_length, MP_NONE, NULL), MP_ETASK);
    check(mp_error_code() == 8);
    check(strstr(mp_error_detail(), "xxxxxxxxxx") != NULL);
    check(strstr(mp_error_detail(), "earlier") == NULL);
    check(strlen(mp_error_detail()) >= 300 && strlen(mp_error_detail()) < 1000);
    assert_mp_error(mp_pool_apply(pool, fail_in_a_way, MP(0), NULL), MP_ETASK);
    check(mp_error_code() == 5);
    check(strstr(mp_error_detail(), "xxx") == NULL);
    assert_mp_error(mp_pool_apply(pool, fail_in_a_way, MP(1), NULL), MP_ETASK);
    check(mp_error_code() == MP_EINVAL);
    assert_mp_result(mp_pool_apply(pool, fail_in_a_way, MP(2), &result), 0);
    check(mp_obj_equal(result, MP("fine")));
    mp_obj_free(&result);
    assert_mp_error(mp_pool_apply(pool, fail_in_a_way, MP(0), NULL), MP_ETASK);
    check(strstr(mp_error_detail(), "in the end") == NULL);
    check(mp_task_fail(0, "outside") == MP_EINVAL && mp_task_fail(3, "outside") == 3);
    assert_mp_error(mp_task_return(NULL, MP(1)), MP_EINVAL);
    end_pool(pool);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a child may only forget its parent's pool", test_a_child_may_only_forget),
        support_test("a task may not use a pool", test_a_task_may_not_use_a_pool),
        support_test("daemonic processes, workers among them, make no pools",
                     test_daemonic_processes_make_no_pools),
        support_test("a worker's parent is the maker of the pool", test_who_is_who),
        support_test("objects of another kind are refused", test_objects_of_another_kind),
        support_test("shared objects go in and out as handles",
                     test_shared_objects_go_in_and_out_as_handles),
        support_test("a task fails by any code, and its last text is told", test_ways_to_fail),
    };
    return support_run_processes("owners of pools", tests);
}
