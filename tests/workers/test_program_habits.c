/* What programs do about their children, descriptors and threads, and a pool beside it. Each of those
 * that change the whole process runs in a child of the test. */
#include "harm.h"

#include <errno.h>
#include <mp/process.h>
#include <mp/timeout.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 5 };

/* A pool's life: two of its workers die, all are replaced. */
static void use_a_pool(void)
{
    crew_survives(be_killed, 0, MP_EDIED, "killed by SIGKILL");
}

/* The same, ended in mid-work. */
static void terminate_a_pool(void)
{
    struct crew crew = crew_start(be_killed, 0);
    crew_map(&crew, MP_EDIED, "killed by SIGKILL");
    assert_mp_result(mp_pool_terminate(crew.pool), 0);
    assert_mp_result(mp_pool_join(crew.pool, MP_FOREVER), 0);
    mp_pool_destroy(crew.pool);
}

/* ---- a program that takes every status ------------------------------------------------------ */

struct thief {
    atomic_bool stop;
    atomic_int taken;
};

static void *take_every_status(void *arg)
{
    struct thief *thief = arg;
    while (!atomic_load(&thief->stop)) {
        if (waitpid(-1, NULL, 0) > 0)
            (void)atomic_fetch_add(&thief->taken, 1);
        else
            mp_sleep(0.0005);
    }
    return NULL;
}

static int live_beside_a_thief(void *arg)
{
    (void)arg;
    static struct thief thief;
    pthread_t thread;
    check(pthread_create(&thread, NULL, take_every_status, &thief) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        use_a_pool();
        terminate_a_pool();
    }
    atomic_store(&thief.stop, true);
    check(pthread_join(thread, NULL) == 0);
    check(atomic_load(&thief.taken) <= 2 * ROUNDS);
    return 0;
}

static void test_a_program_may_take_every_status(void **state)
{
    (void)state;
    child_must_succeed(live_beside_a_thief, NULL);
}

/* ---- a program that handles SIGCHLD --------------------------------------------------------- */

static volatile sig_atomic_t signals, statuses;

static void count_and_reap(int number)
{
    (void)number;
    int error = errno;
    signals++;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        statuses++;
    errno = error;
}

static void count_only(int number)
{
    (void)number;
    signals++;
}

/* One child for each pool is all that it sees, however many workers die. */
static int live_with_handler(void *arg)
{
    void (*handler)(int) = *(void (**)(int))arg;
    struct sigaction action = {.sa_handler = handler};
    check(sigaction(SIGCHLD, &action, NULL) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        use_a_pool();
        terminate_a_pool();
    }
    check(signals <= 2 * ROUNDS && statuses <= 2 * ROUNDS);
    struct sigaction now;
    check(sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler == handler);
    return 0;
}

static void test_a_program_may_handle_the_signal(void **state)
{
    (void)state;
    void (*handlers[])(int) = {count_only, count_and_reap};
    child_must_succeed(live_with_handler, &handlers[0]);
    child_must_succeed(live_with_handler, &handlers[1]);
}

static int live_without_children(void *arg)
{
    int flags = *(int *)arg;
    struct sigaction action = {.sa_handler = flags == 0 ? SIG_IGN : SIG_DFL, .sa_flags = flags};
    check(sigaction(SIGCHLD, &action, NULL) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        use_a_pool();
        terminate_a_pool();
    }
    check(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    return 0;
}

static void test_a_program_may_ignore_the_signal(void **state)
{
    (void)state;
    child_must_succeed(live_without_children, &(int){0});
    child_must_succeed(live_without_children, &(int){SA_NOCLDWAIT});
}

static int live_with_all_signals_blocked(void *arg)
{
    (void)arg;
    sigset_t all, now;
    (void)sigfillset(&all);
    check(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0);
    for (int round = 0; round < ROUNDS; round++)
        use_a_pool();
    check(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0);
    for (int number = 1; number <= SIGSYS; number++)
        check(number == SIGKILL || number == SIGSTOP || sigismember(&now, number) == 1);
    return 0;
}

static void test_a_program_may_block_all_signals(void **state)
{
    (void)state;
    child_must_succeed(live_with_all_signals_blocked, NULL);
}

/* ---- children of its own -------------------------------------------------------------------- */

static int leave_with(void *status)
{
    return *(int *)status;
}

/* Children that ended before the pool was made, while it worked, and one of libmp's are all there
 * for who started them. */
static int have_children(void *arg)
{
    (void)arg;
    int seven = 7, eight = 8, nine = 9, code;
    mp_process *process;
    pid_t before = child_fork(leave_with, &seven);
    siginfo_t info;
    check(waitid(P_PID, (id_t)before, &info, WEXITED | WNOWAIT) == 0);
    assert_mp_result(mp_process_create(&process, leave_with, &nine, 0, NULL), 0);
    assert_mp_result(mp_process_start(process), 0);
    struct crew crew = crew_start(be_killed, 0);
    pid_t during = child_fork(leave_with, &eight);
    check(waitid(P_PID, (id_t)during, &info, WEXITED | WNOWAIT) == 0);
    crew_map(&crew, MP_EDIED, "killed by SIGKILL");
    crew_is_complete(&crew);
    crew_end(&crew);
    terminate_a_pool();
    check(child_wait(before) == 7);
    check(child_wait(during) == 8);
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    assert_mp_result(mp_process_exitcode(process, &code), 1);
    check(code == 9);
    mp_process_destroy(process);
    check(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    return 0;
}

static void test_a_pool_takes_the_status_of_nobody_else(void **state)
{
    (void)state;
    child_must_succeed(have_children, NULL);
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static int close_all_and_work(void *arg)
{
    (void)arg;
    struct crew crew = crew_start(be_killed, 0);
    crew_map(&crew, MP_EDIED, "killed by SIGKILL");
    for (int fd = 0; fd < 4096; fd++)
        (void)close(fd);
    crew_map(&crew, MP_EDIED, "killed by SIGKILL");
    crew_is_complete(&crew);
    crew_end(&crew);
    use_a_pool();
    return 0;
}

static void test_a_program_may_close_every_descriptor(void **state)
{
    (void)state;
    child_must_succeed(close_all_and_work, NULL);
}

/* Without pidfd a child costs one descriptor. */
#ifdef MP_PORTABLE
enum { DESCRIPTORS = 1 };
#else
enum { DESCRIPTORS = 0 };
#endif

static void test_a_pool_costs_no_descriptor_and_one_child(void **state)
{
    (void)state;
    int descriptors = census_open_descriptors() + DESCRIPTORS;
    struct crew crew = crew_start(be_killed, 0);
    crew_is_complete(&crew);
    check(census_open_descriptors() == descriptors);
    check(census_group_processes() == CREW + 1);
    crew_map(&crew, MP_EDIED, "killed by SIGKILL");
    check(census_open_descriptors() == descriptors);
    crew_end(&crew);
    check(census_group_processes() == 0);
}

/* ---- threads -------------------------------------------------------------------------------- */

static int give_back(mp_obj arg, mp_obj *result)
{
    *result = arg;
    return 0;
}

/* A large argument lies close to such a stack, and is no part of it. */
static void *use_a_pool_in_a_small_thread(void *unused)
{
    enum { SIZE = 300000 };
    mp_pool *pool;
    mp_obj result;
    char *text = malloc(SIZE);
    check(text != NULL);
    memset(text, 'a', SIZE);
    mp_obj arg = mp_obj_strn(text, SIZE);
    assert_mp_result(mp_pool_create(&pool, 1, NULL), 0);
    assert_mp_result(mp_pool_apply(pool, give_back, arg, &result), 0);
    check(mp_obj_equal(result, arg));
    mp_obj_free(&result);
    mp_pool_destroy(pool);
    free(text);
    return unused;
}

static int have_a_small_thread(void *arg)
{
    (void)arg;
    pthread_t thread;
    pthread_attr_t attributes;
    check(pthread_attr_init(&attributes) == 0);
    check(pthread_attr_setstacksize(&attributes, (size_t)128 << 10) == 0);
    check(pthread_create(&thread, &attributes, use_a_pool_in_a_small_thread, NULL) == 0);
    check(pthread_join(thread, NULL) == 0);
    check(pthread_attr_destroy(&attributes) == 0);
    return 0;
}

static void test_a_pool_may_be_made_in_a_thread_with_a_small_stack(void **state)
{
    (void)state;
    child_must_succeed(have_a_small_thread, NULL);
}

/* A worker does not end with the thread that made its pool. */
static void *start_crew(void *crew)
{
    *(struct crew *)crew = crew_start(be_killed, 0);
    return NULL;
}

static void test_a_pool_outlives_the_thread_that_made_it(void **state)
{
    (void)state;
    pthread_t thread;
    struct crew crew;
    check(pthread_create(&thread, NULL, start_crew, &crew) == 0);
    check(pthread_join(thread, NULL) == 0);
    crew_is_complete(&crew);
    crew_map(&crew, MP_EDIED, "killed by SIGKILL");
    crew_is_complete(&crew);
    crew_end(&crew);
}

/* ---- no more processes ---------------------------------------------------------------------- */

static int tell_parent(mp_obj arg, mp_obj *result)
{
    (void)arg;
    *result = MP(getppid());
    return 0;
}

static int64_t supervisor_of(mp_pool *pool)
{
    mp_obj result;
    int64_t pid;
    assert_mp_result(mp_pool_apply(pool, tell_parent, MP_NONE, &result), 0);
    assert_mp_result(mp_obj_as_int(result, &pid), 0);
    mp_obj_free(&result);
    return pid;
}

static int die_at_two(mp_obj arg, mp_obj *result)
{
    int64_t i;
    assert_mp_result(mp_obj_as_int(arg, &i), 0);
    if (i == 2)
        (void)raise(SIGKILL);
    *result = arg;
    return 0;
}

/* One of two workers dies in the middle of its chunk, and nobody can take its place: the rest of it
 * is done all the same, or the map fails; it does not wait for ever. */
static int work_where_nothing_can_be_forked(void *arg)
{
    enum { N = 12, STRANGER = 54321 };
    mp_pool *pool;
    mp_obj items[N];
    int status[N];
    const struct rlimit none = {1, 1};
    const mp_map_options options = {.chunksize = 6, .status = status};
    mp_async_result *result;
    (void)arg;
    if (geteuid() == 0 && (setgid(STRANGER) != 0 || setuid(STRANGER) != 0))
        return SUPPORT_SKIPPED;
    assert_mp_result(mp_pool_create(&pool, 2, NULL), 0);
    pid_t supervisor = (pid_t)supervisor_of(pool);
    if (prlimit(supervisor, RLIMIT_NPROC, &none, NULL) != 0)
        return SUPPORT_SKIPPED;
    for (int i = 0; i < N; i++)
        items[i] = MP(i);
    assert_mp_result(mp_pool_map_async(pool, die_at_two, mp_obj_list(items, N), &result, &options),
                     0);
    int rc = mp_async_result_get(result, NULL, 30.0);
    check(rc == MP_EDIED || rc == MP_EBROKENPOOL);
    check(status[0] == 0 && status[1] == 0 && status[2] == MP_EDIED);
    for (int i = 3; i < N; i++)
        check(status[i] == 0 || status[i] == MP_EBROKENPOOL);
    mp_async_result_destroy(result);
    mp_pool_destroy(pool);
    return 0;
}

static void test_a_worker_that_nobody_can_replace_hangs_no_map(void **state)
{
    (void)state;
    int status = child_wait(child_fork(work_where_nothing_can_be_forked, NULL));
    if (status == SUPPORT_SKIPPED)
        skip();
    check(status == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a program may take every status", test_a_program_may_take_every_status),
        support_test("a program may handle SIGCHLD", test_a_program_may_handle_the_signal),
        support_test("a program may ignore SIGCHLD", test_a_program_may_ignore_the_signal),
        support_test("a program may block all signals", test_a_program_may_block_all_signals),
        support_test("a pool takes the status of nobody else",
                     test_a_pool_takes_the_status_of_nobody_else),
        support_test("a program may close every descriptor",
                     test_a_program_may_close_every_descriptor),
        support_test("a pool costs no descriptor and one child",
                     test_a_pool_costs_no_descriptor_and_one_child),
        support_test("a pool may be made in a thread with a small stack",
                     test_a_pool_may_be_made_in_a_thread_with_a_small_stack),
        support_test("a pool outlives the thread that made it",
                     test_a_pool_outlives_the_thread_that_made_it),
        support_test("a worker that nobody can replace hangs no map",
                     test_a_worker_that_nobody_can_replace_hangs_no_map),
    };
    return support_run_processes("habits of programs", tests);
}
