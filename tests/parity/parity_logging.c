/* Python's TestLogging, and what children, pools and their ends say in the log. */
#include "parity.h"
#include "support/trees.h"

#include <mp/connection.h>
#include <mp/managers.h>
#include <mp/pool.h>
#include <mp/util.h>
#include <stdlib.h>
#include <string.h>

/* The lines of all processes; a file keeps those that children append to it. */
static FILE *book;

static void write_down(int level, const char *line, void *arg)
{
    (void)level;
    check(fprintf(arg, "%s\n", line) > 0 && fflush(arg) == 0);
}

static void log_begin(int level)
{
    book = nameless_file();
    check(setvbuf(book, NULL, _IOLBF, 0) == 0);
    (void)assert_mp_ok(mp_log_set(level, write_down, book));
}

static void log_end(char *text, size_t size)
{
    (void)assert_mp_ok(mp_log_set(MP_LOG_WARNING, NULL, NULL));
    read_file(book, text, size);
    check(fclose(book) == 0);
}

/* How often the text has this line; a line that ends with "*" stands for all that begin so. */
static int lines_of(const char *text, const char *line)
{
    int n = 0;
    size_t size = strlen(line);
    bool is_beginning = line[size - 1] == '*';
    if (is_beginning)
        size--;
    for (const char *at = text; *at != '\0'; at = strchr(at, '\n') + 1)
        if (strncmp(at, line, size) == 0 && (is_beginning || at[size] == '\n'))
            n++;
    return n;
}

static void test_enable_logging(void **state)
{
    (void)state;
    char text[4096];
    log_begin(MP_LOG_SUBWARNING);
    mp_log(MP_LOG_DEBUG, "this will not be printed");
    mp_log(MP_LOG_INFO, "nor will this");
    mp_log(MP_LOG_WARNING, "this will");
    log_end(text, sizeof text);
    assert_string_equal(text, "[WARNING/MainProcess] this will\n");
}

static int tell_level(void *writer)
{
    return mp_connection_send(writer, MP(mp_log_level_now()));
}

static int level_of_a_child(void)
{
    mp_connection *reader, *writer;
    mp_obj level;
    (void)assert_mp_ok(mp_pipe(&reader, &writer, false));
    mp_process *p = start_process(tell_level, writer, 0);
    (void)assert_mp_ok(mp_connection_recv(reader, &level));
    finish_process_with(p, 0);
    int result = (int)level.i;
    mp_obj_free(&level);
    mp_connection_destroy(reader);
    mp_connection_destroy(writer);
    return result;
}

static void test_default_level(void **state)
{
    (void)state;
    check(mp_log_level_now() == MP_LOG_WARNING);
    check(level_of_a_child() == MP_LOG_WARNING);
}

static void test_level(void **state)
{
    (void)state;
    (void)assert_mp_ok(mp_log_set(32, NULL, NULL));
    check(level_of_a_child() == 32);
    (void)assert_mp_ok(mp_log_set(37, NULL, NULL));
    (void)assert_mp_ok(mp_log_set(0, NULL, NULL)); /* as setLevel: no other one is in force */
    check(level_of_a_child() == 37);
    (void)assert_mp_ok(mp_log_set(MP_LOG_WARNING, NULL, NULL));
}

static int speak(void *unused)
{
    (void)unused;
    mp_log(MP_LOG_WARNING, "doomed");
    return 3;
}

static void test_a_child_tells_of_its_life_under_its_name(void **state)
{
    (void)state;
    char text[4096];
    log_begin(MP_LOG_INFO);
    finish_process_with(start_named_process("Speaker", speak, NULL, 0), 3);
    log_end(text, sizeof text);
    assert_string_equal(text, "[INFO/Speaker] child process calling self.run()\n"
                              "[WARNING/Speaker] doomed\n"
                              "[INFO/Speaker] process shutting down\n"
                              "[INFO/Speaker] process exiting with exitcode 3\n");
}

static int wait_for_the_end(void *unused)
{
    (void)unused;
    mp_sleep(MP_FOREVER);
    return 0;
}

static int leave_two_children(void *unused)
{
    (void)unused;
    mp_process_options daemon = {.name = "Demon", .daemon = MP_DAEMON_YES};
    mp_process_options plain = {.name = "Child", .daemon = MP_DAEMON_NO};
    mp_process *p;
    (void)assert_mp_ok(mp_process_create(&p, wait_for_the_end, NULL, 0, &daemon));
    (void)assert_mp_ok(mp_process_start(p));
    (void)assert_mp_ok(mp_process_create(&p, speak, NULL, 0, &plain));
    (void)assert_mp_ok(mp_process_start(p));
    return 0;
}

static void test_a_process_tells_whom_it_ends_and_waits_for(void **state)
{
    (void)state;
    char text[4096];
    mp_process_options options = {.name = "Parent", .daemon = MP_DAEMON_NO};
    mp_process *p;
    log_begin(MP_LOG_INFO);
    (void)assert_mp_ok(mp_process_create(&p, leave_two_children, NULL, 0, &options));
    (void)assert_mp_ok(mp_process_start(p));
    (void)assert_mp_ok(mp_process_join(p, MP_FOREVER));
    mp_process_destroy(p);
    log_end(text, sizeof text);
    check(lines_of(text, "[INFO/Parent] calling terminate() for daemon Demon") == 1);
    check(lines_of(text, "[INFO/Parent] calling join() for process Demon") == 1);
    check(lines_of(text, "[INFO/Parent] calling join() for process Child") == 1);
    check(lines_of(text, "[INFO/Child] process exiting with exitcode 3") == 1);
    const char *shutting_down = strstr(text, "[INFO/Parent] process shutting down");
    const char *terminating = strstr(text, "[INFO/Parent] calling terminate()");
    const char *exiting = strstr(text, "[INFO/Parent] process exiting with exitcode 0");
    check(shutting_down != NULL && shutting_down < terminating && terminating < exiting);
}

static int square(mp_obj arg, mp_obj *result)
{
    *result = MP(arg.i * arg.i);
    return 0;
}

static void test_a_pool_tells_of_its_workers(void **state)
{
    (void)state;
    char text[8192];
    mp_pool *pool;
    mp_obj results;
    log_begin(MP_LOG_DEBUG);
    (void)assert_mp_ok(mp_pool_create(&pool, 2, NULL));
    (void)assert_mp_ok(mp_pool_map(pool, square, MP_LIST(1, 2, 3), &results, NULL));
    mp_obj_free(&results);
    (void)assert_mp_ok(mp_pool_close(pool));
    (void)assert_mp_ok(mp_pool_join(pool, MP_FOREVER));
    mp_pool_destroy(pool);
    log_end(text, sizeof text);
    static const struct {
        const char *line;
        int times;
    } wanted[] = {
        {"[DEBUG/MainProcess] closing pool", 1},
        {"[DEBUG/MainProcess] joining pool", 1},
        {"[DEBUG/MainProcess] finalizing pool", 1},
        {"[DEBUG/Supervisor] added worker", 2},
        {"[DEBUG/Supervisor] cleaning up worker *", 2},
        {"[DEBUG/PoolWorker-1] worker exiting after *", 1},
        {"[DEBUG/PoolWorker-2] worker exiting after *", 1},
        {"[INFO/PoolWorker-2] process exiting with exitcode 0", 1},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (lines_of(text, wanted[i].line) != wanted[i].times)
            support_fail(__FILE__, __LINE__, "not %d times %s in:\n%s", wanted[i].times,
                         wanted[i].line, text);
}

static void test_a_listener_tells_of_its_folder_and_its_address(void **state)
{
    (void)state;
    char text[4096], wanted[1024];
    mp_listener *listener;
    log_begin(MP_LOG_SUBDEBUG);
    (void)assert_mp_ok(mp_listener_create(&listener, NULL, NULL));
    const char *address = mp_listener_address(listener);
    (void)snprintf(wanted, sizeof wanted,
                   "[INFO/MainProcess] created temp directory %.*s\n"
                   "[SUBDEBUG/MainProcess] listener created with address='%s'\n"
                   "[SUBDEBUG/MainProcess] closing listener with address='%s'\n",
                   (int)(strrchr(address, '/') - address), address, address, address);
    mp_listener_destroy(listener);
    log_end(text, sizeof text);
    assert_string_equal(text, wanted);
}

static void test_a_manager_tells_where_it_serves_and_of_its_end(void **state)
{
    (void)state;
    char text[8192], serving[1024];
    mp_manager *manager;
    log_begin(MP_LOG_INFO);
    (void)assert_mp_ok(mp_manager_create(&manager, NULL));
    (void)snprintf(serving, sizeof serving, "[INFO/SyncManager-%s] manager serving at '%s'",
                   strrchr(mp_process_name(mp_manager_process(manager)), '-') + 1,
                   mp_manager_address(manager));
    mp_manager_destroy(manager);
    log_end(text, sizeof text);
    check(lines_of(text, serving) == 1);
    /* the manager may be there before its server has said so: also in Python */
    check(lines_of(text, "[INFO/MainProcess] sending shutdown message to manager") == 1);
    static const char *const said[] = {
        "child process calling self.run()",
        "created temp directory ",
        "manager serving at ",
        "manager exiting with exitcode 0",
        "process shutting down",
        "process exiting with exitcode 0",
    };
    const char *at = text;
    for (size_t i = 0; i < sizeof said / sizeof *said && at != NULL; i++)
        at = strstr(at, said[i]);
    if (at == NULL)
        support_fail(__FILE__, __LINE__, "something is missing, or in another order:\n%s", text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestLogging: the level is WARNING unless set, in a child too",
                     test_default_level),
        support_test("TestLogging.test_enable_logging: what matters less is not printed",
                     test_enable_logging),
        support_test("TestLogging.test_level: a child has the level of its parent", test_level),
        support_test("TestLogging: a child tells of its life under its name",
                     test_a_child_tells_of_its_life_under_its_name),
        support_test("TestLogging: a process tells whom it ends and whom it waits for",
                     test_a_process_tells_whom_it_ends_and_waits_for),
        support_test("TestLogging: a pool tells of its workers", test_a_pool_tells_of_its_workers),
        support_test("TestLogging: a listener tells of its folder and its address",
                     test_a_listener_tells_of_its_folder_and_its_address),
        support_test("TestLogging: a manager tells where it serves, and of its end",
                     test_a_manager_tells_where_it_serves_and_of_its_end),
    };
    trees_begin();
    return support_run_processes("TestLogging", tests);
}
