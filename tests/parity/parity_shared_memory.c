/* Python's TestSharedMemory: named blocks and shareable lists. */
#include "parity.h"
#include "support/trees.h"

#include <errno.h>
#include <fcntl.h>
#include <mp/shared_memory.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char *name_with(const char *prefix)
{
    static char name[4][64];
    static unsigned next;
    char *to = name[next++ % 4];
    (void)snprintf(to, sizeof name[0], "%s%ld", prefix, (long)getpid());
    return to;
}

static mp_shared_memory *block_create(const char *name, size_t size)
{
    mp_shared_memory *block = NULL;
    assert_mp_ok(mp_shared_memory_create(&block, name, size));
    return block;
}

static mp_shared_memory *block_attach(const char *name)
{
    mp_shared_memory *block = NULL;
    assert_mp_ok(mp_shared_memory_attach(&block, name));
    return block;
}

static void block_end(mp_shared_memory *block)
{
    assert_mp_result(mp_shared_memory_unlink(block), 0);
    mp_shared_memory_destroy(block);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void attributes_are_readable(mp_shared_memory *block, const char *name)
{
    check(strcmp(mp_shared_memory_name(block), name) == 0);
    check(mp_shared_memory_size(block) >= 512);
    char *p = mp_shared_memory_buf(block);
    p[0] = 42;
    check(p[0] == 42);
    mp_shared_memory *also = block_attach(name);
    check(((char *)mp_shared_memory_buf(also))[0] == 42);
    mp_shared_memory_destroy(also);
}

static void a_name_is_unlinked_once(void)
{
    const char *name = name_with("test01_dblunlink");
    mp_shared_memory *one = block_create(name, 5000);
    check(mp_shared_memory_size(one) >= 5000);
    mp_shared_memory *two = block_attach(name);
    assert_mp_result(mp_shared_memory_unlink(two), 0);
    mp_shared_memory_destroy(two);
    assert_mp_result(mp_shared_memory_close(one), 0);
    assert_mp_error(mp_shared_memory_unlink(one), -ENOENT);
    mp_shared_memory_destroy(one);
}

/* Without Python's size of an attached block, its repr, and flags of one's own. */
static void test_shared_memory_basics(void **state)
{
    (void)state;
    const char *name = name_with("test01_tsmb");
    mp_shared_memory *block = block_create(name, 512), *other;
    attributes_are_readable(block, name);
    assert_mp_error(mp_shared_memory_attach(&other, NULL), MP_EINVAL);
    a_name_is_unlinked_once();
    assert_mp_error(mp_shared_memory_create(&other, name, 512), -EEXIST);
    assert_mp_error(mp_shared_memory_attach(&other, "test01_notthere"), -ENOENT);
    assert_mp_result(mp_shared_memory_close(block), 0);
    block_end(block);
}

/* Python's test has the second name collide with the first; here nothing but chance could. */
static void test_shared_memory_recreate(void **state)
{
    (void)state;
    mp_shared_memory *block[50];
    for (int i = 0; i < 50; i++) {
        block[i] = block_create(NULL, 1);
        for (int j = 0; j < i; j++)
            check(strcmp(mp_shared_memory_name(block[i]), mp_shared_memory_name(block[j])) != 0);
    }
    for (int i = 0; i < 50; i++)
        block_end(block[i]);
}

/* A size cannot be negative here, nor be left out. */
static void test_invalid_shared_memory_creation(void **state)
{
    (void)state;
    mp_shared_memory *block;
    assert_mp_error(mp_shared_memory_create(&block, NULL, 0), MP_EINVAL);
    assert_mp_error(mp_shared_memory_create(&block, name_with("test"), 0), MP_EINVAL);
    assert_mp_error(mp_shared_memory_create(&block, NULL, (size_t)-1), -EFBIG);
}

static int attach_existing_then_write(void *arg)
{
    mp_shared_memory *block = block_attach(arg);
    memcpy(mp_shared_memory_buf(block), "howdy", 5);
    mp_shared_memory_destroy(block);
    return 0;
}

static int write_inherited(void *arg)
{
    mp_shared_memory *block = *(mp_shared_memory **)arg;
    memcpy(mp_shared_memory_buf(block), "HELLO", 5);
    assert_mp_result(mp_shared_memory_close(block), 0);
    return 0;
}

/* The second process inherits what Python pickles for it. */
static void test_shared_memory_across_processes(void **state)
{
    (void)state;
    mp_shared_memory *block = block_create(NULL, 512);
    const char *name = mp_shared_memory_name(block);
    finish_process_with(start_process(attach_existing_then_write, name, strlen(name) + 1), 0);
    check(memcmp(mp_shared_memory_buf(block), "howdy", 5) == 0);
    finish_process_with(start_process(write_inherited, &block, sizeof block), 0);
    check(memcmp(mp_shared_memory_buf(block), "HELLO", 5) == 0);
    block_end(block);
}

/* ---- whose it is ----------------------------------------------------------------------------- */

static struct signal_pipe name_pipe;

static int create_and_sleep(void *unused)
{
    (void)unused;
    char name[13] = "";
    mp_shared_memory *block = block_create(NULL, 10);
    strcpy(name, mp_shared_memory_name(block));
    check(write(name_pipe.write_fd, name, 12) == 12);
    (void)pause();
    return 1;
}

/* The tree is Python's other interpreter: the process that is terminated, and its tracker. */
static int be_terminated(void)
{
    char name[13] = "";
    pid_t pid = child_fork(create_and_sleep, NULL);
    check(read(name_pipe.read_fd, name, 12) == 12);
    check(segment_exists(name));
    check(kill(pid, SIGTERM) == 0);
    check(child_wait(pid) == -SIGTERM);
    while (segment_exists(name)) /* the time limit ends this */
        (void)usleep(1000);
    return 0;
}

static void test_shared_memory_cleaned_after_process_termination(void **state)
{
    (void)state;
    pipe_open(&name_pipe);
    check(tree_run(be_terminated) == 0);
    pipe_close(&name_pipe);
    check(strstr(tree_printed(), "resource_tracker: There appear to be 1 leaked shared_memory "
                                 "objects to clean up at shutdown") != NULL);
}

static char tracked_name[64];

static int attach_untracked(void)
{
    mp_shared_memory_destroy(block_attach(tracked_name));
    return 0;
}

static int attach_tracked(void)
{
    mp_shared_memory *block = block_attach(tracked_name);
    assert_mp_result(mp_shared_memory_track(block, true), 0);
    mp_shared_memory_destroy(block);
    return 0;
}

static void test_shared_memory_untracking(void **state)
{
    (void)state;
    mp_shared_memory *block = block_create(NULL, 10);
    strcpy(tracked_name, mp_shared_memory_name(block));
    check(tree_run(attach_untracked) == 0);
    check(strcmp(tree_printed(), "") == 0);
    mp_shared_memory_destroy(block_attach(tracked_name));
    block_end(block);
}

static void test_shared_memory_tracking(void **state)
{
    (void)state;
    mp_shared_memory *block = block_create(NULL, 10);
    strcpy(tracked_name, mp_shared_memory_name(block));
    check(tree_run(attach_tracked) == 0);
    check(strstr(tree_printed(), "resource_tracker: There appear to be 1 leaked shared_memory "
                                 "objects to clean up at shutdown") != NULL);
    assert_mp_error(mp_shared_memory_unlink(block), -ENOENT);
    mp_shared_memory_destroy(block);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void expect_item(mp_shareable_list *list, size_t i, mp_obj expected)
{
    mp_obj item;
    assert_mp_result(mp_shareable_list_get(list, i, &item), 0);
    check(item.type == expected.type && mp_obj_equal(item, expected));
    mp_obj_free(&item);
}

/* The formats of all items, one after the other, as they stand in the block. */
static void expect_format(mp_shareable_list *list, const char *expected)
{
    char format[128] = "";
    mp_shared_memory *block = mp_shareable_list_memory(list);
    int n = assert_mp_ok(mp_shareable_list_len(list));
    const char *end = (char *)mp_shared_memory_buf(block) + mp_shared_memory_size(block);
    for (int i = 0; i < n; i++)
        strncat(format, end - 9 * n + 8 * i, 8);
    if (strcmp(format, expected) != 0)
        support_fail(__FILE__, __LINE__, "the format is %s, not %s", format, expected);
}

static void items_are_read(mp_shareable_list *list)
{
    mp_obj item;
    assert_mp_error(mp_shareable_list_get(list, 7, &item), MP_EINDEX);
    assert_mp_error(mp_shareable_list_set(list, 7, MP(2)), MP_EINDEX);
    assert_mp_result(mp_shareable_list_set(list, 0, MP("howdy")), 0);
    expect_format(list, "8s8sdqxxxxxx?xxxxxxxx?q");
    assert_mp_result(mp_shareable_list_len(list), 7);
    assert_mp_error(mp_shareable_list_index(list, MP("100")), MP_EINVAL);
    assert_mp_result(mp_shareable_list_index(list, MP(100)), 3);
    expect_item(list, 0, MP("howdy"));
    expect_item(list, 1, mp_obj_bytes("HoWdY", 5));
    expect_item(list, 2, MP(-273.154));
    expect_item(list, 3, MP(100));
    expect_item(list, 4, mp_obj_none());
    expect_item(list, 5, mp_obj_bool(true));
    expect_item(list, 6, MP(42));
}

static void items_are_changed(mp_shareable_list *list)
{
    assert_mp_result(mp_shareable_list_set(list, 3, MP(42)), 0);
    expect_item(list, 3, MP(42));
    assert_mp_result(mp_shareable_list_set(list, 4, MP("some")), 0);
    expect_item(list, 4, MP("some"));
    expect_format(list, "8s8sdq8sxxxxxxx?q");
    assert_mp_error(mp_shareable_list_set(list, 4, MP("far too many")), MP_EOVERFLOW);
    expect_item(list, 4, MP("some"));
    assert_mp_result(mp_shareable_list_set(list, 0, MP("encod\xc3\xa9s")), 0);
    expect_item(list, 0, MP("encod\xc3\xa9s"));
    expect_item(list, 1, mp_obj_bytes("HoWdY", 5));
    assert_mp_error(mp_shareable_list_set(list, 0,
                                          MP("encod\xc3\xa9"
                                             "es")),
                    MP_EOVERFLOW);
    assert_mp_error(mp_shareable_list_set(list, 1, mp_obj_bytes("123456789", 9)), MP_EOVERFLOW);
    expect_item(list, 1, mp_obj_bytes("HoWdY", 5));
    assert_mp_result(mp_shareable_list_count(list, MP(42)), 2);
    assert_mp_result(mp_shareable_list_count(list, mp_obj_bytes("HoWdY", 5)), 1);
    assert_mp_result(mp_shareable_list_count(list, mp_obj_bytes("adios", 5)), 0);
}

/* There is no iterator: the items are taken one by one. */
static mp_shareable_list *duplicate_of(mp_shareable_list *list, const char *name)
{
    mp_obj items[7];
    mp_shareable_list *copy = NULL;
    for (size_t i = 0; i < 7; i++)
        assert_mp_result(mp_shareable_list_get(list, i, &items[i]), 0);
    assert_mp_ok(mp_shareable_list_create(&copy, mp_obj_list(items, 7), name));
    for (size_t i = 0; i < 7; i++) {
        expect_item(copy, i, items[i]);
        mp_obj_free(&items[i]);
    }
    return copy;
}

static void a_duplicate_is_another_list(mp_shareable_list *list)
{
    mp_shareable_list *copy = duplicate_of(list, name_with("test03_duplicate"));
    check(strcmp(mp_shareable_list_name(copy), name_with("test03_duplicate")) == 0);
    check(strcmp(mp_shareable_list_name(copy), mp_shareable_list_name(list)) != 0);
    /* the room is for bytes, of which the first text has more than Python counts characters */
    expect_format(copy, "16s8sdq8sxxxxxxx?q");
    assert_mp_result(mp_shareable_list_set(copy, 6, MP(77)), 0);
    expect_item(copy, 6, MP(77));
    expect_item(list, 6, MP(42));
    assert_mp_result(mp_shareable_list_unlink(copy), 0);
    mp_shareable_list_destroy(copy);
}

static void a_second_handle_is_the_same_list(mp_shareable_list *list)
{
    mp_shareable_list *tethered = NULL;
    assert_mp_ok(mp_shareable_list_attach(&tethered, mp_shareable_list_name(list)));
    check(strcmp(mp_shareable_list_name(tethered), mp_shareable_list_name(list)) == 0);
    assert_mp_result(mp_shareable_list_set(tethered, 6, MP(880)), 0);
    expect_item(list, 6, MP(880));
    mp_shareable_list_destroy(tethered);
}

static void an_empty_list_is_a_list(void)
{
    mp_shareable_list *empty = NULL;
    assert_mp_ok(mp_shareable_list_create(&empty, mp_obj_list(NULL, 0), NULL));
    assert_mp_result(mp_shareable_list_len(empty), 0);
    expect_format(empty, "");
    assert_mp_result(mp_shareable_list_count(empty, MP("any")), 0);
    assert_mp_error(mp_shareable_list_index(empty, mp_obj_none()), MP_EINVAL);
    assert_mp_result(mp_shareable_list_unlink(empty), 0);
    mp_shareable_list_destroy(empty);
}

/* Without the repr, and negative places. */
static void test_shared_memory_ShareableList_basics(void **state)
{
    (void)state;
    mp_shareable_list *list = NULL;
    assert_mp_ok(mp_shareable_list_create(&list,
                                          MP_LIST("howdy", mp_obj_bytes("HoWdY", 5), -273.154, 100,
                                                  mp_obj_none(), mp_obj_bool(true), 42),
                                          NULL));
    items_are_read(list);
    items_are_changed(list);
    a_duplicate_is_another_list(list);
    a_second_handle_is_the_same_list(list);
    assert_mp_result(mp_shareable_list_unlink(list), 0);
    mp_shareable_list_destroy(list);
    an_empty_list_is_a_list();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestSharedMemory: shared_memory_basics", test_shared_memory_basics),
        support_test("TestSharedMemory: shared_memory_recreate", test_shared_memory_recreate),
        support_test("TestSharedMemory: invalid_shared_memory_creation",
                     test_invalid_shared_memory_creation),
        support_test("TestSharedMemory: shared_memory_across_processes",
                     test_shared_memory_across_processes),
        support_test("TestSharedMemory: shared_memory_ShareableList_basics",
                     test_shared_memory_ShareableList_basics),
        support_test("TestSharedMemory: shared_memory_cleaned_after_process_termination",
                     test_shared_memory_cleaned_after_process_termination),
        support_test("TestSharedMemory: shared_memory_untracking", test_shared_memory_untracking),
        support_test("TestSharedMemory: shared_memory_tracking", test_shared_memory_tracking),
    };
    trees_begin();
    return support_run_processes("TestSharedMemory", tests);
}
