/* Shareable lists: byte for byte Python's, every type in every slot, and what is refused. */
#include "support/support.h"
#include "support/trees.h"

#include "wire/shareable_bytes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char name[64];

static mp_shareable_list *list_create(mp_obj items)
{
    mp_shareable_list *list = NULL;
    assert_mp_ok(mp_shareable_list_create(&list, items, name));
    return list;
}

static mp_shareable_list *example_create(void)
{
    return list_create(MP_LIST("howdy", mp_obj_bytes("HoWdY", 5), -273.154, 100, mp_obj_none(),
                               mp_obj_bool(true), -2, "", mp_obj_bytes("", 0), "eight888",
                               "a longer text, 24 bytes.", mp_obj_bool(false)));
}

static void example_change(mp_shareable_list *list)
{
    assert_mp_result(mp_shareable_list_set(list, 1, MP(7)), 0);
    assert_mp_result(mp_shareable_list_set(list, 3, MP("seven77")), 0);
    assert_mp_result(mp_shareable_list_set(list, 10, mp_obj_bytes("\xff\xfe", 2)), 0);
    assert_mp_result(mp_shareable_list_set(list, 4, mp_obj_none()), 0);
    assert_mp_result(mp_shareable_list_set(list, 2, mp_obj_bool(true)), 0);
}

static void list_end(mp_shareable_list *list)
{
    assert_mp_result(mp_shareable_list_unlink(list), 0);
    mp_shareable_list_destroy(list);
}

static void check_block(mp_shareable_list *list, const char *hex)
{
    mp_shared_memory *block = mp_shareable_list_memory(list);
    const unsigned char *p = mp_shared_memory_buf(block);
    check(mp_shared_memory_size(block) == strlen(hex) / 2);
    for (size_t i = 0; i < strlen(hex) / 2; i++)
        if (p[i] != byte_of(hex + 2 * i))
            support_fail(__FILE__, __LINE__, "byte %zu is %02x, not %02x", i, p[i],
                         byte_of(hex + 2 * i));
}

static void check_item(mp_shareable_list *list, size_t i, mp_obj expected)
{
    mp_obj item;
    assert_mp_result(mp_shareable_list_get(list, i, &item), 0);
    if (!mp_obj_equal(item, expected) || item.type != expected.type)
        support_fail(__FILE__, __LINE__, "item %zu is another", i);
    mp_obj_free(&item);
}

/* ---- Python's bytes -------------------------------------------------------------------------- */

static void test_a_list_is_byte_for_byte_what_python_makes(void **state)
{
    (void)state;
    mp_shareable_list *list = example_create();
    check_block(list, made_by_python);
    list_end(list);
}

static void test_changes_are_byte_for_byte_what_python_makes(void **state)
{
    (void)state;
    mp_shareable_list *list = example_create();
    example_change(list);
    check_block(list, changed_by_python);
    list_end(list);
}

static void check_example(mp_shareable_list *list)
{
    assert_mp_result(mp_shareable_list_len(list), 12);
    check_item(list, 0, MP("howdy"));
    check_item(list, 1, mp_obj_bytes("HoWdY", 5));
    check_item(list, 2, MP(-273.154));
    check_item(list, 3, MP(100));
    check_item(list, 4, mp_obj_none());
    check_item(list, 5, mp_obj_bool(true));
    check_item(list, 6, MP(-2));
    check_item(list, 7, MP(""));
    check_item(list, 8, mp_obj_bytes("", 0));
    check_item(list, 9, MP("eight888"));
    check_item(list, 10, MP("a longer text, 24 bytes."));
    check_item(list, 11, mp_obj_bool(false));
}

static void read_and_change(const char *made, const char *changed)
{
    mp_shareable_list *list = NULL;
    mp_shared_memory *block = block_of(name, made, strlen(made) / 2);
    assert_mp_ok(mp_shareable_list_attach(&list, name));
    check_example(list);
    example_change(list);
    check_block(list, changed);
    check_item(list, 1, MP(7));
    check_item(list, 3, MP("seven77"));
    check_item(list, 10, mp_obj_bytes("\xff\xfe", 2));
    check_item(list, 2, mp_obj_bool(true));
    mp_shareable_list_destroy(list);
    block_end(block);
}

static void test_a_list_of_python_is_read_and_changed(void **state)
{
    (void)state;
    read_and_change(made_by_python, changed_by_python);
}

static void test_a_list_of_python_3_8_is_read_and_changed_in_its_own_layout(void **state)
{
    (void)state;
    read_and_change(made_by_38, changed_by_38);
}

/* A system that rounds sizes up to pages adds zeros. */
static void test_what_stands_behind_the_list_does_not_matter(void **state)
{
    (void)state;
    const char *const made[] = {made_by_python, made_by_38};
    for (int i = 0; i < 2; i++) {
        mp_shareable_list *list = NULL;
        mp_shared_memory *block = block_of(name, made[i], 8192);
        assert_mp_ok(mp_shareable_list_attach(&list, name));
        check_example(list);
        mp_shareable_list_destroy(list);
        block_end(block);
    }
}

static void test_an_empty_list_has_no_items(void **state)
{
    (void)state;
    mp_obj item;
    const char *const empty[] = {"00000000000000000000000000000000", "0000000000000000"};
    mp_shareable_list *list = list_create(mp_obj_list(NULL, 0));
    check_block(list, empty[0]);
    assert_mp_error(mp_shareable_list_get(list, 0, &item), MP_EINDEX);
    assert_mp_error(mp_shareable_list_index(list, mp_obj_none()), MP_EINVAL);
    assert_mp_result(mp_shareable_list_count(list, MP("any")), 0);
    list_end(list);
    for (int i = 0; i < 2; i++) {
        mp_shared_memory *block = block_of(name, empty[i], strlen(empty[i]) / 2);
        assert_mp_ok(mp_shareable_list_attach(&list, name));
        assert_mp_result(mp_shareable_list_len(list), 0);
        mp_shareable_list_destroy(list);
        block_end(block);
    }
}

/* ---- items ----------------------------------------------------------------------------------- */

static void test_numbers_at_their_limits_come_back(void **state)
{
    (void)state;
    mp_obj item;
    mp_shareable_list *list =
        list_create(MP_TUPLE(mp_obj_int(INT64_MIN), mp_obj_int(INT64_MAX), HUGE_VAL, (double)NAN));
    check_item(list, 0, mp_obj_int(INT64_MIN));
    check_item(list, 1, mp_obj_int(INT64_MAX));
    check_item(list, 2, MP(HUGE_VAL));
    assert_mp_result(mp_shareable_list_get(list, 3, &item), 0);
    check(item.type == MP_TYPE_FLOAT && isnan(item.f));
    list_end(list);
}

static void test_text_has_room_for_its_bytes_not_only_its_characters(void **state)
{
    (void)state;
    const char *text = "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9";
    mp_shareable_list *list = list_create(MP_LIST(text, "x"));
    check_item(list, 0, MP(text));
    check_item(list, 1, MP("x"));
    list_end(list);
}

static void test_a_slot_keeps_its_room_and_no_more(void **state)
{
    (void)state;
    mp_shareable_list *list = list_create(MP_LIST("1234567", "12345678", 1, "x"));
    assert_mp_result(mp_shareable_list_set(list, 0, MP("12345678")), 0);
    assert_mp_error(mp_shareable_list_set(list, 0, MP("123456789")), MP_EOVERFLOW);
    check_item(list, 0, MP("12345678"));
    assert_mp_result(mp_shareable_list_set(list, 1, MP(8)), 0);
    assert_mp_result(mp_shareable_list_set(list, 1, MP("1234567890123456")), 0);
    assert_mp_error(mp_shareable_list_set(list, 1, MP("12345678901234567")), MP_EOVERFLOW);
    check_item(list, 1, MP("1234567890123456"));
    assert_mp_error(mp_shareable_list_set(list, 2, MP("12345678x")), MP_EOVERFLOW);
    check_item(list, 2, MP(1));
    assert_mp_result(mp_shareable_list_set(list, 2, MP("12345678")), 0);
    check_item(list, 2, MP("12345678"));
    check_item(list, 3, MP("x"));
    list_end(list);
}

static void test_a_shorter_text_leaves_nothing_of_the_longer(void **state)
{
    (void)state;
    mp_shareable_list *list = list_create(MP_LIST("a long text of some words"));
    assert_mp_result(mp_shareable_list_set(list, 0, MP("ab")), 0);
    check_item(list, 0, MP("ab"));
    list_end(list);
}

static void test_nuls_at_the_end_of_a_text_are_lost(void **state)
{
    (void)state;
    mp_shareable_list *list =
        list_create(MP_LIST(mp_obj_strn("a\0b\0\0", 5), mp_obj_bytes("\0\0", 2)));
    check_item(list, 0, mp_obj_strn("a\0b", 3));
    check_item(list, 1, mp_obj_bytes("", 0));
    list_end(list);
}

static void test_items_are_found_and_counted_by_equality(void **state)
{
    (void)state;
    mp_shareable_list *list = list_create(
        MP_LIST("42", 42, mp_obj_bytes("42", 2), 42.0, mp_obj_none(), 1, mp_obj_bool(true)));
    assert_mp_result(mp_shareable_list_index(list, MP(42)), 1);
    assert_mp_result(mp_shareable_list_count(list, MP(42)), 2);
    assert_mp_result(mp_shareable_list_index(list, MP("42")), 0);
    assert_mp_result(mp_shareable_list_index(list, mp_obj_bytes("42", 2)), 2);
    assert_mp_result(mp_shareable_list_index(list, mp_obj_none()), 4);
    assert_mp_result(mp_shareable_list_count(list, mp_obj_bool(true)), 2);
    assert_mp_result(mp_shareable_list_count(list, MP("4")), 0);
    assert_mp_result(mp_shareable_list_count(list, MP_LIST(42)), 0);
    assert_mp_error(mp_shareable_list_index(list, MP("4")), MP_EINVAL);
    list_end(list);
}

static int change_an_item(void *arg)
{
    assert_mp_result(mp_shareable_list_set(arg, 0, MP("child")), 0);
    mp_shareable_list_destroy(arg);
    return 0;
}

static void test_a_forked_child_shares_the_list(void **state)
{
    (void)state;
    mp_shareable_list *list = list_create(MP_LIST(5));
    child_must_succeed(change_an_item, list);
    check_item(list, 0, MP("child"));
    list_end(list);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void refuse_items(mp_obj items, int code)
{
    mp_shareable_list *list;
    assert_mp_error(mp_shareable_list_create(&list, items, name), code);
    check(!segment_exists(name));
}

static void test_what_cannot_stand_in_a_list_is_refused(void **state)
{
    (void)state;
    mp_obj item;
    size_t huge = 9999992;
    char *text = calloc(1, huge);
    check(text != NULL);
    refuse_items(MP("text"), MP_ETYPE);
    refuse_items(MP_DICT(1, 2), MP_ETYPE);
    refuse_items(MP_LIST(1, MP_LIST(2)), MP_ETYPE);
    refuse_items(MP_LIST(UINT64_MAX), MP_EOVERFLOW);
    refuse_items(MP_LIST("\xff"), MP_ETYPE);
    refuse_items(MP_LIST(mp_obj_bytes(text, huge)), MP_EOVERFLOW);
    mp_shareable_list *list = list_create(MP_LIST(mp_obj_bytes(text, huge - 1), 5));
    assert_mp_result(mp_shareable_list_set(list, 0, mp_obj_bytes("x", 1)), 0);
    check_item(list, 0, mp_obj_bytes("x", 1));
    assert_mp_error(mp_shareable_list_set(list, 1, MP_LIST(2)), MP_ETYPE);
    assert_mp_error(mp_shareable_list_set(list, 1, MP(UINT64_MAX)), MP_EOVERFLOW);
    assert_mp_error(mp_shareable_list_set(list, 2, MP(1)), MP_EINDEX);
    assert_mp_error(mp_shareable_list_get(list, SIZE_MAX, &item), MP_EINDEX);
    assert_mp_error(mp_shareable_list_get(list, 1, NULL), MP_EINVAL);
    check_item(list, 1, MP(5));
    list_end(list);
    free(text);
}

static void test_the_block_is_the_lists_and_so_are_its_errors(void **state)
{
    (void)state;
    mp_shareable_list *list = list_create(MP_LIST(1)), *other;
    assert_mp_error(mp_shareable_list_create(&other, MP_LIST(1), name), -EEXIST);
    assert_mp_error(mp_shareable_list_create(&other, MP_LIST(1), "a/b"), MP_EINVAL);
    assert_mp_error(mp_shareable_list_create(NULL, MP_LIST(1), name), MP_EINVAL);
    assert_mp_error(mp_shareable_list_attach(&other, "mp_no_such_list"), -ENOENT);
    assert_mp_error(mp_shareable_list_attach(&other, NULL), MP_EINVAL);
    assert_mp_error(mp_shareable_list_attach(NULL, name), MP_EINVAL);
    check(strcmp(mp_shareable_list_name(list), name) == 0);
    check(mp_shared_memory_size(mp_shareable_list_memory(list)) == 41);
    list_end(list);
    assert_mp_ok(mp_shareable_list_create(&other, MP_LIST(1), NULL));
    check(strncmp(mp_shareable_list_name(other), "psm_", 4) == 0);
    list_end(other);
}

static void test_after_close_the_items_are_gone(void **state)
{
    (void)state;
    mp_obj item;
    mp_shareable_list *list = list_create(MP_LIST(1));
    assert_mp_result(mp_shareable_list_close(list), 0);
    assert_mp_result(mp_shareable_list_close(list), 0);
    assert_mp_error(mp_shareable_list_get(list, 0, &item), MP_ECLOSED);
    assert_mp_error(mp_shareable_list_set(list, 0, MP(1)), MP_ECLOSED);
    assert_mp_error(mp_shareable_list_len(list), MP_ECLOSED);
    assert_mp_error(mp_shareable_list_index(list, MP(1)), MP_ECLOSED);
    assert_mp_error(mp_shareable_list_count(list, MP(1)), MP_ECLOSED);
    list_end(list);
}

static void refuse_object(mp_shareable_list *none, int code)
{
    mp_obj item;
    assert_mp_error(mp_shareable_list_get(none, 0, &item), code);
    assert_mp_error(mp_shareable_list_set(none, 0, MP(1)), code);
    assert_mp_error(mp_shareable_list_len(none), code);
    assert_mp_error(mp_shareable_list_index(none, MP(1)), code);
    assert_mp_error(mp_shareable_list_count(none, MP(1)), code);
    assert_mp_error(mp_shareable_list_close(none), code);
    assert_mp_error(mp_shareable_list_unlink(none), code);
    check(mp_shareable_list_name(none) == NULL && mp_shareable_list_memory(none) == NULL);
}

static void test_what_is_no_list_is_told(void **state)
{
    (void)state;
    static uint64_t zeros[16];
    refuse_object(NULL, MP_EINVAL);
    refuse_object((mp_shareable_list *)(void *)zeros, MP_ETYPE);
    mp_shareable_list_destroy(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("shareable list: a list is byte for byte what Python makes",
                     test_a_list_is_byte_for_byte_what_python_makes),
        support_test("shareable list: changes are byte for byte what Python makes",
                     test_changes_are_byte_for_byte_what_python_makes),
        support_test("shareable list: a list of Python is read and changed",
                     test_a_list_of_python_is_read_and_changed),
        support_test("shareable list: a list of Python 3.8 is read and changed in its own layout",
                     test_a_list_of_python_3_8_is_read_and_changed_in_its_own_layout),
        support_test("shareable list: what stands behind the list does not matter",
                     test_what_stands_behind_the_list_does_not_matter),
        support_test("shareable list: an empty list has no items", test_an_empty_list_has_no_items),
        support_test("shareable list: numbers at their limits come back",
                     test_numbers_at_their_limits_come_back),
        support_test("shareable list: text has room for its bytes, not only its characters",
                     test_text_has_room_for_its_bytes_not_only_its_characters),
        support_test("shareable list: a slot keeps its room, and no more",
                     test_a_slot_keeps_its_room_and_no_more),
        support_test("shareable list: a shorter text leaves nothing of the longer",
                     test_a_shorter_text_leaves_nothing_of_the_longer),
        support_test("shareable list: NULs at the end of a text are lost",
                     test_nuls_at_the_end_of_a_text_are_lost),
        support_test("shareable list: items are found and counted by equality",
                     test_items_are_found_and_counted_by_equality),
        support_test("shareable list: a forked child shares the list",
                     test_a_forked_child_shares_the_list),
        support_test("shareable list: what cannot stand in a list is refused",
                     test_what_cannot_stand_in_a_list_is_refused),
        support_test("shareable list: the block is the list's, and so are its errors",
                     test_the_block_is_the_lists_and_so_are_its_errors),
        support_test("shareable list: after close the items are gone",
                     test_after_close_the_items_are_gone),
        support_test("shareable list: what is no list is told", test_what_is_no_list_is_told),
    };
    (void)snprintf(name, sizeof name, "mp_list.%ld", (long)getpid());
    trees_begin();
    return support_run("shareable list", tests);
}
