/* The log: its lines, who gets them, and that nobody can be left without it or waiting for it. */
#include "support/support.h"

#include "base/base.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a sink that keeps the last line --------------------------------------------------------- */

struct heard {
    int lines, level;
    char line[8192];
};

static void hear(int level, const char *line, void *arg)
{
    struct heard *heard = arg;
    heard->lines++;
    heard->level = level;
    (void)snprintf(heard->line, sizeof heard->line, "%s", line);
    errno = EDOM;
}

static void log_reset(void)
{
    (void)assert_mp_ok(mp_log_set(MP_LOG_WARNING, NULL, NULL));
}

/* ---- standard error as a row of messages: each write is one ---------------------------------- */

struct error_stream {
    int saved, read_fd;
};

static struct error_stream error_stream_take(void)
{
    int ends[2];
    check(fflush(stderr) == 0);
    check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    struct error_stream stream = {.saved = dup(STDERR_FILENO), .read_fd = ends[0]};
    check(stream.saved >= 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    check(close(ends[1]) == 0);
    return stream;
}

/* "" where nothing was written. */
static void error_stream_read(const struct error_stream *stream, char *text, size_t size)
{
    ssize_t n = recv(stream->read_fd, text, size - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
}

static void error_stream_give(const struct error_stream *stream)
{
    check(dup2(stream->saved, STDERR_FILENO) == STDERR_FILENO);
    check(close(stream->saved) == 0 && close(stream->read_fd) == 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* The first of all: nobody has asked for the log yet. */
static void test_nothing_is_said_before_the_log_is_asked_for(void **state)
{
    (void)state;
    char text[200];
    struct error_stream stream = error_stream_take();
    int level = mp_log_level_now();
    mp_log(50, "nobody hears this");
    error_stream_read(&stream, text, sizeof text);
    error_stream_give(&stream);
    assert_string_equal(text, "");
    check(level == MP_LOG_WARNING);
}

static void test_a_line_has_level_process_and_message(void **state)
{
    (void)state;
    static const struct {
        int level;
        const char *line;
    } lines[] = {
        {MP_LOG_SUBDEBUG, "[SUBDEBUG/MainProcess] 7 of nine"},
        {MP_LOG_DEBUG, "[DEBUG/MainProcess] 7 of nine"},
        {MP_LOG_INFO, "[INFO/MainProcess] 7 of nine"},
        {MP_LOG_SUBWARNING, "[SUBWARNING/MainProcess] 7 of nine"},
        {MP_LOG_WARNING, "[WARNING/MainProcess] 7 of nine"},
        {40, "[ERROR/MainProcess] 7 of nine"},
        {50, "[CRITICAL/MainProcess] 7 of nine"},
        {7, "[Level 7/MainProcess] 7 of nine"},
    };
    struct heard heard = {.lines = 0};
    (void)assert_mp_ok(mp_log_set(1, hear, &heard));
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        mp_log(lines[i].level, "%d of %s", 7, "nine");
        assert_string_equal(heard.line, lines[i].line);
        check(heard.level == lines[i].level && heard.lines == (int)i + 1);
    }
    log_reset();
}

static void test_lines_below_the_level_are_dropped(void **state)
{
    (void)state;
    struct heard heard = {.lines = 0};
    (void)assert_mp_ok(mp_log_set(MP_LOG_INFO, hear, &heard));
    check(mp_log_level_now() == MP_LOG_INFO);
    mp_log(MP_LOG_INFO - 1, "no");
    mp_log(-1, "no");
    check(heard.lines == 0);
    mp_log(MP_LOG_INFO, "yes");
    check(heard.lines == 1);
    log_reset();
}

static void test_level_0_leaves_the_level_and_a_negative_one_changes_nothing(void **state)
{
    (void)state;
    struct heard heard = {.lines = 0};
    (void)assert_mp_ok(mp_log_set(33, hear, &heard));
    (void)assert_mp_ok(mp_log_set(0, hear, &heard));
    check(mp_log_level_now() == 33);
    assert_mp_error(mp_log_set(-1, NULL, NULL), MP_EINVAL);
    assert_mp_error(mp_log_to_stderr(-1), MP_EINVAL);
    mp_log(33, "still here");
    check(heard.lines == 1 && mp_log_level_now() == 33);
    log_reset();
}

static void test_without_a_sink_nobody_hears(void **state)
{
    (void)state;
    struct heard heard = {.lines = 0};
    (void)assert_mp_ok(mp_log_set(MP_LOG_INFO, hear, &heard));
    (void)assert_mp_ok(mp_log_set(MP_LOG_DEBUG, NULL, NULL));
    mp_log(50, "nobody hears this");
    check(heard.lines == 0 && mp_log_level_now() == MP_LOG_DEBUG);
    log_reset();
}

static void test_each_line_is_one_write_to_standard_error(void **state)
{
    (void)state;
    char first[200], second[200], none[200];
    struct error_stream stream = error_stream_take();
    int rc = mp_log_to_stderr(MP_LOG_INFO);
    mp_log(MP_LOG_INFO, "one %s", "line");
    mp_log(MP_LOG_WARNING, "and another");
    error_stream_read(&stream, first, sizeof first);
    error_stream_read(&stream, second, sizeof second);
    error_stream_read(&stream, none, sizeof none);
    error_stream_give(&stream);
    log_reset();
    (void)assert_mp_ok(rc);
    assert_string_equal(first, "[INFO/MainProcess] one line\n");
    assert_string_equal(second, "[WARNING/MainProcess] and another\n");
    assert_string_equal(none, "");
}

static void test_a_line_without_end_is_cut_but_for_its_newline(void **state)
{
    (void)state;
    static char text[16384], long_one[10000];
    memset(long_one, 'x', sizeof long_one - 1);
    struct error_stream stream = error_stream_take();
    (void)mp_log_to_stderr(MP_LOG_INFO);
    mp_log(MP_LOG_INFO, "%s", long_one);
    error_stream_read(&stream, text, sizeof text);
    error_stream_give(&stream);
    log_reset();
    check(strlen(text) == 4096 && text[4095] == '\n' && text[4094] == 'x');
}

static void test_errno_is_what_it_was(void **state)
{
    (void)state;
    struct heard heard = {.lines = 0};
    (void)assert_mp_ok(mp_log_set(MP_LOG_INFO, hear, &heard));
    errno = ENOTTY;
    mp_log(MP_LOG_INFO, "x");
    int after_a_sink = errno;
    struct error_stream stream = error_stream_take();
    check(close(STDERR_FILENO) == 0);
    (void)mp_log_to_stderr(0);
    errno = ENOTTY;
    mp_log(MP_LOG_INFO, "written to nowhere");
    int after_a_failure = errno;
    error_stream_give(&stream);
    log_reset();
    check(heard.lines == 1 && after_a_sink == ENOTTY && after_a_failure == ENOTTY);
}

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

static void test_the_arguments_of_a_line_nobody_wants_are_not_evaluated(void **state)
{
    (void)state;
    struct heard heard = {.lines = 0};
    evaluated = 0;
    mp__log(50, "%d", evaluate());
    (void)assert_mp_ok(mp_log_set(MP_LOG_INFO, hear, &heard));
    mp__log(MP_LOG_DEBUG, "%d", evaluate());
    check(evaluated == 0);
    mp__log(MP_LOG_INFO, "%d", evaluate());
    check(evaluated == 1 && heard.lines == 1);
    log_reset();
}

static int say_in_child(void *unused)
{
    (void)unused;
    mp_log(MP_LOG_INFO, "level %d", mp_log_level_now());
    return 0;
}

static void test_a_forked_child_has_the_log_of_its_parent(void **state)
{
    (void)state;
    char text[200];
    struct error_stream stream = error_stream_take();
    (void)mp_log_to_stderr(MP_LOG_INFO);
    child_must_succeed(say_in_child, NULL);
    error_stream_read(&stream, text, sizeof text);
    error_stream_give(&stream);
    log_reset();
    assert_string_equal(text, "[INFO/MainProcess] level 20\n");
}

/* ---- who sets while others speak ------------------------------------------------------------- */

enum { SETTERS = 2, LINES = 50000, CHILDREN = 200 };

static char args[SETTERS];
static _Atomic int lines_heard, mixed_up;
static _Atomic bool setters_stop;

static void hear_first(int level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    lines_heard++;
    if (arg != &args[0])
        mixed_up++;
}

static void hear_second(int level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    lines_heard++;
    if (arg != &args[1])
        mixed_up++;
}

static void *set_again_and_again(void *which)
{
    do
        (void)mp_log_set(MP_LOG_INFO, which == &args[0] ? hear_first : hear_second, which);
    while (!setters_stop);
    return NULL;
}

static void setters_start(pthread_t threads[SETTERS])
{
    setters_stop = false;
    lines_heard = mixed_up = 0;
    for (int i = 0; i < SETTERS; i++)
        check(pthread_create(&threads[i], NULL, set_again_and_again, &args[i]) == 0);
}

static void setters_join(pthread_t threads[SETTERS])
{
    setters_stop = true;
    for (int i = 0; i < SETTERS; i++)
        check(pthread_join(threads[i], NULL) == 0);
}

static void test_a_sink_is_called_with_its_own_argument_only(void **state)
{
    (void)state;
    pthread_t threads[SETTERS];
    setters_start(threads);
    for (int i = 0; i < LINES; i++)
        mp_log(MP_LOG_INFO, "x");
    setters_join(threads);
    int heard_before = lines_heard;
    mp_log(MP_LOG_INFO, "x");
    check(lines_heard == heard_before + 1 && mixed_up == 0);
    log_reset();
}

static void set_in_between(const char *name)
{
    if (strcmp(name, "log.reading") != 0)
        return;
    mp__step_hook = NULL;
    for (int i = 0; i < 64; i++)
        (void)assert_mp_ok(mp_log_set(MP_LOG_INFO, hear_second, &args[1]));
}

static void test_who_speaks_while_the_log_is_being_set_meets_no_mixture(void **state)
{
    (void)state;
    lines_heard = mixed_up = 0;
    (void)assert_mp_ok(mp_log_set(MP_LOG_INFO, hear_first, &args[0]));
    mp__step_hook = set_in_between;
    mp_log(MP_LOG_INFO, "x");
    check(mp__step_hook == NULL && lines_heard == 1 && mixed_up == 0);
    log_reset();
}

static int speak_and_set(void *unused)
{
    (void)unused;
    struct heard heard = {.lines = 0};
    mp_log(MP_LOG_INFO, "to whoever it was");
    check(mixed_up == 0);
    for (int i = 1; i <= 64; i++) {
        (void)assert_mp_ok(mp_log_set(MP_LOG_INFO, hear, &heard));
        mp_log(MP_LOG_INFO, "x");
        check(heard.lines == i);
    }
    return 0;
}

static void test_children_forked_while_the_log_is_being_set_can_speak_and_set_it(void **state)
{
    (void)state;
    pthread_t threads[SETTERS];
    setters_start(threads);
    for (int i = 0; i < CHILDREN; i++)
        child_must_succeed(speak_and_set, NULL);
    setters_join(threads);
    log_reset();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("log: nothing is said before it is asked for",
                     test_nothing_is_said_before_the_log_is_asked_for),
        support_test("log: a line has level, process and message",
                     test_a_line_has_level_process_and_message),
        support_test("log: lines below the level are dropped",
                     test_lines_below_the_level_are_dropped),
        support_test("log: level 0 leaves the level, a negative one changes nothing",
                     test_level_0_leaves_the_level_and_a_negative_one_changes_nothing),
        support_test("log: without a sink nobody hears", test_without_a_sink_nobody_hears),
        support_test("log: each line is one write to standard error",
                     test_each_line_is_one_write_to_standard_error),
        support_test("log: a line without end is cut but for its newline",
                     test_a_line_without_end_is_cut_but_for_its_newline),
        support_test("log: errno is what it was", test_errno_is_what_it_was),
        support_test("log: the arguments of a line nobody wants are not evaluated",
                     test_the_arguments_of_a_line_nobody_wants_are_not_evaluated),
        support_test("log: a forked child has the log of its parent",
                     test_a_forked_child_has_the_log_of_its_parent),
        support_test("log: a sink is called with its own argument only",
                     test_a_sink_is_called_with_its_own_argument_only),
        support_test("log: who speaks while it is being set meets no mixture",
                     test_who_speaks_while_the_log_is_being_set_meets_no_mixture),
        support_test("log: children forked while it is being set can speak and set it",
                     test_children_forked_while_the_log_is_being_set_can_speak_and_set_it),
    };
    return support_run("log", tests);
}
