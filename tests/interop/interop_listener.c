/* Every Python's Client comes to libmp's listener, and libmp's client to every Python's Listener:
 * with a key, without, and with a wrong one.
 *
 *   interop_listener <listener_peer.py>
 */
#include "pythons.h"

#include "support/support.h"
#include "wire/doors.h"

#include <mp/mp.h>
#include <stdlib.h>

#define KEY "abracadabra"

static const char *script;
static struct pythons pythons;

/* A Python, and what it prints. */
struct peer {
    pid_t pid;
    FILE *output;
};

static struct peer peer_start(const char *python, const char *role, const char *where,
                              const char *key)
{
    struct signal_pipe output;
    char number[16];
    struct peer peer;
    (void)snprintf(number, sizeof number, "%ld", (long)getpid());
    pipe_open(&output);
    (void)fflush(NULL);
    peer.pid = fork();
    check(peer.pid >= 0);
    if (peer.pid == 0) {
        dup2(output.write_fd, STDOUT_FILENO);
        close(output.write_fd);
        close(output.read_fd);
        execl(python, python, script, role, where, key == NULL ? "-" : key, number, (char *)NULL);
        _exit(127);
    }
    close(output.write_fd);
    peer.output = fdopen(output.read_fd, "r");
    check(peer.output != NULL);
    return peer;
}

static void peer_line(struct peer *peer, char line[256])
{
    check(fgets(line, 256, peer->output) != NULL);
    line[strcspn(line, "\n")] = '\0';
}

static void peer_end(struct peer *peer, int status)
{
    check(child_wait(peer->pid) == status);
    check(fclose(peer->output) == 0);
}

/* ---- what is said ------------------------------------------------------------------------------ */

static void tell(mp_connection *c, const char *verb, mp_obj what)
{
    assert_mp_result(mp_connection_send(c, MP_TUPLE(verb, what)), 0);
}

static void objects_go_there_and_back(mp_connection *c)
{
    const mp_obj all[] = {
        MP_NONE,
        MP(1729),
        MP(-0.5),
        MP("text with \n, ' and \xc3\xa9"),
        MP_BYTES("\0\xff", 2),
        MP_LIST(1, "two", MP_LIST(3.0, MP_TUPLE(MP_NONE))),
        MP_DICT("key", MP_LIST(1, 2), 2, MP_EMPTY_TUPLE),
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        mp_obj answer;
        char *repr = mp_obj_repr(all[i]);
        tell(c, "echo", all[i]);
        assert_mp_result(mp_connection_recv(c, &answer), 0);
        check(answer.type == MP_TYPE_TUPLE && answer.len == 2);
        check(mp_obj_equal(answer.items[0], all[i]) && answer.items[0].type == all[i].type);
        check(strcmp(answer.items[1].s, repr) == 0);
        free(repr);
        mp_obj_free(&answer);
    }
}

static void bytes_go_there_and_back(mp_connection *c)
{
    static const size_t sizes[] = {0, 1, 16384, 16385, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *message = malloc(sizes[i] + 1), *got;
        size_t n;
        for (size_t k = 0; k < sizes[i]; k++)
            message[k] = (unsigned char)(k * k >> 9);
        tell(c, "bytes", MP(sizes[i]));
        assert_mp_result(mp_connection_send_bytes(c, message, sizes[i]), 0);
        assert_mp_result(mp_connection_recv_bytes(c, (void **)&got, &n), 0);
        check(n == sizes[i] && memcmp(got, message, n) == 0);
        free(got);
        free(message);
    }
}

static void converse(mp_connection *c, const char *last)
{
    objects_go_there_and_back(c);
    bytes_go_there_and_back(c);
    tell(c, last, MP_NONE);
    assert_mp_error(mp_connection_recv_bytes(c, NULL, NULL), MP_EEOF);
    mp_connection_destroy(c);
}

/* ---- both ways --------------------------------------------------------------------------------- */

static void python_is_a_client(const char *python, int family, const char *key)
{
    mp_listener *listener = open_listener(door_address(family), key);
    const char *address = mp_listener_address(listener);
    struct peer peer = peer_start(python, "client", address, key);
    converse(accept_from(listener), "end");
    peer_end(&peer, 0);
    if (key != NULL) {
        mp_connection *c;
        peer = peer_start(python, "client", address, "another");
        assert_mp_error(mp_listener_accept(listener, &c, MP_FOREVER), MP_EAUTH);
        peer_end(&peer, 3);
        peer = peer_start(python, "client", address, key);
        converse(accept_from(listener), "end");
        peer_end(&peer, 0);
    }
    mp_listener_destroy(listener);
}

static void python_is_a_listener(const char *python, int family, const char *key)
{
    static const char *const families[DOOR_FAMILIES] = {"unix", "abstract", "inet"};
    char address[256], line[256];
    struct peer peer = peer_start(python, "listener", families[family], key);
    peer_line(&peer, address);
    converse(connect_to(address, key), "next");
    if (key != NULL) {
        mp_client_options options = {.authkey = "another", .authkey_len = 7};
        mp_connection *c;
        assert_mp_error(mp_client(&c, address, &options, MP_FOREVER), MP_EAUTH);
        peer_line(&peer, line);
        check(strcmp(line, "refused") == 0);
    }
    converse(connect_to(address, key), "end");
    peer_end(&peer, 0);
}

static void test_every_python_and_libmp_meet(void **state)
{
    (void)state;
    support_time_limit(240);
    for (size_t i = 0; i < pythons.count; i++) {
        for (int family = 0; family < DOOR_FAMILIES; family++) {
            python_is_a_client(pythons.path[i], family, NULL);
            python_is_a_client(pythons.path[i], family, KEY);
            python_is_a_listener(pythons.path[i], family, NULL);
            python_is_a_listener(pythons.path[i], family, KEY);
        }
        printf("%s: its Client here, its Listener there; file, abstract, TCP; no key, key, "
               "wrong key\n",
               pythons.path[i]);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        support_test("Listeners: every Python here and libmp meet",
                     test_every_python_and_libmp_meet),
    };
    script = pythons_begin(&pythons, argc, argv);
    open_the_first_door();
    return support_run("Interop of listeners", tests);
}
