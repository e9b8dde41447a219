/* Python's TestPoll: poll and the boundaries of messages. */
#include "parity.h"

#include <mp/connection.h>
#include <stdlib.h>
#include <string.h>

static void send_text(mp_connection *c, const char *text)
{
    assert_mp_result(mp_connection_send_bytes(c, text, strlen(text)), 0);
}

/* The message as text, at most 15 bytes. */
static void receive_text(mp_connection *c, char text[16])
{
    size_t n;
    assert_mp_result(mp_connection_recv_bytes_into(c, text, 15, &n), 0);
    text[n] = '\0';
}

static void expect_text(mp_connection *c, const char *expected)
{
    char text[16];
    receive_text(c, text);
    check(strcmp(text, expected) == 0);
}

static void test_empty_string(void **state)
{
    (void)state;
    mp_connection *a, *b;
    assert_mp_result(mp_pipe(&a, &b, true), 0);
    assert_mp_result(mp_connection_poll(a, MP_NOWAIT), 0);
    send_text(b, "");
    assert_mp_result(mp_connection_poll(a, MP_NOWAIT), 1);
    assert_mp_result(mp_connection_poll(a, MP_NOWAIT), 1);
    expect_text(a, "");
    assert_mp_result(mp_connection_poll(a, MP_NOWAIT), 0);
    mp_connection_destroy(a);
    mp_connection_destroy(b);
}

struct strings_task {
    mp_connection *conn;
    const char *strings[7];
};

static int send_strings(void *arg)
{
    const struct strings_task *task = arg;
    for (int i = 0; i < 7; i++) {
        mp_sleep(0.02);
        send_text(task->conn, task->strings[i]);
    }
    mp_connection_destroy(task->conn);
    return 0;
}

static void test_strings(void **state)
{
    (void)state;
    struct strings_task task = {.strings = {"hello", "", "a", "b", "", "bye", ""}};
    mp_connection *a;
    assert_mp_result(mp_pipe(&a, &task.conn, true), 0);
    mp_process *p = start_process(send_strings, &task, sizeof task);
    for (int i = 0; i < 7; i++) {
        int polls = 0;
        while (mp_connection_poll(a, 0.005) == 0)
            check(++polls < 5000);
        assert_mp_result(mp_connection_poll(a, MP_NOWAIT), 1); /* polling takes nothing */
        expect_text(a, task.strings[i]);
    }
    finish_process_with(p, 0);
    mp_connection_destroy(a);
    mp_connection_destroy(task.conn);
}

/* Polling beside the parent, the child must not take a part of a message away. */
static int poll_only(void *arg)
{
    assert_mp_result(mp_connection_poll(*(mp_connection **)arg, 30.0), 1);
    return 0;
}

static void test_boundaries(void **state)
{
    (void)state;
    mp_connection *r, *w;
    assert_mp_result(mp_pipe(&r, &w, false), 0);
    mp_process *p = start_process(poll_only, &r, sizeof r);
    check(child_await_sleep(mp_process_pid(p)));
    send_text(w, "first");
    send_text(w, "second");
    mp_connection_destroy(w);
    finish_process_with(p, 0);
    expect_text(r, "first");
    expect_text(r, "second");
    assert_mp_error(mp_connection_recv_bytes(r, NULL, NULL), MP_EEOF);
    mp_connection_destroy(r);
}

struct merge_task {
    mp_connection *b;
    mp_semaphore *sent;
};

static int send_three(void *arg)
{
    const struct merge_task *task = arg;
    send_text(task->b, "a");
    send_text(task->b, "b");
    send_text(task->b, "cd");
    assert_mp_ok(mp_semaphore_release(task->sent));
    return 0;
}

static void test_dont_merge(void **state)
{
    (void)state;
    mp_connection *a;
    struct merge_task task = {.sent = new_semaphore()};
    assert_mp_result(mp_pipe(&a, &task.b, true), 0);
    assert_mp_result(mp_connection_poll(a, 0.0), 0);
    assert_mp_result(mp_connection_poll(a, 0.1), 0);
    mp_process *p = start_process(send_three, &task, sizeof task);
    take(task.sent);
    expect_text(a, "a");
    assert_mp_result(mp_connection_poll(a, 1.0), 1);
    assert_mp_result(mp_connection_poll(a, 1.0), 1);
    expect_text(a, "b");
    assert_mp_result(mp_connection_poll(a, 1.0), 1);
    assert_mp_result(mp_connection_poll(a, 0.0), 1);
    expect_text(a, "cd");
    finish_process_with(p, 0);
    mp_semaphore_destroy(task.sent);
    mp_connection_destroy(a);
    mp_connection_destroy(task.b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestPoll.test_empty_string: a message of no bytes is one", test_empty_string),
        support_test("TestPoll.test_strings: what poll announces arrives as it was sent",
                     test_strings),
        support_test("TestPoll.test_boundaries: a child that polls takes nothing away",
                     test_boundaries),
        support_test("TestPoll.test_dont_merge: messages stay apart", test_dont_merge),
    };
    return support_run_processes("TestPoll", tests);
}
