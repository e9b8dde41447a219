/* Named blocks: what is made, who sees it, who removes it, and what is refused. */
#include "base/sanitized.h"
#include "support/support.h"
#include "support/trees.h"

#include <mp/shared_memory.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static char name[64], path[66]; /* path: name behind a slash */

static mp_shared_memory *block_create(size_t size)
{
    mp_shared_memory *block = NULL;
    assert_mp_ok(mp_shared_memory_create(&block, name, size));
    return block;
}

static mp_shared_memory *block_attach(void)
{
    mp_shared_memory *block = NULL;
    assert_mp_ok(mp_shared_memory_attach(&block, name));
    return block;
}

static void block_end(mp_shared_memory *block)
{
    assert_mp_ok(mp_shared_memory_unlink(block));
    mp_shared_memory_destroy(block);
}

/* What another program makes. */
static void foreign_make(size_t size)
{
    int fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    check(fd >= 0);
    check(ftruncate(fd, (off_t)size) == 0);
    check(close(fd) == 0);
}

/* ---- making and attaching -------------------------------------------------------------------- */

static void test_a_new_block_is_zeros_of_its_size_for_this_user(void **state)
{
    (void)state;
    struct stat st;
    mp_shared_memory *block = block_create(10001);
    const char *p = mp_shared_memory_buf(block);
    check(strcmp(mp_shared_memory_name(block), name) == 0);
    check(mp_shared_memory_size(block) == 10001);
    for (size_t i = 0; i < 10001; i++)
        check(p[i] == 0);
    int fd = shm_open(path, O_RDONLY, 0);
    check(fd >= 0 && fstat(fd, &st) == 0 && close(fd) == 0);
    check(st.st_size == 10001 && (st.st_mode & 0777) == 0600);
    check(st.st_blocks * 512 >= 10001); /* nothing is left to be taken later */
    block_end(block);
}

static void test_who_attaches_sees_the_same_memory(void **state)
{
    (void)state;
    mp_shared_memory *made = block_create(1);
    mp_shared_memory *attached = block_attach();
    check(mp_shared_memory_size(attached) == 1);
    check(mp_shared_memory_buf(attached) != mp_shared_memory_buf(made));
    *(char *)mp_shared_memory_buf(attached) = 'x';
    check(*(char *)mp_shared_memory_buf(made) == 'x');
    mp_shared_memory_destroy(attached);
    block_end(made);
}

static void test_a_block_without_a_name_is_given_one(void **state)
{
    (void)state;
    mp_shared_memory *block[2];
    for (int i = 0; i < 2; i++) {
        assert_mp_ok(mp_shared_memory_create(&block[i], NULL, 64));
        const char *given = mp_shared_memory_name(block[i]);
        check(strlen(given) == 12 && strncmp(given, "psm_", 4) == 0);
        check(strspn(given + 4, "0123456789abcdef") == 8);
        check(segment_exists(given));
    }
    check(strcmp(mp_shared_memory_name(block[0]), mp_shared_memory_name(block[1])) != 0);
    block_end(block[0]);
    block_end(block[1]);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void refuse_name(const char *bad)
{
    mp_shared_memory *block;
    assert_mp_error(mp_shared_memory_create(&block, bad, 8), MP_EINVAL);
    assert_mp_error(mp_shared_memory_attach(&block, bad), MP_EINVAL);
}

static void test_names_that_are_none_are_refused(void **state)
{
    (void)state;
    char longest[256];
    mp_shared_memory *block;
    memset(longest, 'x', sizeof longest - 1);
    memcpy(longest, name, strlen(name)); /* nobody else's */
    longest[255] = '\0';
    refuse_name("");
    refuse_name("a/b");
    refuse_name("/a");
    refuse_name(".");
    refuse_name("..");
    refuse_name(longest);
    longest[254] = '\0';
    assert_mp_ok(mp_shared_memory_create(&block, longest, 8));
    block_end(block);
    assert_mp_error(mp_shared_memory_attach(&block, NULL), MP_EINVAL);
}

static void test_sizes_that_are_none_are_refused(void **state)
{
    (void)state;
    mp_shared_memory *block;
    assert_mp_error(mp_shared_memory_create(&block, name, 0), MP_EINVAL);
    assert_mp_error(mp_shared_memory_create(&block, name, SIZE_MAX), -EFBIG);
    assert_mp_error(mp_shared_memory_create(NULL, name, 8), MP_EINVAL);
    check(!segment_exists(name));
}

static void test_a_name_that_nobody_has_cannot_be_attached(void **state)
{
    (void)state;
    mp_shared_memory *block;
    assert_mp_error(mp_shared_memory_attach(&block, name), -ENOENT);
    check(strstr(mp_error_detail(), name) != NULL);
}

static void test_a_block_of_no_bytes_cannot_be_attached(void **state)
{
    (void)state;
    mp_shared_memory *block;
    foreign_make(0);
    assert_mp_error(mp_shared_memory_attach(&block, name), MP_EINVAL);
    check(shm_unlink(path) == 0);
}

/* More than there is at all: the system refuses before it takes anything. */
static void test_too_little_memory_is_an_error_not_a_signal(void **state)
{
    (void)state;
    struct statvfs fs;
    mp_shared_memory *block;
    if (statvfs("/dev/shm", &fs) != 0 || fs.f_blocks == 0) {
        print_message("SKIPPED: how much /dev/shm may hold is not known here\n");
        skip();
    }
    uint64_t size = (uint64_t)fs.f_frsize * (fs.f_blocks + 16);
    if (size > PTRDIFF_MAX) {
        print_message("SKIPPED: /dev/shm may hold more than a process can map here\n");
        skip();
    }
    assert_mp_error(mp_shared_memory_create(&block, name, (size_t)size), -ENOSPC);
    check(!segment_exists(name));
    block_end(block_create(8)); /* nor is it noted any more */
}

static int pass_the_limit(void *unused)
{
    (void)unused;
    const struct rlimit limit = {1 << 20, 1 << 20};
    mp_shared_memory *block;
    check(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
    check(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    assert_mp_error(mp_shared_memory_create(&block, name, (1 << 20) + 1), -EFBIG);
    check(!segment_exists(name));
    block_end(block_create(1 << 20));
    return 0;
}

static void test_a_limit_of_size_is_an_error_not_a_signal(void **state)
{
    (void)state;
    child_must_succeed(pass_the_limit, NULL);
}

static int run_out_of_descriptors(void *unused)
{
    (void)unused;
    int last = 0;
    mp_shared_memory *block;
    for (int fd; (fd = dup(STDIN_FILENO)) >= 0; last = fd)
        ;
    assert_mp_error(mp_shared_memory_create(&block, name, 8), -EMFILE);
    assert_mp_error(mp_shared_memory_attach(&block, name), -EMFILE);
    check(close(last) == 0);
    block = block_create(8); /* the tracker's channel is there already */
    mp_shared_memory *other = block_attach();
    mp_shared_memory_destroy(other);
    block_end(block);
    return 0;
}

static void test_without_descriptors_it_is_an_error_that_passes(void **state)
{
    (void)state;
    child_must_succeed(run_out_of_descriptors, NULL);
}

static void test_what_is_no_block_is_told(void **state)
{
    (void)state;
    static uint64_t zeros[64];
    mp_shared_memory *none = (mp_shared_memory *)(void *)zeros;
    assert_mp_error(mp_shared_memory_close(NULL), MP_EINVAL);
    assert_mp_error(mp_shared_memory_unlink(NULL), MP_EINVAL);
    assert_mp_error(mp_shared_memory_track(NULL, true), MP_EINVAL);
    assert_mp_error(mp_shared_memory_close(none), MP_ETYPE);
    assert_mp_error(mp_shared_memory_unlink(none), MP_ETYPE);
    assert_mp_error(mp_shared_memory_track(none, false), MP_ETYPE);
    check(mp_shared_memory_buf(NULL) == NULL && mp_shared_memory_buf(none) == NULL);
    check(mp_shared_memory_name(NULL) == NULL && mp_shared_memory_name(none) == NULL);
    check(mp_shared_memory_size(NULL) == 0 && mp_shared_memory_size(none) == 0);
    mp_shared_memory_destroy(NULL);
}

/* ---- closing and unlinking ------------------------------------------------------------------- */

static void test_after_close_name_and_size_stay_and_the_memory_is_gone(void **state)
{
    (void)state;
    mp_shared_memory *block = block_create(100);
    assert_mp_result(mp_shared_memory_close(block), 0);
    assert_mp_result(mp_shared_memory_close(block), 0);
    check(mp_shared_memory_buf(block) == NULL);
    check(mp_shared_memory_size(block) == 100);
    check(strcmp(mp_shared_memory_name(block), name) == 0);
    check(segment_exists(name));
    block_end(block);
}

static void test_what_was_unlinked_lives_on_where_it_is_open(void **state)
{
    (void)state;
    mp_shared_memory *made = block_create(8), *attached = block_attach();
    assert_mp_result(mp_shared_memory_unlink(attached), 0);
    assert_mp_error(mp_shared_memory_unlink(attached), -ENOENT);
    assert_mp_error(mp_shared_memory_unlink(made), -ENOENT);
    strcpy(mp_shared_memory_buf(made), "there");
    check(strcmp(mp_shared_memory_buf(attached), "there") == 0);
    mp_shared_memory_destroy(made);
    mp_shared_memory_destroy(attached);
}

static void test_a_name_that_was_unlinked_may_be_anothers(void **state)
{
    (void)state;
    mp_shared_memory *first = block_create(8);
    assert_mp_result(mp_shared_memory_unlink(first), 0);
    mp_shared_memory *second = block_create(16);
    assert_mp_error(mp_shared_memory_unlink(first), -ENOENT);
    assert_mp_error(mp_shared_memory_track(first, true), -ENOENT);
    check(segment_exists(name));
    mp_shared_memory_destroy(first);
    block_end(second);
}

static int use_the_parents(void *arg)
{
    mp_shared_memory *block = arg;
    strcpy((char *)mp_shared_memory_buf(block) + 8, "child");
    mp_shared_memory_destroy(block);
    return 0;
}

static void test_a_forked_child_shares_the_block_and_closes_its_own(void **state)
{
    (void)state;
    mp_shared_memory *block = block_create(64);
    strcpy(mp_shared_memory_buf(block), "parent");
    child_must_succeed(use_the_parents, block);
    check(strcmp(mp_shared_memory_buf(block), "parent") == 0);
    check(strcmp((char *)mp_shared_memory_buf(block) + 8, "child") == 0);
    check(segment_exists(name));
    block_end(block);
}

/* ---- who removes it -------------------------------------------------------------------------- */

static int leave_a_block(void)
{
    (void)block_create(8);
    return raise(SIGKILL);
}

static void test_a_block_goes_with_the_tree_that_made_it(void **state)
{
    (void)state;
    check(tree_run(leave_a_block) == -SIGKILL);
    check(!segment_exists(name));
    check(strstr(tree_printed(), "1 leaked shared_memory objects") != NULL);
}

static int stop_tracking(void)
{
    mp_shared_memory *block = block_create(8);
    assert_mp_result(mp_shared_memory_track(block, true), 0);
    assert_mp_result(mp_shared_memory_track(block, false), 0);
    assert_mp_result(mp_shared_memory_track(block, false), 0);
    return 0;
}

static int attach_and_end(void)
{
    mp_shared_memory *block = block_attach();
    check(tree_tracker() == 0);
    mp_shared_memory_destroy(block);
    return 0;
}

static int attach_and_track(void)
{
    mp_shared_memory *block = block_attach();
    assert_mp_result(mp_shared_memory_close(block), 0);
    assert_mp_result(mp_shared_memory_track(block, true), 0);
    mp_shared_memory_destroy(block);
    return 0;
}

static void test_tracking_is_for_those_who_made_it_or_asked_for_it(void **state)
{
    (void)state;
    check(tree_run(stop_tracking) == 0);
    check(segment_exists(name));
    check(tree_run(attach_and_end) == 0);
    check(segment_exists(name));
    check(tree_run(attach_and_track) == 0);
    check(!segment_exists(name));
}

static int unlink_the_parents(void *arg)
{
    assert_mp_result(mp_shared_memory_unlink(arg), 0);
    return 0;
}

static int unlink_by_name(void *unused)
{
    (void)unused;
    mp_shared_memory *block = block_attach();
    assert_mp_result(mp_shared_memory_unlink(block), 0);
    mp_shared_memory_destroy(block);
    return 0;
}

/* Whoever removes the name, nobody is to remove the next of that name in its place. */
static int have_others_unlink(void)
{
    for (int i = 0; i < 2; i++) {
        mp_shared_memory *block = block_create(8);
        check(child_wait(child_fork(i == 0 ? unlink_the_parents : unlink_by_name, block)) == 0);
        assert_mp_error(mp_shared_memory_unlink(block), -ENOENT);
        mp_shared_memory_destroy(block);
    }
    foreign_make(8);
    return 0;
}

static void test_what_any_process_of_the_tree_unlinked_is_not_removed_again(void **state)
{
    (void)state;
    check(tree_run(have_others_unlink) == 0);
    check(segment_exists(name));
    check(strcmp(tree_printed(), "") == 0);
    check(shm_unlink(path) == 0);
}

static long pages_of(pid_t pid)
{
    char stat[64], text[64] = "";
    (void)snprintf(stat, sizeof stat, "/proc/%ld/statm", (long)pid);
    int fd = open(stat, O_RDONLY);
    check(fd >= 0 && read(fd, text, sizeof text - 1) > 0 && close(fd) == 0);
    return atol(text);
}

/* Twice: the tracker's memory has grown to what it needs after the first time. */
static int have_strangers_unlink_many(void)
{
    long pages = 0;
    for (int i = 0; i < 2 * 4000; i++) {
        if (i == 4000)
            pages = pages_of(tree_tracker());
        mp_shared_memory *block = block_create(8);
        check(shm_unlink(path) == 0);
        mp_shared_memory_destroy(block);
    }
    check(pages_of(tree_tracker()) <= pages + 8);
    return 0;
}

static void test_what_strangers_unlinked_is_not_remembered_for_ever(void **state)
{
    (void)state;
    check(tree_run(have_strangers_unlink_many) == 0);
    check(strcmp(tree_printed(), "") == 0);
}

static int fail_to_create(void)
{
    mp_shared_memory *block;
    assert_mp_error(mp_shared_memory_create(&block, name, 8), -EEXIST);
    assert_mp_error(mp_shared_memory_create(&block, name, SIZE_MAX), -EEXIST);
    return raise(SIGKILL);
}

static void test_a_block_of_others_is_left_alone(void **state)
{
    (void)state;
    foreign_make(8);
    check(tree_run(fail_to_create) == -SIGKILL);
    check(segment_exists(name));
    check(shm_unlink(path) == 0);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void make_in_a_thread(int thread)
{
    mp_shared_memory *block;
    (void)thread;
    assert_mp_ok(mp_shared_memory_create(&block, NULL, 4096));
    *(char *)mp_shared_memory_buf(block) = 1;
    block_end(block);
}

static int make_in_a_child(void *unused)
{
    (void)unused;
    mp_shared_memory *block;
    assert_mp_ok(mp_shared_memory_create(&block, NULL, 4096));
    block_end(block);
    return 0;
}

static int make_among_threads(void)
{
    fork_among_threads(make_in_a_thread, make_in_a_child, 100);
    return 0;
}

static void test_threads_and_their_forked_children_make_blocks_at_once(void **state)
{
    (void)state;
    if (SANITIZED) {
        print_message("SKIPPED: the sanitizer's allocator does not survive a fork among threads\n");
        skip();
    }
    check(tree_run(make_among_threads) == 0);
    check(strcmp(tree_printed(), "") == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("shared memory: a new block is zeros of its size, for this user",
                     test_a_new_block_is_zeros_of_its_size_for_this_user),
        support_test("shared memory: who attaches sees the same memory",
                     test_who_attaches_sees_the_same_memory),
        support_test("shared memory: a block without a name is given one",
                     test_a_block_without_a_name_is_given_one),
        support_test("shared memory: names that are none are refused",
                     test_names_that_are_none_are_refused),
        support_test("shared memory: sizes that are none are refused",
                     test_sizes_that_are_none_are_refused),
        support_test("shared memory: a name that nobody has cannot be attached",
                     test_a_name_that_nobody_has_cannot_be_attached),
        support_test("shared memory: a block of no bytes cannot be attached",
                     test_a_block_of_no_bytes_cannot_be_attached),
        support_test("shared memory: too little memory is an error, not a signal",
                     test_too_little_memory_is_an_error_not_a_signal),
        support_test("shared memory: a limit of size is an error, not a signal",
                     test_a_limit_of_size_is_an_error_not_a_signal),
        support_test("shared memory: without descriptors it is an error that passes",
                     test_without_descriptors_it_is_an_error_that_passes),
        support_test("shared memory: what is no block is told", test_what_is_no_block_is_told),
        support_test("shared memory: after close name and size stay, and the memory is gone",
                     test_after_close_name_and_size_stay_and_the_memory_is_gone),
        support_test("shared memory: what was unlinked lives on where it is open",
                     test_what_was_unlinked_lives_on_where_it_is_open),
        support_test("shared memory: a name that was unlinked may be another's",
                     test_a_name_that_was_unlinked_may_be_anothers),
        support_test("shared memory: a forked child shares the block and closes its own",
                     test_a_forked_child_shares_the_block_and_closes_its_own),
        support_test("shared memory: a block goes with the tree that made it",
                     test_a_block_goes_with_the_tree_that_made_it),
        support_test("shared memory: tracking is for those who made it or asked for it",
                     test_tracking_is_for_those_who_made_it_or_asked_for_it),
        support_test("shared memory: what any process of the tree unlinked is not removed again",
                     test_what_any_process_of_the_tree_unlinked_is_not_removed_again),
        support_test("shared memory: what strangers unlinked is not remembered for ever",
                     test_what_strangers_unlinked_is_not_remembered_for_ever),
        support_test("shared memory: a block of others is left alone",
                     test_a_block_of_others_is_left_alone),
        support_test("shared memory: threads and their forked children make blocks at once",
                     test_threads_and_their_forked_children_make_blocks_at_once),
    };
    (void)snprintf(name, sizeof name, "mp_block.%ld", (long)getpid());
    (void)snprintf(path, sizeof path, "/%s", name);
    trees_begin();
    return support_run("shared memory", tests);
}
