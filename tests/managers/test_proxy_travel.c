/* Proxies in other processes: sent through pipes and queues, inherited by children of every kind,
 * and kept when their sender, or their parent, has dropped its own. */
#include "managers/managers_kit.h"

#include <mp/mp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static mp_process *start(mp_target *target, const void *arg, size_t size)
{
    mp_process *process;
    assert_mp_result(mp_process_create(&process, target, arg, size, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    return process;
}

static void finish(mp_process *process)
{
    int code = -1;
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    assert_mp_result(mp_process_exitcode(process, &code), 1);
    check(code == 0);
    mp_process_destroy(process);
}

static int64_t int_of(mp_dict *dict, const char *key)
{
    mp_obj value;
    int64_t i;
    assert_mp_result(mp_dict_get(dict, MP(key), &value), 0);
    assert_mp_result(mp_obj_as_int(value, &i), 0);
    mp_obj_free(&value);
    return i;
}

/* ---- pipes and queues ------------------------------------------------------------------------ */

static void take_and_use(const mp_obj *object)
{
    mp_dict *dict;
    assert_mp_result(mp_dict_from(*object, &dict), 0);
    assert_mp_result(mp_dict_set(dict, MP("seen"), MP(int_of(dict, "x") + 1)), 0);
    mp_dict_destroy(dict);
}

static int receive_proxy(void *arg)
{
    mp_connection *connection = arg;
    mp_obj object;
    assert_mp_result(mp_connection_recv(connection, &object), 0);
    take_and_use(&object);
    mp_obj_free(&object);
    assert_mp_result(mp_connection_send(connection, MP("used")), 0);
    return 0;
}

static void test_a_proxy_goes_through_a_pipe(void **state)
{
    (void)state;
    mp_connection *here, *there;
    mp_obj answer;
    mp_dict *dict = new_dict(manager, MP_DICT("x", 1));
    assert_mp_result(mp_pipe(&here, &there, true), 0);
    mp_process *process = start(receive_proxy, there, 0);
    assert_mp_result(mp_connection_send(here, mp_obj_proxy(mp_dict_proxy(dict))), 0);
    assert_mp_result(mp_connection_recv(here, &answer), 0);
    assert_owned_is(&answer, MP("used"));
    check(int_of(dict, "seen") == 2);
    finish(process);
    mp_connection_destroy(here);
    mp_connection_destroy(there);
    mp_dict_destroy(dict);
    await_objects(manager, 0); /* a child that ended a moment ago may still count */
}

static int get_proxies(void *arg)
{
    mp_queue *queue = arg;
    for (int i = 0; i < 3; i++) {
        mp_obj object;
        assert_mp_result(mp_queue_get(queue, &object, MP_FOREVER), 0);
        take_and_use(mp_obj_item(object, 1));
        mp_obj_free(&object);
        assert_mp_result(mp_queue_task_done(queue), 0);
    }
    return 0;
}

static void test_a_proxy_goes_through_a_queue(void **state)
{
    (void)state;
    mp_queue *queue;
    mp_dict *dict[3];
    assert_mp_result(mp_queue_create(&queue, 0), 0);
    for (int i = 0; i < 3; i++) {
        dict[i] = new_dict(manager, MP_DICT("x", i));
        assert_mp_result(
            mp_queue_put(queue, MP_TUPLE(i, mp_obj_proxy(mp_dict_proxy(dict[i]))), MP_FOREVER), 0);
    }
    mp_process *process = start(get_proxies, queue, 0);
    assert_mp_result(mp_queue_join(queue, MP_FOREVER), 0);
    for (int i = 0; i < 3; i++) {
        check(int_of(dict[i], "seen") == i + 1);
        mp_dict_destroy(dict[i]);
    }
    finish(process);
    mp_queue_destroy(queue);
}

/* By somebody who knows the address only, and has the key of this program. */
static int receive_after_reset(void *arg)
{
    mp_manager *m;
    assert_mp_result(
        mp_manager_connect(&m, mp_manager_address(manager), "other key", 9, MP_FOREVER), MP_EAUTH);
    return receive_proxy(arg);
}

static void test_a_proxy_is_reached_with_the_key_of_the_process(void **state)
{
    (void)state;
    mp_connection *here, *there;
    mp_obj answer;
    mp_dict *dict = new_dict(manager, MP_DICT("x", 5));
    assert_mp_result(mp_pipe(&here, &there, true), 0);
    pid_t pid = child_fork(receive_after_reset, there);
    assert_mp_result(mp_connection_send(here, mp_obj_proxy(mp_dict_proxy(dict))), 0);
    assert_mp_result(mp_connection_recv(here, &answer), 0);
    mp_obj_free(&answer);
    check(int_of(dict, "seen") == 6);
    check(child_wait(pid) == 0);
    mp_connection_destroy(here);
    mp_connection_destroy(there);
    mp_dict_destroy(dict);
}

/* ---- children -------------------------------------------------------------------------------- */

struct legacy {
    mp_dict *dict;
    struct signal_pipe ready, go_on;
};

static struct legacy new_legacy(void)
{
    struct legacy legacy = {.dict = new_dict(manager, MP_DICT("x", 1))};
    pipe_open(&legacy.ready);
    pipe_open(&legacy.go_on);
    return legacy;
}

static void end_legacy(struct legacy *legacy)
{
    pipe_close(&legacy->ready);
    pipe_close(&legacy->go_on);
}

static int use_after_the_parent(void *arg)
{
    struct legacy *legacy = arg;
    check(pipe_await(&legacy->go_on) == 'g');
    check(int_of(legacy->dict, "x") == 1);
    assert_mp_result(mp_dict_set(legacy->dict, MP("x"), MP(2)), 0);
    check(int_of(legacy->dict, "x") == 2);
    mp_dict_destroy(legacy->dict);
    return 0;
}

static void test_a_child_keeps_what_its_parent_drops(void **state)
{
    (void)state;
    struct legacy legacy = new_legacy();
    mp_process *process = start(use_after_the_parent, &legacy, sizeof legacy);
    mp_dict_destroy(legacy.dict);
    assert_objects(manager, 1);
    pipe_tell(&legacy.go_on, 'g');
    finish(process);
    await_objects(manager, 0);
    end_legacy(&legacy);
}

static int use_before_and_after_the_parent(void *arg)
{
    struct legacy *legacy = arg;
    check(int_of(legacy->dict, "x") == 1);
    pipe_tell(&legacy->ready, 'r');
    return use_after_the_parent(arg);
}

static void test_a_plain_fork_keeps_what_it_has_used(void **state)
{
    (void)state;
    struct legacy legacy = new_legacy();
    pid_t pid = child_fork(use_before_and_after_the_parent, &legacy);
    check(pipe_await(&legacy.ready) == 'r');
    mp_dict_destroy(legacy.dict);
    assert_objects(manager, 1);
    pipe_tell(&legacy.go_on, 'g');
    check(child_wait(pid) == 0);
    await_objects(manager, 0);
    end_legacy(&legacy);
}

static int leave_without_a_word(void *arg)
{
    struct legacy *legacy = arg;
    check(int_of(legacy->dict, "x") == 1);
    return 0;
}

static int drop_it(void *arg)
{
    struct legacy *legacy = arg;
    mp_dict_destroy(legacy->dict);
    return 0;
}

static void test_what_a_child_drops_its_parent_keeps(void **state)
{
    (void)state;
    struct legacy legacy = new_legacy();
    for (int i = 0; i < 3; i++) {
        finish(start(drop_it, &legacy, sizeof legacy));
        finish(start(leave_without_a_word, &legacy, sizeof legacy));
        check(child_wait(child_fork(drop_it, &legacy)) == 0);
        check(child_wait(child_fork(leave_without_a_word, &legacy)) == 0);
    }
    check(int_of(legacy.dict, "x") == 1);
    assert_objects(manager, 1);
    mp_dict_destroy(legacy.dict);
    await_objects(manager, 0);
    end_legacy(&legacy);
}

static int start_a_grandchild(void *arg)
{
    struct legacy *legacy = arg;
    mp_process *process = start(use_after_the_parent, legacy, sizeof *legacy);
    mp_dict_destroy(legacy->dict);
    pipe_tell(&legacy->ready, 'r');
    finish(process);
    return 0;
}

static void test_a_grandchild_keeps_what_all_others_drop(void **state)
{
    (void)state;
    struct legacy legacy = new_legacy();
    mp_process *process = start(start_a_grandchild, &legacy, sizeof legacy);
    check(pipe_await(&legacy.ready) == 'r');
    mp_dict_destroy(legacy.dict);
    assert_objects(manager, 1);
    pipe_tell(&legacy.go_on, 'g');
    finish(process);
    await_objects(manager, 0);
    end_legacy(&legacy);
}

/* The child makes objects by the manager it inherited, and may leave one in an inherited dict. */
static int make_objects(void *arg)
{
    mp_dict *dict = arg;
    mp_list *kept = new_list(manager, MP_LIST("of a child"));
    mp_list *lost = new_list(manager, MP_NONE);
    assert_mp_result(mp_dict_set(dict, MP("list"), mp_obj_proxy(mp_list_proxy(kept))), 0);
    assert_mp_result(mp_list_append(lost, MP(1)), 0);
    mp_list_destroy(kept);
    return mp_manager_shutdown(manager); /* ends nothing here */
}

static void test_what_a_child_makes_and_stores_outlives_it(void **state)
{
    (void)state;
    mp_obj object;
    mp_list *list;
    mp_dict *dict = new_dict(manager, MP_NONE);
    finish(start(make_objects, dict, 0));
    await_objects(manager, 2);
    check(child_wait(child_fork(make_objects, dict)) == 0);
    await_objects(manager, 2);
    assert_mp_result(mp_dict_get(dict, MP("list"), &object), 0);
    assert_mp_result(mp_list_from(object, &list), 0);
    mp_obj_free(&object);
    assert_list_is(list, MP_LIST("of a child"));
    mp_list_destroy(list);
    mp_dict_destroy(dict);
}

/* A child that is killed has let go of everything. */
static int hold_and_stay(void *arg)
{
    struct legacy *legacy = arg;
    mp_list *list = new_list(manager, MP_NONE);
    check(mp_list_len(list) == 0);
    check(int_of(legacy->dict, "x") == 1);
    pipe_tell(&legacy->ready, 'r');
    (void)pause();
    return 1;
}

static void test_a_killed_child_holds_nothing(void **state)
{
    (void)state;
    struct legacy legacy = new_legacy();
    pid_t pid = child_fork(hold_and_stay, &legacy);
    check(pipe_await(&legacy.ready) == 'r');
    assert_objects(manager, 2);
    mp_dict_destroy(legacy.dict);
    assert_objects(manager, 2);
    check(kill(pid, SIGKILL) == 0);
    check(child_wait(pid) == -SIGKILL);
    await_objects(manager, 0);
    end_legacy(&legacy);
}

/* ---- two servers ----------------------------------------------------------------------------- */

static void test_a_proxy_may_stand_in_an_object_of_another_server(void **state)
{
    (void)state;
    mp_manager *other = new_manager();
    mp_obj object;
    mp_dict *dict = new_dict(manager, MP_DICT("x", 1)), *again;
    mp_list *list = new_list(other, MP_LIST(mp_obj_proxy(mp_dict_proxy(dict))));
    assert_objects(manager, 1);
    assert_objects(other, 1);
    assert_mp_result(mp_list_get(list, 0, &object), 0);
    assert_mp_result(mp_dict_from(object, &again), 0);
    mp_obj_free(&object);
    mp_list_destroy(list);
    end_empty_manager(other);
    check(int_of(again, "x") == 1);
    mp_dict_destroy(dict);
    check(int_of(again, "x") == 1);
    mp_dict_destroy(again);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("a proxy goes through a pipe", test_a_proxy_goes_through_a_pipe),
        served_test("a proxy goes through a queue", test_a_proxy_goes_through_a_queue),
        served_test("a proxy is reached with the key of the process",
                    test_a_proxy_is_reached_with_the_key_of_the_process),
        served_test("a child keeps what its parent drops",
                    test_a_child_keeps_what_its_parent_drops),
        served_test("a plain fork keeps what it has used",
                    test_a_plain_fork_keeps_what_it_has_used),
        served_test("what a child drops its parent keeps",
                    test_what_a_child_drops_its_parent_keeps),
        served_test("a grandchild keeps what all others drop",
                    test_a_grandchild_keeps_what_all_others_drop),
        served_test("what a child makes and stores outlives it",
                    test_what_a_child_makes_and_stores_outlives_it),
        served_test("a killed child holds nothing", test_a_killed_child_holds_nothing),
        served_test("a proxy may stand in an object of another server",
                    test_a_proxy_may_stand_in_an_object_of_another_server),
    };
    return managers_run("Proxies elsewhere", tests);
}
