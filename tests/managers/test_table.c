/* The table under dict, set and Namespace, against a plain array of pairs. */
#include "host.h"

#include "managers/table.h"

#include <errno.h>
#include <math.h>

static int put(struct mp__table *table, mp_obj key, mp_obj value)
{
    return mp__table_put(table, &key, &value);
}

static size_t find(const struct mp__table *table, mp_obj key)
{
    uint64_t hash;
    check(mp__table_hash(&key, &hash) == 0);
    return mp__table_find(table, &key, hash);
}

static void check_view(struct mp__table *table, mp_obj expected)
{
    mp_obj view = mp__table_view(table, (mp_type)expected.type);
    check(mp__table_is_valid(table));
    check(view.len == expected.len);
    for (size_t i = 0; i < mp__obj_items(&view); i++)
        check(mp_obj_equal(view.items[i], expected.items[i]));
}

static void test_entries_keep_their_order_and_equal_keys_come_together(void **state)
{
    struct mp__table table;
    (void)state;
    mp__table_begin(&table, test_host(), 2);
    check(find(&table, MP(1)) == SIZE_MAX);
    check(mp__table_next(&table, 0) == SIZE_MAX);
    assert_mp_ok(put(&table, MP("b"), MP(1)));
    assert_mp_ok(put(&table, MP("a"), MP(2)));
    assert_mp_ok(put(&table, MP(1), MP(3)));
    assert_mp_ok(put(&table, MP(1.0), MP(4)));
    assert_mp_ok(put(&table, MP_TUPLE("a", 1), MP(5)));
    check_view(&table, MP_DICT("b", 1, "a", 2, 1, 4, MP_TUPLE("a", 1), 5));
    check(mp__table_key(&table, find(&table, MP_TRUE))->type == MP_TYPE_INT);
    mp__table_delete(&table, find(&table, MP("a")));
    check(find(&table, MP("a")) == SIZE_MAX);
    assert_mp_ok(put(&table, MP("a"), MP(6)));
    check_view(&table, MP_DICT("b", 1, 1, 4, MP_TUPLE("a", 1), 5, "a", 6));
    mp__table_clear(&table);
    check_nothing_left();
}

static void test_what_python_cannot_hash_is_refused_by_its_name(void **state)
{
    uint64_t hash;
    (void)state;
    const struct {
        mp_obj key;
        const char *text;
    } keys[] = {
        {MP_LIST(1), "unhashable type: 'list'"},
        {MP_EMPTY_DICT, "unhashable type: 'dict'"},
        {MP_SET(1), "unhashable type: 'set'"},
        {MP_TUPLE(1, MP_TUPLE(MP_SET(2)), MP_LIST(1)), "unhashable type: 'set'"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_mp_error(mp__table_hash(&keys[i].key, &hash), MP_ETYPE);
        assert_string_equal(mp_error_detail(), keys[i].text);
    }
    const mp_obj one[] = {MP(1)}, frozen = mp_obj_frozenset(one, 1);
    assert_mp_ok(mp__table_hash(&frozen, &hash));
}

static void test_each_nan_is_a_key_of_its_own(void **state)
{
    struct mp__table table;
    (void)state;
    mp__table_begin(&table, test_host(), 1);
    for (int i = 0; i < 100; i++)
        assert_mp_ok(put(&table, i % 2 == 0 ? MP((double)NAN) : MP_TUPLE(1, (double)NAN), MP_NONE));
    assert_mp_ok(put(&table, MP(7), MP_NONE));
    check(table.live == 101);
    check(find(&table, MP((double)NAN)) == SIZE_MAX);
    for (size_t i = 0; i < 99; i++)
        mp__table_delete(&table, i);
    check(mp__table_is_valid(&table));
    check(find(&table, MP(7)) == 100);
    (void)mp__table_view(&table, MP_TYPE_SET);
    check(mp__table_is_valid(&table));
    check(find(&table, MP(7)) == 1);
    mp__table_clear(&table);
    check_nothing_left();
}

static void test_where_there_is_no_memory_nothing_has_changed(void **state)
{
    struct mp__table table;
    (void)state;
    mp__table_begin(&table, test_host(), 2);
    assert_mp_ok(put(&table, MP("a"), MP(1)));
    for (long limit = 0; limit < 2; limit++) {
        host_keep_limit(limit);
        assert_mp_error(put(&table, MP("b"), MP(2)), -ENOMEM);
        host_keep_limit(0);
        assert_mp_error(put(&table, MP("a"), MP(2)), -ENOMEM);
        host_keep_limit(-1);
        check_view(&table, MP_DICT("a", 1));
    }
    mp__table_clear(&table);
    check_nothing_left();
}

static void test_a_queue_of_keys_takes_no_more_room_than_it_needs(void **state)
{
    struct mp__table table;
    (void)state;
    mp__table_begin(&table, test_host(), 2);
    for (int64_t i = 0; i < 100000; i++) {
        assert_mp_ok(put(&table, MP(i), MP(i)));
        if (i >= 10)
            mp__table_delete(&table, find(&table, MP(i - 10)));
    }
    check(table.live == 10 && table.room <= 64);
    check(mp__table_is_valid(&table));
    mp__table_clear(&table);
    check_nothing_left();
}

/* ---- at random ---------------------------------------------------------------------------- */

enum { MOST = 400 };

struct model {
    size_t len;
    int64_t keys[MOST], values[MOST];
};

static size_t model_find(const struct model *model, int64_t key)
{
    size_t i = 0;
    while (i < model->len && model->keys[i] != key)
        i++;
    return i;
}

static void model_delete(struct model *model, size_t at)
{
    model->len--;
    for (size_t i = at; i < model->len; i++) {
        model->keys[i] = model->keys[i + 1];
        model->values[i] = model->values[i + 1];
    }
}

/* Keys of several types, all found again by what equals them. */
static mp_obj key_of(int64_t key, char text[32])
{
    if (key % 3 == 0)
        return MP(key);
    if (key % 3 == 1)
        return MP((double)key);
    snprintf(text, 32, "key number %d", (int)key);
    return MP((const char *)text);
}

static void model_check(const struct model *model, struct mp__table *table)
{
    size_t entry = 0;
    char text[32];
    check(mp__table_is_valid(table));
    check(table->live == model->len);
    for (size_t i = 0; i < model->len; i++, entry++) {
        entry = mp__table_next(table, entry);
        check(entry != SIZE_MAX);
        check(mp_obj_equal(*mp__table_key(table, entry), key_of(model->keys[i], text)));
        check(mp__table_value(table, entry)->i == model->values[i]);
        check(find(table, key_of(model->keys[i], text)) == entry);
    }
    check(mp__table_next(table, entry) == SIZE_MAX);
}

static void model_step(struct rng *rng, struct model *model, struct mp__table *table)
{
    char text[32];
    int64_t key = (int64_t)rng_below(rng, MOST), value = (int64_t)rng_below(rng, 1000);
    size_t at = model_find(model, key), entry = find(table, key_of(key, text));
    check((entry == SIZE_MAX) == (at == model->len));
    switch (rng_below(rng, 16)) {
    case 0:
        (void)mp__table_view(table, MP_TYPE_DICT);
        break;
    case 1:
        if (model->len > 0) {
            mp__table_delete(table, mp__table_last(table));
            model->len--;
        }
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
        if (entry == SIZE_MAX)
            break;
        mp__table_delete(table, entry);
        model_delete(model, at);
        break;
    default:
        assert_mp_ok(put(table, key_of(key, text), MP(value)));
        model->keys[at] = key;
        model->values[at] = value;
        model->len += at == model->len;
    }
}

static void test_at_random_it_does_what_an_array_of_pairs_does(void **state)
{
    struct rng rng = rng_start(rng_seed());
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct model model = {0};
        struct mp__table table;
        mp__table_begin(&table, test_host(), 2);
        for (int i = 0; i < 2000; i++) {
            model_step(&rng, &model, &table);
            if (i % 64 == 0)
                model_check(&model, &table);
        }
        mp__table_clear(&table);
        check_nothing_left();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("table: entries keep their order, equal keys come together",
                     test_entries_keep_their_order_and_equal_keys_come_together),
        support_test("table: what Python cannot hash is refused by its name",
                     test_what_python_cannot_hash_is_refused_by_its_name),
        support_test("table: each NaN is a key of its own", test_each_nan_is_a_key_of_its_own),
        support_test("table: where there is no memory nothing has changed",
                     test_where_there_is_no_memory_nothing_has_changed),
        support_test("table: a queue of keys takes no more room than it needs",
                     test_a_queue_of_keys_takes_no_more_room_than_it_needs),
        support_test("table: at random it does what an array of pairs does",
                     test_at_random_it_does_what_an_array_of_pairs_does),
    };
    return support_run("table", tests);
}
