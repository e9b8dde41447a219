/* Objects as messages of connections. */
#include "wire/pairs.h"

#include <errno.h>
#include <mp/mp.h>
#include <stdlib.h>
#include <string.h>

static void expect_object(mp_connection *c, mp_obj expected)
{
    mp_obj got;
    assert_mp_result(mp_connection_recv(c, &got), 0);
    check(mp_obj_equal(got, expected) && got.type == expected.type);
    mp_obj_free(&got);
}

static void test_objects_small_and_large_arrive_as_they_were(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    static char text[100000];
    for (size_t n = 1000; n < 1060; n++) { /* around what needs no memory */
        memset(text, 'x', n);
        assert_mp_result(mp_connection_send(pair.a, MP_STRN(text, n)), 0);
        expect_object(pair.b, MP_STRN(text, n));
    }
    memset(text, 'y', sizeof text);
    assert_mp_result(mp_connection_send(pair.b, MP_LIST(1, MP_BYTES(text, sizeof text))), 0);
    expect_object(pair.a, MP_LIST(1, MP_BYTES(text, sizeof text)));
    close_pair(&pair);
}

static void test_the_bytes_are_a_pickle_of_protocol_4(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    unsigned char *bytes;
    void *pickle;
    size_t n, size;
    mp_obj object = MP_DICT("key", MP_LIST(1, 2.5, MP_NONE));
    assert_mp_result(mp_connection_send(pair.a, object), 0);
    assert_mp_result(mp_connection_recv_bytes(pair.b, (void **)&bytes, &n), 0);
    assert_mp_result(mp_obj_dumps(object, 4, &pickle, &size), 0);
    check(n == size && memcmp(bytes, pickle, n) == 0 && bytes[0] == 0x80 && bytes[1] == 4);
    assert_mp_result(mp_connection_send_bytes(pair.b, pickle, size), 0);
    expect_object(pair.a, object);
    free(bytes);
    free(pickle);
    close_pair(&pair);
}

static void test_what_is_no_pickle_is_taken_and_refused(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    static unsigned char garbage[5000];
    mp_obj object = MP(77);
    assert_mp_result(mp_connection_send_bytes(pair.a, "", 0), 0);
    assert_mp_result(mp_connection_send_bytes(pair.a, "garbage", 7), 0);
    assert_mp_result(mp_connection_send_bytes(pair.a, garbage, sizeof garbage), 0);
    assert_mp_result(mp_connection_send(pair.a, MP("good")), 0);
    for (int i = 0; i < 3; i++)
        assert_mp_error(mp_connection_recv(pair.b, &object), MP_EPICKLE);
    check(mp_obj_equal(object, MP(77)));
    expect_object(pair.b, MP("good"));
    close_pair(&pair);
}

static void test_what_cannot_be_encoded_sends_nothing(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    assert_mp_error(mp_connection_send(pair.a, MP(UINT64_MAX)), MP_EOVERFLOW);
    assert_mp_error(mp_connection_send(pair.a, MP("\xff is no UTF-8")), MP_EPICKLE);
    assert_mp_result(mp_connection_poll(pair.b, MP_NOWAIT), 0);
    assert_mp_result(mp_connection_send(pair.a, MP("next")), 0);
    expect_object(pair.b, MP("next"));
    close_pair(&pair);
}

static void test_an_object_nobody_wants_is_dropped(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    assert_mp_result(mp_connection_send_bytes(pair.a, "not even a pickle", 17), 0);
    assert_mp_result(mp_connection_send(pair.a, MP("next")), 0);
    assert_mp_result(mp_connection_recv(pair.b, NULL), 0);
    expect_object(pair.b, MP("next"));
    close_pair(&pair);
}

static void test_a_message_kept_for_lack_of_room_is_received_as_an_object(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    size_t n = 0;
    assert_mp_result(mp_connection_send(pair.a, MP_TUPLE("kept", 1)), 0);
    assert_mp_error(mp_connection_recv_bytes_into(pair.b, NULL, 0, &n), MP_ETOOSHORT);
    check(n > 0);
    expect_object(pair.b, MP_TUPLE("kept", 1));
    close_pair(&pair);
}

static void test_ends_and_wrong_ways_are_as_with_bytes(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    mp_connection *reader, *writer;
    mp_obj object;
    assert_mp_result(mp_pipe(&reader, &writer, false), 0);
    assert_mp_error(mp_connection_send(reader, MP(1)), MP_ESTATE);
    assert_mp_error(mp_connection_recv(writer, &object), MP_ESTATE);
    assert_mp_error(mp_connection_send(NULL, MP(1)), MP_EINVAL);
    assert_mp_error(mp_connection_recv(NULL, &object), MP_EINVAL);
    mp_connection_destroy(reader);
    assert_mp_error(mp_connection_send(writer, MP(1)), -EPIPE);
    mp_connection_destroy(writer);
    assert_mp_result(mp_connection_close(pair.b), 0);
    assert_mp_error(mp_connection_recv(pair.a, &object), MP_EEOF);
    assert_mp_error(mp_connection_send(pair.b, MP(1)), MP_ECLOSED);
    assert_mp_error(mp_connection_recv(pair.b, &object), MP_ECLOSED);
    close_pair(&pair);
}

static int set_what_arrives(void *arg)
{
    mp_obj handle;
    void *event;
    assert_mp_result(mp_connection_recv(arg, &handle), 0);
    assert_mp_result(mp_obj_as_handle(handle, &event), 0);
    assert_mp_ok(mp_event_set(event));
    mp_obj_free(&handle);
    return 0;
}

static void test_shared_objects_travel_through_pipes_of_the_tree_only(void **state)
{
    (void)state;
    struct pair pair = open_pair(true);
    mp_connection *foreign;
    mp_event *event;
    assert_mp_result(mp_event_create(&event), 0);
    assert_mp_result(mp_connection_send(pair.a, mp_obj_handle(event)), 0);
    child_must_succeed(set_what_arrives, pair.b);
    check(mp_event_is_set(event));

    int fd = assert_mp_ok(mp_connection_detach(pair.a));
    assert_mp_result(mp_connection_create(&foreign, fd, true, true), 0);
    assert_mp_error(mp_connection_send(foreign, mp_obj_handle(event)), MP_EPICKLE);
    assert_mp_result(mp_connection_poll(pair.b, MP_NOWAIT), 0);
    assert_mp_result(mp_connection_send(pair.b, mp_obj_handle(event)), 0);
    assert_mp_error(mp_connection_recv(foreign, &(mp_obj){0}), MP_EPICKLE);
    mp_connection_destroy(foreign);
    close_pair(&pair);
    mp_event_destroy(event);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("Objects sent: small and large ones arrive as they were",
                     test_objects_small_and_large_arrive_as_they_were),
        support_test("Objects sent: the bytes are a pickle of protocol 4",
                     test_the_bytes_are_a_pickle_of_protocol_4),
        support_test("Objects sent: what is no pickle is taken and refused",
                     test_what_is_no_pickle_is_taken_and_refused),
        support_test("Objects sent: what cannot be encoded sends nothing",
                     test_what_cannot_be_encoded_sends_nothing),
        support_test("Objects sent: one nobody wants is dropped",
                     test_an_object_nobody_wants_is_dropped),
        support_test("Objects sent: one kept for lack of room is received as an object",
                     test_a_message_kept_for_lack_of_room_is_received_as_an_object),
        support_test("Objects sent: ends and wrong ways are as with bytes",
                     test_ends_and_wrong_ways_are_as_with_bytes),
        support_test("Objects sent: shared objects travel through pipes of the tree only",
                     test_shared_objects_travel_through_pipes_of_the_tree_only),
    };
    return support_run("Objects sent", tests);
}
