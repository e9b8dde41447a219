/* A worker dies with a result in hand, and another has the memory of it before the supervisor puts
 * in order what the dead one left. */
#include "kill/harness.h"

#include <mp/mp.h>
#include <mp/pool.h>

#include <signal.h>
#include <string.h>

enum { PIECES = 300, PIECE_SIZE = 350 };

/* Seconds after which a result counts as one that never comes. */
static const double patience = 30;

/* Somebody dies at the step, and the supervisor reaps him only when others have had his memory. */
struct scene {
    atomic_int died, was_used;
    const char *step;
};

static struct scene *scene;
static mp_pool *pool;

static void die_or_delay(const char *name)
{
    int nobody = 0;
    if (strcmp(name, scene->step) == 0 && atomic_compare_exchange_strong(&scene->died, &nobody, 1))
        (void)raise(SIGKILL);
    if (strcmp(name, "supervisor.reaped") == 0 && atomic_load(&scene->died))
        (void)kill_await(&scene->was_used);
}

static void text_of(int64_t x, char text[PIECE_SIZE + 1])
{
    for (size_t i = 0; i < PIECE_SIZE; i++)
        text[i] = (char)('a' + (x * 7 + (int64_t)i) % 26);
    text[PIECE_SIZE] = '\0';
}

static int give_text(mp_obj arg, mp_obj *result)
{
    char text[PIECE_SIZE + 1];
    text_of(arg.i, text);
    return mp_task_return(result, MP(text));
}

static int fail_with_text(mp_obj arg, mp_obj *result)
{
    char text[PIECE_SIZE + 1];
    (void)result;
    text_of(arg.i, text);
    return mp_task_fail(1, "%s", text);
}

static mp_async_result *texts_ask(mp_task *task, int64_t first, mp_obj *errors)
{
    mp_obj item[PIECES];
    mp_async_result *result;
    for (int64_t i = 0; i < PIECES; i++)
        item[i] = MP(first + i);
    assert_mp_ok(mp_pool_map_async(pool, task, mp_obj_list(item, PIECES), &result,
                                   &(mp_map_options){.errors = errors}));
    assert_mp_result(mp_async_result_wait(result, patience), 0);
    return result;
}

static void texts_check(mp_async_result *result, int64_t first, mp_obj *errors)
{
    mp_obj results;
    int rc = mp_async_result_get(result, &results, MP_NOWAIT);
    assert_true(rc == 0 || rc == MP_ETASK);
    for (int64_t i = 0; i < PIECES; i++) {
        char text[PIECE_SIZE + 1];
        const char *got;
        const mp_obj *o = mp_obj_item(rc == 0 ? results : *errors, (size_t)i);
        text_of(first + i, text);
        assert_mp_ok(mp_obj_unpack(*o, rc == 0 ? "s" : "is", rc == 0 ? (void *)&got : NULL, &got));
        assert_string_equal(got, text);
    }
    mp_obj_free(&results);
    mp_obj_free(errors);
    mp_async_result_destroy(result);
}

static void die_with_a_result_in_hand(const char *step, mp_task *task)
{
    mp_async_result *lost;
    mp_obj errors[2];
    struct kill_clock clock;
    struct mp__heap_count count;
    memset((void *)scene, 0, sizeof *scene);
    scene->step = step;
    mp__step_hook = die_or_delay;
    assert_mp_ok(mp_pool_create(&pool, 2, NULL));
    mp__step_hook = NULL;
    assert_mp_ok(mp_pool_apply_async(pool, task, MP(0), &lost, NULL));
    assert_true(kill_await(&scene->died));
    kill_clock_start(&clock);
    do {
        mp__heap_sweep();
        assert_true(mp__heap_is_valid(&count));
    } while (count.building > 0 && kill_clock_tick(&clock, KILL_HANG_SECONDS));
    mp_async_result *had = texts_ask(task, 1000, &errors[0]);
    atomic_store(&scene->was_used, 1);
    assert_mp_error(mp_async_result_get(lost, NULL, patience), MP_EDIED);
    texts_check(texts_ask(task, 5000, &errors[1]), 5000, &errors[1]);
    texts_check(had, 1000, &errors[0]);
    mp_async_result_destroy(lost);
    mp_pool_destroy(pool);
}

static void test_memory_of_the_dead_is_not_taken_from_who_has_it_now(void **state)
{
    (void)state;
    scene = kill_shared(sizeof *scene);
    die_with_a_result_in_hand("worker.piece", give_text);
    die_with_a_result_in_hand("worker.joined", give_text);
    die_with_a_result_in_hand("worker.text", fail_with_text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("memory of the dead is not taken from who has it now",
                     test_memory_of_the_dead_is_not_taken_from_who_has_it_now),
    };
    return support_run_processes("result in hand", tests);
}
