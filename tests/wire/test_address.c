/* Addresses in their three forms, the files of sockets, and connecting in time. */
#include "wire/doors.h"

#include "platform/platform.h"
#include "wire/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- text ------------------------------------------------------------------------------------- */

static struct mp__address parsed(const char *text)
{
    struct mp__address address;
    assert_mp_result(mp__address_parse(&address, text), 0);
    check(strcmp(address.text, text) == 0);
    return address;
}

static void check_path(const char *text)
{
    struct mp__address address = parsed(text);
    check(address.any.sa_family == AF_UNIX && strcmp(address.un.sun_path, text) == 0);
    check(address.size == offsetof(struct sockaddr_un, sun_path) + strlen(text) + 1);
}

static void check_inet(const char *text, const char *host, unsigned port)
{
    struct mp__address address = parsed(text);
    char found[INET_ADDRSTRLEN];
    check(address.any.sa_family == AF_INET && ntohs(address.in.sin_port) == port);
    check(inet_ntop(AF_INET, &address.in.sin_addr, found, sizeof found) != NULL);
    check(strcmp(found, host) == 0);
    check(address.size == sizeof address.in);
}

static void check_refused(const char *text, int code)
{
    struct mp__address address;
    assert_mp_error(mp__address_parse(&address, text), code);
    check(*mp_error_detail() != '\0');
}

static char *long_text(size_t n, const char *end)
{
    static char text[1000];
    memset(text, 'x', n);
    strcpy(text + n - strlen(end), end);
    return text;
}

static void test_a_text_with_a_slash_or_without_a_colon_is_a_path(void **state)
{
    (void)state;
    check_path("/tmp/socket");
    check_path("socket");
    check_path("./localhost:80");
    check_path("folder/localhost:80");
    check_path("a@b");
    check_path("a\\\\b");
    check_path("x");
    check_path(long_text(107, ""));
    check_refused(long_text(108, ""), -ENAMETOOLONG);
    check_refused(long_text(271, ""), -ENAMETOOLONG);
    check_refused(long_text(272, ""), -ENAMETOOLONG);
    check_refused(long_text(900, "/"), -ENAMETOOLONG);
}

static void test_a_text_with_an_at_sign_is_an_abstract_name(void **state)
{
    (void)state;
    struct mp__address address = parsed("@name:80/x");
    check(address.any.sa_family == AF_UNIX);
    check(memcmp(address.un.sun_path, "\0name:80/x", 10) == 0);
    check(address.size == offsetof(struct sockaddr_un, sun_path) + 10);
    char *most = long_text(108, "");
    *most = '@';
    address = parsed(most);
    check(address.size == sizeof(struct sockaddr_un));
    most = long_text(109, "");
    *most = '@';
    check_refused(most, -ENAMETOOLONG);
}

static void test_host_and_port_are_ipv4(void **state)
{
    (void)state;
    check_inet("127.0.0.1:80", "127.0.0.1", 80);
    check_inet("10.1.2.3:65535", "10.1.2.3", 65535);
    check_inet("localhost:0", "127.0.0.1", 0);
    check_inet("localhost:00080", "127.0.0.1", 80);
    check_inet(":6000", "0.0.0.0", 6000);
    check_inet("0.0.0.0:1", "0.0.0.0", 1);
}

static void test_what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const none[] = {"",
                                       "\\\\.\\pipe\\name",
                                       "\\\\",
                                       "localhost:",
                                       "localhost:65536",
                                       "localhost:000080",
                                       "localhost:99999999999999999999",
                                       "localhost:-1",
                                       "localhost: 80",
                                       "localhost:80x",
                                       "localhost:http",
                                       ":",
                                       "::1:80",
                                       "[::1]:80"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        check_refused(none[i], MP_EINVAL);
    check_refused("no host has blanks:80", -EHOSTUNREACH);
}

/* ---- Python's form ---------------------------------------------------------------------------- */

static void check_from_obj(mp_obj o, const char *text)
{
    char got[MP__ADDRESS_ROOM] = "";
    assert_mp_result(mp__address_obj_text(&o, got), 0);
    if (strcmp(got, text) != 0)
        support_fail(__FILE__, __LINE__, "%s is not %s", got, text);
}

static void check_both_ways(const char *text, mp_obj o)
{
    struct mp__address address = parsed(text);
    mp_obj pair[2];
    check(mp_obj_equal(mp__address_to_obj(&address, pair), o));
    check_from_obj(o, text);
}

static void test_addresses_are_pythons_objects_and_back(void **state)
{
    (void)state;
    check_both_ways("/tmp/socket", MP("/tmp/socket"));
    check_both_ways("socket", MP("socket"));
    check_both_ways("@name", MP_BYTES("\0name", 5));
    check_both_ways("localhost:6000", MP_TUPLE("localhost", 6000));
    check_both_ways("127.0.0.1:0", MP_TUPLE("127.0.0.1", 0));
    check_both_ways(":65535", MP_TUPLE("", 65535));
    check_from_obj(MP_STRN("\0name", 5), "@name");
    check_from_obj(MP("a:80"), "./a:80");
    check_from_obj(MP("@name"), "./@name");
    check_from_obj(MP("a/b:80"), "a/b:80");
}

static void test_other_objects_are_no_addresses(void **state)
{
    (void)state;
    const mp_obj none[] = {MP_NONE,
                           MP(1),
                           MP(""),
                           MP_BYTES("/tmp/socket", 11),
                           MP_BYTES("", 0),
                           MP_BYTES("\0a\0b", 4),
                           MP_STRN("a\0b", 3),
                           MP(long_text(300, "")),
                           MP_LIST("localhost", 1),
                           MP_TUPLE("localhost"),
                           MP_TUPLE("localhost", 1, 2),
                           MP_TUPLE("localhost", "1"),
                           MP_TUPLE("localhost", -1),
                           MP_TUPLE("localhost", 65536),
                           MP_TUPLE(1, 1),
                           MP_TUPLE("a/b", 1),
                           MP_TUPLE("@b", 1),
                           MP_TUPLE("::1", 1),
                           MP_TUPLE("\\\\a", 1),
                           MP_TUPLE(long_text(300, ""), 1)};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char text[MP__ADDRESS_ROOM];
        assert_mp_error(mp__address_obj_text(&none[i], text), MP_EINVAL);
    }
}

/* ---- the socket's file ------------------------------------------------------------------------ */

static struct mp__door opened(const char *address)
{
    struct mp__door door;
    assert_mp_result(mp__door_open(&door, address, 1), 0);
    return door;
}

static void check_mode(const char *path, mode_t type, mode_t mode)
{
    struct stat status;
    check(lstat(path, &status) == 0);
    check((status.st_mode & S_IFMT) == type && (status.st_mode & 07777) == mode);
}

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

/* A folder of the test's own, to be removed by rmdir. */
static const char *new_folder(void)
{
    static char folder[64];
    strcpy(folder, "/tmp/libmp-test-XXXXXX");
    check(mkdtemp(folder) == folder);
    return folder;
}

static void test_a_socket_of_our_making_is_its_owners_alone(void **state)
{
    (void)state;
    mode_t mask = umask(0);
    struct mp__door door = opened(NULL);
    char folder[sizeof door.folder], *file = strdup(door.file);
    umask(mask);
    strcpy(folder, door.folder);
    check(strncmp(folder, "/tmp/pymp-", 10) == 0 && strlen(folder) == 10 + 8);
    check(strncmp(file, folder, 18) == 0 && strncmp(file + 18, "/listener-", 10) == 0);
    check(strlen(file) == 18 + 10 + 8 && strcmp(file, door.address.text) == 0);
    check_mode(folder, S_IFDIR, 0700);
    check_mode(file, S_IFSOCK, 0600);
    mp__door_close(&door);
    check(!exists(file) && !exists(folder));
    free(file);
}

static void test_the_folder_for_temporary_files_is_asked_for(void **state)
{
    (void)state;
    const char *folder = new_folder();
    check(setenv("TMPDIR", folder, 1) == 0);
    struct mp__door door = opened(NULL);
    check(strncmp(door.folder, folder, strlen(folder)) == 0);
    mp__door_close(&door);
    check(rmdir(folder) == 0);
    struct mp__door none;
    assert_mp_error(mp__door_open(&none, NULL, 1), -ENOENT);
    check(none.fd == -1);
    char *deep = long_text(90, "");
    *deep = '/';
    check(setenv("TMPDIR", deep, 1) == 0); /* a path behind it would be too long */
    door = opened(NULL);
    check(strncmp(door.folder, "/tmp/pymp-", 10) == 0);
    mp__door_close(&door);
    check(unsetenv("TMPDIR") == 0);
}

static void test_a_named_socket_is_its_owners_alone_too(void **state)
{
    (void)state;
    const char *folder = new_folder();
    char path[128], here[1000];
    snprintf(path, sizeof path, "%s/socket", folder);
    mode_t mask = umask(0);
    struct mp__door door = opened(path);
    umask(mask);
    check_mode(path, S_IFSOCK, 0600);
    mp__door_close(&door);
    check(!exists(path));
    check(getcwd(here, sizeof here) != NULL && chdir(folder) == 0);
    door = opened("socket");
    check(chdir(here) == 0); /* the file is known by its whole path */
    check_mode(path, S_IFSOCK, 0600);
    mp__door_close(&door);
    check(!exists(path) && rmdir(folder) == 0);
}

static void test_what_stands_there_stays_there(void **state)
{
    (void)state;
    const char *folder = new_folder();
    char path[128];
    struct mp__door door, second;
    snprintf(path, sizeof path, "%s/socket", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0640);
    check(fd >= 0 && close(fd) == 0);
    assert_mp_error(mp__door_open(&door, path, 1), -EADDRINUSE);
    check_mode(path, S_IFREG, 0640);
    check(unlink(path) == 0);
    door = opened(path);
    assert_mp_error(mp__door_open(&second, path, 1), -EADDRINUSE);
    check_mode(path, S_IFSOCK, 0600);
    check(unlink(path) == 0); /* and another takes the place */
    second = opened(path);
    mp__door_close(&door);
    check(exists(path));
    mp__door_close(&second);
    check(!exists(path) && rmdir(folder) == 0);
}

static void test_folders_that_are_none_are_errors(void **state)
{
    (void)state;
    struct mp__door door;
    assert_mp_error(mp__door_open(&door, "/nowhere/socket", 1), -ENOENT);
    assert_mp_error(mp__door_open(&door, "/dev/null/socket", 1), -ENOTDIR);
    assert_mp_error(mp__door_open(&door, "10.255.255.254:0", 1), -EADDRNOTAVAIL);
    check(door.fd == -1);
    mp__door_close(&door);
}

static int close_copy(void *arg)
{
    struct mp__door *door = arg;
    mp__door_close(door);
    check(door->fd == -1);
    return 0;
}

static void test_a_childs_copy_leaves_the_file_alone(void **state)
{
    (void)state;
    struct mp__door door = opened(NULL);
    child_must_succeed(close_copy, &door);
    check(exists(door.file) && exists(door.folder));
    mp__door_close(&door);
}

/* ---- connecting ------------------------------------------------------------------------------- */

static int connected(const struct mp__address *to, mp__moment until)
{
    int fd = mp__address_connect(to, until);
    (void)assert_mp_ok(fd);
    check(fd >= 3 && fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
    return fd;
}

static void test_a_door_gives_connections_and_says_where_they_are_from(void **state)
{
    (void)state;
    for (int family = 0; family < DOOR_FAMILIES; family++) {
        struct mp__door door = opened(door_address(family));
        struct mp__address there = parsed(door.address.text), peer;
        check(mp__door_take(&door, &peer) == -EAGAIN);
        int client = connected(&there, family == 0 ? MP__NEVER : mp__moment_in(30 * MP__SECOND));
        int server;
        do /* TCP may need a moment */
            server = mp__door_take(&door, &peer);
        while (server == -EAGAIN);
        check(server >= 3 && fcntl(server, F_GETFD) == FD_CLOEXEC);
        check((fcntl(server, F_GETFL) & O_NONBLOCK) == 0);
        check((*peer.text != '\0') == (family == 2));
        check(write(client, "x", 1) == 1 && read(server, &(char){0}, 1) == 1);
        close(client);
        close(server);
        mp__door_close(&door);
    }
}

static void test_localhost_is_not_the_whole_world(void **state)
{
    (void)state;
    struct mp__door door = opened("localhost:0");
    struct sockaddr_in bound;
    socklen_t size = sizeof bound;
    check(getsockname(door.fd, (struct sockaddr *)&bound, &size) == 0);
    check(bound.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && bound.sin_port != 0);
    check(strncmp(door.address.text, "127.0.0.1:", 10) == 0);
    check((unsigned)atoi(door.address.text + 10) == ntohs(bound.sin_port));
    mp__door_close(&door);
}

/* Fills the backlog; gives how many there are, in fds. */
static int fill_backlog(const struct mp__address *to, int *fds, int most)
{
    for (int n = 0; n < most; n++) {
        fds[n] = mp__address_connect(to, 0);
        if (fds[n] < 0) {
            assert_mp_error(fds[n], MP_ETIMEOUT);
            return n;
        }
    }
    support_fail(__FILE__, __LINE__, "the backlog takes all");
}

static void on_signal(int signal_number)
{
    (void)signal_number;
}

struct late {
    struct mp__door *door;
    pthread_t caller;
    struct signal_pipe tid;
    int taken;
};

static void *take_late(void *arg)
{
    struct late *late = arg;
    char bytes[sizeof(pid_t)];
    pid_t tid;
    check(read(late->tid.read_fd, bytes, sizeof bytes) == sizeof bytes);
    memcpy(&tid, bytes, sizeof tid);
    for (int i = 0; i < 3; i++) {
        check(child_await_sleep(tid));
        check(pthread_kill(late->caller, SIGUSR1) == 0);
    }
    late->taken = mp__door_take(late->door, NULL);
    return NULL;
}

static void test_a_full_backlog_is_waited_for_through_signals(void **state)
{
    (void)state;
    struct mp__door door = opened(NULL);
    int fds[64], n = fill_backlog(&door.address, fds, 64);
    struct sigaction action = {.sa_handler = on_signal}, old;
    struct late late = {.door = &door, .caller = pthread_self()};
    pthread_t thread;
    pid_t tid = gettid();
    check(sigaction(SIGUSR1, &action, &old) == 0);
    pipe_open(&late.tid);
    check(pthread_create(&thread, NULL, take_late, &late) == 0);
    check(write(late.tid.write_fd, &tid, sizeof tid) == sizeof tid);
    fds[n++] = connected(&door.address, mp__moment_in(40 * MP__SECOND));
    check(pthread_join(thread, NULL) == 0 && late.taken >= 0);
    check(sigaction(SIGUSR1, &old, NULL) == 0);
    close(late.taken);
    while (n > 0)
        close(fds[--n]);
    pipe_close(&late.tid);
    mp__door_close(&door);
}

static void test_a_full_backlog_is_waited_for_no_longer_than_allowed(void **state)
{
    (void)state;
    struct mp__door door = opened(NULL);
    int fds[64], n = fill_backlog(&door.address, fds, 64);
    double start = clock_seconds();
    assert_mp_error(mp__address_connect(&door.address, mp__moment_in(MP__SECOND / 5)), MP_ETIMEOUT);
    check(clock_seconds() - start >= 0.19);
    while (n > 0)
        close(fds[--n]);
    mp__door_close(&door);
}

static void test_nobody_there_is_an_error(void **state)
{
    (void)state;
    struct mp__address nowhere = parsed("/tmp/libmp-nobody-is-here"), gone;
    check(mp__address_connect(&nowhere, MP__NEVER) == -ENOENT);
    nowhere = parsed("@libmp.nobody.is.here");
    check(mp__address_connect(&nowhere, MP__NEVER) == -ECONNREFUSED);
    struct mp__door door = opened("127.0.0.1:0");
    gone = door.address;
    mp__door_close(&door);
    check(mp__address_connect(&gone, MP__NEVER) == -ECONNREFUSED);
}

/* In the network's order. */
static uint16_t own_port(int fd)
{
    struct sockaddr_in here;
    socklen_t size = sizeof here;
    check(getsockname(fd, (struct sockaddr *)&here, &size) == 0);
    return here.sin_port;
}

/* A connection's own port may be the one it is to go to. Linux takes every second port for them,
 * and the others for doors: one that a connection had is met again soon, and is nobody's door. */
static void test_a_connection_does_not_find_itself(void **state)
{
    (void)state;
    struct mp__door door = opened("127.0.0.1:0");
    struct mp__address to = door.address;
    int fd = connected(&to, MP__NEVER);
    to.in.sin_port = own_port(fd);
    close(fd);
    mp__door_close(&door);
    for (int i = 0; i < 40000; i++) {
        fd = mp__address_connect(&to, MP__NEVER);
        if (fd >= 0) {
            check(own_port(fd) != to.in.sin_port);
            close(fd);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("address: a text with a slash or without a colon is a path",
                     test_a_text_with_a_slash_or_without_a_colon_is_a_path),
        support_test("address: a text with an at sign is an abstract name",
                     test_a_text_with_an_at_sign_is_an_abstract_name),
        support_test("address: host and port are IPv4", test_host_and_port_are_ipv4),
        support_test("address: what is no address is refused", test_what_is_no_address_is_refused),
        support_test("address: addresses are Python's objects, and back",
                     test_addresses_are_pythons_objects_and_back),
        support_test("address: other objects are no addresses",
                     test_other_objects_are_no_addresses),
        support_test("door: a socket of our making is its owner's alone",
                     test_a_socket_of_our_making_is_its_owners_alone),
        support_test("door: the folder for temporary files is asked for",
                     test_the_folder_for_temporary_files_is_asked_for),
        support_test("door: a named socket is its owner's alone, too",
                     test_a_named_socket_is_its_owners_alone_too),
        support_test("door: what stands there stays there", test_what_stands_there_stays_there),
        support_test("door: folders that are none are errors",
                     test_folders_that_are_none_are_errors),
        support_test("door: a child's copy leaves the file alone",
                     test_a_childs_copy_leaves_the_file_alone),
        support_test("door: it gives connections, and says where they are from",
                     test_a_door_gives_connections_and_says_where_they_are_from),
        support_test("door: localhost is not the whole world",
                     test_localhost_is_not_the_whole_world),
        support_test("connect: a full backlog is waited for, through signals",
                     test_a_full_backlog_is_waited_for_through_signals),
        support_test("connect: a full backlog is waited for no longer than allowed",
                     test_a_full_backlog_is_waited_for_no_longer_than_allowed),
        support_test("connect: nobody there is an error", test_nobody_there_is_an_error),
        support_test("connect: a connection does not find itself",
                     test_a_connection_does_not_find_itself),
    };
    open_the_first_door();
    unsetenv("TMPDIR");
    return support_run("address", tests);
}
