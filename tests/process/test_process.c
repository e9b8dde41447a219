/* The process object: what it refuses, what it tells, and whose it is. */
#include "children.h"

#include <errno.h>
#include <math.h>
#include <mp/context.h>
#include <mp/synchronize.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ---- refusals ------------------------------------------------------------------------------ */

static char text[300];

/* The calls that have a code to give, and one that works after close too is left out. */
#define CALLS(X)                                  \
    X(start, mp_process_start(p))                 \
    X(join, mp_process_join(p, MP_NOWAIT))        \
    X(is_alive, mp_process_is_alive(p))           \
    X(terminate, mp_process_terminate(p))         \
    X(kill, mp_process_kill(p))                   \
    X(interrupt, mp_process_interrupt(p))         \
    X(exitcode, mp_process_exitcode(p, NULL))     \
    X(run, mp_process_run(p))                     \
    X(set_name, mp_process_set_name(p, "name"))   \
    X(set_daemon, mp_process_set_daemon(p, true)) \
    X(sentinel, mp_process_sentinel(p))           \
    X(set_authkey, mp_process_set_authkey(p, "key", 3))

#define OPEN_CALLS(X)                              \
    X(close, mp_process_close(p))                  \
    X(repr, mp_process_repr(p, text, sizeof text)) \
    X(print, mp_process_print(p, stderr))

#define FUNCTION(name, expression)        \
    static int call_##name(mp_process *p) \
    {                                     \
        return expression;                \
    }
CALLS(FUNCTION)
OPEN_CALLS(FUNCTION)

struct call {
    const char *name;
    int (*call)(mp_process *);
};
#define ENTRY(name, expression) {#name, call_##name},
static const struct call calls[] = {CALLS(ENTRY)};
static const struct call open_calls[] = {OPEN_CALLS(ENTRY)};
enum { ALL = sizeof calls / sizeof *calls, OPEN = sizeof open_calls / sizeof *open_calls };

static void check_refused(const struct call *call, mp_process *p, int code)
{
    assert_mp_error(mp_set_start_method("an earlier failure"), MP_EINVAL);
    int result = call->call(p);
    if (result != code)
        print_error("%s gave %s, not %s\n", call->name, mp_error_name(result), mp_error_name(code));
    check(result == code);
    check(strstr(mp_error_detail(), "earlier") == NULL);
}

static void check_tells_nothing(mp_process *p)
{
    size_t n = 17;
    check(mp_process_pid(p) == 0 && mp_process_name(p) == NULL && !mp_process_daemon(p));
    check(mp_process_authkey(p, &n) == NULL && n == 17);
    mp_process_destroy(p);
}

static void test_nothing_is_refused_as_a_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL; i++)
        check_refused(&calls[i], NULL, MP_EINVAL);
    for (size_t i = 0; i < OPEN; i++)
        check_refused(&open_calls[i], NULL, MP_EINVAL);
    check_tells_nothing(NULL);
}

static void test_what_is_no_process_is_refused_as_a_type(void **state)
{
    (void)state;
    mp_lock *lock;
    assert_mp_result(mp_lock_create(&lock), 0);
    mp_process *const others[] = {(mp_process *)(void *)lock, (mp_process *)(void *)text};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < ALL; i++)
            check_refused(&calls[i], others[k], MP_ETYPE);
        for (size_t i = 0; i < OPEN; i++)
            check_refused(&open_calls[i], others[k], MP_ETYPE);
        check_tells_nothing(others[k]);
    }
    assert_mp_result(mp_lock_acquire(lock, MP_NOWAIT), 0);
    mp_lock_destroy(lock);
}

static void test_a_closed_one_tells_its_name_and_no_more(void **state)
{
    (void)state;
    size_t n = 17;
    mp_process *p = start_process(leave_with, NULL);
    assert_mp_result(mp_process_join(p, MP_FOREVER), 0);
    assert_mp_result(mp_process_set_name(p, "closed one"), 0);
    assert_mp_result(mp_process_close(p), 0);
    assert_mp_result(mp_process_close(p), 0);
    for (size_t i = 0; i < ALL; i++)
        check_refused(&calls[i], p, MP_ECLOSED);
    check(strcmp(mp_process_name(p), "closed one") == 0);
    check(mp_process_pid(p) == 0);
    check(mp_process_authkey(p, &n) == NULL && n == 17);
    check(assert_mp_ok(mp_process_repr(p, text, sizeof text)) > 0);
    check(strstr(text, "closed one") != NULL);
    mp_process_destroy(p);
}

static void test_no_number_is_no_timeout(void **state)
{
    (void)state;
    mp_process *p = start_process(stay, NULL);
    assert_mp_error(mp_process_join(p, (double)NAN), MP_EINVAL);
    assert_mp_error(mp_process_join(p, -MP_FOREVER), MP_ETIMEOUT);
    assert_mp_error(mp_process_join(p, -1.0), MP_ETIMEOUT);
    assert_mp_error(mp_process_join(p, MP_NOWAIT), MP_ETIMEOUT);
    double start = clock_seconds();
    assert_mp_error(mp_process_join(p, 0.06), MP_ETIMEOUT);
    check(clock_seconds() - start >= 0.06);
    assert_mp_result(mp_process_kill(p), 0);
    check(finish_process(p) == -SIGKILL);
}

static void test_arguments_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    mp_process *p = NULL;
    char long_name[300];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const mp_process_options named = {.name = long_name}, odd = {.daemon = (mp_daemon)7};
    assert_mp_error(mp_process_create(NULL, leave_with, NULL, 0, NULL), MP_EINVAL);
    assert_mp_error(mp_process_create(&p, NULL, NULL, 0, NULL), MP_EINVAL);
    assert_mp_error(mp_process_create(&p, leave_with, NULL, 1, NULL), MP_EINVAL);
    assert_mp_error(mp_process_create(&p, leave_with, NULL, 0, &named), MP_EINVAL);
    assert_mp_error(mp_process_create(&p, leave_with, NULL, 0, &odd), MP_EINVAL);
    check(p == NULL);
    long_name[255] = '\0';
    assert_mp_result(mp_process_create(&p, leave_with, NULL, 0, &named), 0);
    check(strcmp(mp_process_name(p), long_name) == 0);
    assert_mp_error(mp_process_set_name(p, NULL), MP_EINVAL);
    memset(long_name, 'm', 256);
    long_name[256] = '\0';
    assert_mp_error(mp_process_set_name(p, long_name), MP_EINVAL);
    check(mp_process_name(p)[0] == 'n');
    assert_mp_error(mp_process_set_authkey(p, NULL, 1), MP_EINVAL);
    assert_mp_error(mp_process_repr(p, NULL, 5), MP_EINVAL);
    assert_mp_error(mp_process_print(p, NULL), MP_EINVAL);
    assert_mp_error(mp_active_children(NULL, 1), MP_EINVAL);
    mp_process_destroy(p);
}

static void test_before_its_start_there_is_nothing_to_wait_for(void **state)
{
    (void)state;
    int code = 17;
    mp_process *p = new_process(leave_with, NULL, MP_DAEMON_NO);
    assert_mp_error(mp_process_join(p, MP_FOREVER), MP_ESTATE);
    assert_mp_error(mp_process_terminate(p), MP_ESTATE);
    assert_mp_error(mp_process_sentinel(p), MP_ESTATE);
    assert_mp_result(mp_process_is_alive(p), 0);
    assert_mp_result(mp_process_exitcode(p, &code), 0);
    check(code == 17 && mp_process_pid(p) == 0);
    assert_mp_result(mp_process_set_daemon(p, true), 0);
    check(mp_process_daemon(p));
    assert_mp_result(mp_process_close(p), 0);
    assert_mp_error(mp_process_start(p), MP_ECLOSED);
    mp_process_destroy(p);
}

static void test_after_its_start_it_stays_what_it_is(void **state)
{
    (void)state;
    mp_process *p = start_process(stay, NULL);
    assert_mp_error(mp_process_set_daemon(p, true), MP_ESTATE);
    assert_mp_error(mp_process_set_daemon(p, false), MP_ESTATE);
    check(!mp_process_daemon(p));
    assert_mp_error(mp_process_start(p), MP_ESTATE);
    assert_mp_error(mp_process_close(p), MP_ESTATE);
    check(mp_error_detail()[0] != '\0');
    assert_mp_result(mp_process_kill(p), 0);
    assert_mp_result(mp_process_join(p, MP_FOREVER), 0);
    assert_mp_error(mp_process_start(p), MP_ESTATE);
    assert_mp_error(mp_process_set_daemon(p, true), MP_ESTATE);
    assert_mp_result(mp_process_kill(p), 0);
    mp_process_destroy(p);
}

/* ---- the one that is, and its parent ------------------------------------------------------- */

static int be_child(void *arg)
{
    (void)arg;
    mp_process *self = mp_current_process(), *parent = mp_parent_process();
    check(parent != NULL && self != parent);
    assert_mp_error(mp_process_join(self, MP_NOWAIT), MP_ESTATE);
    assert_mp_error(mp_process_close(self), MP_ESTATE);
    assert_mp_error(mp_process_kill(self), MP_ESTATE);
    assert_mp_error(mp_process_start(self), MP_ESTATE);
    assert_mp_result(mp_process_is_alive(self), 1);
    assert_mp_result(mp_process_is_alive(parent), 1);
    check(mp_process_pid(self) == getpid() && mp_process_pid(parent) == getppid());
    assert_mp_error(mp_process_join(parent, 0.01), MP_ETIMEOUT);
    assert_mp_error(mp_process_join(parent, (double)NAN), MP_EINVAL);
    int (*const refused[])(mp_process *) = {
        call_start,    call_kill,  call_terminate,  call_interrupt,   call_exitcode, call_run,
        call_sentinel, call_close, call_set_daemon, call_set_authkey, call_set_name,
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_mp_error(refused[i](parent), MP_ESTATE);
    check(mp_process_authkey(parent, NULL) == NULL);
    mp_process_destroy(self);
    mp_process_destroy(parent);
    check(mp_current_process() == self && mp_parent_process() == parent);
    check(mp_process_pid(self) == getpid());
    return 0;
}

static void test_the_current_process_and_its_parent_are_only_looked_at(void **state)
{
    (void)state;
    check(mp_parent_process() == NULL);
    mp_process_destroy(mp_current_process());
    check(mp_process_pid(mp_current_process()) == getpid());
    assert_mp_error(mp_process_join(mp_current_process(), MP_NOWAIT), MP_ESTATE);
    assert_mp_error(mp_process_run(mp_current_process()), MP_ESTATE);
    check(finish_process(start_process(be_child, NULL)) == 0);
}

/* ---- names and lineage --------------------------------------------------------------------- */

static int check_name_of_grandchild(void *arg)
{
    char expected[100];
    (void)snprintf(expected, sizeof expected, "%s:2", (char *)arg);
    mp_process *first = new_process(leave_with, NULL, MP_DAEMON_NO);
    mp_process *second = new_process(leave_with, NULL, MP_DAEMON_NO);
    check(strcmp(mp_process_name(second), expected) == 0);
    check(strcmp(mp_process_name(mp_current_process()), arg) == 0);
    check(strcmp(mp_process_name(mp_parent_process()), "MainProcess") == 0);
    mp_process_destroy(first);
    mp_process_destroy(second);
    return 0;
}

static int name_children(void *arg)
{
    (void)arg;
    for (int i = 1; i <= 3; i++) {
        char expected[30];
        (void)snprintf(expected, sizeof expected, "Process-%d", i);
        mp_process *p = new_process(check_name_of_grandchild, expected, MP_DAEMON_NO);
        check(strcmp(mp_process_name(p), expected) == 0);
        assert_mp_result(mp_process_start(p), 0);
        check(finish_process(p) == 0);
    }
    return 0;
}

static void test_names_tell_the_lineage(void **state)
{
    (void)state;
    check(program(name_children, NULL) == 0);
}

static void test_an_empty_name_is_the_default_one(void **state)
{
    (void)state;
    mp_process *p;
    const mp_process_options options = {.name = ""};
    assert_mp_result(mp_process_create(&p, leave_with, NULL, 0, &options), 0);
    check(strncmp(mp_process_name(p), "Process-", 8) == 0);
    mp_process_destroy(p);
}

static int descend(void *arg)
{
    int *levels = arg;
    const char *name = mp_process_name(mp_current_process());
    check(strncmp(name, "Process-", 8) == 0 && strlen(name) <= 255);
    if (--*levels == 0)
        return 0;
    return finish_process(start_process(descend, levels));
}

static void test_children_have_children_to_any_depth(void **state)
{
    (void)state;
    int levels = 40;
    check(finish_process(start_process(descend, &levels)) == 0);
    check(levels == 40);
}

static int tell_name(void *arg)
{
    return strcmp(mp_process_name(mp_current_process()), arg) == 0 ? 0 : 1;
}

static void test_a_name_set_before_the_start_is_the_childs(void **state)
{
    (void)state;
    char name[] = "it's \"me\" \n";
    mp_process *p = new_process(tell_name, name, MP_DAEMON_NO);
    assert_mp_result(mp_process_set_name(p, name), 0);
    assert_mp_result(mp_process_set_name(p, mp_process_name(p)), 0);
    check(strcmp(mp_process_name(p), name) == 0);
    assert_mp_result(mp_process_start(p), 0);
    check(finish_process(p) == 0);
    p = new_process(tell_name, (char[]){""}, MP_DAEMON_NO);
    assert_mp_result(mp_process_set_name(p, ""), 0);
    assert_mp_result(mp_process_start(p), 0);
    check(finish_process(p) == 0);
}

/* ---- arguments ----------------------------------------------------------------------------- */

struct parcel {
    char text[5000];
};

static int read_parcel(void *arg)
{
    const struct parcel *parcel = arg;
    for (size_t i = 0; i < sizeof parcel->text; i++)
        if (parcel->text[i] != 'x')
            return 1;
    return 0;
}

static void test_a_copied_argument_is_as_it_was_when_copied(void **state)
{
    (void)state;
    struct parcel parcel;
    mp_process *p;
    memset(&parcel, 'x', sizeof parcel);
    assert_mp_result(mp_process_create(&p, read_parcel, &parcel, sizeof parcel, NULL), 0);
    memset(&parcel, 'y', sizeof parcel);
    assert_mp_result(mp_process_run(p), 0);
    assert_mp_result(mp_process_start(p), 0);
    check(finish_process(p) == 0);
}

/* ---- references ---------------------------------------------------------------------------- */

static void test_destroying_a_running_one_ends_nothing(void **state)
{
    (void)state;
    mp_process *children[4];
    mp_process *p = start_process(stay, NULL);
    pid_t pid = mp_process_pid(p);
    mp_process_destroy(p);
    check(runs(pid));
    assert_mp_result(mp_active_children(children, 4), 1);
    check(mp_process_pid(children[0]) == pid);
    assert_mp_result(mp_process_kill(children[0]), 0);
    check(finish_process(children[0]) == -SIGKILL);
    assert_mp_result(mp_active_children(children, 4), 0);
}

static void test_each_listing_gives_a_reference_of_its_own(void **state)
{
    (void)state;
    mp_process *first[2] = {NULL, NULL}, *second[2] = {NULL, NULL};
    mp_process *a = start_process(stay, NULL), *b = start_process(stay, NULL);
    assert_mp_result(mp_active_children(NULL, 0), 2);
    assert_mp_result(mp_active_children(first, 1), 2);
    check(first[0] == a && first[1] == NULL);
    assert_mp_result(mp_active_children(second, 2), 2);
    check(second[0] == a && second[1] == b);
    mp_process_destroy(first[0]);
    mp_process_destroy(second[0]);
    mp_process_destroy(second[1]);
    assert_mp_result(mp_process_kill(a), 0);
    assert_mp_result(mp_process_kill(b), 0);
    check(finish_process(a) == -SIGKILL && finish_process(b) == -SIGKILL);
}

static int forget_copies(void *arg)
{
    mp_process **copies = arg;
    check(mp_process_pid(copies[0]) > 0);
    mp_process_destroy(copies[0]);
    assert_mp_result(mp_active_children(NULL, 0), 0);
    return 0;
}

static void test_a_child_that_destroys_its_copy_disturbs_nobody(void **state)
{
    (void)state;
    mp_process *p = start_process(stay, NULL);
    check(finish_process(start_process(forget_copies, &p)) == 0);
    child_must_succeed(forget_copies, &p);
    assert_mp_result(mp_process_is_alive(p), 1);
    assert_mp_result(mp_process_kill(p), 0);
    check(finish_process(p) == -SIGKILL);
}

/* ---- start methods ------------------------------------------------------------------------- */

static void test_fork_is_the_one_start_method(void **state)
{
    (void)state;
    check(strcmp(mp_get_start_method(), "fork") == 0);
    assert_mp_result(mp_set_start_method("fork"), 0);
    assert_mp_result(mp_set_start_method("fork"), 0);
    static const char *const others[] = {"spawn", "forkserver", "", "Fork", "forks", NULL};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_mp_error(mp_set_start_method(others[i]), MP_EINVAL);
    const char *const *all = mp_get_all_start_methods();
    check(strcmp(all[0], "fork") == 0 && all[1] == NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Process: nothing is refused as a value", test_nothing_is_refused_as_a_value),
        support_test("Process: what is none is refused as a type",
                     test_what_is_no_process_is_refused_as_a_type),
        support_test("Process: a closed one tells its name and no more",
                     test_a_closed_one_tells_its_name_and_no_more),
        support_test("Process: no number is no timeout", test_no_number_is_no_timeout),
        support_test("Process: arguments that make no sense are refused",
                     test_arguments_that_make_no_sense_are_refused),
        support_test("Process: before its start there is nothing to wait for",
                     test_before_its_start_there_is_nothing_to_wait_for),
        support_test("Process: after its start it stays what it is",
                     test_after_its_start_it_stays_what_it_is),
        support_test("Process: the current one and its parent are only looked at",
                     test_the_current_process_and_its_parent_are_only_looked_at),
        support_test("name: an empty one is the default one",
                     test_an_empty_name_is_the_default_one),
        support_test("Process: names tell the lineage", test_names_tell_the_lineage),
        support_test("Process: children have children to any depth",
                     test_children_have_children_to_any_depth),
        support_test("Process: a name set before the start is the child's",
                     test_a_name_set_before_the_start_is_the_childs),
        support_test("Process: a copied argument is as it was when copied",
                     test_a_copied_argument_is_as_it_was_when_copied),
        support_test("Process: destroying a running one ends nothing",
                     test_destroying_a_running_one_ends_nothing),
        support_test("Process: each listing gives a reference of its own",
                     test_each_listing_gives_a_reference_of_its_own),
        support_test("Process: a child that destroys its copy disturbs nobody",
                     test_a_child_that_destroys_its_copy_disturbs_nobody),
        support_test("context: fork is the one start method", test_fork_is_the_one_start_method),
    };
    return support_run_processes("Process", tests);
}
