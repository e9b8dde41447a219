/* What the library does before main: constructors of the program find it ready, and what stands at
 * descriptor 0 when the program is loaded decides what its children find there. */
#include "children.h"

#include <fcntl.h>
#include <mp/sharedctypes.h>
#include <string.h>
#include <unistd.h>

static mp_value *made_early;
static int result_early;

__attribute__((constructor)) static void make_early(void)
{
    const int value = 7;
    result_early = mp_value_create(&made_early, 'i', &value);
}

static int add_one(void *unused)
{
    (void)unused;
    MP_VALUE(int, made_early)++;
    return 0;
}

static void test_a_constructor_of_the_program_can_make_objects(void **state)
{
    (void)state;
    assert_mp_result(result_early, 0);
    check(finish_process(start_process(add_one, NULL)) == 0);
    check(MP_VALUE(int, made_early) == 8);
}

/* ---- descriptor 0 --------------------------------------------------------------------------- */

static int read_descriptor_0(void *unused)
{
    char text[8] = "";
    (void)unused;
    return pread(STDIN_FILENO, text, 4, 0) == 4 && strcmp(text, "mine") == 0 ? 0 : 1;
}

/* The program as it is when it was started with descriptor 0 closed. */
static int without_stdin(void)
{
    FILE *file = tmpfile();
    check(file != NULL && fileno(file) == STDIN_FILENO);
    check(fputs("mine", file) >= 0 && fflush(file) == 0);
    return finish_process(start_process(read_descriptor_0, NULL));
}

static int run_without_stdin(void *unused)
{
    (void)unused;
    (void)close(STDIN_FILENO);
    return execl("/proc/self/exe", "test_loaded", "without stdin", (char *)NULL);
}

static void test_a_file_at_0_is_inherited_where_it_is_not_stdin(void **state)
{
    (void)state;
    check(child_wait(child_fork(run_without_stdin, NULL)) == 0);
}

int main(int argc, char **argv)
{
    (void)argv;
    static const struct CMUnitTest tests[] = {
        support_test("constructor: one of the program can make objects",
                     test_a_constructor_of_the_program_can_make_objects),
        support_test("start: a file at 0 is inherited where it is not stdin",
                     test_a_file_at_0_is_inherited_where_it_is_not_stdin),
    };
    if (argc > 1)
        return without_stdin();
    return support_run_processes("loaded", tests);
}
