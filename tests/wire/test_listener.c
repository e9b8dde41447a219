/* Listeners: who knows the key is served, in whatever company he comes. */
#include "wire/doors.h"
#include "wire/pairs.h"

#include "platform/platform.h"
#include "wire/address.h"
#include "wire/handshake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>

#define KEY "abracadabra"

/* ---- strangers -------------------------------------------------------------------------------- */

static int open_stranger(const mp_listener *listener)
{
    struct mp__address address;
    assert_mp_result(mp__address_parse(&address, mp_listener_address(listener)), 0);
    return assert_mp_ok(mp__address_connect(&address, MP__NEVER));
}

static bool is_readable(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) > 0;
}

/* Reads away what is there; true at the end of the stream. */
static bool has_ended(int fd)
{
    char bytes[256];
    ssize_t n;
    do
        n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    while (n > 0);
    return n == 0 || errno != EAGAIN;
}

static void accept_nobody(mp_listener *listener, double timeout)
{
    mp_connection *connection = NULL;
    assert_mp_error(mp_listener_accept(listener, &connection, timeout), MP_ETIMEOUT);
    check(connection == NULL);
}

/* Accepts, and nobody is there to be accepted, until the stranger has been let in and challenged. */
static void let_in(mp_listener *listener, int stranger)
{
    while (!is_readable(stranger))
        accept_nobody(listener, 0.01);
}

/* ---- clients in threads ----------------------------------------------------------------------- */

struct caller {
    const char *address, *key;
    mp_connection *connection;
    int result;
    pthread_t thread;
};

static void *call(void *arg)
{
    struct caller *caller = arg;
    mp_client_options options = {.authkey = caller->key,
                                 .authkey_len = caller->key == NULL ? 0 : strlen(caller->key)};
    caller->result = mp_client(&caller->connection, caller->address, &options, MP_FOREVER);
    return NULL;
}

static void start_caller(struct caller *caller, const mp_listener *listener, const char *key)
{
    *caller = (struct caller){.address = mp_listener_address(listener), .key = key};
    check(pthread_create(&caller->thread, NULL, call, caller) == 0);
}

static mp_connection *finish_caller(struct caller *caller, int result)
{
    check(pthread_join(caller->thread, NULL) == 0);
    assert_mp_result(caller->result, result);
    return caller->connection;
}

/* One honest client is served; the listener has a key. */
static void serve_one(mp_listener *listener)
{
    struct caller caller;
    start_caller(&caller, listener, KEY);
    mp_connection *server = accept_from(listener), *client = finish_caller(&caller, 0);
    send_text(client, "hello");
    expect_text(server, "hello");
    send_text(server, "good bye");
    expect_text(client, "good bye");
    mp_connection_destroy(client);
    mp_connection_destroy(server);
}

/* ---- the ordinary ----------------------------------------------------------------------------- */

static void test_both_sides_talk_in_every_family(void **state)
{
    (void)state;
    for (int family = 0; family < DOOR_FAMILIES; family++) {
        mp_listener *open = open_listener(door_address(family), NULL);
        check(mp_listener_last_accepted(open) == NULL);
        mp_connection *client = connect_to(mp_listener_address(open), NULL);
        mp_connection *server = accept_from(open);
        const char *peer = mp_listener_last_accepted(open);
        check(family == 2 ? strncmp(peer, "127.0.0.1:", 10) == 0 : *peer == '\0');
        send_text(client, "hello");
        expect_text(server, "hello");
        mp_connection_destroy(client);
        mp_connection_destroy(server);
        mp_listener_destroy(open);
        mp_listener *locked = open_listener(door_address(family), KEY);
        serve_one(locked);
        serve_one(locked);
        mp_listener_destroy(locked);
    }
}

static void test_without_a_key_the_next_connection_is_the_one(void **state)
{
    (void)state;
    mp_listener_options options = {.backlog = 8};
    mp_listener *listener;
    mp_connection *server;
    assert_mp_result(mp_listener_create(&listener, NULL, &options), 0);
    int silent = open_stranger(listener), gone = open_stranger(listener);
    close(gone);
    for (int i = 0; i < 2; i++) {
        assert_mp_result(mp_listener_accept(listener, &server, MP_NOWAIT), 0);
        assert_mp_result(mp_connection_poll(server, MP_NOWAIT), i);
        mp_connection_destroy(server);
    }
    accept_nobody(listener, MP_NOWAIT);
    accept_nobody(listener, 0.02);
    close(silent);
    mp_listener_destroy(listener);
}

static void test_a_closed_listener_says_so(void **state)
{
    (void)state;
    mp_connection *connection;
    mp_listener *listener = open_listener(NULL, NULL);
    char address[200];
    strcpy(address, mp_listener_address(listener));
    check(fcntl(assert_mp_ok(mp_listener_fileno(listener)), F_GETFD) == FD_CLOEXEC);
    assert_mp_result(mp_listener_close(listener), 0);
    assert_mp_result(mp_listener_close(listener), 0);
    assert_mp_error(mp_listener_accept(listener, &connection, MP_FOREVER), MP_ECLOSED);
    assert_mp_error(mp_listener_fileno(listener), MP_ECLOSED);
    check(strcmp(mp_listener_address(listener), address) == 0);
    check(access(address, F_OK) != 0);
    assert_mp_error(mp_client(&connection, address, NULL, MP_FOREVER), -ENOENT);
    mp_listener_destroy(listener);
    mp_listener_destroy(NULL);
}

static void test_arguments_that_are_none_are_refused(void **state)
{
    (void)state;
    mp_listener *listener = open_listener(NULL, NULL), *other;
    mp_connection *connection;
    mp_listener_options backlog = {.backlog = -1}, key = {.authkey_len = 1};
    mp_client_options client_key = {.authkey_len = 1};
    assert_mp_error(mp_listener_create(NULL, NULL, NULL), MP_EINVAL);
    assert_mp_error(mp_listener_create(&other, NULL, &backlog), MP_EINVAL);
    assert_mp_error(mp_listener_create(&other, NULL, &key), MP_EINVAL);
    assert_mp_error(mp_listener_create(&other, "\\\\.\\test", NULL), MP_EINVAL);
    assert_mp_error(mp_listener_create(&other, mp_listener_address(listener), NULL), -EADDRINUSE);
    assert_mp_error(mp_listener_accept(NULL, &connection, 0), MP_EINVAL);
    assert_mp_error(mp_listener_accept(listener, NULL, 0), MP_EINVAL);
    assert_mp_error(mp_listener_accept(listener, &connection, -MP_FOREVER + MP_FOREVER), MP_EINVAL);
    assert_mp_error(mp_listener_accept((mp_listener *)&(uint32_t[64]){0}, &connection, 0),
                    MP_ETYPE);
    assert_mp_error(mp_listener_close(NULL), MP_EINVAL);
    check(mp_listener_address(NULL) == NULL && mp_listener_last_accepted(NULL) == NULL);
    assert_mp_error(mp_client(NULL, "@x", NULL, 0), MP_EINVAL);
    assert_mp_error(mp_client(&connection, NULL, NULL, 0), MP_EINVAL);
    assert_mp_error(mp_client(&connection, "@x", &client_key, 0), MP_EINVAL);
    assert_mp_error(mp_client(&connection, "", NULL, 0), MP_EINVAL);
    mp_listener_destroy(listener);
}

/* ---- clients that meet others ----------------------------------------------------------------- */

struct other {
    mp_listener *listener;
    const char *says;
    size_t n;
    bool stays, may_be_late; /* the client may have gone before it is heard */
    struct signal_pipe end;
};

static void *be_another_server(void *arg)
{
    struct other *other = arg;
    mp_connection *c = accept_from(other->listener);
    ssize_t said = send(mp_connection_fileno(c), other->says, other->n, MSG_NOSIGNAL);
    check(said == (ssize_t)other->n || other->may_be_late);
    if (other->stays)
        check(pipe_await(&other->end) == 'x');
    mp_connection_destroy(c);
    return NULL;
}

static void check_client_of(const char *says, size_t n, bool stays, double timeout, int code)
{
    struct other other = {.listener = open_listener(NULL, NULL),
                          .says = says,
                          .n = n,
                          .stays = stays,
                          .may_be_late = code == MP_ETIMEOUT};
    mp_client_options options = {.authkey = KEY, .authkey_len = strlen(KEY)};
    mp_connection *connection = NULL;
    pthread_t thread;
    pipe_open(&other.end);
    check(pthread_create(&thread, NULL, be_another_server, &other) == 0);
    assert_mp_error(mp_client(&connection, mp_listener_address(other.listener), &options, timeout),
                    code);
    check(connection == NULL && (*mp_error_detail() == '\0') == (code == MP_ETIMEOUT));
    pipe_tell(&other.end, 'x');
    check(pthread_join(thread, NULL) == 0);
    pipe_close(&other.end);
    mp_listener_destroy(other.listener);
}

static void test_a_client_says_what_it_met(void **state)
{
    (void)state;
    check_client_of("", 0, false, MP_FOREVER, MP_EEOF);
    check_client_of("\0\0", 2, false, MP_FOREVER, MP_EEOF);
    check_client_of("", 0, true, 0.05, MP_ETIMEOUT);
    check_client_of("\0\0", 2, true, 0.05, MP_ETIMEOUT);
    check_client_of("HTTP/1.1 200 OK\r\n", 17, true, MP_FOREVER, MP_EAUTH);
    check_client_of("\0\0\0\5hello", 9, true, MP_FOREVER, MP_EAUTH);
}

/* ---- strangers that are none of ours ---------------------------------------------------------- */

static void test_another_key_is_told_to_both_and_the_next_is_served(void **state)
{
    (void)state;
    static const char *const wrong[] = {"another", ""};
    mp_listener *listener = open_listener(NULL, KEY);
    for (size_t i = 0; i < 2; i++) {
        struct caller caller;
        mp_connection *server = NULL;
        start_caller(&caller, listener, wrong[i]);
        assert_mp_error(mp_listener_accept(listener, &server, MP_FOREVER), MP_EAUTH);
        check(server == NULL && strcmp(mp_error_detail(), "the digest received was wrong") == 0);
        finish_caller(&caller, MP_EAUTH);
        serve_one(listener);
    }
    mp_listener_destroy(listener);
}

static void test_a_key_of_no_bytes_is_one(void **state)
{
    (void)state;
    mp_listener *listener = open_listener(NULL, "");
    mp_connection *server, *without = connect_to(mp_listener_address(listener), NULL);
    send_text(without, "hello");
    assert_mp_error(mp_listener_accept(listener, &server, MP_FOREVER), MP_EAUTH);
    mp_connection_destroy(without);
    struct caller caller;
    start_caller(&caller, listener, "");
    server = accept_from(listener);
    mp_connection_destroy(finish_caller(&caller, 0));
    mp_connection_destroy(server);
    mp_listener_destroy(listener);
}

static void test_who_hangs_up_or_talks_nonsense_is_dropped_without_a_word(void **state)
{
    (void)state;
    static const struct {
        const char *p;
        size_t n;
        bool hangs_up;
    } visits[] = {{"", 0, true},
                  {"\0\0\0", 3, true},
                  {"\0\0\0\x10short", 9, true},
                  {"GET / HTTP/1.1\r\n\r\n", 18, false},
                  {"\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 12, false},
                  {"\0\0\1\1", 4, false}};
    mp_listener *listener = open_listener("localhost:0", KEY);
    for (size_t i = 0; i < sizeof visits / sizeof *visits; i++) {
        int fd = open_stranger(listener);
        check(write(fd, visits[i].p, visits[i].n) == (ssize_t)visits[i].n);
        if (visits[i].hangs_up)
            close(fd);
        serve_one(listener);
        while (!visits[i].hangs_up && !has_ended(fd))
            accept_nobody(listener, 0.01);
        if (!visits[i].hangs_up)
            close(fd);
    }
    mp_listener_destroy(listener);
}

/* Who is silent, and who says a byte now and then, has the same time in all. */
static void test_a_stranger_has_five_seconds_for_all_of_it(void **state)
{
    (void)state;
    mp_listener *listener = open_listener(NULL, KEY);
    double start = clock_seconds();
    int silent = open_stranger(listener), slow = open_stranger(listener);
    let_in(listener, silent);
    let_in(listener, slow);
    check(!has_ended(silent) && !has_ended(slow));
    bool silent_ended = false, slow_ended = false;
    while (!silent_ended || !slow_ended) {
        (void)!send(slow, "", 1, MSG_NOSIGNAL); /* the lengths of empty messages at most */
        mp_connection *server = NULL;
        int rc = mp_listener_accept(listener, &server, 2.0);
        assert_mp_error(rc, MP_ETIMEOUT);
        slow_ended = has_ended(slow);
        silent_ended = has_ended(silent);
        check(clock_seconds() - start >= 4.8 || (!silent_ended && !slow_ended));
    }
    close(silent);
    close(slow);
    serve_one(listener);
    mp_listener_destroy(listener);
}

static void test_the_oldest_makes_room_for_the_thirty_third(void **state)
{
    (void)state;
    enum { ROOM = 32, MORE = 8 };
    mp_listener *listener = open_listener(NULL, KEY);
    int fds[ROOM + MORE];
    double start = clock_seconds(); /* none may get old meanwhile */
    for (int i = 0; i < ROOM; i++) {
        fds[i] = open_stranger(listener);
        let_in(listener, fds[i]);
    }
    for (int i = 0; i < ROOM; i++)
        check(!has_ended(fds[i]) || clock_seconds() - start > 4.5);
    for (int i = 0; i < MORE; i++) {
        fds[ROOM + i] = open_stranger(listener);
        let_in(listener, fds[ROOM + i]);
        for (int k = 0; k <= ROOM + i; k++)
            check(has_ended(fds[k]) == (k <= i) || clock_seconds() - start > 4.5);
    }
    serve_one(listener);
    for (int i = 0; i < ROOM + MORE; i++)
        close(fds[i]);
    mp_listener_destroy(listener);
}

static void answer_challenge(int fd)
{
    unsigned char frame[4 + 59], answer[4 + 40] = {0, 0, 0, 40};
    check(recv(fd, frame, sizeof frame, MSG_WAITALL) == sizeof frame);
    memcpy(answer + 4, "{sha256}", 8);
    mp__hmac(MP__SHA256, KEY, strlen(KEY), frame + 4 + 11, 48, answer + 12);
    check(write(fd, answer, sizeof answer) == sizeof answer);
}

/* False: it took so long that the known one's time may have passed. */
static bool known_stays_among_many(void)
{
    enum { MANY = 40 };
    mp_listener *listener = open_listener(NULL, KEY);
    double start = clock_seconds();
    int fds[MANY], known = open_stranger(listener);
    let_in(listener, known);
    answer_challenge(known);
    let_in(listener, known); /* welcome */
    check(recv(known, (char[64]){0}, 64, 0) == 4 + 9);
    for (int i = 0; i < MANY; i++) {
        fds[i] = open_stranger(listener);
        let_in(listener, fds[i]);
    }
    bool in_time = clock_seconds() - start < 3;
    if (in_time) {
        check(has_ended(fds[0]) && !has_ended(known));
        check(write(known, "\0\0\0\x1f#CHALLENGE#is-twenty-bytes-long", 35) == 35);
        let_in(listener, known);
        check(recv(known, (char[64]){0}, 64, 0) == 4 + 16);
        check(write(known, "\0\0\0\x09#WELCOME#", 13) == 13);
        mp_connection_destroy(accept_from(listener));
    }
    close(known);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    mp_listener_destroy(listener);
    return in_time;
}

static void test_who_has_proven_the_key_makes_room_for_nobody(void **state)
{
    (void)state;
    bool in_time = false;
    for (int i = 0; i < 5 && !in_time; i++)
        in_time = known_stays_among_many();
    check(in_time);
}

/* ---- several calls, several processes --------------------------------------------------------- */

static void test_strangers_stay_from_one_call_to_the_next(void **state)
{
    (void)state;
    mp_listener *listener = open_listener(NULL, KEY);
    struct caller caller;
    mp_connection *server;
    int rc;
    start_caller(&caller, listener, KEY);
    while ((rc = mp_listener_accept(listener, &server, MP_NOWAIT)) == MP_ETIMEOUT)
        sched_yield();
    assert_mp_result(rc, 0);
    mp_connection_destroy(finish_caller(&caller, 0));
    mp_connection_destroy(server);
    mp_listener_destroy(listener);
}

static void test_a_loop_around_mp_wait_serves_everybody(void **state)
{
    (void)state;
    mp_listener *listener = open_listener(NULL, KEY);
    struct pair pair = open_pair(true);
    mp_waitable items[] = {MP_WAITABLE(pair.a), MP_WAITABLE(listener)};
    assert_mp_result(mp_wait(items, 2, 0.01), 0);
    for (int i = 0; i < 20; i++) {
        struct caller caller;
        mp_connection *server;
        int rc, turns = 0;
        start_caller(&caller, listener, KEY);
        do {
            assert_mp_result(mp_wait(items, 2, MP_FOREVER), 1);
            check(items[1].ready && !items[0].ready);
            rc = mp_listener_accept(listener, &server, MP_NOWAIT);
            turns++;
        } while (rc == MP_ETIMEOUT);
        assert_mp_result(rc, 0);
        check(turns < 100);
        mp_connection_destroy(finish_caller(&caller, 0));
        mp_connection_destroy(server);
    }
    assert_mp_result(mp_wait(items, 2, 0.01), 0);
    mp_listener_close(listener);
    assert_mp_error(mp_wait(items, 2, MP_FOREVER), MP_ECLOSED);
    mp_listener_destroy(listener);
    items[1].listener = NULL;
    assert_mp_error(mp_wait(items, 2, MP_FOREVER), MP_EINVAL);
    close_pair(&pair);
}

static int accept_in_child(void *arg)
{
    mp_listener *listener = arg;
    int before = census_open_descriptors();
    accept_nobody(listener, MP_NOWAIT);
    check(census_open_descriptors() == before - 1);
    mp_listener_destroy(listener);
    return 0;
}

static void test_a_childs_copy_leaves_the_parents_strangers_alone(void **state)
{
    (void)state;
    mp_listener *listener = open_listener(NULL, KEY);
    int stranger = open_stranger(listener);
    let_in(listener, stranger);
    answer_challenge(stranger);
    child_must_succeed(accept_in_child, listener);
    let_in(listener, stranger);
    check(recv(stranger, (char[64]){0}, 64, 0) == 4 + 9); /* the parent's welcome */
    check(access(mp_listener_address(listener), F_OK) == 0);
    close(stranger);
    serve_one(listener);
    mp_listener_destroy(listener);
}

static int serve_in_child(void *arg)
{
    mp_connection *server = accept_from(arg);
    expect_text(server, "hello");
    mp_connection_destroy(server);
    mp_listener_destroy(arg);
    return 0;
}

static void test_a_childs_copy_accepts_too(void **state)
{
    (void)state;
    mp_listener *listener = open_listener(NULL, KEY);
    pid_t child = child_fork(serve_in_child, listener);
    mp_connection *client = connect_to(mp_listener_address(listener), KEY);
    send_text(client, "hello");
    check(child_wait(child) == 0);
    mp_connection_destroy(client);
    serve_one(listener);
    mp_listener_destroy(listener);
}

/* ---- limits ----------------------------------------------------------------------------------- */

static void test_no_free_descriptor_is_told_and_passes(void **state)
{
    (void)state;
    mp_listener *listener = open_listener(NULL, NULL);
    int client = open_stranger(listener);
    struct rlimit old, low;
    mp_connection *server = NULL;
    check(getrlimit(RLIMIT_NOFILE, &old) == 0);
    low = (struct rlimit){(rlim_t)dup(client), old.rlim_max};
    close((int)low.rlim_cur);
    check(setrlimit(RLIMIT_NOFILE, &low) == 0);
    int rc = mp_listener_accept(listener, &server, MP_FOREVER);
    check(setrlimit(RLIMIT_NOFILE, &old) == 0);
    assert_mp_error(rc, -EMFILE);
    mp_connection_destroy(accept_from(listener));
    close(client);
    mp_listener_destroy(listener);
}

static void test_a_message_of_more_than_64_mib_is_refused_behind_a_key(void **state)
{
    (void)state;
    mp_listener *listener = open_listener(NULL, KEY);
    struct caller caller;
    start_caller(&caller, listener, KEY);
    mp_connection *server = accept_from(listener), *client = finish_caller(&caller, 0);
    write_raw(client, "\4\0\0\1", 4);
    assert_mp_error(mp_connection_recv_bytes(server, NULL, NULL), MP_EOVERFLOW);
    mp_connection_destroy(client);
    mp_connection_destroy(server);
    mp_listener_destroy(listener);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("listener: both sides talk in every family",
                     test_both_sides_talk_in_every_family),
        support_test("listener: without a key the next connection is the one",
                     test_without_a_key_the_next_connection_is_the_one),
        support_test("listener: a closed one says so", test_a_closed_listener_says_so),
        support_test("listener: arguments that are none are refused",
                     test_arguments_that_are_none_are_refused),
        support_test("client: it says what it met", test_a_client_says_what_it_met),
        support_test("listener: another key is told to both, and the next is served",
                     test_another_key_is_told_to_both_and_the_next_is_served),
        support_test("listener: a key of no bytes is one", test_a_key_of_no_bytes_is_one),
        support_test("listener: who hangs up or talks nonsense is dropped without a word",
                     test_who_hangs_up_or_talks_nonsense_is_dropped_without_a_word),
        support_test("listener: a stranger has five seconds for all of it",
                     test_a_stranger_has_five_seconds_for_all_of_it),
        support_test("listener: the oldest makes room for the thirty-third",
                     test_the_oldest_makes_room_for_the_thirty_third),
        support_test("listener: who has proven the key makes room for nobody",
                     test_who_has_proven_the_key_makes_room_for_nobody),
        support_test("listener: strangers stay from one call to the next",
                     test_strangers_stay_from_one_call_to_the_next),
        support_test("listener: a loop around mp_wait serves everybody",
                     test_a_loop_around_mp_wait_serves_everybody),
        support_test("listener: a child's copy leaves the parent's strangers alone",
                     test_a_childs_copy_leaves_the_parents_strangers_alone),
        support_test("listener: a child's copy accepts, too", test_a_childs_copy_accepts_too),
        support_test("listener: no free descriptor is told, and passes",
                     test_no_free_descriptor_is_told_and_passes),
        support_test("listener: a message of more than 64 MiB is refused behind a key",
                     test_a_message_of_more_than_64_mib_is_refused_behind_a_key),
    };
    open_the_first_door();
    return support_run("listener", tests);
}
