/* The life file: who holds which byte, and what is known without the descriptor. */
#include "support/support.h"

#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mp__lifefile life;
static struct signal_pipe ready, go;

static int setup(void **state)
{
    assert_mp_result(support_setup(state), 0);
    assert_mp_result(mp__lifefile_open(&life), 0);
    pipe_open(&ready);
    pipe_open(&go);
    return 0;
}

static int teardown(void **state)
{
    if (life.fd >= 0)
        (void)close(life.fd);
    pipe_close(&ready);
    pipe_close(&go);
    return support_teardown(state);
}

static int hold_until_told(void *arg)
{
    check(mp__lifefile_hold(&life, *(unsigned *)arg));
    pipe_tell(&ready, 'h');
    return pipe_await(&go) == 'g' ? 0 : 1;
}

static pid_t start_holder(unsigned number)
{
    pid_t pid = child_fork(hold_until_told, &number);
    check(pipe_await(&ready) == 'h');
    return pid;
}

static void end_holder(pid_t pid)
{
    pipe_tell(&go, 'g');
    check(child_wait(pid) == 0);
}

static void test_a_byte_nobody_holds_is_free(void **state)
{
    (void)state;
    for (unsigned number = 0; number < 4096; number += 17)
        check(mp__lifefile_look(&life, number) == MP__SIGN_FREE);
}

static void test_a_byte_is_held_as_long_as_its_holder_lives(void **state)
{
    (void)state;
    pid_t pid = start_holder(7);
    check(mp__lifefile_look(&life, 7) == MP__SIGN_HELD);
    check(mp__lifefile_look(&life, 6) == MP__SIGN_FREE);
    check(mp__lifefile_look(&life, 8) == MP__SIGN_FREE);
    end_holder(pid);
    check(mp__lifefile_look(&life, 7) == MP__SIGN_FREE);
}

/* The kernel drops the byte before the parent can know of the death otherwise. */
static void test_a_killed_holder_is_free_before_it_is_reaped(void **state)
{
    (void)state;
    siginfo_t info;
    pid_t pid = start_holder(7);
    check(kill(pid, SIGKILL) == 0);
    check(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    check(mp__lifefile_look(&life, 7) == MP__SIGN_FREE);
    check(child_wait(pid) == -SIGKILL);
}

static void test_a_held_byte_is_refused_to_another(void **state)
{
    (void)state;
    pid_t pid = start_holder(3);
    check(!mp__lifefile_hold(&life, 3));
    check(mp__lifefile_hold(&life, 4));
    end_holder(pid);
    check(mp__lifefile_hold(&life, 3));
}

static int look_from_outside(void *arg)
{
    return (int)mp__lifefile_look(&life, *(unsigned *)arg);
}

static void test_a_dropped_byte_is_free(void **state)
{
    (void)state;
    unsigned number = 5;
    check(mp__lifefile_hold(&life, number));
    check(child_wait(child_fork(look_from_outside, &number)) == MP__SIGN_HELD);
    mp__lifefile_drop(&life, number);
    check(child_wait(child_fork(look_from_outside, &number)) == MP__SIGN_FREE);
}

static void test_a_fork_inherits_no_byte(void **state)
{
    (void)state;
    unsigned number = 5;
    check(mp__lifefile_hold(&life, number));
    pid_t pid = child_fork(look_from_outside, &number);
    check(child_wait(pid) == MP__SIGN_HELD);
    check(child_wait(child_fork(look_from_outside, &number)) == MP__SIGN_HELD);
}

/* The rule of record locks for which start times are evidence too. */
static void test_closing_any_descriptor_of_the_file_frees_the_byte(void **state)
{
    (void)state;
    unsigned number = 9;
    check(mp__lifefile_hold(&life, number));
    check(close(dup(life.fd)) == 0);
    check(child_wait(child_fork(look_from_outside, &number)) == MP__SIGN_FREE);
}

/* ---- an application that closes descriptors ------------------------------------------------ */

static void test_without_its_descriptor_nothing_is_known(void **state)
{
    (void)state;
    pid_t pid = start_holder(7);
    check(close(life.fd) == 0);
    check(mp__lifefile_look(&life, 7) == MP__SIGN_UNKNOWN);
    check(mp__lifefile_look(&life, 8) == MP__SIGN_UNKNOWN);
    check(mp__lifefile_hold(&life, 8));
    mp__lifefile_drop(&life, 8);
    life.fd = -1;
    check(mp__lifefile_look(&life, 7) == MP__SIGN_UNKNOWN);
    end_holder(pid);
}

static int hold_foreign_byte(void *arg)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 8, .l_len = 1};
    check(fcntl(*(int *)arg, F_SETLK, &lock) == 0);
    pipe_tell(&ready, 'h');
    return pipe_await(&go) == 'g' ? 0 : 1;
}

static void test_another_file_in_its_place_is_not_believed(void **state)
{
    (void)state;
    pid_t pid = start_holder(7);
    FILE *other = tmpfile();
    check(other != NULL);
    check(dup2(fileno(other), life.fd) == life.fd);
    int fd = life.fd;
    pid_t stranger = child_fork(hold_foreign_byte, &fd);
    check(pipe_await(&ready) == 'h');
    check(mp__lifefile_look(&life, 7) == MP__SIGN_UNKNOWN);
    check(mp__lifefile_look(&life, 8) == MP__SIGN_UNKNOWN);
    check(!mp__lifefile_is_ours(&life));
    pipe_tell(&go, 'g');
    end_holder(pid);
    check(child_wait(stranger) == 0);
    check(fclose(other) == 0);
}

/* ---- the descriptor itself ----------------------------------------------------------------- */

static void test_the_descriptor_is_out_of_the_way_and_closed_by_exec(void **state)
{
    (void)state;
    check(life.fd >= 64 && life.fd < 256);
    check(fcntl(life.fd, F_GETFD) == FD_CLOEXEC);
}

static void test_two_files_are_two(void **state)
{
    (void)state;
    struct mp__lifefile other;
    assert_mp_result(mp__lifefile_open(&other), 0);
    check(other.inode != life.inode || other.device != life.device);
    pid_t pid = start_holder(7);
    check(mp__lifefile_look(&other, 7) == MP__SIGN_FREE);
    end_holder(pid);
    check(close(other.fd) == 0);
}

static void allow_descriptors(rlim_t n)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = n;
    check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static int open_with_few_descriptors(void *arg)
{
    (void)arg;
    unsigned number = 1;
    struct mp__lifefile file;
    allow_descriptors(40);
    assert_mp_result(mp__lifefile_open(&file), 0);
    check(file.fd >= 0 && file.fd < 40);
    check((fcntl(file.fd, F_GETFD) & FD_CLOEXEC) != 0);
    check(mp__lifefile_hold(&file, number));
    return 0;
}

static void test_few_descriptors_are_enough(void **state)
{
    (void)state;
    child_must_succeed(open_with_few_descriptors, NULL);
}

static int open_without_descriptors(void *arg)
{
    (void)arg;
    struct mp__lifefile file;
    int before = census_open_descriptors();
    allow_descriptors(0);
    assert_mp_error(mp__lifefile_open(&file), -EMFILE);
    allow_descriptors(1024);
    check(census_open_descriptors() == before);
    return 0;
}

static void test_no_descriptor_left_is_told(void **state)
{
    (void)state;
    child_must_succeed(open_without_descriptors, NULL);
}

#define life_test(name, function)                 \
    {                                             \
        (name), (function), setup, teardown, NULL \
    }

static void test_the_next_removes_the_name_that_a_death_left(void **state)
{
    (void)state;
    char dir[] = "/tmp/libmp-test-XXXXXX", path[64];
    check(mkdtemp(dir) != NULL && setenv("TMPDIR", dir, 1) == 0);
    (void)snprintf(path, sizeof path, "%s/mp.life.%ld", dir, (long)getuid());
    int left = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    check(left >= 0 && close(left) == 0);
    struct mp__lifefile next;
    assert_mp_result(mp__lifefile_open_temporary(&next), 0);
    check(mp__lifefile_is_ours(&next) && access(path, F_OK) != 0);
    check(close(next.fd) == 0 && unsetenv("TMPDIR") == 0 && rmdir(dir) == 0);
}

static void test_a_name_that_cannot_be_removed_is_in_nobodys_way(void **state)
{
    (void)state;
    char dir[] = "/tmp/libmp-test-XXXXXX", path[64];
    check(mkdtemp(dir) != NULL && setenv("TMPDIR", dir, 1) == 0);
    (void)snprintf(path, sizeof path, "%s/mp.life.%ld", dir, (long)getuid());
    check(mkdir(path, 0700) == 0);
    struct mp__lifefile next;
    struct stat status, of_dir;
    assert_mp_result(mp__lifefile_open_temporary(&next), 0);
    check(mp__lifefile_is_ours(&next) && fstat(next.fd, &status) == 0 && stat(dir, &of_dir) == 0);
    check(status.st_dev == of_dir.st_dev && status.st_nlink == 0);
    check(close(next.fd) == 0 && unsetenv("TMPDIR") == 0);
    check(rmdir(path) == 0 && rmdir(dir) == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        life_test("life file: a byte nobody holds is free", test_a_byte_nobody_holds_is_free),
        life_test("life file: a byte is held as long as its holder lives",
                  test_a_byte_is_held_as_long_as_its_holder_lives),
        life_test("life file: a killed holder's byte is free before it is reaped",
                  test_a_killed_holder_is_free_before_it_is_reaped),
        life_test("life file: a held byte is refused to another",
                  test_a_held_byte_is_refused_to_another),
        life_test("life file: a dropped byte is free", test_a_dropped_byte_is_free),
        life_test("life file: a fork inherits no byte", test_a_fork_inherits_no_byte),
        life_test("life file: closing any descriptor of the file frees the byte",
                  test_closing_any_descriptor_of_the_file_frees_the_byte),
        life_test("life file: without its descriptor nothing is known",
                  test_without_its_descriptor_nothing_is_known),
        life_test("life file: another file in its place is not believed",
                  test_another_file_in_its_place_is_not_believed),
        life_test("life file: the descriptor is out of the way and closed by exec",
                  test_the_descriptor_is_out_of_the_way_and_closed_by_exec),
        life_test("life file: two files are two", test_two_files_are_two),
        life_test("life file: the next removes the name that a death left",
                  test_the_next_removes_the_name_that_a_death_left),
        life_test("life file: a name that cannot be removed is in nobody's way",
                  test_a_name_that_cannot_be_removed_is_in_nobodys_way),
        life_test("life file: few descriptors are enough", test_few_descriptors_are_enough),
        life_test("life file: no descriptor left is told", test_no_descriptor_left_is_told),
    };
    return support_run("life file", tests);
}
