/* Arrays printed as Python prints a slice of them, by a table and by Python itself. */
#include "support/support.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <mp/sharedctypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_printed(char typecode, const void *elements, size_t n, const char *expected)
{
    mp_array *array;
    char *text = NULL;
    size_t length = 0;
    assert_mp_result(mp_array_create(&array, typecode, n, elements), 0);
    FILE *out = open_memstream(&text, &length);
    check(out != NULL);
    assert_mp_result(mp_array_print(array, out), 0);
    assert_mp_result(mp_array_println(array, out), 0);
    check(fclose(out) == 0);
    char whole[5000];
    (void)snprintf(whole, sizeof whole, "%s%s\n", expected, expected);
    assert_string_equal(text, whole);
    free(text);
    mp_array_destroy(array);
}

#define PRINTED(typecode, type, expected, ...)             \
    check_printed((typecode), (const type[]){__VA_ARGS__}, \
                  sizeof((const type[]){__VA_ARGS__}) / sizeof(type), (expected))

static void test_whole_numbers_are_as_in_python(void **state)
{
    (void)state;
    PRINTED('b', int8_t, "[-128, 0, 127]", -128, 0, 127);
    PRINTED('B', uint8_t, "[0, 255]", 0, 255);
    PRINTED('h', short, "[-32768, 32767]", SHRT_MIN, SHRT_MAX);
    PRINTED('H', unsigned short, "[65535]", USHRT_MAX);
    PRINTED('i', int, "[-2147483648, 1, 2147483647]", INT_MIN, 1, INT_MAX);
    PRINTED('I', unsigned, "[4294967295]", UINT_MAX);
    PRINTED('q', long long, "[-9223372036854775808, 9223372036854775807]", LLONG_MIN, LLONG_MAX);
    PRINTED('Q', unsigned long long, "[18446744073709551615]", ULLONG_MAX);
    PRINTED('l', long, "[-1, 0]", -1, 0);
    PRINTED('L', unsigned long, "[7]", 7);
}

static void test_floats_and_truths_are_as_in_python(void **state)
{
    (void)state;
    PRINTED('d', double, "[0.1, -0.0, 1e+16, nan, -inf, 1.0]", 0.1, -0.0, 1e16, (double)NAN,
            -(double)INFINITY, 1.0);
    PRINTED('f', float, "[0.10000000149011612, 0.5]", 0.1f, 0.5f);
    PRINTED('?', bool, "[True, False]", true, false);
}

static void test_characters_are_bytes_as_in_python(void **state)
{
    (void)state;
    check_printed('c', "it's\0\n\xff", 7, "b\"it's\\x00\\n\\xff\"");
    check_printed('c', "abc", 3, "b'abc'");
}

static void test_nothing_is_printed_as_an_empty_list(void **state)
{
    (void)state;
    check_printed('i', NULL, 0, "[]");
    check_printed('d', NULL, 0, "[]");
    check_printed('c', NULL, 0, "b''");
}

/* ---- Python itself ------------------------------------------------------------------------- */

static bool have_python(void)
{
    return system("python3 -c 'import multiprocessing' >/dev/null 2>&1") == 0;
}

/* The bytes of an array as Python's Array of that typecode prints them. */
static void ask_python(char typecode, const unsigned char *bytes, size_t size, char *text, size_t n)
{
    char command[4096] = "";
    size_t used = (size_t)snprintf(
        command, sizeof command,
        "python3 -c \"import ctypes; from multiprocessing.sharedctypes import RawArray, "
        "typecode_to_type as t; T = t.get('%c', ctypes.c_bool); b = bytes.fromhex('",
        typecode);
    for (size_t i = 0; i < size; i++)
        used += (size_t)snprintf(command + used, sizeof command - used, "%02x", bytes[i]);
    (void)snprintf(command + used, sizeof command - used,
                   "'); a = RawArray(T, len(b) // ctypes.sizeof(T)); "
                   "ctypes.memmove(a, b, len(b)); print(a[:])\"");
    FILE *python = popen(command, "r");
    check(python != NULL && fgets(text, (int)n, python) != NULL);
    text[strcspn(text, "\n")] = '\0';
    check(pclose(python) == 0);
}

static void test_python_itself_prints_the_same(void **state)
{
    (void)state;
    static const char typecodes[] = "cbBhHiIlLqQfd?";
    if (!have_python()) {
        print_message("SKIPPED: no python3 here to compare with\n");
        skip();
    }
    struct rng rng = rng_start(rng_seed());
    for (const char *code = typecodes; *code != '\0'; code++) {
        if (sizeof(long) != 8 && strchr("lL", *code))
            continue; /* that Python's may be another */
        unsigned char bytes[160];
        char text[2048];
        size_t size = *code == '?'           ? 1
                      : strchr("cbB", *code) ? 1
                      : strchr("hH", *code)  ? 2
                      : strchr("iIf", *code) ? 4
                                             : 8;
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (unsigned char)(*code == '?' ? rng_below(&rng, 2) : rng_below(&rng, 256));
        ask_python(*code, bytes, sizeof bytes, text, sizeof text);
        check_printed(*code, bytes, sizeof bytes / size, text);
    }
}

/* ---- streams ------------------------------------------------------------------------------- */

static void test_an_array_of_structs_has_no_text(void **state)
{
    (void)state;
    mp_array *array;
    assert_mp_result(mp_array_create_sized(&array, 12, 3, NULL), 0);
    assert_mp_error(mp_array_print(array, stdout), MP_ETYPE);
    assert_mp_error(mp_array_println(array, stdout), MP_ETYPE);
    check(mp_error_detail()[0] != '\0');
    mp_array_destroy(array);
}

static void test_no_stream_is_refused_and_a_full_one_told(void **state)
{
    (void)state;
    mp_array *array;
    assert_mp_result(mp_array_create(&array, 'i', 3, NULL), 0);
    assert_mp_error(mp_array_print(array, NULL), MP_EINVAL);
    assert_mp_error(mp_array_println(array, NULL), MP_EINVAL);
    FILE *full = fopen("/dev/full", "w");
    check(full != NULL && setvbuf(full, NULL, _IONBF, 0) == 0);
    assert_mp_error(mp_array_print(array, full), -ENOSPC);
    assert_mp_error(mp_array_println(array, full), -ENOSPC);
    (void)fclose(full);
    FILE *read_only = fopen("/dev/null", "r");
    check(read_only != NULL);
    int rc = mp_array_print(array, read_only);
    check(rc == -EBADF || rc == -EIO); /* not every libc says what is wrong with it */
    (void)fclose(read_only);
    mp_array_destroy(array);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("print: whole numbers are as in Python", test_whole_numbers_are_as_in_python),
        support_test("print: floats and truths are as in Python",
                     test_floats_and_truths_are_as_in_python),
        support_test("print: characters are bytes, as in Python",
                     test_characters_are_bytes_as_in_python),
        support_test("print: nothing is an empty list", test_nothing_is_printed_as_an_empty_list),
        support_test("print: Python itself prints the same", test_python_itself_prints_the_same),
        support_test("print: an array of structs has no text",
                     test_an_array_of_structs_has_no_text),
        support_test("print: no stream is refused, and a full one told",
                     test_no_stream_is_refused_and_a_full_one_told),
    };
    return support_run("print", tests);
}
