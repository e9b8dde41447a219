/* Shared pages, pages that a fork wipes, how much may be asked for, and random bytes. */
#include "support/support.h"

#include "base/sanitized.h"
#include "platform/platform.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const size_t page = 4096;

static bool is_all(const unsigned char *p, size_t n, unsigned char byte)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != byte)
            return false;
    return true;
}

static int write_twos(void *arg)
{
    unsigned char *p = arg;
    check(is_all(p, page, 1));
    memset(p, 2, page);
    return 0;
}

static void test_shared_pages_are_zeroed_and_the_same_in_children(void **state)
{
    (void)state;
    unsigned char *p = mp__map_shared(16 * page);
    check(p != NULL);
    check(is_all(p, 16 * page, 0));
    memset(p, 1, page);
    child_must_succeed(write_twos, p);
    check(is_all(p, page, 2));
    mp__map_release(p, 16 * page);
}

static void test_what_can_not_be_mapped_is_refused(void **state)
{
    (void)state;
    check(mp__map_shared(SIZE_MAX / 65536 * 65536) == NULL);
}

/* As much as an arena asks for, of which one page is used. */
static void test_unused_pages_cost_nothing(void **state)
{
    (void)state;
    size_t size = mp__address_limit();
    struct rusage before, after;
    check(getrusage(RUSAGE_SELF, &before) == 0);
    unsigned char *p = mp__map_shared(size);
    if (p == NULL) {
        print_message("SKIPPED: this system has no room for an arena of %zu bytes\n", size);
        skip();
    }
    p[size / 2] = 1;
    check(getrusage(RUSAGE_SELF, &after) == 0);
    check(after.ru_maxrss - before.ru_maxrss < 16 * 1024);
    mp__map_release(p, size);
}

static void test_punched_pages_can_be_used_again(void **state)
{
    (void)state;
    size_t size = (size_t)1 << 20;
    unsigned char *p = mp__map_shared(3 * size);
    check(p != NULL);
    memset(p, 7, 3 * size);
    mp__map_punch(p + size, size);
    check(is_all(p, size, 7));
    check(is_all(p + 2 * size, size, 7));
    memset(p + size, 8, size);
    check(is_all(p + size, size, 8));
    mp__map_release(p, 3 * size);
}

/* ---- wiped by fork ------------------------------------------------------------------------- */

static unsigned char *wiped_page;
static bool wiped_by_handler;

static void wipe(void)
{
    memset(wiped_page, 0, page);
    wiped_by_handler = true;
}

enum { BY_SYSTEM, BY_HANDLER, NOT_WIPED };

static int find_zeroes(void *arg)
{
    (void)arg;
    if (!is_all(wiped_page, page, 0))
        return NOT_WIPED;
    return wiped_by_handler ? BY_HANDLER : BY_SYSTEM;
}

static pid_t clone_without_handlers(void)
{
    return (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, 0UL, 0UL, 0UL, 0UL);
}

static void test_wiped_pages_are_zero_in_every_child(void **state)
{
    (void)state;
    wiped_page = mp__map_wiped(page, wipe);
    check(wiped_page != NULL);
    check(is_all(wiped_page, page, 0));
    memset(wiped_page, 5, page);
    int how = child_wait(child_fork(find_zeroes, NULL));
    check(how != NOT_WIPED);
    if (how == BY_SYSTEM) {
        pid_t pid = clone_without_handlers();
        check(pid >= 0);
        if (pid == 0)
            _exit(find_zeroes(NULL));
        check(child_wait(pid) == BY_SYSTEM);
    } else
        print_message("not checked: a clone without fork handlers, for the system does not wipe\n");
    check(is_all(wiped_page, page, 5));
}

/* ---- limits -------------------------------------------------------------------------------- */

static void test_limits_leave_room_for_others(void **state)
{
    (void)state;
    check(mp__address_limit() >= (size_t)1 << 20);
    check((uint64_t)mp__address_limit() <= (uint64_t)16 << 30);
    check(mp__memory_limit() >= (size_t)1 << 20);
}

static int ask_under_a_limit(void *arg)
{
    size_t space = *(const size_t *)arg;
    struct rlimit limit = {.rlim_cur = space, .rlim_max = space};
    check(setrlimit(RLIMIT_AS, &limit) == 0);
    check(mp__address_limit() <= space / 4);
    check(mp__address_limit() > 0);
    return 0;
}

static void test_a_limit_of_address_space_is_shared_with_the_program(void **state)
{
    (void)state;
    if (SANITIZED) {
        print_message("SKIPPED: a sanitizer takes all address space for itself\n");
        skip();
    }
    static const size_t spaces[] = {(size_t)1 << 31, (size_t)400 << 20, (size_t)100 << 20};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        size_t space = spaces[i];
        child_must_succeed(ask_under_a_limit, &space);
    }
}

static void test_random_bytes_differ_each_time(void **state)
{
    (void)state;
    unsigned char a[32] = {0}, b[32] = {0};
    assert_mp_result(mp__entropy(a, sizeof a), 0);
    assert_mp_result(mp__entropy(b, sizeof b), 0);
    check(memcmp(a, b, sizeof a) != 0);
    check(!is_all(a, sizeof a, 0));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("shared pages: are zeroed, and the same in children",
                     test_shared_pages_are_zeroed_and_the_same_in_children),
        support_test("shared pages: what can not be mapped is refused",
                     test_what_can_not_be_mapped_is_refused),
        support_test("shared pages: unused ones cost nothing", test_unused_pages_cost_nothing),
        support_test("shared pages: punched ones can be used again",
                     test_punched_pages_can_be_used_again),
        support_test("wiped pages: are zero in every child",
                     test_wiped_pages_are_zero_in_every_child),
        support_test("limits: leave room for others", test_limits_leave_room_for_others),
        support_test("limits: address space is shared with the program",
                     test_a_limit_of_address_space_is_shared_with_the_program),
        support_test("entropy: random bytes differ each time", test_random_bytes_differ_each_time),
    };
    return support_run("mapping", tests);
}
