/* Cells: every object comes out as it went in, and what is not a result is told apart. */
#include "workers/bare_crew.h"

#include <mp/mp.h>
#include <stdlib.h>
#include <string.h>

static void check_round_trip(mp_obj o, enum mp__form form)
{
    size_t size;
    mp_obj back;
    struct mp__cell cell = {.code = 0};
    (void)assert_mp_ok(mp__cell_measure(o, &size));
    void *memory = malloc(size + 1);
    check(memory != NULL);
    mp__cell_write(&cell, o, memory, size);
    check(mp__cell_form(&cell) == (uint32_t)form);
    (void)assert_mp_ok(mp__cell_read(&cell, &back));
    check(back.type == o.type && mp_obj_equal(back, o));
    if (back.owned)
        mp_obj_free(&back);
    free(memory);
}

static void test_scalars_lie_in_the_cell(void **state)
{
    (void)state;
    check_round_trip(mp_obj_none(), MP__NONE);
    check_round_trip(mp_obj_bool(true), MP__BOOL);
    check_round_trip(mp_obj_bool(false), MP__BOOL);
    check_round_trip(mp_obj_int(INT64_MIN), MP__INT);
    check_round_trip(mp_obj_int(INT64_MAX), MP__INT);
    check_round_trip(mp_obj_float(-0.1), MP__FLOAT);
}

static void test_other_objects_are_pickles(void **state)
{
    (void)state;
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = '\0';
    check_round_trip(MP(""), MP__SHORT);
    check_round_trip(mp_obj_list(NULL, 0), MP__SHORT);
    check_round_trip(MP("a text that does not fit into a cell"), MP__NEAR);
    check_round_trip(MP(text), MP__NEAR);
    check_round_trip(MP_LIST(1, MP_TUPLE("two", 3.0), MP_DICT("k", MP_NONE)), MP__NEAR);
}

static void test_a_handle_passes(void **state)
{
    (void)state;
    mp_lock *lock;
    void *back;
    mp_obj o;
    size_t size;
    unsigned char memory[256];
    struct mp__cell cell = {.code = 0};
    (void)assert_mp_ok(mp_lock_create(&lock));
    (void)assert_mp_ok(mp__cell_measure(mp_obj_handle(lock), &size));
    check(size <= sizeof memory);
    mp__cell_write(&cell, mp_obj_handle(lock), memory, size);
    (void)assert_mp_ok(mp__cell_read(&cell, &o));
    (void)assert_mp_ok(mp_obj_as_handle(o, &back));
    check(back == lock);
    if (o.owned)
        mp_obj_free(&o);
    mp_lock_destroy(lock);
}

static void test_what_cannot_be_encoded_says_why(void **state)
{
    (void)state;
    size_t size;
    assert_mp_error(mp__cell_measure(MP(UINT64_MAX), &size), MP_EOVERFLOW);
    check(*mp_error_detail() != '\0');
}

static void test_a_piece_is_freed_with_its_cell(void **state)
{
    (void)state;
    void *piece;
    struct mp__cell cell = {.code = 0};
    struct mp__crew *crew = bare_crew_make(1);
    check(mp__piece_take(3000, &piece) == 0);
    mp__pool_join(piece, crew->object);
    mp__cell_hand_over(&cell, mp__piece_ref(piece), 3000);
    check(mp__cell_piece(&cell) == mp__piece_ref(piece));
    mp__cell_clear(&cell);
    check(mp__cell_form(&cell) == MP__EMPTY && mp__cell_piece(&cell) == 0);
    check(!mp__piece_is_in(mp__piece_ref(piece), crew->object));
    bare_crew_end(crew);
}

static void check_items(mp_obj o, size_t n, const char *joined)
{
    char text[256] = "";
    struct mp__items items;
    (void)assert_mp_ok(mp__items_of(o, &items));
    check(items.n == n);
    for (size_t i = 0; i < n; i++) {
        char *repr = mp_obj_repr(items.items[i]);
        strcat(strcat(text, repr), ";");
        free(repr);
    }
    check(strcmp(text, joined) == 0);
    mp__items_free(&items);
}

static void test_iterables_give_what_python_gives(void **state)
{
    (void)state;
    struct mp__items items;
    check_items(MP_LIST(1, "b"), 2, "1;'b';");
    check_items(MP_TUPLE(1, 2), 2, "1;2;");
    check_items(MP_SET(7), 1, "7;");
    check_items(MP_DICT("k", 1, "l", 2), 2, "'k';'l';");
    check_items(MP("a\xc3\xa9z"), 3, "'a';'\xc3\xa9';'z';");
    check_items(MP_BYTES("\x01\xff", 2), 2, "1;255;");
    check_items(MP(""), 0, "");
    assert_mp_error(mp__items_of(MP(5), &items), MP_ETYPE);
    assert_mp_error(mp__items_of(MP_NONE, &items), MP_ETYPE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Cell: scalars lie in the cell", test_scalars_lie_in_the_cell),
        support_test("Cell: other objects are pickles", test_other_objects_are_pickles),
        support_test("Cell: a handle passes", test_a_handle_passes),
        support_test("Cell: what cannot be encoded says why", test_what_cannot_be_encoded_says_why),
        support_test("Cell: a piece is freed with its cell", test_a_piece_is_freed_with_its_cell),
        support_test("Items: iterables give what Python gives",
                     test_iterables_give_what_python_gives),
    };
    return support_run("Cell", tests);
}
