/* The arena: who shares it, how large it gets, and what happens when it is full.
 *
 * The arena is made once in the life of a process, so each test has a child of its own for that;
 * the program itself never makes one. */
#include "support/support.h"

#include "base/sanitized.h"
#include "memory/arena.h"

#include <errno.h>
#include <mp/sharedctypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static mp_value *new_value(int number)
{
    mp_value *value;
    assert_mp_result(mp_value_create(&value, 'i', &number), 0);
    return value;
}

/* ---- who shares it ------------------------------------------------------------------------- */

struct family {
    mp_value *value;
    struct mp__arena *arena;
    uint64_t id;
};

static int change_value(void *arg)
{
    struct family *family = arg;
    check(mp__arena == family->arena && mp__arena->id == family->id);
    MP_VALUE(int, family->value) = 2;
    return 0;
}

static int share_with_child(void *arg)
{
    (void)arg;
    check(mp__arena == NULL);
    struct family family = {.value = new_value(1)};
    family.arena = mp__arena;
    family.id = mp__arena->id;
    child_must_succeed(change_value, &family);
    check(MP_VALUE(int, family.value) == 2);
    return 0;
}

static void test_an_arena_made_before_the_fork_is_shared(void **state)
{
    (void)state;
    child_must_succeed(share_with_child, NULL);
}

struct both_worlds {
    struct signal_pipe to_parent, to_child;
};

static int change_value_of_own(void *arg)
{
    struct both_worlds *worlds = arg;
    mp_value *value = new_value(1);
    check(write(worlds->to_parent.write_fd, &mp__arena->id, sizeof mp__arena->id) == 8);
    check(pipe_await(&worlds->to_child) == 'c');
    check(MP_VALUE(int, value) == 1);
    return 0;
}

static int fork_before_arena(void *arg)
{
    struct both_worlds *worlds = arg;
    uint64_t other_id;
    check(mp__arena == NULL);
    pid_t pid = child_fork(change_value_of_own, worlds);
    mp_value *value = new_value(1);
    check(read(worlds->to_parent.read_fd, &other_id, sizeof other_id) == 8);
    check(other_id != mp__arena->id);
    MP_VALUE(int, value) = 3;
    pipe_tell(&worlds->to_child, 'c');
    check(child_wait(pid) == 0);
    check(mp__life_count() == 1);
    return 0;
}

static void test_processes_that_forked_before_have_each_their_own(void **state)
{
    (void)state;
    struct both_worlds worlds;
    pipe_open(&worlds.to_parent);
    pipe_open(&worlds.to_child);
    child_must_succeed(fork_before_arena, &worlds);
    pipe_close(&worlds.to_parent);
    pipe_close(&worlds.to_child);
}

enum { THREADS = 8 };

static pthread_barrier_t all_here;

static void *create_at_once(void *arg)
{
    (void)pthread_barrier_wait(&all_here);
    assert_mp_result(mp_lock_create(arg), 0);
    return NULL;
}

static int create_in_threads(void *arg)
{
    (void)arg;
    pthread_t threads[THREADS];
    mp_lock *locks[THREADS];
    check(pthread_barrier_init(&all_here, NULL, THREADS) == 0);
    int before = census_open_descriptors();
    for (int i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, create_at_once, &locks[i]) == 0);
    for (int i = 0; i < THREADS; i++)
        check(pthread_join(threads[i], NULL) == 0);
    check(census_open_descriptors() == before + 1);
    check(mp__life_count() == 1);
    for (int i = 0; i < THREADS; i++) {
        check((char *)locks[i] > (char *)mp__arena);
        check((char *)locks[i] < (char *)mp__arena + mp__arena->size);
    }
    return 0;
}

static void test_threads_that_come_at_once_make_one_arena(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        child_must_succeed(create_in_threads, NULL);
}

/* ---- how large it gets --------------------------------------------------------------------- */

static size_t size_asked_for;

static int make_arena(void *arg)
{
    if (arg != NULL)
        check(setenv("LIBMP_ARENA_SIZE", arg, 1) == 0);
    mp_value *value = new_value(5);
    check(size_asked_for == 0 || mp__arena->size == size_asked_for);
    check(mp__arena->size >= (size_t)1 << 20);
    check(mp__arena->size / MP__GRANULE <= MP__GRANULES_MAX);
    check(mp__arena->size % MP__GRANULE == 0);
    check(mp__arena->budget <= mp__arena->granules - mp__arena->first);
    check(mp__arena->budget <= mp__memory_limit() / MP__GRANULE);
    check(mp__heap_is_valid(NULL));
    check(MP_VALUE(int, value) == 5);
    return 0;
}

static void check_size(const char *text, size_t size)
{
    char copy[64];
    (void)snprintf(copy, sizeof copy, "%s", text);
    size_asked_for = size;
    child_must_succeed(make_arena, copy);
    size_asked_for = 0;
}

static void test_the_environment_sets_the_size(void **state)
{
    (void)state;
    check_size("4194304", (size_t)4 << 20);
    check_size("0x800000", (size_t)8 << 20);
    check_size("4194305", (size_t)4 << 20);
    check_size("67108864", (size_t)64 << 20);
}

static void test_a_size_too_small_is_made_one_that_works(void **state)
{
    (void)state;
    check_size("1", (size_t)1 << 20);
    check_size("65536", (size_t)1 << 20);
}

static void test_a_size_that_is_none_does_not_count(void **state)
{
    (void)state;
    static const char *const none[] = {"", "0", "big", "4194304x", "4 MiB", "1e9"};
    size_t size = mp__address_limit() / MP__GRANULE * MP__GRANULE;
    if (SANITIZED)
        size = 0; /* there the largest piece that fits may be smaller */
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        check_size(none[i], size);
}

static void test_the_hugest_size_is_cut(void **state)
{
    (void)state;
    check_size("18446744073709551615", 0);
    check_size("999999999999999999999999", 0);
}

static size_t address_space_in_use(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    check(file != NULL);
    check(fscanf(file, "%zu", &pages) == 1);
    check(fclose(file) == 0);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit_address_space(rlim_t bytes)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = bytes;
    check(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void need_address_space(void)
{
    if (SANITIZED) {
        print_message("SKIPPED: a sanitizer takes all address space for itself\n");
        skip();
    }
}

static void *do_nothing(void *arg)
{
    return arg;
}

static int work_in_limited_space(void *arg)
{
    (void)arg;
    pthread_t thread;
    limit_address_space((rlim_t)512 << 20);
    mp_value *value = new_value(5);
    check(mp__arena->size <= (size_t)128 << 20);
    void *memory = malloc((size_t)64 << 20);
    check(memory != NULL);
    check(pthread_create(&thread, NULL, do_nothing, NULL) == 0);
    check(pthread_join(thread, NULL) == 0);
    free(memory);
    check(MP_VALUE(int, value) == 5);
    return 0;
}

static void test_limited_address_space_is_left_to_the_program(void **state)
{
    (void)state;
    need_address_space();
    child_must_succeed(work_in_limited_space, NULL);
}

static int begin_without_space(void *arg)
{
    (void)arg;
    mp_lock *lock;
    int before = census_open_descriptors();
    check(setenv("LIBMP_ARENA_SIZE", "1073741824", 1) == 0);
    limit_address_space(address_space_in_use() + ((rlim_t)512 << 10));
    assert_mp_error(mp_lock_create(&lock), -ENOMEM);
    assert_mp_error(mp_lock_create(&lock), -ENOMEM);
    check(census_open_descriptors() == before);
    limit_address_space(address_space_in_use() + ((rlim_t)20 << 20));
    assert_mp_result(mp_lock_create(&lock), 0);
    check(mp__arena->size >= (size_t)1 << 20 && mp__arena->size <= (size_t)20 << 20);
    check(mp__heap_is_valid(NULL));
    return 0;
}

static void test_without_any_space_the_first_call_says_so_and_may_be_repeated(void **state)
{
    (void)state;
    need_address_space();
    child_must_succeed(begin_without_space, NULL);
}

static int begin_without_descriptors(void *arg)
{
    (void)arg;
    mp_lock *lock;
    struct rlimit limit;
    check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 0;
    check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    assert_mp_error(mp_lock_create(&lock), -EMFILE);
    limit.rlim_cur = before;
    check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    assert_mp_result(mp_lock_create(&lock), 0);
    mp_lock_destroy(lock);
    return 0;
}

static void test_without_any_descriptor_the_first_call_says_so_and_may_be_repeated(void **state)
{
    (void)state;
    child_must_succeed(begin_without_descriptors, NULL);
}

/* ---- full ---------------------------------------------------------------------------------- */

/* What an arena of 4 MiB is filled with, in turn: sizes, or constructors. */
enum { MOST_THINGS = 100000 };

static void *things[MOST_THINGS];

static int take_memory(void **out, size_t i)
{
    static const size_t sizes[] = {1, 64, 65, 1000, 8192, 8193, 65536, 65537, 200000, 1 << 20};
    size_t size = sizes[i % (sizeof sizes / sizeof *sizes)];
    int rc = mp_raw_alloc(out, size);
    if (rc == 0)
        memset(*out, 0xab, size);
    return rc;
}

static void give_memory(void *thing, size_t i)
{
    (void)i;
    mp_raw_free(thing);
}

static int take_object(void **out, size_t i)
{
    switch (i % 7) {
    case 0:
        return mp_lock_create((mp_lock **)out);
    case 1:
        return mp_condition_create((mp_condition **)out, NULL);
    case 2:
        return mp_barrier_create((mp_barrier **)out, 4096, NULL, NULL, MP_FOREVER);
    case 3:
        return mp_array_create((mp_array **)out, 'd', 20000, NULL);
    case 4:
        return mp_array_create((mp_array **)out, 'i', 50, NULL);
    case 5:
        return mp_bounded_semaphore_create((mp_bounded_semaphore **)out, 100);
    default:
        return mp_value_create_sized((mp_value **)out, 9000, NULL);
    }
}

static void give_object(void *thing, size_t i)
{
    switch (i % 7) {
    case 0:
        mp_lock_destroy(thing);
        break;
    case 1:
        mp_condition_destroy(thing);
        break;
    case 2:
        mp_barrier_destroy(thing);
        break;
    case 3:
    case 4:
        mp_array_destroy(thing);
        break;
    case 5:
        mp_bounded_semaphore_destroy(thing);
        break;
    default:
        mp_value_destroy(thing);
        break;
    }
}

struct filling {
    int (*take)(void **out, size_t i);
    void (*give)(void *thing, size_t i);
};

/* Takes each kind until none fits any more; how many there are. */
static size_t fill(const struct filling *filling)
{
    size_t taken = 0;
    int refused_in_a_row = 0;
    for (size_t i = 0; refused_in_a_row < 20; i++) {
        check(i < MOST_THINGS);
        things[i] = NULL;
        int rc = filling->take(&things[i], i);
        if (rc == 0)
            taken++;
        else
            assert_mp_error(rc, -ENOMEM);
        refused_in_a_row = rc == 0 ? 0 : refused_in_a_row + 1;
        things[i + 1] = NULL;
    }
    return taken;
}

static void empty(const struct filling *filling, size_t most)
{
    for (size_t i = 0; i < most; i++) {
        if (things[i] != NULL)
            filling->give(things[i], i);
        things[i] = NULL;
    }
}

static int fill_twice(void *arg)
{
    const struct filling *filling = arg;
    struct mp__heap_count count;
    check(setenv("LIBMP_ARENA_SIZE", "4194304", 1) == 0);
    assert_mp_result(mp__arena_ensure(), 0);
    size_t first = fill(filling);
    check(first > 20);
    check(mp__heap_is_valid(&count));
    check(count.granules - count.free_granules <= mp__arena->budget);
    empty(filling, MOST_THINGS);
    check(mp__heap_is_valid(&count));
    check(count.blocks == 0 && count.runs == 0 && count.building == 0);
    check(fill(filling) == first);
    empty(filling, MOST_THINGS);
    check(fill(filling) == first);
    return 0;
}

static void test_full_with_memory_is_told_and_all_of_it_comes_back(void **state)
{
    (void)state;
    struct filling filling = {take_memory, give_memory};
    child_must_succeed(fill_twice, &filling);
}

static void test_full_with_objects_is_told_and_all_of_it_comes_back(void **state)
{
    (void)state;
    struct filling filling = {take_object, give_object};
    child_must_succeed(fill_twice, &filling);
}

static int work_in_full_arena(void *arg)
{
    (void)arg;
    struct filling filling = {take_memory, give_memory};
    mp_lock *lock;
    mp_condition *condition;
    check(setenv("LIBMP_ARENA_SIZE", "4194304", 1) == 0);
    assert_mp_result(mp_lock_create(&lock), 0);
    assert_mp_result(mp_condition_create(&condition, NULL), 0);
    mp_value *value = new_value(7);
    (void)fill(&filling);
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    assert_mp_result(mp_lock_release(lock), 0);
    assert_mp_result(mp_condition_acquire(condition, MP_FOREVER), 0);
    assert_mp_error(mp_condition_wait(condition, 0.01), MP_ETIMEOUT);
    assert_mp_result(mp_condition_notify_all(condition), 0);
    assert_mp_result(mp_condition_release(condition), 0);
    check(MP_VALUE(int, value) == 7);
    empty(&filling, MOST_THINGS);
    check(MP_VALUE(int, value) == 7);
    return 0;
}

static void test_what_there_is_goes_on_working_in_a_full_arena(void **state)
{
    (void)state;
    child_must_succeed(work_in_full_arena, NULL);
}

static int ask_for_too_much(void *arg)
{
    (void)arg;
    void *memory = NULL;
    static const size_t sizes[] = {SIZE_MAX - 65535, SIZE_MAX / 2, (size_t)5 << 20};
    check(setenv("LIBMP_ARENA_SIZE", "4194304", 1) == 0);
    assert_mp_error(mp_raw_alloc(&memory, SIZE_MAX), -ENOMEM);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mp_value *value = NULL;
        mp_array *array = NULL;
        assert_mp_error(mp_raw_alloc(&memory, sizes[i]), -ENOMEM);
        check(mp_value_create_sized(&value, sizes[i], NULL) < 0);
        assert_mp_error(mp_array_create(&array, 'b', sizes[i], NULL), -ENOMEM);
        check(memory == NULL && value == NULL && array == NULL);
    }
    check(mp__heap_is_valid(NULL));
    return 0;
}

static void test_more_than_there_is_is_refused_at_once(void **state)
{
    (void)state;
    child_must_succeed(ask_for_too_much, NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("arena: made before the fork it is shared",
                     test_an_arena_made_before_the_fork_is_shared),
        support_test("arena: processes that forked before have each their own",
                     test_processes_that_forked_before_have_each_their_own),
        support_test("arena: threads that come at once make one",
                     test_threads_that_come_at_once_make_one_arena),
        support_test("arena: the environment sets the size", test_the_environment_sets_the_size),
        support_test("arena: a size too small is made one that works",
                     test_a_size_too_small_is_made_one_that_works),
        support_test("arena: a size that is none does not count",
                     test_a_size_that_is_none_does_not_count),
        support_test("arena: the hugest size is cut", test_the_hugest_size_is_cut),
        support_test("arena: limited address space is left to the program",
                     test_limited_address_space_is_left_to_the_program),
        support_test("arena: without any space the first call says so and may be repeated",
                     test_without_any_space_the_first_call_says_so_and_may_be_repeated),
        support_test("arena: without any descriptor the first call says so and may be repeated",
                     test_without_any_descriptor_the_first_call_says_so_and_may_be_repeated),
        support_test("arena: full with memory is told, and all of it comes back",
                     test_full_with_memory_is_told_and_all_of_it_comes_back),
        support_test("arena: full with objects is told, and all of it comes back",
                     test_full_with_objects_is_told_and_all_of_it_comes_back),
        support_test("arena: what there is goes on working when it is full",
                     test_what_there_is_goes_on_working_in_a_full_arena),
        support_test("arena: more than there is is refused at once",
                     test_more_than_there_is_is_refused_at_once),
    };
    support_begin();
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL) != 0;
}
