/* Starting processes when the system has no more to give: each refusal has its code, loses nothing,
 * and the object can be started when there is room again. */
#include "children.h"

#include "memory/memory.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_HERE = 3, SOME_USER = 54321 };

/* A macro: the type of a resource is an enum in glibc, and an int in other libcs. */
#define limit(resource, soft)                                         \
    do {                                                              \
        struct rlimit now;                                            \
        const rlim_t wanted = (soft);                                 \
        check(getrlimit(resource, &now) == 0);                        \
        now.rlim_cur = wanted < now.rlim_max ? wanted : now.rlim_max; \
        check(setrlimit(resource, &now) == 0);                        \
    } while (0)

static void check_as_before_its_start(mp_process *p)
{
    int code = 17;
    check(mp_process_pid(p) == 0);
    assert_mp_result(mp_process_is_alive(p), 0);
    assert_mp_result(mp_process_exitcode(p, &code), 0);
    assert_mp_error(mp_process_join(p, MP_NOWAIT), MP_ESTATE);
    assert_mp_error(mp_process_sentinel(p), MP_ESTATE);
    assert_mp_result(mp_process_set_daemon(p, mp_process_daemon(p)), 0);
    assert_mp_result(mp_active_children(NULL, 0), 0);
    check(code == 17);
}

/* ---- processes ----------------------------------------------------------------------------- */

/* Root has no limit of processes: only somebody else can meet one. */
static bool become_limited(void)
{
    if (getuid() == 0 && setuid(SOME_USER) != 0)
        return false;
    limit(RLIMIT_NPROC, 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        check(waitpid(pid, NULL, 0) == pid);
    return pid < 0 && errno == EAGAIN;
}

static int start_without_processes(void *arg)
{
    (void)arg;
    int status = 6;
    mp_process *p = new_process(leave_with, &status, MP_DAEMON_INHERIT);
    mp_process *daemon = new_process(leave_with, &status, MP_DAEMON_YES);
    if (!become_limited())
        return NOT_HERE;
    uint64_t word;
    assert_mp_result(mp__self_word(&word), 0);
    unsigned slots = mp__life_count();
    int descriptors = census_open_descriptors();
    for (int i = 0; i < 20; i++) {
        assert_mp_error(mp_process_start(p), -EAGAIN);
        assert_mp_error(mp_process_start(daemon), -EAGAIN);
        check_as_before_its_start(p);
        check_as_before_its_start(daemon);
    }
    check(mp__life_count() == slots && census_open_descriptors() == descriptors);
    limit(RLIMIT_NPROC, RLIM_INFINITY);
    assert_mp_result(mp_process_start(p), 0);
    assert_mp_result(mp_process_start(daemon), 0);
    check(finish_process(p) == 6 && finish_process(daemon) == 6);
    return 0;
}

static void test_no_process_left_is_told_and_passes(void **state)
{
    (void)state;
    int status = program(start_without_processes, NULL);
    if (status == NOT_HERE) {
        print_message("SKIPPED: no limit of processes can be set here\n");
        skip();
    }
    check(status == 0);
}

/* ---- descriptors --------------------------------------------------------------------------- */

static int start_without_descriptors(void *arg)
{
    (void)arg;
    mp_process *p = new_process(stay, NULL, MP_DAEMON_INHERIT);
    limit(RLIMIT_NOFILE, 3);
    int rc = mp_process_start(p);
    if (rc != 0) {
        assert_mp_error(rc, -EMFILE); /* the portable form has a pipe for each child */
        check_as_before_its_start(p);
        limit(RLIMIT_NOFILE, 1024);
        assert_mp_result(mp_process_start(p), 0);
    } else {
        assert_mp_error(mp_process_sentinel(p), -EMFILE);
        assert_mp_error(mp_process_join(p, 0.03), MP_ETIMEOUT);
        assert_mp_result(mp_process_is_alive(p), 1);
        limit(RLIMIT_NOFILE, 1024);
    }
    struct pollfd item = {.fd = assert_mp_ok(mp_process_sentinel(p)), .events = POLLIN};
    check(poll(&item, 1, 0) == 0);
    limit(RLIMIT_NOFILE, 3);
    assert_mp_result(mp_process_kill(p), 0);
    assert_mp_result(mp_process_join(p, 3600.0), 0);
    check(poll(&item, 1, -1) == 1);
    check(finish_process(p) == -SIGKILL);
    limit(RLIMIT_NOFILE, 1024); /* a sanitizer opens files at exit */
    return 0;
}

static void test_no_descriptor_left_is_told_where_one_is_needed(void **state)
{
    (void)state;
    check(program(start_without_descriptors, NULL) == 0);
}

static int join_without_descriptors(void *arg)
{
    (void)arg;
    int status = 9;
    mp_process *p = new_process(leave_with, &status, MP_DAEMON_INHERIT);
    assert_mp_result(mp_process_start(p), 0);
    limit(RLIMIT_NOFILE, 3);
    assert_mp_result(mp_process_join(p, 3600.0), 0);
    check(finish_process(p) == 9);
    limit(RLIMIT_NOFILE, 1024); /* as above */
    return 0;
}

static void test_waiting_needs_no_descriptor(void **state)
{
    (void)state;
    check(program(join_without_descriptors, NULL) == 0);
}

/* ---- memory -------------------------------------------------------------------------------- */

static size_t address_space_in_use(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    check(file != NULL);
    check(fscanf(file, "%zu", &pages) == 1);
    check(fclose(file) == 0);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int live_without_memory(void *arg)
{
    static const size_t large = (size_t)64 << 20;
    char *parcel = malloc(large);
    check(parcel != NULL);
    memset(parcel, 'x', large);
    int status = 4;
    mp_process *p = new_process(leave_with, &status, MP_DAEMON_INHERIT), *none = NULL;
    check(mp_process_authkey(p, NULL) != NULL);
    limit(RLIMIT_AS, address_space_in_use() + ((rlim_t)1 << 20));
    assert_mp_error(mp_process_create(&none, leave_with, parcel, large, NULL), -ENOMEM);
    check(none == NULL);
    assert_mp_error(mp_process_set_authkey(p, parcel, large), -ENOMEM);
    size_t n = 0;
    check(mp_process_authkey(p, &n) != NULL && n == 32);
    assert_mp_result(mp_process_start(p), 0);
    check(finish_process(p) == 4);
    limit(RLIMIT_AS, RLIM_INFINITY);
    assert_mp_result(mp_process_create(&none, leave_with, parcel, large, NULL), 0);
    mp_process_destroy(none);
    free(parcel);
    return arg == NULL ? 0 : 1;
}

static void test_no_memory_left_is_told_and_passes(void **state)
{
    (void)state;
    if (SANITIZED) {
        print_message("SKIPPED: a sanitizer takes all address space for itself\n");
        skip();
    }
    check(program(live_without_memory, NULL) == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("start: no process left is told, and passes",
                     test_no_process_left_is_told_and_passes),
        support_test("start: no descriptor left is told where one is needed",
                     test_no_descriptor_left_is_told_where_one_is_needed),
        support_test("join: needs no descriptor", test_waiting_needs_no_descriptor),
        support_test("create: no memory left is told, and passes",
                     test_no_memory_left_is_told_and_passes),
    };
    return support_run_processes("exhaustion", tests);
}
