/* Values, arrays and raw memory: sizes, places, first contents, and uses that can not be. */
#include "support/support.h"

#include "memory/memory.h"

#include <errno.h>
#include <mp/sharedctypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct type {
    char code;
    size_t size;
};

static const struct type types[] = {
    {'c', 1},
    {'b', 1},
    {'B', 1},
    {'?', sizeof(bool)},
    {'h', sizeof(short)},
    {'H', sizeof(unsigned short)},
    {'i', sizeof(int)},
    {'I', sizeof(unsigned)},
    {'l', sizeof(long)},
    {'L', sizeof(unsigned long)},
    {'q', sizeof(long long)},
    {'Q', sizeof(unsigned long long)},
    {'f', sizeof(float)},
    {'d', sizeof(double)},
};
enum { TYPES = sizeof types / sizeof *types };

static bool is_all(const void *memory, size_t n, unsigned char byte)
{
    const unsigned char *p = memory;
    for (size_t i = 0; i < n; i++)
        if (p[i] != byte)
            return false;
    return true;
}

/* ---- typecodes ----------------------------------------------------------------------------- */

static void test_values_of_every_type_begin_at_zero_or_as_told(void **state)
{
    (void)state;
    static const unsigned char pattern[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (size_t i = 0; i < TYPES; i++) {
        mp_value *zero, *told;
        assert_mp_result(mp_value_create(&zero, types[i].code, NULL), 0);
        assert_mp_result(mp_value_create(&told, types[i].code, pattern), 0);
        check((uintptr_t)mp_value_ptr(zero) % types[i].size == 0);
        check(is_all(mp_value_ptr(zero), types[i].size, 0));
        check(memcmp(mp_value_ptr(told), pattern, types[i].size) == 0);
        check(mp_value_at_(told, types[i].size, "", 0) == mp_value_ptr(told));
        memset(mp_value_ptr(told), 0xff, types[i].size);
        check(!mp_rlock_locked(mp_value_get_lock(told)));
        check(is_all(mp_value_ptr(zero), types[i].size, 0));
        mp_value_destroy(zero);
        mp_value_destroy(told);
    }
}

static void test_arrays_of_every_type_hold_their_elements(void **state)
{
    (void)state;
    static unsigned char pattern[3000 * 8];
    static const size_t lengths[] = {0, 1, 2, 15, 16, 17, 1000, 3000};
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (unsigned char)(i * 7 + 1);
    for (size_t i = 0; i < TYPES; i++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            mp_array *array;
            size_t bytes = lengths[k] * types[i].size;
            assert_mp_result(mp_array_create(&array, types[i].code, lengths[k], pattern), 0);
            check(mp_array_len(array) == lengths[k]);
            check((uintptr_t)mp_array_ptr(array) % 64 == 0);
            check(memcmp(mp_array_ptr(array), pattern, bytes) == 0);
            check(mp_array_at_(array, types[i].size, "", 0) == mp_array_ptr(array));
            mp_array_destroy(array);
            assert_mp_result(mp_array_create(&array, types[i].code, lengths[k], NULL), 0);
            check(is_all(mp_array_ptr(array), bytes, 0));
            mp_array_destroy(array);
        }
}

static void test_other_typecodes_are_refused(void **state)
{
    (void)state;
    mp_value *value = NULL;
    mp_array *array = NULL;
    for (int code = 0; code < 256; code++) {
        bool known = false;
        for (size_t i = 0; i < TYPES; i++)
            known = known || types[i].code == (char)code;
        if (known)
            continue;
        assert_mp_error(mp_value_create(&value, (char)code, NULL), MP_EINVAL);
        assert_mp_error(mp_array_create(&array, (char)code, 3, NULL), MP_EINVAL);
    }
    check(value == NULL && array == NULL);
}

/* ---- any size ------------------------------------------------------------------------------ */

static void test_values_and_arrays_of_any_size_stand_on_their_boundary(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 3, 64, 65, 1000, 7999, 8000, 8001, 50000, 65536, 300001};
    unsigned char *pattern = malloc(300001);
    check(pattern != NULL);
    memset(pattern, 0x3c, 300001);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mp_value *value;
        mp_array *array;
        assert_mp_result(mp_value_create_sized(&value, sizes[i], pattern), 0);
        check((uintptr_t)mp_value_ptr(value) % 64 == 0);
        check(is_all(mp_value_ptr(value), sizes[i], 0x3c));
        mp_value_destroy(value);
        assert_mp_result(mp_value_create_sized(&value, sizes[i], NULL), 0);
        check(is_all(mp_value_ptr(value), sizes[i], 0));
        memset(mp_value_ptr(value), 0xff, sizes[i]);
        check(mp__heap_is_valid(NULL));
        assert_mp_result(mp_array_create_sized(&array, sizes[i], 3, NULL), 0);
        check((uintptr_t)mp_array_ptr(array) % 64 == 0 && mp_array_len(array) == 3);
        check(is_all(mp_array_ptr(array), 3 * sizes[i], 0));
        memset(mp_array_ptr(array), 0xff, 3 * sizes[i]);
        check(mp__heap_is_valid(NULL));
        mp_array_destroy(array);
        mp_value_destroy(value);
    }
    free(pattern);
}

static void test_sizes_that_can_not_be_are_refused(void **state)
{
    (void)state;
    mp_value *value = NULL;
    mp_array *array = NULL;
    void *memory = NULL;
    assert_mp_error(mp_value_create(NULL, 'i', NULL), MP_EINVAL);
    assert_mp_error(mp_value_create_sized(NULL, 8, NULL), MP_EINVAL);
    assert_mp_error(mp_value_create_sized(&value, 0, NULL), MP_EINVAL);
    assert_mp_error(mp_array_create(NULL, 'i', 3, NULL), MP_EINVAL);
    assert_mp_error(mp_array_create_sized(NULL, 8, 3, NULL), MP_EINVAL);
    assert_mp_error(mp_array_create_sized(&array, 0, 3, NULL), MP_EINVAL);
    assert_mp_error(mp_array_create(&array, 'd', SIZE_MAX / 4, NULL), MP_EOVERFLOW);
    assert_mp_error(mp_array_create(&array, 'h', SIZE_MAX, NULL), MP_EOVERFLOW);
    assert_mp_error(mp_array_create_sized(&array, SIZE_MAX / 2, 3, NULL), MP_EOVERFLOW);
    assert_mp_error(mp_array_create(&array, 'b', SIZE_MAX - 4096, NULL), -ENOMEM);
    assert_mp_error(mp_raw_alloc(&memory, SIZE_MAX - 100), -ENOMEM);
    check(value == NULL && array == NULL && memory == NULL);
    check(mp__heap_is_valid(NULL));
}

/* Python: OverflowError. What no machine can have is too large, not merely too much for now. */
static void test_a_value_of_a_size_no_memory_can_have_overflows(void **state)
{
    (void)state;
    mp_value *value = NULL;
    assert_mp_error(mp_value_create_sized(&value, SIZE_MAX, NULL), MP_EOVERFLOW);
    check(value == NULL);
}

/* ---- sharing ------------------------------------------------------------------------------- */

struct record {
    mp_value *value;
    mp_array *array, *large;
    int *raw;
};

static int change_all(void *arg)
{
    struct record *record = arg;
    MP_WITH_VALUE(record->value)
        MP_VALUE(double, record->value) += 0.5;
    MP_WITH_ARRAY(record->array)
        MP_ARRAY(short, record->array)[2] = 7;
    MP_ARRAY(long long, record->large)[99999] = -1;
    *record->raw = 42;
    return 0;
}

static void test_what_a_child_writes_through_a_shared_record_is_seen(void **state)
{
    (void)state;
    void *memory;
    assert_mp_result(mp_raw_alloc(&memory, sizeof(struct record)), 0);
    struct record *record = memory;
    assert_mp_result(mp_value_create(&record->value, 'd', &(double){1.0}), 0);
    assert_mp_result(mp_array_create(&record->array, 'h', 3, NULL), 0);
    assert_mp_result(mp_array_create(&record->large, 'q', 100000, NULL), 0);
    assert_mp_result(mp_raw_alloc(&memory, sizeof(int)), 0);
    record->raw = memory;
    child_must_succeed(change_all, record);
    check(MP_VALUE(double, record->value) > 1.4 && MP_VALUE(double, record->value) < 1.6);
    check(MP_ARRAY(short, record->array)[2] == 7 && MP_ARRAY(short, record->array)[1] == 0);
    check(MP_ARRAY(long long, record->large)[99999] == -1);
    check(*record->raw == 42);
    mp_value_destroy(record->value);
    mp_array_destroy(record->array);
    mp_array_destroy(record->large);
    mp_raw_free(record->raw);
    mp_raw_free(record);
}

static void test_values_and_arrays_give_all_their_memory_back(void **state)
{
    (void)state;
    struct mp__heap_count before, after;
    check(mp__heap_is_valid(&before));
    for (size_t i = 0; i < 200; i++) {
        mp_array *array;
        assert_mp_result(mp_array_create(&array, 'd', i * 100, NULL), 0);
        mp_array_destroy(array);
    }
    check(mp__heap_is_valid(&after));
    check(after.blocks == before.blocks && after.runs == before.runs && after.building == 0);
}

/* ---- a wrong type in the program's text ---------------------------------------------------- */

static mp_value *int_value;
static mp_array *int_array;

static int read_as_double(void *arg)
{
    (void)arg;
    return MP_VALUE(double, int_value) > 0;
}

static int index_as_char(void *arg)
{
    (void)arg;
    return MP_ARRAY(char, int_array)[0];
}

static int read_nothing(void *arg)
{
    mp_value *nothing = arg;
    return MP_VALUE(int, nothing);
}

static int index_a_value(void *arg)
{
    (void)arg;
    return MP_ARRAY(int, (mp_array *)(void *)int_value)[0];
}

static void check_ends_with_message(int (*body)(void *), const char *part)
{
    char text[1000];
    FILE *file = tmpfile();
    check(file != NULL);
    (void)fflush(NULL);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        (void)dup2(fileno(file), STDERR_FILENO);
        exit(body(NULL));
    }
    check(child_wait(pid) == 1);
    ssize_t n = pread(fileno(file), text, sizeof text - 1, 0);
    check(n > 0);
    text[n] = '\0';
    check(strstr(text, __FILE__) == text && strstr(text, part) != NULL);
    check(fclose(file) == 0);
}

static void test_a_wrong_type_ends_the_program_with_a_message(void **state)
{
    (void)state;
    assert_mp_result(mp_value_create(&int_value, 'i', NULL), 0);
    assert_mp_result(mp_array_create(&int_array, 'i', 3, NULL), 0);
    check_ends_with_message(read_as_double, "4 bytes");
    check_ends_with_message(index_as_char, "the type given has 1");
    check_ends_with_message(read_nothing, mp_strerror(MP_EINVAL));
    check_ends_with_message(index_a_value, mp_strerror(MP_ETYPE));
    mp_value_destroy(int_value);
    check_ends_with_message(index_a_value, mp_strerror(MP_ECLOSED));
    mp_array_destroy(int_array);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Value: of every type it begins at zero, or as told",
                     test_values_of_every_type_begin_at_zero_or_as_told),
        support_test("Array: of every type it holds its elements",
                     test_arrays_of_every_type_hold_their_elements),
        support_test("typecodes: others are refused", test_other_typecodes_are_refused),
        support_test("values and arrays: of any size stand on their boundary",
                     test_values_and_arrays_of_any_size_stand_on_their_boundary),
        support_test("values and arrays: sizes that can not be are refused",
                     test_sizes_that_can_not_be_are_refused),
        support_test("Value: of a size no memory can have it overflows",
                     test_a_value_of_a_size_no_memory_can_have_overflows),
        support_test("values and arrays: what a child writes through a shared record is seen",
                     test_what_a_child_writes_through_a_shared_record_is_seen),
        support_test("values and arrays: give all their memory back",
                     test_values_and_arrays_give_all_their_memory_back),
        support_test("MP_VALUE, MP_ARRAY: a wrong type ends the program with a message",
                     test_a_wrong_type_ends_the_program_with_a_message),
    };
    return support_run("values", tests);
}
