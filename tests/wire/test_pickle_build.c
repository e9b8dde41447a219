/* Sharing, equal keys, what contains itself, and pickles that are larger inside than outside. */
#include "check_objects.h"

#include "base/sanitized.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void test_equal_keys_become_one(void **state)
{
    (void)state;
    check_loads("}(K\1K\2\x88K\3G\x3f\xf0\0\0\0\0\0\0K\4u.", "{1: 4}");
    check_loads("}(K\1K\2K\5K\6K\1K\3u.", "{1: 3, 5: 6}");
    check_loads("\x8f(K\1\x88K\2K\1\x90.", "{1, 2}");
    check_loads("(K\1K\1K\1\x85K\1\x85\x91.", "frozenset({1, (1,)})");
    /* more than fit an index without slots */
    check_loads("\x8f(K\0K\1K\2K\3K\4K\5K\6K\7K\10K\11K\0K\11K\12\x90.",
                "{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}");
    /* a set as a key by its items */
    check_loads("}((K\1K\1\x91K\1(K\1\x91K\2u.", "{frozenset({1}): 2}");
}

static void test_keys_that_cannot_be_hashed_are_refused(void **state)
{
    (void)state;
    check_refused("}]K\1s.", MP_EPICKLE);
    check_refused("}}K\1s.", MP_EPICKLE);
    check_refused("\x8f(\x8f\x90.", MP_EPICKLE);
    check_refused("(]\x85\x91.", MP_EPICKLE);
    check_refused("}(K\1](K\1e\x85\x85K\2u.", MP_EPICKLE);
}

static void test_shared_parts_stay_shared(void **state)
{
    (void)state;
    mp_obj o;
    static const char pickle[] = "\x80\4(](\x8c\1a\x94\x8c\1be\x94h\1h\1h\0t.";
    assert_mp_ok(mp_obj_loads(&o, pickle, sizeof pickle - 1));
    check_repr(o, "(['a', 'b'], ['a', 'b'], ['a', 'b'], 'a')");
    check(o.items[0].items == o.items[2].items && o.items[0].items[0].s == o.items[3].s);
    mp_obj_free(&o);
}

static void test_what_contains_itself_is_refused(void **state)
{
    (void)state;
    check_refused("]\x94h\0a.", MP_EPICKLE);
    check_refused("](\x94h\0e.", MP_EPICKLE);
    check_refused("]\x94]\x94h\0ah\1a.", MP_EPICKLE);
    check_refused("}\x94K\1h\0s.", MP_EPICKLE);
    check_refused("]\x94(h\0h\0\x86t0h\0h\0\x86\x94"
                  "0h\0h\1a.",
                  MP_EPICKLE);
    check_loads("]\x94h\0\x86.", "([], [])");
}

/* Bytes of a pickle, NULs among them. */
struct part {
    const char *p;
    size_t n;
};
#define PART(literal) ((struct part){(literal), sizeof(literal) - 1})

static char *part_put(char *to, struct part part)
{
    memcpy(to, part.p, part.n);
    return to + part.n;
}

/* `each` so many times, then `middle`, then `again` as many times. */
static char *repeated(struct part each, struct part middle, struct part again, size_t times,
                      size_t *n)
{
    *n = times * (each.n + again.n) + middle.n;
    char *p = malloc(*n + 1), *end = p;
    check(p != NULL);
    for (size_t i = 0; i < times; i++)
        end = part_put(end, each);
    end = part_put(end, middle);
    for (size_t i = 0; i < times; i++)
        end = part_put(end, again);
    return p;
}

static int loads_repeated(struct part each, struct part middle, struct part again, size_t times)
{
    size_t n;
    char *pickle = repeated(each, middle, again, times, &n);
    pickle[n++] = '.';
    mp_obj o;
    int rc = mp_obj_loads(&o, pickle, n);
    if (rc == 0)
        mp_obj_free(&o);
    free(pickle);
    return rc;
}

static void test_depth_is_limited_whichever_way_it_is_made(void **state)
{
    (void)state;
    assert_mp_ok(loads_repeated(PART(""), PART("N"), PART("\x85"), MP__DEPTH));
    assert_mp_error(loads_repeated(PART(""), PART("N"), PART("\x85"), MP__DEPTH + 1), MP_EPICKLE);
    assert_mp_ok(loads_repeated(PART("]"), PART("N"), PART("a"), MP__DEPTH));
    assert_mp_error(loads_repeated(PART("]"), PART("N"), PART("a"), MP__DEPTH + 1), MP_EPICKLE);
    assert_mp_error(loads_repeated(PART(""), PART("N"), PART("\x85"), 1000000), MP_EPICKLE);
    assert_mp_error(loads_repeated(PART("]"), PART("N"), PART("a"), 1000000), MP_EPICKLE);
    assert_mp_error(loads_repeated(PART("("), PART("N"), PART("t"), 1000000), MP_EPICKLE);
    assert_mp_error(loads_repeated(PART("}K\1"), PART("N"), PART("s"), 1000000), MP_EPICKLE);
    /* deep through the memo: each level shares the one below */
    assert_mp_error(loads_repeated(PART(""), PART("N"), PART("\x85\x94"), 300), MP_EPICKLE);
}

static void test_parts_that_double_again_and_again_are_refused(void **state)
{
    (void)state;
    assert_mp_ok(loads_repeated(PART(""), PART("N"), PART("2\x86"), 10));
    assert_mp_error(loads_repeated(PART(""), PART("N"), PART("2\x86"), 60), MP_EPICKLE);
    assert_mp_error(loads_repeated(PART(""), PART("]"), PART("2\x86\x94"), 100), MP_EPICKLE);
    assert_mp_error(loads_repeated(PART(""),
                                   PART("C\x20"
                                        "12345678901234567890123456789012"),
                                   PART("2\x86"), 30),
                    MP_EPICKLE);
    assert_mp_error(loads_repeated(PART(""), PART("K\1"), PART("2\x86\x85\x85\x91(\x85"), 60),
                    MP_EPICKLE);
}

/* What one pickle makes the process grow by at most, in KiB. */
static const char *bomb;
static size_t bomb_size;
static long bomb_allowance;
static bool bomb_is_data;
static int bomb_line;

static long peak(void)
{
    struct rusage usage;
    check(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss;
}

static int read_the_bomb(void *arg)
{
    (void)arg;
    mp_obj o;
    long before = peak();
    int rc = mp_obj_loads(&o, bomb, bomb_size);
    if (rc == 0)
        mp_obj_free(&o);
    if (rc != (bomb_is_data ? 0 : MP_EPICKLE))
        support_fail(__FILE__, bomb_line, "%s: %s", mp_error_name(rc), mp_error_detail());
    if (peak() - before > bomb_allowance)
        support_fail(__FILE__, bomb_line, "grew by %ld KiB", peak() - before);
    return 0;
}

/* `first`, then `each` so many times, then `last`; `data`: it is valid. */
#define check_memory(...) memory_check(__LINE__, __VA_ARGS__)
static void memory_check(int line, struct part first, struct part each, size_t times,
                         struct part last, bool data)
{
    size_t n;
    char *middle = repeated(each, PART(""), PART(""), times, &n);
    char *pickle = repeated(first, (struct part){middle, n}, last, 1, &bomb_size);
    bomb = pickle;
    bomb_is_data = data;
    bomb_line = line;
    /* a sanitizer keeps what realloc moved away from */
    bomb_allowance = (long)((SANITIZED ? 600 : 300) * bomb_size / 1024) + 8192;
    child_must_succeed(read_the_bomb, NULL);
    free(middle);
    free(pickle);
}

static void test_memory_stays_in_proportion_to_the_bytes(void **state)
{
    (void)state;
    support_time_limit(120);
    check_memory(PART("]"), PART("2\x86"), 1000, PART("."), false); /* doubles itself */
    check_memory(PART("\x80\4X\xff\xff\xff\x7f"), PART("x"), 10, PART("."), false);
    check_memory(PART("\x80\4\x8e\xff\xff\xff\xff\xff\x7f\0\0"), PART("x"), 10, PART("."), false);
    check_memory(PART("("), PART("]"), 100000, PART("t."), true);
    check_memory(PART(""), PART("("), 100000, PART("N."), true);
    check_memory(PART("("), PART("N"), 100000, PART("l."), true);
    check_memory(PART("("), PART("N\x94"), 100000, PART("l."), true);
    check_memory(PART("(]\x94"), PART("h\0"), 100000, PART("l."), true);
    /* memo numbers far apart */
    check_memory(PART("("), PART("Nr\xff\xff\0\0"), 10000, PART("l."), false);
    check_memory(PART("("), PART("Nr\xff\x7f\0\0"), 10000, PART("l."), true);
}

/* Each repetition is short and would like to be long. */
static void test_what_is_made_again_and_again_is_bounded(void **state)
{
    (void)state;
    support_time_limit(120);
#define TEN "K\0K\1K\2K\3K\4K\5K\6K\7K\10K\11"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
    check_memory(PART("cbuiltins\nset\n\x94](" TEN "e\x94("), PART("h\0h\1\x85R"), 1000, PART("l."),
                 true);
    check_memory(PART("cbuiltins\nlist\n\x94](" HUNDRED "e\x94("), PART("h\0h\1\x85R"), 10000,
                 PART("l."), false);
    check_memory(PART("c_codecs\nencode\n\x94V" HUNDRED "\n\x94Vlatin1\n\x94("),
                 PART("h\0h\1h\2\x86R"), 10000, PART("l."), false);
    check_memory(PART("(X\xc8\0\0\0" HUNDRED "\x94"), PART("h\0"), 10000, PART("l."), true);
    /* lists that outgrow their places in turn */
    check_memory(PART("]\x94]\x94"), PART("h\0K\1a0h\1K\1a0"), 20000, PART("\x86."), true);
    check_memory(PART("]\x94]\x94"), PART("h\0(" TEN "e0h\1K\1a0"), 5000, PART("\x86."), true);
    /* lists made of another, which then outgrow it */
    check_memory(PART("cbuiltins\nlist\nq\0(" HUNDRED HUNDRED HUNDRED "l\x85q\1("),
                 PART("h\0h\1RNa0"), 10000, PART("."), false);
    /* keys that take long to compare */
    check_memory(PART("(" HUNDRED "t\x94}("), PART("h\0N"), 5000, PART("u."), true);
}

static void test_many_keys_are_united_in_time(void **state)
{
    (void)state;
    enum { N = 200000 };
    char *pickle = malloc(8 * N + 16), *p = pickle;
    check(pickle != NULL);
    memcpy(p, "\x80\4\x8f(", 4);
    p += 4;
    for (uint32_t i = 0; i < N; i++) {
        uint32_t key = i / 2 * 4096; /* every one twice, alike in their lower bits */
        *p++ = 'J';
        for (int shift = 0; shift < 32; shift += 8)
            *p++ = (char)(key >> shift & 0xff);
    }
    memcpy(p, "\x90.", 2);
    p += 2;
    mp_obj o;
    double start = clock_seconds();
    assert_mp_ok(mp_obj_loads(&o, pickle, (size_t)(p - pickle)));
    check(clock_seconds() - start < 10);
    check(o.len == N / 2);
    mp_obj_free(&o);
    free(pickle);
}

/* Two keys that stand in 60 frozensets each. */
static void test_nested_sets_are_united_in_time(void **state)
{
    (void)state;
    support_time_limit(20);
#define OPEN10 "(((((((((("
#define OPEN60 OPEN10 OPEN10 OPEN10 OPEN10 OPEN10 OPEN10
#define CLOSE10 "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"
#define CLOSE60 CLOSE10 CLOSE10 CLOSE10 CLOSE10 CLOSE10 CLOSE10
#define NESTED(item) OPEN60 item CLOSE60
    const struct part pickles[] = {PART("\x80\4\x8f(" NESTED("") "\x94h\0\x90."),
                                   PART("\x8f(" NESTED("") NESTED("") "\x90."),
                                   PART("}(" NESTED("N") "N" NESTED("N") "Nu."),
                                   PART("\x8f(" NESTED("K\1") NESTED("K\2") "\x90.")};
    for (size_t i = 0; i < sizeof pickles / sizeof pickles[0]; i++) {
        mp_obj o;
        assert_mp_ok(mp_obj_loads(&o, pickles[i].p, pickles[i].n));
        check(o.len == (i == 3 ? 2 : 1));
        mp_obj_free(&o);
    }
}

static void test_each_nan_is_an_item_of_its_own(void **state)
{
    (void)state;
    enum { N = 300000 };
    support_time_limit(20);
    char *pickle = malloc(2 * N + 32), *p = pickle;
    check(pickle != NULL);
    p = part_put(p, PART("\x8f(G\x7f\xf8\0\0\0\0\0\0\x94"));
    for (int i = 0; i < N; i++)
        p = part_put(p, PART("h\0"));
    p = part_put(p, PART("\x90."));
    mp_obj o;
    assert_mp_ok(mp_obj_loads(&o, pickle, (size_t)(p - pickle)));
    check(o.len == N + 1);
    mp_obj_free(&o);
    free(pickle);
}

/* Keys that have 20 items in common and one of their own. */
static void test_keys_that_are_alike_are_united_in_time(void **state)
{
    (void)state;
    enum { N = 30000 };
    support_time_limit(30);
    char *pickle = malloc((size_t)64 * N), *p = pickle;
    check(pickle != NULL);
    p = part_put(p, PART("\x8f("));
    for (uint32_t i = 0; i < N; i++) {
        p = part_put(p, PART("(" TEN "NJ"));
        for (int shift = 0; shift < 32; shift += 8)
            *p++ = (char)((i / 2 + 100) >> shift & 0xff);
        p = part_put(p, PART("K\20K\21K\22K\23K\24K\25K\26K\27K\30\x91"));
    }
    p = part_put(p, PART("\x90."));
    mp_obj o;
    assert_mp_ok(mp_obj_loads(&o, pickle, (size_t)(p - pickle)));
    check(o.len == N / 2);
    mp_obj_free(&o);
    free(pickle);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("loads: equal keys become one", test_equal_keys_become_one),
        support_test("loads: keys that cannot be hashed are refused",
                     test_keys_that_cannot_be_hashed_are_refused),
        support_test("loads: shared parts stay shared", test_shared_parts_stay_shared),
        support_test("loads: what contains itself is refused",
                     test_what_contains_itself_is_refused),
        support_test("loads: depth is limited whichever way it is made",
                     test_depth_is_limited_whichever_way_it_is_made),
        support_test("loads: parts that double again and again are refused",
                     test_parts_that_double_again_and_again_are_refused),
        support_test("loads: memory stays in proportion to the bytes",
                     test_memory_stays_in_proportion_to_the_bytes),
        support_test("loads: what is made again and again is bounded",
                     test_what_is_made_again_and_again_is_bounded),
        support_test("loads: many keys are united in time", test_many_keys_are_united_in_time),
        support_test("loads: nested sets are united in time", test_nested_sets_are_united_in_time),
        support_test("loads: each NaN is an item of its own", test_each_nan_is_an_item_of_its_own),
        support_test("loads: keys that are alike are united in time",
                     test_keys_that_are_alike_are_united_in_time),
    };
    return support_run("pickles built", tests);
}
