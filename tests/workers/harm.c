/* A pool among whose tasks one does harm. */
#include "harm.h"

#include <mp/sharedctypes.h>
#include <mp/synchronize.h>
#include <regex.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Longer than anything here takes. */
#define MOST_SECONDS 40.0

/* As it was when the pool was made: the workers have that. */
static struct crew at_work;

struct notes *crew_notes(void)
{
    return at_work.notes;
}

static int square_or_harm(mp_obj arg, mp_obj *result)
{
    int64_t i;
    assert_mp_result(mp_obj_as_int(arg, &i), 0);
    check(i >= 0 && i < ITEMS);
    (void)atomic_fetch_add(&at_work.notes->runs[i], 1);
    *result = MP(i * i);
    if (i != HARMFUL)
        return 0;
    atomic_store(&at_work.notes->worker, (int)getpid());
    return at_work.does();
}

int be_killed(void)
{
    return kill(getpid(), SIGKILL);
}

void leave_no_core(void)
{
    const struct rlimit none = {0, 0};
    check(setrlimit(RLIMIT_CORE, &none) == 0);
}

int crash(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    volatile char *p = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(p != MAP_FAILED);
    (void)signal(SIGSEGV, SIG_DFL);
    *p = 1;
    return 0;
}

int crash_without_core(void)
{
    leave_no_core();
    return crash();
}

struct crew crew_start(harm *does, double task_timeout)
{
    void *notes;
    assert_mp_result(mp_raw_alloc(&notes, sizeof(struct notes)), 0);
    at_work = (struct crew){.notes = notes, .does = does, .task_timeout = task_timeout};
    assert_mp_result(mp_pool_create(&at_work.pool, CREW, NULL), 0);
    return at_work;
}

static void check_detail(const char *text, int worker, const char *detail)
{
    char pattern[256];
    regex_t expression;
    (void)snprintf(pattern, sizeof pattern, "^worker %d %s while running item %d$", worker, detail,
                   (int)HARMFUL);
    check(regcomp(&expression, pattern, REG_EXTENDED | REG_NOSUB) == 0);
    int mismatch = regexec(&expression, text, 0, NULL, 0);
    regfree(&expression);
    if (mismatch)
        support_fail(__FILE__, __LINE__, "'%s' is not '%s'", text, pattern);
}

/* The same text is in the list of errors. */
static void check_errors(mp_obj errors, int code)
{
    const char *text;
    check(errors.len == ITEMS);
    for (size_t i = 0; i < ITEMS; i++) {
        const mp_obj *error = mp_obj_item(errors, i);
        if (i != HARMFUL || code == 0) {
            check(error->type == MP_TYPE_NONE);
            continue;
        }
        assert_mp_result(mp_obj_unpack(*error, "is", NULL, &text), 0);
        check(strcmp(text, mp_error_detail()) == 0);
    }
}

void crew_map(struct crew *crew, int code, const char *detail)
{
    int status[ITEMS];
    mp_obj items[ITEMS], results, errors;
    const mp_map_options options = {.chunksize = CHUNK,
                                    .task_timeout = crew->task_timeout,
                                    .status = status,
                                    .errors = &errors};
    memset(crew->notes, 0, sizeof *crew->notes);
    for (int i = 0; i < ITEMS; i++)
        items[i] = MP(i);
    mp_obj list = mp_obj_list(items, ITEMS);
    assert_mp_result(mp_pool_map(crew->pool, square_or_harm, list, &results, &options), code);
    if (detail != NULL)
        check_detail(mp_error_detail(), atomic_load(&crew->notes->worker), detail);
    check_errors(errors, code);
    check(results.len == ITEMS);
    for (int i = 0; i < ITEMS; i++) {
        bool failed = i == HARMFUL && code != 0;
        check(status[i] == (failed ? code : 0));
        check(mp_obj_equal(*mp_obj_item(results, (size_t)i), failed ? MP_NONE : MP(i * i)));
        check(atomic_load(&crew->notes->runs[i]) == 1);
    }
    mp_obj_free(&results);
    mp_obj_free(&errors);
}

static int meet(mp_obj arg, mp_obj *result)
{
    int64_t barrier;
    assert_mp_result(mp_obj_as_int(arg, &barrier), 0);
    (void)assert_mp_ok(mp_barrier_wait((mp_barrier *)(intptr_t)barrier, MOST_SECONDS));
    *result = MP(getpid());
    return 0;
}

void crew_is_complete(struct crew *crew)
{
    mp_barrier *barrier;
    mp_obj items[CREW], pids;
    int64_t pid[CREW];
    const mp_map_options one_by_one = {.chunksize = 1};
    assert_mp_result(mp_barrier_create(&barrier, CREW, NULL, NULL, MP_FOREVER), 0);
    for (int i = 0; i < CREW; i++)
        items[i] = MP((int64_t)(intptr_t)barrier);
    mp_obj list = mp_obj_list(items, CREW);
    assert_mp_result(mp_pool_map(crew->pool, meet, list, &pids, &one_by_one), 0);
    assert_mp_result(mp_obj_unpack(pids, "qqq", &pid[0], &pid[1], &pid[2]), 0);
    check(pid[0] != pid[1] && pid[1] != pid[2] && pid[2] != pid[0]);
    for (int i = 0; i < CREW; i++)
        check(kill((pid_t)pid[i], 0) == 0);
    mp_obj_free(&pids);
    mp_barrier_destroy(barrier);
}

void crew_end(struct crew *crew)
{
    assert_mp_result(mp_pool_close(crew->pool), 0);
    assert_mp_result(mp_pool_join(crew->pool, MOST_SECONDS), 0);
    mp_pool_destroy(crew->pool);
    mp_raw_free(crew->notes);
}

void crew_survives(harm *does, double task_timeout, int code, const char *detail)
{
    struct crew crew = crew_start(does, task_timeout);
    for (int time = 0; time < 2; time++) {
        crew_map(&crew, code, detail);
        crew_is_complete(&crew);
    }
    crew_end(&crew);
}
