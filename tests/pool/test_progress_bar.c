/* The progress bar: a line on a terminal, nothing anywhere else. */
#include "pool_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT = 1000, MANY = 1000000007 };

struct output {
    char text[1 << 16];
    size_t length;
};

/* Up to the end of the stream, which on a terminal is an error. */
static void read_all(int fd, struct output *output)
{
    for (;;) {
        ssize_t n =
            read(fd, output->text + output->length, sizeof output->text - 1 - output->length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        output->length += (size_t)n;
    }
    output->text[output->length] = '\0';
}

/* The ends of a new terminal, or of a pipe. */
static void open_terminal(int ends[2])
{
    ends[0] = posix_openpt(O_RDWR | O_NOCTTY);
    check(ends[0] >= 0 && grantpt(ends[0]) == 0 && unlockpt(ends[0]) == 0);
    ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY);
    check(ends[1] >= 0 && isatty(ends[1]));
}

static void open_pipe(int ends[2])
{
    check(pipe(ends) == 0);
}

struct child {
    void (*body)(void);
    int ends[2];
};

static int run_with_stderr(void *arg)
{
    const struct child *child = arg;
    check(dup2(child->ends[1], STDERR_FILENO) == STDERR_FILENO);
    check(close(child->ends[0]) == 0 && close(child->ends[1]) == 0);
    child->body();
    return 0;
}

/* What the body writes to stderr in a child of its own. */
static void written_by(void (*body)(void), void (*open_ends)(int ends[2]), struct output *output)
{
    struct child child = {.body = body};
    output->length = 0;
    open_ends(child.ends);
    pid_t pid = child_fork(run_with_stderr, &child);
    check(close(child.ends[1]) == 0);
    read_all(child.ends[0], output);
    check(close(child.ends[0]) == 0);
    check(child_wait(pid) == 0);
}

static size_t count_of(const struct output *output, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < output->length; i++)
        n += output->text[i] == c;
    return n;
}

static int do_little(const void *item, void *result, void *context)
{
    (void)context;
    *(int *)result = *(const int *)item + 1;
    return 0;
}

static void map_with_a_bar(void)
{
    static int items[COUNT], results[COUNT];
    mp_pool *pool = new_pool(2);
    const mp_map_options options = {.progress = mp_progress_bar};
    assert_mp_result(mp_pool_map_array(pool, do_little, items, COUNT, sizeof *items, results,
                                       sizeof *results, &options),
                     0);
    for (int i = 0; i < COUNT; i++)
        check(results[i] == 1);
    end_pool(pool);
}

static void map_twice_with_a_bar(void)
{
    map_with_a_bar();
    map_with_a_bar();
}

static void map_objects_with_a_bar(void)
{
    mp_pool *pool = new_pool(2);
    mp_async_result *result;
    const mp_map_options options = {.progress = mp_progress_bar};
    assert_mp_result(mp_pool_map(pool, square, MP_LIST(1, 2, 3, 4, 5), NULL, &options), 0);
    assert_mp_result(
        mp_pool_map_async(pool, square, MP_LIST(1, 2, 3, 4, 5, 6, 7), &result, &options), 0);
    assert_mp_result(mp_async_result_wait(result, MP_FOREVER), 0);
    mp_async_result_destroy(result);
    end_pool(pool);
}

static void call_often(void)
{
    double end = clock_seconds() + 1;
    size_t done = 0;
    while (clock_seconds() < end)
        mp_progress_bar(++done, MANY, NULL);
    mp_progress_bar(MANY, MANY, NULL);
}

static void call_at_the_end(void)
{
    mp_progress_bar(12, 12, NULL);
}

static void test_a_terminal_sees_a_line(void **state)
{
    (void)state;
    static struct output output;
    written_by(map_with_a_bar, open_terminal, &output);
    check(output.length > 0 && output.text[output.length - 1] == '\n');
    check(count_of(&output, '\n') == 1);
    check(strstr(output.text, "1000/1000") != NULL);
    written_by(call_at_the_end, open_terminal, &output);
    check(output.length > 0 && output.text[output.length - 1] == '\n');
    check(count_of(&output, '\n') == 1 && strstr(output.text, "12/12") != NULL);
}

static void test_each_map_has_a_line_of_its_own(void **state)
{
    (void)state;
    static struct output output;
    written_by(map_twice_with_a_bar, open_terminal, &output);
    check(count_of(&output, '\n') == 2 && output.text[output.length - 1] == '\n');
    written_by(map_objects_with_a_bar, open_terminal, &output);
    check(count_of(&output, '\n') == 2 && output.text[output.length - 1] == '\n');
    check(strstr(output.text, "5/5") != NULL && strstr(output.text, "7/7") != NULL);
}

static size_t drawings_of_many(const struct output *output)
{
    size_t n = 0;
    for (const char *at = output->text; (at = strstr(at, "/1000000007")) != NULL; at++)
        n++;
    return n;
}

/* A second of calls, ten drawings in it, and the last. */
static void test_it_is_redrawn_ten_times_a_second(void **state)
{
    (void)state;
    static struct output output;
    double start = clock_seconds();
    written_by(call_often, open_terminal, &output);
    double seconds = clock_seconds() - start;
    size_t drawn = drawings_of_many(&output);
    check(drawn >= 2 && drawn <= (size_t)(10 * seconds + 2));
    check(count_of(&output, '\n') == 1);
}

static void test_a_pipe_sees_nothing(void **state)
{
    (void)state;
    static struct output output;
    written_by(map_with_a_bar, open_pipe, &output);
    check(output.length == 0);
    written_by(map_objects_with_a_bar, open_pipe, &output);
    check(output.length == 0);
    written_by(call_at_the_end, open_pipe, &output);
    check(output.length == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("a terminal sees a line, ended by a newline", test_a_terminal_sees_a_line),
        support_test("each map has a line of its own", test_each_map_has_a_line_of_its_own),
        support_test("it is redrawn ten times a second", test_it_is_redrawn_ten_times_a_second),
        support_test("a pipe sees nothing", test_a_pipe_sees_nothing),
    };
    return support_run_processes("progress bar", tests);
}
