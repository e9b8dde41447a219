/* Lazy inputs that mp_pool_join takes in one thread, while another uses or destroys the iterator; and
 * inputs of pools that were terminated. */
#include "parity/parity_pool_kit.h"

#include <stdatomic.h>

/* Longer than anything here takes: who waits that long would wait for ever. */
#define LONG 20.0

/* An input that a join of another thread takes: endless, or of `most` items. */
struct input {
    mp_pool *pool;
    mp_imap *imap;
    int most, given, stop_at; /* at item stop_at it waits for `go_on` */
    double nap;               /* how long each item takes */
    mp_semaphore *stands;     /* it waits there */
    mp_event *go_on;
    atomic_bool is_inside, is_forbidden, has_stood;
    double join_for;
    int join_gave;
};

static int give_numbers(void *context, mp_obj *item)
{
    struct input *input = context;
    check(!atomic_load(&input->is_forbidden));
    if (input->most > 0 && input->given == input->most)
        return 0;
    atomic_store(&input->is_inside, true);
    if (input->given == input->stop_at) {
        atomic_store(&input->has_stood, true);
        assert_mp_result(mp_semaphore_release(input->stands), 0);
        assert_mp_result(mp_event_wait(input->go_on, MP_FOREVER), 0);
    }
    mp_sleep(input->nap);
    atomic_store(&input->is_inside, false);
    *item = MP(input->given++);
    return 1;
}

static void input_open(struct input *input, mp_pool *pool)
{
    input->pool = pool;
    input->stands = new_semaphore();
    input->go_on = new_event();
    assert_mp_result(mp_pool_imap_from(pool, identity, give_numbers, input, &input->imap, NULL), 0);
}

static void input_drop(struct input *input)
{
    mp_semaphore_destroy(input->stands);
    mp_event_destroy(input->go_on);
}

/* Once more where its time was over before it came to that item. */
static int join_input(void *arg)
{
    struct input *input = arg;
    do
        input->join_gave = mp_pool_join(input->pool, input->join_for);
    while (input->join_gave == MP_ETIMEOUT && input->imap != NULL &&
           !atomic_load(&input->has_stood));
    return 0;
}

static int let_go_on(void *arg)
{
    struct input *input = arg;
    return mp_event_set(input->go_on);
}

/* Where `pool` may have other inputs: the function is not called after the destroy, nor is it in
 * the middle of a call then. */
static void destroy_while_it_is_fed(struct input *input)
{
    struct target_thread setter;
    take(input->stands);
    start_thread(&setter, let_go_on, input);
    mp_imap_destroy(input->imap);
    check(!atomic_load(&input->is_inside));
    atomic_store(&input->is_forbidden, true);
    finish_thread(&setter);
}

static void test_an_iterator_is_destroyed_while_a_join_feeds_it(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct input input = {.stop_at = round * 3, .nap = 0.1, .join_for = MP_FOREVER};
        struct target_thread joiner;
        mp_pool *pool = new_pool(1);
        input_open(&input, pool);
        assert_mp_result(mp_pool_close(pool), 0);
        start_thread(&joiner, join_input, &input);
        destroy_while_it_is_fed(&input);
        finish_thread(&joiner);
        assert_mp_result(input.join_gave, 0);
        mp_pool_destroy(pool);
        input_drop(&input);
    }
}

/* Join takes the younger one first, which has no end; the other one is still to be taken then. */
static void test_an_endless_iterator_is_destroyed_beside_another(void **state)
{
    (void)state;
    struct input few = {.most = 10, .stop_at = -1};
    struct input endless = {.stop_at = 3, .nap = 0.001, .join_for = MP_FOREVER};
    struct target_thread joiner;
    mp_pool *pool = new_pool(1);
    mp_obj value;
    input_open(&few, pool);
    input_open(&endless, pool);
    assert_mp_result(mp_pool_close(pool), 0);
    start_thread(&joiner, join_input, &endless);
    destroy_while_it_is_fed(&endless);
    finish_thread(&joiner);
    assert_mp_result(endless.join_gave, 0);
    for (int i = 0; i < 10; i++) {
        assert_mp_result(mp_imap_next(few.imap, &value, LONG), 1);
        check(owned_int(&value) == i);
    }
    assert_mp_result(mp_imap_next(few.imap, &value, LONG), 0);
    mp_imap_destroy(few.imap);
    mp_pool_destroy(pool);
    input_drop(&few);
    input_drop(&endless);
}

static void test_a_join_that_feeds_heeds_its_timeout(void **state)
{
    (void)state;
    struct input input = {.stop_at = -1, .nap = 0.001};
    mp_pool *pool = new_pool(2);
    mp_obj value;
    input_open(&input, pool);
    assert_mp_result(mp_pool_close(pool), 0);
    do {
        double start = clock_seconds();
        assert_mp_error(mp_pool_join(pool, 0.3), MP_ETIMEOUT);
        check(clock_seconds() - start < LONG);
    } while (input.given == 0); /* it may have had no CPU in that time */
    int taken = input.given;
    for (int i = 0; i < taken; i++) {
        assert_mp_result(mp_imap_next(input.imap, &value, LONG), 1);
        check(owned_int(&value) == i);
    }
    mp_imap_destroy(input.imap);
    assert_mp_result(mp_pool_join(pool, LONG), 0);
    mp_pool_destroy(pool);
    input_drop(&input);
}

/* The function of the input keeps the join; who asks for a result has a time of its own. */
static void test_next_heeds_its_timeout_beside_a_join(void **state)
{
    (void)state;
    struct input input = {.most = 9, .stop_at = 3, .join_for = MP_FOREVER};
    struct target_thread joiner;
    mp_pool *pool = new_pool(2);
    mp_obj value;
    input_open(&input, pool);
    assert_mp_result(mp_pool_close(pool), 0);
    start_thread(&joiner, join_input, &input);
    take(input.stands);
    for (int i = 0; i < 3; i++) {
        assert_mp_result(mp_imap_next(input.imap, &value, LONG), 1);
        check(owned_int(&value) == i);
    }
    assert_mp_error(mp_imap_next(input.imap, &value, 0.2), MP_ETIMEOUT);
    assert_mp_error(mp_imap_next(input.imap, &value, MP_NOWAIT), MP_ETIMEOUT);
    assert_mp_result(mp_event_set(input.go_on), 0);
    for (int i = 3; i < 9; i++) {
        assert_mp_result(mp_imap_next(input.imap, &value, LONG), 1);
        check(owned_int(&value) == i);
    }
    assert_mp_result(mp_imap_next(input.imap, &value, LONG), 0);
    finish_thread(&joiner);
    assert_mp_result(input.join_gave, 0);
    mp_imap_destroy(input.imap);
    mp_pool_destroy(pool);
    input_drop(&input);
}

/* The first join stands in the input's function while the second one comes, and then has no time
 * left for the rest. */
static void test_a_join_takes_the_rest_when_anothers_time_is_over(void **state)
{
    (void)state;
    struct input input = {.most = 9, .stop_at = 3, .join_for = 0.2};
    struct input second = {.join_for = LONG};
    struct target_thread joiners[2];
    mp_pool *pool = new_pool(2);
    input_open(&input, pool);
    second.pool = pool;
    assert_mp_result(mp_pool_close(pool), 0);
    start_thread(&joiners[0], join_input, &input);
    take(input.stands);
    start_thread(&joiners[1], join_input, &second);
    mp_sleep(0.3); /* the time of the first one */
    assert_mp_result(mp_event_set(input.go_on), 0);
    finish_thread(&joiners[0]);
    assert_mp_error(input.join_gave, MP_ETIMEOUT);
    finish_thread(&joiners[1]);
    assert_mp_result(second.join_gave, 0);
    check(input.given == 9);
    mp_imap_destroy(input.imap);
    mp_pool_destroy(pool);
    input_drop(&input);
}

/* ---- the end of the pool -------------------------------------------------------------------- */

/* What was in flight ends somehow, then the input is said to have been cut off, once. */
static void test_the_input_of_a_terminated_pool_is_not_asked(void **state)
{
    (void)state;
    enum { TAKEN = 3 };
    struct input input = {.stop_at = -1};
    mp_pool *pool = new_pool(1);
    mp_obj value;
    input_open(&input, pool);
    for (int i = 0; i < TAKEN; i++) {
        assert_mp_result(mp_imap_next(input.imap, &value, LONG), 1);
        check(owned_int(&value) == i);
    }
    assert_mp_result(mp_pool_terminate(pool), 0);
    atomic_store(&input.is_forbidden, true);
    for (int i = TAKEN; i < input.given; i++) {
        int rc = mp_imap_next(input.imap, NULL, LONG);
        check(rc == 1 || rc == MP_EDIED || rc == MP_ECANCELLED);
    }
    assert_mp_error(mp_imap_next(input.imap, NULL, LONG), MP_ECANCELLED);
    for (int i = 0; i < 3; i++)
        assert_mp_result(mp_imap_next(input.imap, NULL, LONG), 0);
    mp_imap_destroy(input.imap);
    mp_pool_destroy(pool);
    input_drop(&input);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("an iterator is destroyed while a join feeds it",
                     test_an_iterator_is_destroyed_while_a_join_feeds_it),
        support_test("a join that feeds heeds its timeout",
                     test_a_join_that_feeds_heeds_its_timeout),
        support_test("next heeds its timeout beside a join that feeds",
                     test_next_heeds_its_timeout_beside_a_join),
        support_test("a join takes the rest when another's time is over",
                     test_a_join_takes_the_rest_when_anothers_time_is_over),
        support_test("the input of a terminated pool is not asked",
                     test_the_input_of_a_terminated_pool_is_not_asked),
        support_test("an endless iterator is destroyed while a join feeds it, beside another",
                     test_an_endless_iterator_is_destroyed_beside_another),
    };
    return support_run_processes("inputs that a join takes", tests);
}
