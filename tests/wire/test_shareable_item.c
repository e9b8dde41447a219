/* Blocks that hold no shareable list, items that are none: refused, and never read outside. */
#include "support/support.h"
#include "support/trees.h"

#include "wire/shareable_bytes.h"
#include "wire/shareable_list.h"

#include <unistd.h>

static char name[64];

static void refuse_block(const char *hex)
{
    mp_shareable_list *list;
    mp_shared_memory *block = block_of(name, hex, strlen(hex) / 2);
    assert_mp_error(mp_shareable_list_attach(&list, name), MP_EPICKLE);
    block_end(block);
}

#define ONE "0100000000000000"
#define ZERO "0000000000000000"
#define EIGHT "0800000000000000"
#define NINE "0900000000000000"
#define MINUS "ffffffffffffffff"
#define ITEM           \
    "7100000000000000" \
    "00" /* format and kind */

static void test_a_block_that_holds_no_list_is_refused(void **state)
{
    (void)state;
    refuse_block("01");
    refuse_block("01000000000000");
    refuse_block(ONE);
    refuse_block(MINUS ZERO ZERO ZERO ZERO);
    refuse_block("0000000000000080" ZERO ZERO ZERO);
    refuse_block(ONE ZERO MINUS ZERO ITEM);
    refuse_block(ONE ZERO NINE ZERO ITEM);
    refuse_block(ONE MINUS ZERO ITEM);
    refuse_block(ONE NINE ZERO ITEM);
    refuse_block("0200000000000000" ZERO EIGHT ZERO ZERO ITEM ITEM);  /* they go back */
    refuse_block("0200000000000000" EIGHT MINUS ZERO ZERO ITEM ITEM); /* their sum does */
}

static void refuse_item(const char *hex, size_t i)
{
    mp_shareable_list *list;
    mp_obj item;
    mp_shared_memory *block = block_of(name, hex, strlen(hex) / 2);
    assert_mp_ok(mp_shareable_list_attach(&list, name));
    assert_mp_error(mp_shareable_list_get(list, i, &item), MP_EPICKLE);
    assert_mp_error(mp_shareable_list_index(list, MP("none of them")), MP_EPICKLE);
    assert_mp_error(mp_shareable_list_count(list, MP(1)), MP_EPICKLE);
    mp_shareable_list_destroy(list);
    block_end(block);
}

static void test_an_item_that_is_nonsense_is_refused(void **state)
{
    (void)state;
    refuse_item(ONE ZERO EIGHT ZERO "7100000000000000"
                                    "01",
                0); /* a str like an int */
    refuse_item(ONE ZERO EIGHT ZERO "7100000000000000"
                                    "04",
                0);
    refuse_item(ONE ZERO EIGHT ZERO "7100000000000000"
                                    "ff",
                0);
    refuse_item(ONE ZERO EIGHT ZERO "7171000000000000"
                                    "00",
                0);
    refuse_item(ONE ZERO EIGHT ZERO "0000000000000000"
                                    "00",
                0);
    refuse_item(ONE ZERO EIGHT ZERO "3873000000000000"
                                    "00",
                0); /* neither str nor bytes */
    refuse_item(ONE ZERO EIGHT ZERO "3973000000000000"
                                    "01",
                0); /* longer than the slot */
    refuse_item(ONE ZERO EIGHT ZERO "3939393939393973"
                                    "02",
                0);
    refuse_item(ONE ZERO EIGHT ZERO "3939393939393939"
                                    "02",
                0);
    refuse_item(ONE ZERO EIGHT ZERO "7300000000000000"
                                    "01",
                0);
    refuse_item(ONE ZERO EIGHT "ff00000000000000"
                               "3873000000000000"
                               "01",
                0); /* no UTF-8 */
    refuse_item(ONE ZERO ZERO "7100000000000000"
                              "00",
                0); /* no room */
}

static void check_stays_inside(const mp_shareable_list *list)
{
    size_t size = mp_shared_memory_size(list->memory), n = list->count;
    check(list->data >= 8 && list->data <= size);
    for (size_t i = 0; i < n; i++)
        check(list->offset[i] <= list->offset[i + 1]);
    check(list->offset[n] <= size && n <= size);
    check(list->data + list->offset[n] + 9 * n <= size);
}

static void try_everything(mp_shareable_list *list)
{
    mp_obj item;
    for (size_t i = 0; i < list->count && i < 20; i++) {
        if (mp_shareable_list_get(list, i, &item) == 0)
            mp_obj_free(&item);
        (void)mp_shareable_list_set(list, i, MP("some text"));
        if (mp_shareable_list_get(list, i, &item) == 0)
            mp_obj_free(&item);
        (void)mp_shareable_list_set(list, i, MP(i));
    }
}

static void test_no_block_leads_outside_it(void **state)
{
    (void)state;
    struct rng rng = rng_start(rng_seed());
    const char *const made[] = {made_by_python, made_by_38};
    int lists = 0;
    for (int round = 0; round < 4000; round++) {
        const char *hex = made[round % 2];
        size_t size = strlen(hex) / 2;
        mp_shareable_list *list;
        mp_shared_memory *block = block_of(name, hex, size);
        unsigned char *p = mp_shared_memory_buf(block);
        for (uint64_t n = rng_below(&rng, 4) + 1; n > 0; n--)
            p[rng_below(&rng, rng_below(&rng, 2) ? size : 112)] = (unsigned char)rng_next(&rng);
        if (mp_shareable_list_attach(&list, name) == 0) {
            check_stays_inside(list);
            try_everything(list);
            mp_shareable_list_destroy(list);
            lists++;
        }
        block_end(block);
    }
    check(lists > 100 && lists < 3900);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("shareable item: a block that holds no list is refused",
                     test_a_block_that_holds_no_list_is_refused),
        support_test("shareable item: an item that is nonsense is refused",
                     test_an_item_that_is_nonsense_is_refused),
        support_test("shareable item: no block leads outside it", test_no_block_leads_outside_it),
    };
    (void)snprintf(name, sizeof name, "mp_item.%ld", (long)getpid());
    trees_begin();
    return support_run("shareable item", tests);
}
