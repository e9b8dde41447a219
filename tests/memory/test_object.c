/* Shared objects: their kinds, their serials, who may end them, and what becomes of half-made ones. */
#include "support/support.h"

#include "memory/arena.h"

#include <mp/sharedctypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct mp__object *make(enum mp__kind kind, size_t size)
{
    struct mp__object *object = NULL;
    assert_mp_result(mp__object_make(kind, size, &object), 0);
    check(object != NULL);
    return object;
}

static struct mp__object *new_object(void)
{
    struct mp__object *object = make(MP__KIND_EVENT, sizeof *object);
    mp__object_publish(object, MP__KIND_EVENT);
    return object;
}

static struct mp__heap_count heap(void)
{
    struct mp__heap_count count;
    check(mp__heap_is_valid(&count));
    return count;
}

static void test_an_object_is_closed_to_all_until_it_is_published(void **state)
{
    (void)state;
    struct mp__object *object = make(MP__KIND_LOCK, sizeof *object);
    assert_mp_error(mp__object_check(object, MP__KIND_LOCK), MP_ECLOSED);
    mp__object_publish(object, MP__KIND_LOCK);
    assert_mp_result(mp__object_check(object, MP__KIND_LOCK), 0);
    mp__object_end(object);
    assert_mp_error(mp__object_check(object, MP__KIND_LOCK), MP_ECLOSED);
}

static void test_a_check_tells_nothing_another_kind_and_the_ended_apart(void **state)
{
    (void)state;
    struct mp__object *object = new_object();
    _Alignas(16) unsigned char foreign[128] = "something else";
    assert_mp_result(mp__object_check(object, MP__KIND_EVENT), 0);
    assert_mp_error(mp__object_check(NULL, MP__KIND_EVENT), MP_EINVAL);
    assert_mp_error(mp__object_check(object, MP__KIND_LOCK), MP_ETYPE);
    assert_mp_error(mp__object_check(foreign, MP__KIND_EVENT), MP_ETYPE);
    memset(foreign, 0, sizeof foreign);
    assert_mp_error(mp__object_check(foreign, MP__KIND_EVENT), MP_ETYPE);
    mp__object_end(object);
    assert_mp_error(mp__object_check(object, MP__KIND_EVENT), MP_ECLOSED);
    assert_mp_error(mp__object_check(object, MP__KIND_LOCK), MP_ECLOSED);
}

static void test_an_object_begins_empty_wherever_it_stands(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct mp__object *object = make(MP__KIND_BARRIER, 1000);
        unsigned char *behind = (unsigned char *)(object + 1);
        check(atomic_load(&object->word) == 0 && atomic_load(&object->attached) == 0);
        check(atomic_load(&object->depth) == 0);
        check(object->detail == 0 && object->length == 0);
        check(atomic_load(&object->creator) == mp__self_owner());
        check(!mp__gate_wait(&object->gate[0], 1) && !mp__gate_wait(&object->gate[1], 1));
        for (size_t j = 0; j < 1000 - sizeof *object; j++)
            check(behind[j] == 0);
        for (size_t j = 0; j < sizeof object->small; j++)
            check(object->small[j] == 0);
        memset(behind, 0xff, 1000 - sizeof *object);
        memset(object->small, 0xff, sizeof object->small);
        atomic_store(&object->word, 99);
        atomic_store(&object->depth, 99);
        object->detail = 99;
        object->length = 99;
        mp__gate_post(&object->gate[0]);
        mp__gate_post(&object->gate[1]);
        mp__object_publish(object, MP__KIND_BARRIER);
        mp__object_end(object);
    }
}

/* What a sleeper of an earlier life looks at. */
static void test_no_two_lives_at_one_address_have_the_same_serial(void **state)
{
    (void)state;
    enum { LIVES = 1000 };
    static uint32_t serials[LIVES];
    struct mp__object *first = new_object();
    mp__object_end(first);
    int same_place = 0;
    for (int i = 0; i < LIVES; i++) {
        struct mp__object *object = new_object();
        serials[i] = mp__object_serial(object);
        check(serials[i] != 0 && !mp__object_ended(object, serials[i]));
        for (int j = 0; j < i; j++)
            check(serials[j] != serials[i] && mp__object_ended(object, serials[j]));
        same_place += object == first;
        mp__object_end(object);
        check(mp__object_ended(object, serials[i]));
    }
    check(same_place > 0);
}

static void test_the_serial_skips_zero_when_it_wraps(void **state)
{
    (void)state;
    uint32_t before = atomic_exchange(&mp__arena->serial, UINT32_MAX - 1);
    struct mp__object *a = new_object(), *b = new_object();
    check(mp__object_serial(a) == UINT32_MAX);
    check(mp__object_serial(b) == 1);
    mp__object_end(a);
    mp__object_end(b);
    atomic_store(&mp__arena->serial, before);
}

static void test_ending_twice_is_ending_once(void **state)
{
    (void)state;
    struct mp__object *object = new_object();
    size_t before = heap().blocks;
    mp__object_end(object);
    check(heap().blocks == before - 1);
    mp__object_end(object);
    mp__object_end(NULL);
    check(heap().blocks == before - 1);
}

/* ---- who may end it ------------------------------------------------------------------------ */

static int try_to_end(void *arg)
{
    mp__object_end(arg);
    assert_mp_result(mp__object_check(arg, MP__KIND_EVENT), 0);
    uint64_t word;
    assert_mp_result(mp__self_word(&word), 0);
    mp__object_end(arg);
    assert_mp_result(mp__object_check(arg, MP__KIND_EVENT), 0);
    return 0;
}

static void test_others_than_the_creator_only_forget(void **state)
{
    (void)state;
    struct mp__object *object = new_object();
    child_must_succeed(try_to_end, object);
    assert_mp_result(mp__object_check(object, MP__KIND_EVENT), 0);
    mp__object_end(object);
    assert_mp_error(mp__object_check(object, MP__KIND_EVENT), MP_ECLOSED);
}

static int create_for_others(void *arg)
{
    struct mp__object **out = arg;
    *out = new_object();
    return 0;
}

static int end_it(void *arg)
{
    mp__object_end(arg);
    assert_mp_error(mp__object_check(arg, MP__KIND_EVENT), MP_ECLOSED);
    return 0;
}

static void test_anybody_may_end_what_an_ended_process_created(void **state)
{
    (void)state;
    void *shared;
    assert_mp_result(mp_raw_alloc(&shared, sizeof(struct mp__object *)), 0);
    struct mp__object **out = shared;
    child_must_succeed(create_for_others, out);
    assert_mp_result(mp__object_check(*out, MP__KIND_EVENT), 0);
    child_must_succeed(end_it, *out);
    assert_mp_error(mp__object_check(*out, MP__KIND_EVENT), MP_ECLOSED);
    child_must_succeed(create_for_others, out);
    mp__object_end(*out);
    assert_mp_error(mp__object_check(*out, MP__KIND_EVENT), MP_ECLOSED);
    mp_raw_free(shared);
}

/* ---- half-made ----------------------------------------------------------------------------- */

static int die_while_making(void *arg)
{
    (void)arg;
    void *run;
    (void)make(MP__KIND_LOCK, sizeof(struct mp__object));
    struct mp__object *object = make(MP__KIND_ARRAY, 500);
    assert_mp_result(mp__heap_attach(object, 300000, &run), 0);
    (void)raise(SIGKILL);
    return 1;
}

static void test_what_the_dead_had_half_made_goes_back_in_a_sweep(void **state)
{
    (void)state;
    mp__heap_sweep();
    mp__heap_give(make(MP__KIND_ARRAY, 500));
    mp__heap_sweep();
    struct mp__heap_count before = heap();
    check(child_wait(child_fork(die_while_making, NULL)) == -SIGKILL);
    check(heap().building >= before.building + 2);
    mp__heap_sweep();
    struct mp__heap_count after = heap();
    check(after.building == before.building);
    check(after.blocks == before.blocks && after.runs == before.runs);
}

static void test_what_the_living_have_half_made_stays(void **state)
{
    (void)state;
    struct mp__object *object = make(MP__KIND_ARRAY, 500);
    unsigned char *run;
    assert_mp_result(mp__heap_attach(object, 300000, &run), 0);
    memset(run, 1, 300000);
    mp__heap_sweep();
    check(mp__heap_attached(object) == run && run[0] == 1 && run[299999] == 1);
    mp__object_publish(object, MP__KIND_ARRAY);
    mp__heap_sweep();
    check(mp__heap_attached(object) == run && run[0] == 1 && run[299999] == 1);
    mp__object_end(object);
    check(heap().building == 0);
}

/* ---- sizes --------------------------------------------------------------------------------- */

static void test_an_object_may_have_any_size_up_to_a_block(void **state)
{
    (void)state;
    static const size_t sizes[] = {128, 129, 256, 257, 1000, 4096, 8192, 8193, 40000, 49152};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct mp__object *object = make(MP__KIND_BARRIER, sizes[i]);
        check((uintptr_t)object % 64 == 0);
        memset(object + 1, 0xee, sizes[i] - sizeof *object);
        mp__object_publish(object, MP__KIND_BARRIER);
        check(mp__heap_is_valid(NULL));
        mp__object_end(object);
    }
    void *none = NULL;
    assert_mp_error(mp__object_make(MP__KIND_BARRIER, 49153, &none), MP_EINVAL);
    check(none == NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("object: is closed to all until it is published",
                     test_an_object_is_closed_to_all_until_it_is_published),
        support_test("object: a check tells nothing, another kind and the ended apart",
                     test_a_check_tells_nothing_another_kind_and_the_ended_apart),
        support_test("object: begins empty, wherever it stands",
                     test_an_object_begins_empty_wherever_it_stands),
        support_test("object: no two lives at one address have the same serial",
                     test_no_two_lives_at_one_address_have_the_same_serial),
        support_test("object: the serial skips zero when it wraps",
                     test_the_serial_skips_zero_when_it_wraps),
        support_test("object: ending twice is ending once", test_ending_twice_is_ending_once),
        support_test("object: others than the creator only forget",
                     test_others_than_the_creator_only_forget),
        support_test("object: anybody may end what an ended process created",
                     test_anybody_may_end_what_an_ended_process_created),
        support_test("object: what the dead had half made goes back in a sweep",
                     test_what_the_dead_had_half_made_goes_back_in_a_sweep),
        support_test("object: what the living have half made stays",
                     test_what_the_living_have_half_made_stays),
        support_test("object: may have any size up to a block",
                     test_an_object_may_have_any_size_up_to_a_block),
    };
    return support_run("object", tests);
}
