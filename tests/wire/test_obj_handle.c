/* Shared objects inside messages. */
#include "check_objects.h"

#include "memory/memory.h"

#include <mp/sharedctypes.h>
#include <mp/synchronize.h>

#include <stdlib.h>

static void test_a_handle_leads_back_to_its_object(void **state)
{
    (void)state;
    mp_lock *lock;
    void *back = NULL;
    assert_mp_ok(mp_lock_create(&lock));
    assert_mp_ok(mp_obj_as_handle(mp_obj_handle(lock), &back));
    check(back == lock);
    assert_mp_ok(mp_obj_as_handle(mp_obj_handle(lock), NULL));
    check(mp_obj_equal(mp_obj_handle(lock), mp_obj_handle(lock)));
    check(!mp_obj_equal(mp_obj_handle(lock), MP(1)));
    mp_lock_destroy(lock);
}

static void test_a_handle_of_the_destroyed_is_closed(void **state)
{
    (void)state;
    mp_lock *lock, *next;
    void *back = NULL;
    assert_mp_ok(mp_lock_create(&lock));
    mp_obj handle = mp_obj_handle(lock);
    mp_lock_destroy(lock);
    assert_mp_error(mp_obj_as_handle(handle, &back), MP_ECLOSED);
    /* the same place, reborn */
    mp_lock *taken[64];
    size_t n = 0;
    do {
        assert_mp_ok(mp_lock_create(&next));
        taken[n++] = next;
    } while (next != lock && n < 64);
    assert_mp_error(mp_obj_as_handle(handle, &back), MP_ECLOSED);
    check(back == NULL);
    while (n > 0)
        mp_lock_destroy(taken[--n]);
}

static void test_only_handles_of_this_arena_are_taken(void **state)
{
    (void)state;
    void *back = NULL;
    int local = 0;
    mp_event *event;
    assert_mp_ok(mp_event_create(&event));
    assert_mp_error(mp_obj_as_handle(MP(1), &back), MP_ETYPE);
    assert_mp_error(mp_obj_as_handle(mp_obj_handle(&local), &back), MP_EINVAL);
    assert_mp_error(mp_obj_as_handle(mp_obj_handle(NULL), &back), MP_EINVAL);
    assert_mp_error(mp_obj_as_handle(mp_obj_handle((char *)event + 64), &back), MP_EINVAL);
    struct mp__handle handle = {(uint64_t)(uintptr_t)event, mp__arena_id() ^ 1, 1};
    assert_mp_error(mp_obj_as_handle(mp__obj_of_handle(handle), &back), MP_EINVAL);
    mp_obj of_event = mp_obj_handle(event);
    struct mp__handle moved = mp__handle_of(&of_event);
    moved.address = UINT64_MAX - 63;
    assert_mp_error(mp_obj_as_handle(mp__obj_of_handle(moved), &back), MP_EINVAL);
    check(back == NULL);
    mp_event_destroy(event);
}

static void test_handles_travel_between_processes_of_a_tree_only(void **state)
{
    (void)state;
    mp_value *value;
    void *bytes, *back = NULL;
    size_t n;
    uint8_t memory[64];
    mp_obj o;
    assert_mp_ok(mp_value_create(&value, 'i', NULL));
    mp_obj message = MP_TUPLE("value", mp_obj_handle(value));
    assert_mp_error(mp_obj_dumps(message, 4, &bytes, &n), MP_EPICKLE);
    assert_mp_ok(mp__pickle_size(message, 4, MP__PICKLE_HANDLES, &n));
    check(n <= sizeof memory);
    check(mp__pickle_write(message, 4, MP__PICKLE_HANDLES, memory) == memory + n);
    assert_mp_error(mp_obj_loads(&o, memory, n), MP_EPICKLE);
    assert_mp_ok(mp__pickle_read(&o, memory, n, MP__PICKLE_HANDLES));
    assert_mp_ok(mp_obj_as_handle(o.items[1], &back));
    check(back == value);
    mp_obj copy;
    assert_mp_ok(mp_obj_copy(o, &copy));
    check(mp_obj_equal(copy, o));
    mp_obj_free(&copy);
    mp_obj_free(&o);
    assert_mp_error(mp__pickle_size(mp_obj_handle(memory), 4, MP__PICKLE_HANDLES, &n), MP_EINVAL);
    mp_value_destroy(value);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("handle: it leads back to its object", test_a_handle_leads_back_to_its_object),
        support_test("handle: of the destroyed it is closed",
                     test_a_handle_of_the_destroyed_is_closed),
        support_test("handle: only those of this arena are taken",
                     test_only_handles_of_this_arena_are_taken),
        support_test("handle: they travel between processes of a tree only",
                     test_handles_travel_between_processes_of_a_tree_only),
    };
    return support_run("handles", tests);
}
