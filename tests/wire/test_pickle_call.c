/* What pickles want called: made as data, refused, or handed to managers as it stands. */
#include "check_objects.h"

#include <stdlib.h>
#include <string.h>

#define STR(n, text) "\x8c" n text

static void test_sets_and_bytes_of_old_protocols_are_data(void **state)
{
    (void)state;
    check_loads("\x80\2c__builtin__\nset\nq\0]q\1(K\1K\2e\x85q\2Rq\3.", "{1, 2}");
    check_loads("\x80\3cbuiltins\nfrozenset\nq\0]q\1K\1a\x85q\2Rq\3.", "frozenset({1})");
    check_loads("\x80\3cbuiltins\nset\n)R.", "set()");
    check_loads("\x80\4" STR("\x08", "builtins") STR("\x04", "list") "\x93](K\1K\2e\x85R.",
                "[1, 2]");
    check_loads("\x80\4" STR("\x08", "builtins") STR("\x05", "tuple") "\x93](K\1K\2e\x85R.",
                "(1, 2)");
    check_loads("\x80\4" STR("\x08", "builtins") STR("\x09", "bytearray") "\x93"
                                                                          "C\2ab\x85R.",
                "b'ab'");
    check_loads("\x80\4" STR("\x08", "builtins") STR("\x09", "bytearray") "\x93)R.", "b''");
    check_loads("c__builtin__\nbytearray\n(Va\xe4\nVlatin-1\ntR.", "b'a\\xe4'");
    check_loads("c_codecs\nencode\n(V\\u0000\xff\nVlatin1\ntR.", "b'\\x00\\xff'");
    check_loads("c__builtin__\nbytes\n(tR.", "b''");
    /* a set is made of the list as it was then */
    check_loads("]q\0(K\1ecbuiltins\nset\nh\0\x85Rq\1h\0K\2ah\1\x87.", "({1}, [1, 2], {1})");
}

static void test_names_are_never_called(void **state)
{
    (void)state;
    check_refused("cos\nsystem\n(Vtouch /tmp/owned\ntR.", MP_EPICKLE);
    check(strstr(mp_error_detail(), "os.system") != NULL);
    check_refused("\x80\4" STR("\x08", "builtins")
                      STR("\x04", "eval") "\x93" STR("\x01", "1") "\x85R.",
                  MP_EPICKLE);
    check_refused("cbuiltins\nset\n.", MP_EPICKLE);
    check_refused("(cbuiltins\nset\nt.", MP_EPICKLE);
    check_refused("cbuiltins\nset\n)\x81.", MP_EPICKLE);
    check_refused("cbuiltins\nset\n)}\x92.", MP_EPICKLE);
    check_refused("ccopyreg\n_reconstructor\n(cm\nC\ncbuiltins\nobject\nNtR.", MP_EPICKLE);
    check_refused("c_queue\nEmpty\n)R.", MP_EPICKLE);
    check_refused("ccollections\nOrderedDict\n)R.", MP_EPICKLE);
    check_refused("]}b.", MP_EPICKLE);
    check_refused("cm\nC\n}b.", MP_EPICKLE);
}

static void test_calls_of_no_name_are_refused(void **state)
{
    (void)state;
    check_refused("N)R.", MP_EPICKLE);
    check_refused("cbuiltins\nset\nNR.", MP_EPICKLE);
    check_refused("cbuiltins\nset\n]R.", MP_EPICKLE);
    check_refused("cbuiltins\nset\n(K\1tR.", MP_EPICKLE);
    check_refused("cbuiltins\nset\n(]]tR.", MP_EPICKLE);
    check_refused("cbuiltins\nlist\n(}tR.", MP_EPICKLE);
    check_refused("c_codecs\nencode\n(Vx\nVutf8\ntR.", MP_EPICKLE);
    check_refused("c_codecs\nencode\n(V\\u0100\nVlatin1\ntR.", MP_EPICKLE);
    check_refused("c_codecs\nencode\n(K\1K\2tR.", MP_EPICKLE);
    check_refused("cbuiltins\nbytearray\n(K\5tR.", MP_EPICKLE);
    check_refused("K\1K\2\x93.", MP_EPICKLE);
    check_refused("c\xff\nx\n.", MP_EPICKLE);
    check_refused("cos\nsystem", MP_EPICKLE);
    check_refused("\x81.", MP_EPICKLE);
    check_refused("N}\x92.", MP_EPICKLE);
}

static void check_opaque(const char *pickle, size_t n, const char *expected)
{
    mp_obj o, again;
    assert_mp_ok(mp__pickle_read(&o, pickle, n, MP__PICKLE_OPAQUE));
    check_repr(o, expected);
    size_t size;
    assert_mp_error(mp__pickle_size(o, 4, 0, &size), MP_EPICKLE);
    assert_mp_ok(mp__pickle_size(o, 4, MP__PICKLE_OPAQUE, &size));
    uint8_t *bytes = malloc(size);
    check(bytes != NULL);
    check(mp__pickle_write(o, 4, MP__PICKLE_OPAQUE, bytes) == bytes + size);
    assert_mp_ok(mp__pickle_read(&again, bytes, size, MP__PICKLE_OPAQUE));
    check(mp_obj_equal(o, again));
    free(bytes);
    mp_obj_free(&again);
    mp_obj_free(&o);
}

#define check_is_opaque(pickle, expected) check_opaque((pickle), sizeof(pickle) - 1, (expected))

static void test_managers_receive_what_is_not_data_as_it_stands(void **state)
{
    (void)state;
    check_is_opaque("\x80\4c_queue\nEmpty\n)R.", "_queue.Empty()");
    check_is_opaque("\x80\4" STR("\x08", "builtins")
                        STR("\x08", "KeyError") "\x93" STR("\x01", "k") "\x85\x94R\x94.",
                    "builtins.KeyError('k')");
    check_is_opaque("\x80\4(" STR("\x06", "#ERROR") "\x94" STR("\x08", "builtins")
                        STR("\x08", "KeyError") "\x93K\1\x85R}" STR("\x09", "__notes__") "]" STR(
                            "\x01", "n") "asbt.",
                    "('#ERROR', builtins.KeyError(1))");
    check_is_opaque("\x80\4" STR("\x05", "slice") "0" STR("\x08", "builtins")
                        STR("\x05", "slice") "\x93K\1K\2N\x87R.",
                    "builtins.slice(1, 2, None)");
    check_is_opaque("cbuiltins\nset\n.", "builtins.set");
    check_is_opaque("cm\nC\n)}\x92.", "m.C()");
}

static void test_a_token_keeps_its_class_and_state(void **state)
{
    (void)state;
    static const char pickle[] = "\x80\4" STR("\x18", "multiprocessing.managers")
        STR("\x05", "Token") "\x93)\x81" STR("\x04", "list") STR("\x01", "a")
            STR("\x02", "id") "\x87"
                              "b.";
    mp_obj o;
    assert_mp_ok(mp__pickle_read(&o, pickle, sizeof pickle - 1, MP__PICKLE_OPAQUE));
    check(o.type == MP__TYPE_OPAQUE && o.len == 4 && o.reserved[0] == 1);
    check_repr(o.items[MP__OPAQUE_MODULE], "'multiprocessing.managers'");
    check_repr(o.items[MP__OPAQUE_NAME], "'Token'");
    check_repr(o.items[MP__OPAQUE_ARGS], "()");
    check_repr(o.items[MP__OPAQUE_STATE], "('list', 'a', 'id')");
    mp_obj same[] = {MP("multiprocessing.managers"), MP("Token"), MP_EMPTY_TUPLE,
                     MP_TUPLE("list", "a", "id")};
    uint8_t bytes[128];
    size_t n;
    mp_obj token = mp__obj_opaque(same, true);
    assert_mp_ok(mp__pickle_size(token, 4, MP__PICKLE_OPAQUE, &n));
    check(n == sizeof pickle - 1 && n <= sizeof bytes);
    mp__pickle_write(token, 4, MP__PICKLE_OPAQUE, bytes);
    check(memcmp(bytes, pickle, n) == 0);
    mp_obj_free(&o);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("calls: sets and bytes of old protocols are data",
                     test_sets_and_bytes_of_old_protocols_are_data),
        support_test("calls: names are never called", test_names_are_never_called),
        support_test("calls: calls of no name are refused", test_calls_of_no_name_are_refused),
        support_test("calls: managers receive what is not data as it stands",
                     test_managers_receive_what_is_not_data_as_it_stands),
        support_test("calls: a token keeps its class and state",
                     test_a_token_keeps_its_class_and_state),
    };
    return support_run("calls in pickles", tests);
}
