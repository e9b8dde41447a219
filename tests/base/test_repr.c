/* Numbers and texts as Python's repr prints them: a table of its answers, and its own answers. */
#include "support/support.h"

#include "base/base.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_float(double x, const char *expected)
{
    char text[40];
    mp__float_repr(x, text);
    assert_string_equal(text, expected);
}

static void test_floats_of_every_shape_are_as_in_python(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *text;
    } known[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {-1.0, "-1.0"},
        {10.0, "10.0"},
        {0.1, "0.1"},
        {0.30000000000000004, "0.30000000000000004"},
        {1.5, "1.5"},
        {3.141592653589793, "3.141592653589793"},
        {-2.718281828459045, "-2.718281828459045"},
        {100000.0, "100000.0"},
        {123456789.125, "123456789.125"},
        {1e15, "1000000000000000.0"},
        {1234567890123456.0, "1234567890123456.0"},
        {9999999999999998.0, "9999999999999998.0"},
        {1e16, "1e+16"},
        {12345678901234568.0, "1.2345678901234568e+16"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {1e100, "1e+100"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {0.0001, "0.0001"},
        {0.00012345, "0.00012345"},
        {0.00001, "1e-05"},
        {0.000012345, "1.2345e-05"},
        {1e-10, "1e-10"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {5e-324, "5e-324"},
        {1e-323, "1e-323"},
        {5.684341886080802e-14, "5.684341886080802e-14"},
        {9007199254740993.0, "9007199254740992.0"},
        {4.35, "4.35"},
        {0.5, "0.5"},
        {1e21, "1e+21"},
        {33.0 / 7.0, "4.714285714285714"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        check_float(known[i].x, known[i].text);
}

static void test_what_is_no_number_is_as_in_python(void **state)
{
    (void)state;
    check_float((double)INFINITY, "inf");
    check_float(-(double)INFINITY, "-inf");
    check_float((double)NAN, "nan");
    check_float(-(double)NAN, "nan");
}

/* A float of C is widened first, as Python's ctypes does. */
static void test_a_single_float_shows_its_digits_as_a_double(void **state)
{
    (void)state;
    volatile float tenth = 0.1f; /* the constant itself may be wider than a float */
    check_float((double)tenth, "0.10000000149011612");
    check_float((double)FLT_MAX, "3.4028234663852886e+38");
    check_float((double)FLT_MIN, "1.1754943508222875e-38");
    check_float((double)16777216.0f, "16777216.0");
}

static double any_double(struct rng *rng)
{
    uint64_t bits = rng_next(rng);
    double x;
    if (rng_below(rng, 4) == 0)
        return (double)(int64_t)(rng_next(rng) >> rng_below(rng, 60)) / 1000.0;
    memcpy(&x, &bits, sizeof x);
    return isfinite(x) ? x : 1.0;
}

static void test_every_text_reads_back_as_the_same_number(void **state)
{
    (void)state;
    struct rng rng = rng_start(rng_seed());
    for (int i = 0; i < 20000; i++) {
        char text[40];
        double x = any_double(&rng);
        mp__float_repr(x, text);
        double back = strtod(text, NULL);
        check(memcmp(&x, &back, sizeof x) == 0);
        check(strlen(text) <= 24);
        check(strpbrk(text, ".e") != NULL);
    }
}

/* A locale with a decimal comma does not reach texts that Python prints with a point. */
static void test_the_locale_changes_nothing(void **state)
{
    (void)state;
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "fr_FR.utf8"};
    bool found = false;
    for (size_t i = 0; i < sizeof locales / sizeof *locales && !found; i++)
        found = setlocale(LC_ALL, locales[i]) != NULL;
    if (!found)
        print_message("SKIPPED: no locale with a decimal comma is installed here\n");
    check_float(0.25, "0.25");
    check_float(-1234.5e-20, "-1.2345e-17");
    (void)setlocale(LC_ALL, "C");
}

/* ---- Python itself ------------------------------------------------------------------------- */

static const char *const python_program =
    "import struct, sys\n"
    "for line in sys.stdin:\n"
    "    print(repr(struct.unpack('<d', int(line).to_bytes(8, 'little'))[0]))\n";

static void write_numbers(FILE *file, const double *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &numbers[i], sizeof bits);
        check(fprintf(file, "%" PRIu64 "\n", bits) > 0);
    }
}

static void compare_with_python(const double *numbers, size_t n)
{
    char path[] = "/tmp/mp.reprXXXXXX", command[512], theirs[64], ours[40];
    int fd = mkstemp(path);
    check(fd >= 0);
    FILE *file = fdopen(fd, "w");
    check(file != NULL);
    write_numbers(file, numbers, n);
    check(fclose(file) == 0);
    (void)snprintf(command, sizeof command, "python3 -c \"%s\" < %s", python_program, path);
    FILE *python = popen(command, "r");
    check(python != NULL);
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) {
        check(fgets(theirs, sizeof theirs, python) != NULL);
        theirs[strcspn(theirs, "\n")] = '\0';
        mp__float_repr(numbers[i], ours);
        if (strcmp(ours, theirs) != 0 && wrong++ < 10)
            print_error("%s here, %s in Python\n", ours, theirs);
    }
    check(pclose(python) == 0);
    (void)unlink(path);
    check(wrong == 0);
}

static void test_python_itself_prints_the_same_floats(void **state)
{
    (void)state;
    static double numbers[12000];
    size_t n = 0;
    if (system("python3 -c 'import struct' >/dev/null 2>&1") != 0) {
        print_message("SKIPPED: no python3 here to compare with\n");
        skip();
    }
    for (int exponent = -1074; exponent < 1024; exponent++)
        numbers[n++] = ldexp(1.0, exponent);
    for (int exponent = -323; exponent < 309; exponent++) {
        char text[16];
        (void)snprintf(text, sizeof text, "1e%d", exponent);
        numbers[n++] = strtod(text, NULL);
        numbers[n++] = nextafter(strtod(text, NULL), 0.0);
        numbers[n++] = nextafter(strtod(text, NULL), (double)INFINITY);
    }
    struct rng rng = rng_start(rng_seed());
    while (n < sizeof numbers / sizeof *numbers)
        numbers[n++] = any_double(&rng);
    compare_with_python(numbers, n);
}

/* ---- texts --------------------------------------------------------------------------------- */

static void check_printed(const char *p, size_t n, bool bytes, const char *expected)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    check(out != NULL);
    if (bytes)
        mp__bytes_print(out, p, n);
    else
        mp__str_print(out, p);
    check(fclose(out) == 0);
    assert_string_equal(text, expected);
    free(text);
}

#define check_bytes(literal, expected) \
    check_printed((literal), sizeof(literal) - 1, true, (expected))
#define check_str(literal, expected) check_printed((literal), 0, false, (expected))

static void test_bytes_are_as_in_python(void **state)
{
    (void)state;
    check_bytes("", "b''");
    check_bytes("abc", "b'abc'");
    check_bytes("it's", "b\"it's\"");
    check_bytes("say \"it's\"", "b'say \"it\\'s\"'");
    check_bytes("say \"it\"", "b'say \"it\"'");
    check_bytes("back\\slash", "b'back\\\\slash'");
    check_bytes("\t\n\r", "b'\\t\\n\\r'");
    check_bytes("\0\001\037 ~\177", "b'\\x00\\x01\\x1f ~\\x7f'");
    check_bytes("\200\377\303\244", "b'\\x80\\xff\\xc3\\xa4'");
    check_bytes("\a\b\f\v", "b'\\x07\\x08\\x0c\\x0b'");
    check_bytes("a\0b", "b'a\\x00b'");
}

static void test_strs_are_as_in_python(void **state)
{
    (void)state;
    check_str("", "''");
    check_str("Process-1:2", "'Process-1:2'");
    check_str("it's", "\"it's\"");
    check_str("say \"it's\"", "'say \"it\\'s\"'");
    check_str("a\\b", "'a\\\\b'");
    check_str("\t\n\r\033\177", "'\\t\\n\\r\\x1b\\x7f'");
    check_str("gr\303\274n", "'gr\303\274n'");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("repr: floats of every shape are as in Python",
                     test_floats_of_every_shape_are_as_in_python),
        support_test("repr: what is no number is as in Python",
                     test_what_is_no_number_is_as_in_python),
        support_test("repr: a single float shows its digits as a double",
                     test_a_single_float_shows_its_digits_as_a_double),
        support_test("repr: every text reads back as the same number",
                     test_every_text_reads_back_as_the_same_number),
        support_test("repr: the locale changes nothing", test_the_locale_changes_nothing),
        support_test("repr: Python itself prints the same floats",
                     test_python_itself_prints_the_same_floats),
        support_test("repr: bytes are as in Python", test_bytes_are_as_in_python),
        support_test("repr: strs are as in Python", test_strs_are_as_in_python),
    };
    return support_run("repr", tests);
}
