/* The error table, its three texts for every number, and what is kept of the last failure. */
#include "support/support.h"

#include <errno.h>
#include <limits.h>
#include <mp/context.h>
#include <mp/synchronize.h>
#include <pthread.h>
#include <string.h>

struct row {
    int code;
    const char *name, *text, *exception;
};

#define ROW(name, text, exception) {MP_##name, "MP_" #name, text, exception},
static const struct row rows[] = {MP_ERRORS_(ROW)};
enum { ROWS = sizeof rows / sizeof *rows };

static void test_every_own_code_has_its_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        assert_string_equal(mp_error_name(rows[i].code), rows[i].name);
        assert_string_equal(mp_strerror(rows[i].code), rows[i].text);
        assert_string_equal(mp_error_exception(rows[i].code), rows[i].exception);
        check(rows[i].text[0] != '\0' && rows[i].exception[0] != '\0');
    }
}

static void test_own_codes_are_in_a_row_below_those_of_the_system(void **state)
{
    (void)state;
    check(ROWS == 23);
    check(MP_EEMPTY == -4999 && MP_ENOSLOT == -4977);
    for (size_t i = 0; i < ROWS; i++)
        check(rows[i].code == -4999 + (int)i && rows[i].code < -4096);
}

static void test_no_two_own_codes_share_name_or_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < i; j++) {
            check(strcmp(rows[i].name, rows[j].name) != 0);
            check(strcmp(rows[i].text, rows[j].text) != 0);
        }
}

static void test_successes_have_texts_too(void **state)
{
    (void)state;
    check(MP_RECOVERED == 1);
    assert_string_equal(mp_error_name(MP_RECOVERED), "MP_RECOVERED");
    check(strcmp(mp_strerror(MP_RECOVERED), mp_strerror(0)) != 0);
    for (int success = 0; success <= 3; success++)
        assert_string_equal(mp_error_exception(success), "");
    check(mp_strerror(0)[0] != '\0' && mp_error_name(0)[0] != '\0');
    assert_string_equal(mp_strerror(INT_MAX), mp_strerror(0));
}

#define SYSTEM(name)             \
    {                            \
        -name, #name, NULL, NULL \
    }
static const struct row system_rows[] = {
    SYSTEM(E2BIG),        SYSTEM(EACCES),
    SYSTEM(EADDRINUSE),   SYSTEM(EADDRNOTAVAIL),
    SYSTEM(EAFNOSUPPORT), SYSTEM(EAGAIN),
    SYSTEM(EALREADY),     SYSTEM(EBADF),
    SYSTEM(EBADMSG),      SYSTEM(EBUSY),
    SYSTEM(ECANCELED),    SYSTEM(ECHILD),
    SYSTEM(ECONNABORTED), SYSTEM(ECONNREFUSED),
    SYSTEM(ECONNRESET),   SYSTEM(EDEADLK),
    SYSTEM(EDESTADDRREQ), SYSTEM(EDOM),
    SYSTEM(EDQUOT),       SYSTEM(EEXIST),
    SYSTEM(EFAULT),       SYSTEM(EFBIG),
    SYSTEM(EHOSTUNREACH), SYSTEM(EIDRM),
    SYSTEM(EILSEQ),       SYSTEM(EINPROGRESS),
    SYSTEM(EINTR),        SYSTEM(EINVAL),
    SYSTEM(EIO),          SYSTEM(EISCONN),
    SYSTEM(EISDIR),       SYSTEM(ELOOP),
    SYSTEM(EMFILE),       SYSTEM(EMLINK),
    SYSTEM(EMSGSIZE),     SYSTEM(ENAMETOOLONG),
    SYSTEM(ENETDOWN),     SYSTEM(ENETRESET),
    SYSTEM(ENETUNREACH),  SYSTEM(ENFILE),
    SYSTEM(ENOBUFS),      SYSTEM(ENODEV),
    SYSTEM(ENOENT),       SYSTEM(ENOEXEC),
    SYSTEM(ENOLCK),       SYSTEM(ENOMEM),
    SYSTEM(ENOMSG),       SYSTEM(ENOPROTOOPT),
    SYSTEM(ENOSPC),       SYSTEM(ENOSYS),
    SYSTEM(ENOTCONN),     SYSTEM(ENOTDIR),
    SYSTEM(ENOTEMPTY),    SYSTEM(ENOTSOCK),
    SYSTEM(ENOTSUP),      SYSTEM(ENOTTY),
    SYSTEM(ENXIO),        SYSTEM(EOVERFLOW),
    SYSTEM(EPERM),        SYSTEM(EPIPE),
    SYSTEM(EPROTO),       SYSTEM(EPROTONOSUPPORT),
    SYSTEM(EPROTOTYPE),   SYSTEM(ERANGE),
    SYSTEM(EROFS),        SYSTEM(ESPIPE),
    SYSTEM(ESRCH),        SYSTEM(ESTALE),
    SYSTEM(ETIMEDOUT),    SYSTEM(ETXTBSY),
    SYSTEM(EXDEV),
};

static void test_every_errno_of_posix_has_its_name_and_the_systems_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof system_rows / sizeof *system_rows; i++) {
        const struct row *row = &system_rows[i];
        assert_string_equal(mp_error_name(row->code), row->name);
        assert_string_equal(mp_strerror(row->code), strerror(-row->code));
    }
}

/* The system may know numbers that POSIX does not: their text is there at least. */
static void test_every_number_of_the_system_has_a_text(void **state)
{
    (void)state;
    for (int number = 1; number < 4096; number++) {
        check(mp_strerror(-number)[0] != '\0');
        check(mp_error_name(-number)[0] != '\0');
        check(mp_error_exception(-number)[0] != '\0');
    }
}

static void test_an_errno_is_the_exception_that_python_raises_for_it(void **state)
{
    (void)state;
    static const struct {
        int number;
        const char *exception;
    } known[] = {
        {EAGAIN, "BlockingIOError"},
        {EALREADY, "BlockingIOError"},
        {EINPROGRESS, "BlockingIOError"},
        {EWOULDBLOCK, "BlockingIOError"},
        {EPIPE, "BrokenPipeError"},
        {ESHUTDOWN, "BrokenPipeError"},
        {ECHILD, "ChildProcessError"},
        {ECONNABORTED, "ConnectionAbortedError"},
        {ECONNREFUSED, "ConnectionRefusedError"},
        {ECONNRESET, "ConnectionResetError"},
        {EEXIST, "FileExistsError"},
        {ENOENT, "FileNotFoundError"},
        {EISDIR, "IsADirectoryError"},
        {ENOTDIR, "NotADirectoryError"},
        {EINTR, "InterruptedError"},
        {EACCES, "PermissionError"},
        {EPERM, "PermissionError"},
        {ESRCH, "ProcessLookupError"},
        {ETIMEDOUT, "TimeoutError"},
        {ENOMEM, "MemoryError"},
        {EMFILE, "OSError"},
        {ENOSPC, "OSError"},
        {EXDEV, "OSError"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_string_equal(mp_error_exception(-known[i].number), known[i].exception);
}

static void test_an_unknown_number_is_called_so(void **state)
{
    (void)state;
    static const int unknown[] = {-4096, -4097, -4500, -4976, -5000, -6000, INT_MIN};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%d", unknown[i]);
        check(strstr(mp_strerror(unknown[i]), "unknown") != NULL);
        check(strstr(mp_strerror(unknown[i]), number) != NULL);
        check(mp_error_name(unknown[i])[0] != '\0');
        check(mp_error_exception(unknown[i])[0] != '\0');
    }
}

/* ---- the last failure ---------------------------------------------------------------------- */

/* A failure that has something to say, and one that has not. */
static void fail_with_detail(const char *method)
{
    assert_mp_error(mp_set_start_method(method), MP_EINVAL);
    check(strstr(mp_error_detail(), method) != NULL);
}

static void fail_without_detail(void)
{
    assert_mp_error(mp_lock_release(NULL), MP_EINVAL);
}

static void test_a_failure_replaces_the_detail_of_the_last(void **state)
{
    (void)state;
    fail_with_detail("spawn");
    fail_with_detail("forkserver");
    check(strstr(mp_error_detail(), "spawn") == NULL);
    fail_without_detail();
    assert_string_equal(mp_error_detail(), "");
}

static void test_a_success_leaves_the_detail(void **state)
{
    (void)state;
    mp_lock *lock;
    fail_with_detail("spawn");
    assert_mp_result(mp_set_start_method("fork"), 0);
    assert_mp_result(mp_lock_create(&lock), 0);
    assert_mp_result(mp_lock_acquire(lock, MP_FOREVER), 0);
    assert_mp_result(mp_lock_release(lock), 0);
    mp_lock_destroy(lock);
    check(strstr(mp_error_detail(), "spawn") != NULL);
}

static void test_asking_about_errors_leaves_the_detail(void **state)
{
    (void)state;
    fail_with_detail("spawn");
    for (int result = -6000; result < 3; result++) {
        (void)mp_strerror(result);
        (void)mp_error_name(result);
        (void)mp_error_exception(result);
    }
    check(mp_error_code() == 0);
    check(strstr(mp_error_detail(), "spawn") != NULL);
}

static void test_a_detail_of_any_length_is_kept_as_far_as_it_goes(void **state)
{
    (void)state;
    char method[5000];
    memset(method, 'x', sizeof method - 1);
    method[sizeof method - 1] = '\0';
    assert_mp_error(mp_set_start_method(method), MP_EINVAL);
    check(strstr(mp_error_detail(), "xxxx") != NULL);
    check(strlen(mp_error_detail()) < sizeof method);
}

static void *fail_in_thread(void *arg)
{
    (void)arg;
    check(mp_error_detail()[0] == '\0');
    fail_with_detail("of the thread");
    return NULL;
}

static void test_each_thread_has_a_detail_of_its_own(void **state)
{
    (void)state;
    pthread_t thread;
    fail_with_detail("of the test");
    check(pthread_create(&thread, NULL, fail_in_thread, NULL) == 0);
    check(pthread_join(thread, NULL) == 0);
    check(strstr(mp_error_detail(), "of the test") != NULL);
}

static int look_at_inherited_detail(void *arg)
{
    (void)arg;
    check(strstr(mp_error_detail(), "before the fork") != NULL);
    fail_without_detail();
    return 0;
}

static void test_a_forked_child_begins_with_the_detail_of_its_parent(void **state)
{
    (void)state;
    fail_with_detail("before the fork");
    child_must_succeed(look_at_inherited_detail, NULL);
    check(strstr(mp_error_detail(), "before the fork") != NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("errors: every own code has its texts", test_every_own_code_has_its_texts),
        support_test("errors: the own codes are in a row below those of the system",
                     test_own_codes_are_in_a_row_below_those_of_the_system),
        support_test("errors: no two own codes share name or text",
                     test_no_two_own_codes_share_name_or_text),
        support_test("errors: successes have texts too", test_successes_have_texts_too),
        support_test("errors: every errno of POSIX has its name and the system's text",
                     test_every_errno_of_posix_has_its_name_and_the_systems_text),
        support_test("errors: every number of the system has a text",
                     test_every_number_of_the_system_has_a_text),
        support_test("errors: an errno is the exception that Python raises for it",
                     test_an_errno_is_the_exception_that_python_raises_for_it),
        support_test("errors: an unknown number is called so", test_an_unknown_number_is_called_so),
        support_test("errors: a failure replaces the detail of the last",
                     test_a_failure_replaces_the_detail_of_the_last),
        support_test("errors: a success leaves the detail", test_a_success_leaves_the_detail),
        support_test("errors: asking about errors leaves the detail",
                     test_asking_about_errors_leaves_the_detail),
        support_test("errors: a detail of any length is kept as far as it goes",
                     test_a_detail_of_any_length_is_kept_as_far_as_it_goes),
        support_test("errors: each thread has a detail of its own",
                     test_each_thread_has_a_detail_of_its_own),
        support_test("errors: a forked child begins with the detail of its parent",
                     test_a_forked_child_begins_with_the_detail_of_its_parent),
    };
    return support_run("errors", tests);
}
