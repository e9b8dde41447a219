/* Every Python here and libmp use each other's named blocks and shareable lists.
 *
 *   interop_shared_memory <shared_memory_peer.py>
 */
#include "pythons.h"

#include "support/support.h"
#include "support/trees.h"

#include <errno.h>
#include <mp/mp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ITEMS = 13 };

static const char *script;
static struct pythons pythons;
static char name[64];

static void ask(const char *python, const char *action, const char *argument)
{
    const char *args[] = {script, action, name, argument, NULL};
    int status = python_run(python, args);
    if (status != 0)
        support_fail(__FILE__, __LINE__, "%s: %s left with %d", python, action, status);
}

static unsigned char pattern(size_t i, unsigned seed)
{
    return (unsigned char)((i * i + seed) % 251);
}

static void check_pattern(mp_shared_memory *block, unsigned seed)
{
    const unsigned char *p = mp_shared_memory_buf(block);
    for (size_t i = 0; i < mp_shared_memory_size(block); i++)
        check(p[i] == pattern(i, seed));
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void python_uses_a_block(const char *python, size_t size)
{
    char digits[32];
    mp_shared_memory *block;
    assert_mp_ok(mp_shared_memory_create(&block, name, size));
    unsigned char *p = mp_shared_memory_buf(block);
    for (size_t i = 0; i < size; i++)
        p[i] = pattern(i, 1);
    (void)snprintf(digits, sizeof digits, "%zu", size);
    ask(python, "read_and_write", digits);
    check_pattern(block, 2);
    ask(python, "refuse", NULL);
    ask(python, "unlink", NULL);
    assert_mp_error(mp_shared_memory_unlink(block), -ENOENT);
    mp_shared_memory_destroy(block);
}

static void a_block_of_python_is_used(const char *python, size_t size)
{
    char digits[32];
    mp_shared_memory *block;
    (void)snprintf(digits, sizeof digits, "%zu", size);
    ask(python, "make", digits);
    assert_mp_error(mp_shared_memory_create(&block, name, size), -EEXIST);
    assert_mp_ok(mp_shared_memory_attach(&block, name));
    check(mp_shared_memory_size(block) == size);
    check_pattern(block, 3);
    unsigned char *p = mp_shared_memory_buf(block);
    for (size_t i = 0; i < size; i++)
        p[i] = pattern(i, 1);
    ask(python, "read_and_write", digits);
    check_pattern(block, 2);
    assert_mp_result(mp_shared_memory_unlink(block), 0);
    mp_shared_memory_destroy(block);
    ask(python, "absent", NULL);
}

/* ---- lists ----------------------------------------------------------------------------------- */

#define LONG_TEXT "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"

/* The same as in the script. */
static void items_make(mp_obj items[ITEMS], mp_obj changed[ITEMS])
{
    const mp_obj before[ITEMS] = {
        mp_obj_str("howdy"),
        mp_obj_bytes("HoWdY", 5),
        mp_obj_float(-273.154),
        mp_obj_int(100),
        mp_obj_none(),
        mp_obj_bool(true),
        mp_obj_int(INT64_C(1) << 62),
        mp_obj_str("\xc3\xa9"),
        mp_obj_str(""),
        mp_obj_bytes("", 0),
        mp_obj_str("a longer text, 24 bytes."),
        mp_obj_int(-1),
        mp_obj_bool(false),
    };
    const mp_obj after[ITEMS] = {
        mp_obj_str("HOWDY"),
        mp_obj_bytes("12345678", 8),
        mp_obj_float(1e300),
        mp_obj_none(),
        mp_obj_str("text"),
        mp_obj_str("bool"),
        mp_obj_int(-(INT64_C(1) << 62)),
        mp_obj_int(7),
        mp_obj_str("12345678"),
        mp_obj_bytes("\xff", 1),
        mp_obj_bytes("other", 5),
        mp_obj_float(0.5),
        mp_obj_bool(true),
    };
    memcpy(items, before, sizeof before);
    memcpy(changed, after, sizeof after);
}

static void check_items(mp_shareable_list *list, const mp_obj *expected)
{
    for (size_t i = 0; i < ITEMS; i++) {
        mp_obj item;
        assert_mp_result(mp_shareable_list_get(list, i, &item), 0);
        if (item.type != expected[i].type || !mp_obj_equal(item, expected[i]))
            support_fail(__FILE__, __LINE__, "item %zu is another", i);
        mp_obj_free(&item);
    }
}

static void python_uses_a_list(const char *python)
{
    mp_obj items[ITEMS + 1], changed[ITEMS];
    mp_shareable_list *list;
    items_make(items, changed);
    items[ITEMS] = mp_obj_str(LONG_TEXT);
    assert_mp_ok(mp_shareable_list_create(&list, mp_obj_list(items, ITEMS + 1), name));
    ask(python, "list_change", NULL);
    check_items(list, changed);
    assert_mp_result(mp_shareable_list_index(list, MP(LONG_TEXT)), ITEMS);
    assert_mp_result(mp_shareable_list_unlink(list), 0);
    mp_shareable_list_destroy(list);
}

static void a_list_of_python_is_used(const char *python)
{
    mp_obj items[ITEMS], changed[ITEMS];
    mp_shareable_list *list;
    items_make(items, changed);
    ask(python, "list_make", NULL);
    assert_mp_ok(mp_shareable_list_attach(&list, name));
    assert_mp_result(mp_shareable_list_len(list), ITEMS);
    check_items(list, items);
    for (size_t i = 0; i < ITEMS; i++)
        assert_mp_result(mp_shareable_list_set(list, i, changed[i]), 0);
    check_items(list, changed);
    ask(python, "list_changed", NULL);
    assert_mp_result(mp_shareable_list_unlink(list), 0);
    mp_shareable_list_destroy(list);
}

/* Its lists have another layout, which libmp reads and keeps, but does not make. */
static bool is_3_8(const char *python)
{
    const char *args[] = {"-c", "import sys; sys.exit(sys.version_info[:2] == (3, 8))", NULL};
    return python_run(python, args) == 1;
}

static void test_every_python_and_libmp_use_each_others_memory(void **state)
{
    (void)state;
    support_time_limit(240);
    for (size_t i = 0; i < pythons.count; i++) {
        const char *python = pythons.path[i];
        bool lists = !is_3_8(python);
        python_uses_a_block(python, 1);
        python_uses_a_block(python, 100001);
        a_block_of_python_is_used(python, 1);
        a_block_of_python_is_used(python, 100001);
        a_list_of_python_is_used(python);
        if (lists)
            python_uses_a_list(python);
        check(!segment_exists(name));
        printf("%s: blocks both ways, %s\n", python,
               lists ? "lists both ways"
                     : "its lists; SKIPPED: ours, whose layout it does not know");
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        support_test("Named memory: every Python here and libmp use each other's",
                     test_every_python_and_libmp_use_each_others_memory),
    };
    script = pythons_begin(&pythons, argc, argv);
    (void)snprintf(name, sizeof name, "mp_interop.%ld", (long)getpid());
    trees_begin();
    return support_run("Interop of named memory", tests);
}
