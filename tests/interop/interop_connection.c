/* Every Python here and libmp exchange objects, bytes and descriptors over inherited ends of pipes,
 * with CPython's own Connection on the other side.
 *
 *   interop_connection <connection_peer.py>
 */
#include "pythons.h"

#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <mp/mp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *script;
static struct pythons pythons;

/* A Python at the other ends. */
struct peer {
    pid_t pid;
    mp_connection *conn;    /* both ways */
    mp_connection *one_way; /* from Python */
};

static _Noreturn void become_python(const char *python, mp_connection *conn, mp_connection *one_way)
{
    char fd[2][16], seed[32];
    int duplex_fd = mp_connection_fileno(conn), one_way_fd = mp_connection_fileno(one_way);
    (void)fcntl(duplex_fd, F_SETFD, 0);
    (void)fcntl(one_way_fd, F_SETFD, 0);
    (void)snprintf(fd[0], sizeof fd[0], "%d", duplex_fd);
    (void)snprintf(fd[1], sizeof fd[1], "%d", one_way_fd);
    (void)snprintf(seed, sizeof seed, "%ld", (long)getpid());
    execl(python, python, script, fd[0], fd[1], seed, (char *)NULL);
    _exit(127);
}

static struct peer peer_start(const char *python)
{
    struct peer peer;
    mp_connection *conn, *one_way;
    assert_mp_result(mp_pipe(&peer.conn, &conn, true), 0);
    assert_mp_result(mp_pipe(&peer.one_way, &one_way, false), 0);
    (void)fflush(NULL);
    peer.pid = fork();
    check(peer.pid >= 0);
    if (peer.pid == 0)
        become_python(python, conn, one_way);
    mp_connection_destroy(conn);
    mp_connection_destroy(one_way);
    return peer;
}

static void ask(struct peer *peer, const char *name, mp_obj argument)
{
    assert_mp_result(mp_connection_send(peer->conn, MP_TUPLE(name, argument)), 0);
}

static void peer_end(struct peer *peer, int status)
{
    mp_connection_destroy(peer->conn);
    mp_connection_destroy(peer->one_way);
    check(child_wait(peer->pid) == status);
}

static bool has_answering_handles(struct peer *peer)
{
    mp_obj version;
    int major, minor, micro;
    ask(peer, "handshake", MP_NONE);
    assert_mp_result(mp_connection_recv(peer->conn, &version), 0);
    assert_mp_ok(mp_obj_unpack(version, "iii", &major, &minor, &micro));
    mp_obj_free(&version);
    return major == 3 && minor >= 14;
}

/* ---- objects and bytes ------------------------------------------------------------------------- */

static void objects_go_there_and_back(struct peer *peer)
{
    const mp_obj all[] = {
        MP_NONE,
        MP_TRUE,
        MP(0),
        MP(-1),
        MP(INT64_MAX),
        MP(INT64_MIN),
        MP(0.1),
        MP(-0.0),
        MP(""),
        MP("text with \n, ' and \xc3\xa9"),
        MP_BYTES("\0\xff", 2),
        MP_EMPTY_LIST,
        MP_EMPTY_DICT,
        MP_TUPLE(1),
        MP_LIST(1, "two", MP_LIST(3.0, MP_TUPLE(MP_NONE))),
        MP_DICT("key", MP_LIST(1, 2), 2, MP_EMPTY_TUPLE),
        MP_SET(5),
    };
    int count = sizeof all / sizeof *all;
    ask(peer, "echo", MP(count));
    for (int i = 0; i < count; i++) {
        mp_obj answer;
        assert_mp_result(mp_connection_send(peer->conn, all[i]), 0);
        assert_mp_result(mp_connection_recv(peer->conn, &answer), 0);
        check(answer.type == MP_TYPE_TUPLE && answer.len == 2);
        char *repr = mp_obj_repr(all[i]);
        check(mp_obj_equal(answer.items[0], all[i]) && answer.items[0].type == all[i].type);
        check(strcmp(answer.items[1].s, repr) == 0);
        free(repr);
        mp_obj_free(&answer);
    }
}

static void pythons_objects_come_back(struct peer *peer)
{
    ask(peer, "objects", MP((int)getpid()));
    for (int i = 0; i < 500; i++) {
        mp_obj object;
        assert_mp_result(mp_connection_recv(peer->conn, &object), 0);
        assert_mp_result(mp_connection_send(peer->conn, object), 0);
        mp_obj_free(&object);
    }
    assert_mp_result(mp_connection_recv_bytes(peer->conn, NULL, NULL), 0);
}

static void bytes_go_there_and_back(struct peer *peer)
{
    static const size_t sizes[] = {0, 1, 100, 16384, 16385, 65536, (size_t)3 << 20};
    int count = sizeof sizes / sizeof *sizes;
    unsigned char *message = malloc(sizes[count - 1]), *got;
    for (size_t i = 0; i < sizes[count - 1]; i++)
        message[i] = (unsigned char)(i * i >> 9);
    ask(peer, "echo_bytes", MP(2 * count));
    for (int i = 0; i < 2 * count; i++) {
        size_t n, size = sizes[i / 2];
        assert_mp_result(mp_connection_send_bytes(peer->conn, message, size), 0);
        assert_mp_result(mp_connection_recv_bytes(peer->conn, (void **)&got, &n), 0);
        check(n == size && memcmp(got, message, n) == 0);
        free(got);
    }
    free(message);
}

static void a_one_way_pipe_ends(struct peer *peer)
{
    ask(peer, "one_way", MP(50));
    for (int i = 0; i < 50; i++) {
        mp_obj number;
        size_t n;
        assert_mp_result(mp_connection_recv(peer->one_way, &number), 0);
        check(mp_obj_equal(number, MP(i)));
        mp_obj_free(&number);
        assert_mp_result(mp_connection_recv_bytes(peer->one_way, NULL, &n), 0);
        check(n == (size_t)i * 100);
    }
    assert_mp_error(mp_connection_recv_bytes(peer->one_way, NULL, NULL), MP_EEOF);
}

/* ---- descriptors -------------------------------------------------------------------------------- */

static void descriptors_go_both_ways(struct peer *peer)
{
    char text[32] = "";
    mp_obj answer;
    FILE *file = tmpfile();
    check(file != NULL);
    ask(peer, "receive_fd", MP("from Python"));
    assert_mp_result(mp_connection_send_fd(peer->conn, fileno(file)), 0);
    assert_mp_result(mp_connection_recv(peer->conn, &answer), 0);
    check(mp_obj_equal(answer, MP("written")));
    mp_obj_free(&answer);
    check(pread(fileno(file), text, sizeof text - 1, 0) == 11 && strcmp(text, "from Python") == 0);
    fclose(file);

    ask(peer, "send_fd", MP("in a file"));
    int fd = assert_mp_ok(mp_connection_recv_fd(peer->conn));
    memset(text, 0, sizeof text);
    check(pread(fd, text, sizeof text - 1, 0) == 9 && strcmp(text, "in a file") == 0);
    close(fd);
}

/* ---- ends ------------------------------------------------------------------------------------------ */

static void ends_are_told_apart(const char *python)
{
    struct peer peer = peer_start(python);
    ask(&peer, "end", MP_NONE);
    assert_mp_error(mp_connection_recv_bytes(peer.conn, NULL, NULL), MP_EEOF);
    check(strcmp(mp_error_detail(), "") == 0);
    peer_end(&peer, 0);

    peer = peer_start(python);
    ask(&peer, "end_inside", MP_NONE);
    assert_mp_error(mp_connection_recv_bytes(peer.conn, NULL, NULL), MP_EEOF);
    check(strlen(mp_error_detail()) > 0);
    peer_end(&peer, 0);

    peer = peer_start(python);
    ask(&peer, "expect_end", MP_NONE);
    peer_end(&peer, 7);

    peer = peer_start(python);
    ask(&peer, "expect_end_inside", MP_NONE);
    check(write(mp_connection_fileno(peer.conn), "\0\0\0\5abc", 7) == 7);
    peer_end(&peer, 8);
}

static void test_every_python_and_libmp_understand_each_other(void **state)
{
    (void)state;
    support_time_limit(240);
    for (size_t i = 0; i < pythons.count; i++) {
        struct peer peer = peer_start(pythons.path[i]);
        bool answering = has_answering_handles(&peer);
        objects_go_there_and_back(&peer);
        pythons_objects_come_back(&peer);
        bytes_go_there_and_back(&peer);
        a_one_way_pipe_ends(&peer);
        if (!answering)
            descriptors_go_both_ways(&peer);
        ask(&peer, "end", MP_NONE);
        peer_end(&peer, 0);
        ends_are_told_apart(pythons.path[i]);
        printf("%s: objects, bytes, ends%s\n", pythons.path[i],
               answering ? "; SKIPPED: descriptors, which it wants answered" : ", descriptors");
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        support_test("Connections: every Python here and libmp understand each other",
                     test_every_python_and_libmp_understand_each_other),
    };
    script = pythons_begin(&pythons, argc, argv);
    return support_run("Interop of connections", tests);
}
