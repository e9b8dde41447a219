/* The bytes of pickles, per protocol, and what is not written. */
#include "check_objects.h"

#include "random_object.h"

#include <stdlib.h>
#include <string.h>

static void written(mp_obj o, int protocol, const char *expected, size_t n, const char *file,
                    int line)
{
    void *bytes = NULL;
    size_t size = 0;
    int rc = mp_obj_dumps(o, protocol, &bytes, &size);
    if (rc != 0)
        support_fail(file, line, "%s: %s", mp_strerror(rc), mp_error_detail());
    if (size != n || memcmp(bytes, expected, n) != 0) {
        for (size_t i = 0; i < size; i++)
            print_error("%02x ", ((unsigned char *)bytes)[i]);
        support_fail(file, line, "other bytes than expected");
    }
    free(bytes);
}

#define check_written(o, protocol, expected) \
    written((o), (protocol), (expected), sizeof(expected) - 1, __FILE__, __LINE__)

static void test_scalars_are_written_in_the_shortest_way(void **state)
{
    (void)state;
    check_written(MP_NONE, 4, "\x80\4N.");
    check_written(MP_TRUE, 2, "\x80\2\x88.");
    check_written(MP_FALSE, 3, "\x80\3\x89.");
    check_written(MP(0), 4, "\x80\4K\0.");
    check_written(MP(255), 4, "\x80\4K\xff.");
    check_written(MP(256), 4, "\x80\4M\0\1.");
    check_written(MP(65535), 4, "\x80\4M\xff\xff.");
    check_written(MP(65536), 4, "\x80\4J\0\0\1\0.");
    check_written(MP(-1), 5, "\x80\5J\xff\xff\xff\xff.");
    check_written(MP(INT32_MIN), 4, "\x80\4J\0\0\0\x80.");
    check_written(MP(INT64_C(1) << 31), 4, "\x80\4\x8a\5\0\0\0\x80\0.");
    check_written(MP(-(INT64_C(1) << 39)), 4, "\x80\4\x8a\5\0\0\0\0\x80.");
    check_written(MP((INT64_C(1) << 55) - 1), 4, "\x80\4\x8a\7\xff\xff\xff\xff\xff\xff\x7f.");
    check_written(MP(INT64_MIN), 2, "\x80\2\x8a\10\0\0\0\0\0\0\0\x80.");
    check_written(MP(1.0), 4, "\x80\4G\x3f\xf0\0\0\0\0\0\0.");
}

static void test_texts_are_written_in_the_protocol_s_way(void **state)
{
    (void)state;
    check_written(MP("a"), 4, "\x80\4\x8c\1a.");
    check_written(MP("a"), 3, "\x80\3X\1\0\0\0a.");
    check_written(MP_BYTES("\xff", 1), 4, "\x80\4C\1\xff.");
    check_written(MP_BYTES("\xff", 1), 3, "\x80\3C\1\xff.");
    check_written(MP_BYTES("a\xff", 2), 2,
                  "\x80\2c_codecs\nencode\nX\3\0\0\0a\xc3\xbfX\6\0\0\0latin1\x86R.");
    check_written(MP_BYTES("", 0), 2, "\x80\2c__builtin__\nbytes\n)R.");
}

static void test_containers_are_written_in_the_protocol_s_way(void **state)
{
    (void)state;
    mp_obj one[] = {MP(1)};
    mp_obj frozen = mp_obj_frozenset(one, 1);
    check_written(MP_LIST(1), 4, "\x80\4](K\1e.");
    check_written(MP_EMPTY_LIST, 4, "\x80\4].");
    check_written(MP_EMPTY_TUPLE, 4, "\x80\4).");
    check_written(MP_TUPLE(1, 2), 4, "\x80\4K\1K\2\x86.");
    check_written(MP_TUPLE(1, 2, 3, 4), 4, "\x80\4(K\1K\2K\3K\4t.");
    check_written(MP_DICT(1, 2), 4, "\x80\4}(K\1K\2u.");
    check_written(MP_EMPTY_DICT, 4, "\x80\4}.");
    check_written(MP_SET(1), 4, "\x80\4\x8f(K\1\x90.");
    check_written(MP_EMPTY_SET, 4, "\x80\4\x8f.");
    check_written(frozen, 4, "\x80\4(K\1\x91.");
    check_written(MP_SET(1), 3, "\x80\3cbuiltins\nset\n](K\1e\x85R.");
    check_written(MP_EMPTY_SET, 2, "\x80\2c__builtin__\nset\n]\x85R.");
    check_written(frozen, 2, "\x80\2c__builtin__\nfrozenset\n](K\1e\x85R.");
}

static void refused(mp_obj o, int protocol, int code, const char *file, int line)
{
    void *bytes = NULL;
    size_t n = 4711;
    int rc = mp_obj_dumps(o, protocol, &bytes, &n);
    if (rc != code || bytes != NULL || n != 4711)
        support_fail(file, line, "%s, expected %s", mp_error_name(rc), mp_error_name(code));
}

#define check_not_written(o, protocol, code) refused((o), (protocol), (code), __FILE__, __LINE__)

static void test_what_python_could_not_read_is_not_written(void **state)
{
    (void)state;
    mp_obj list[] = {MP_EMPTY_LIST};
    check_not_written(MP(UINT64_MAX), 4, MP_EOVERFLOW);
    check_not_written(MP_LIST(1, MP_TUPLE(UINT64_MAX)), 4, MP_EOVERFLOW);
    check_not_written(MP("\xff"), 4, MP_EPICKLE);
    check_not_written(MP_DICT("\xc0\x80", 1), 2, MP_EPICKLE);
    check_not_written(MP_DICT(MP_LIST(1), 1), 4, MP_ETYPE);
    check_not_written(MP_SET(MP_TUPLE(1, MP_TUPLE(MP_EMPTY_DICT))), 4, MP_ETYPE);
    check_not_written(mp_obj_frozenset(list, 1), 4, MP_ETYPE);
    check_not_written(mp_obj_handle(NULL), 4, MP_EPICKLE);
    mp_obj proxy = {.type = MP_TYPE_PROXY};
    check_not_written(proxy, 4, MP_EPICKLE);
    check_not_written(MP(1), 6, MP_EINVAL);
    check_not_written(MP(1), 1, MP_EINVAL);
    check_not_written(MP(1), 0, MP_EINVAL);
    void *bytes;
    size_t n;
    assert_mp_error(mp_obj_dumps(MP(1), 4, NULL, &n), MP_EINVAL);
    assert_mp_error(mp_obj_dumps(MP(1), 4, &bytes, NULL), MP_EINVAL);
}

static void test_a_negative_protocol_is_the_newest(void **state)
{
    (void)state;
    check_written(MP_NONE, -1, "\x80\5N.");
}

static void test_depth_is_limited(void **state)
{
    (void)state;
    static mp_obj levels[MP__DEPTH + 1];
    for (size_t i = 1; i <= MP__DEPTH; i++)
        levels[i] = mp_obj_tuple(&levels[i - 1], 1);
    void *bytes;
    size_t n;
    mp_obj back;
    assert_mp_ok(mp_obj_dumps(levels[MP__DEPTH], 4, &bytes, &n));
    assert_mp_ok(mp_obj_loads(&back, bytes, n));
    check(mp_obj_equal(back, levels[MP__DEPTH]));
    mp_obj_free(&back);
    free(bytes);
    check_not_written(mp_obj_list(&levels[MP__DEPTH], 1), 4, MP_EPICKLE);
    mp_obj itself[] = {MP_NONE, MP_NONE};
    itself[0] = mp_obj_list(itself, 2);
    check_not_written(itself[0], 4, MP_EPICKLE);
}

/* Around the length of one batch, and of several. */
static void test_long_containers_come_back(void **state)
{
    (void)state;
    static const size_t lengths[] = {999, 1000, 1001, 2000, 2001, 5000};
    static mp_obj items[10000];
    for (size_t i = 0; i < 10000; i++)
        items[i] = mp_obj_int((int64_t)i);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t n = lengths[i];
        const mp_obj all[] = {mp_obj_list(items, n), mp_obj_tuple(items, n), mp_obj_dict(items, n),
                              mp_obj_set(items, n), mp_obj_frozenset(items, n)};
        for (size_t k = 0; k < 5; k++)
            for (int protocol = 2; protocol <= 5; protocol++) {
                void *bytes;
                size_t size;
                mp_obj back;
                assert_mp_ok(mp_obj_dumps(all[k], protocol, &bytes, &size));
                check(memchr(bytes, '.', size) != NULL && ((char *)bytes)[size - 1] == '.');
                assert_mp_ok(mp_obj_loads(&back, bytes, size));
                check(back.type == all[k].type && back.len == n && mp_obj_equal(back, all[k]));
                mp_obj_free(&back);
                free(bytes);
            }
    }
}

static void test_size_and_write_agree_on_random_objects(void **state)
{
    (void)state;
    struct rng rng = rng_start(rng_seed());
    for (int i = 0; i < 2000; i++) {
        struct random_object *random = random_object_make(&rng, 4);
        mp_obj o = random_object_get(random), back;
        int protocol = 2 + i % 4;
        size_t n;
        assert_mp_ok(mp__pickle_size(o, protocol, 0, &n));
        uint8_t *memory = malloc(n);
        check(memory != NULL);
        check(mp__pickle_write(o, protocol, 0, memory) == memory + n);
        assert_mp_ok(mp_obj_loads(&back, memory, n));
        free(memory);
        char *text = mp_obj_repr(o);
        check(text != NULL);
        check_repr(back, text);
        free(text);
        mp_obj_free(&back);
        random_object_free(random);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("dumps: scalars are written in the shortest way",
                     test_scalars_are_written_in_the_shortest_way),
        support_test("dumps: texts are written in the protocol's way",
                     test_texts_are_written_in_the_protocol_s_way),
        support_test("dumps: containers are written in the protocol's way",
                     test_containers_are_written_in_the_protocol_s_way),
        support_test("dumps: what Python could not read is not written",
                     test_what_python_could_not_read_is_not_written),
        support_test("dumps: a negative protocol is the newest",
                     test_a_negative_protocol_is_the_newest),
        support_test("dumps: depth is limited", test_depth_is_limited),
        support_test("dumps: long containers come back", test_long_containers_come_back),
        support_test("dumps: size and write agree on random objects",
                     test_size_and_write_agree_on_random_objects),
    };
    return support_run("pickles written", tests);
}
