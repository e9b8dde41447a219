/* A Python that does what a test of managers asks for, and calls of proxies with what they must
 * give. */
#include "python_peer.h"

#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the process ----------------------------------------------------------------------------- */

static _Noreturn void become_python(const char *python, const char *script, mp_connection *there)
{
    char fd[16];
    (void)setpgid(0, 0);
    (void)fcntl(mp_connection_fileno(there), F_SETFD, 0);
    (void)snprintf(fd, sizeof fd, "%d", mp_connection_fileno(there));
    execl(python, python, "-B", script, fd, (char *)NULL);
    _exit(127);
}

void peer_start(struct peer *peer, const char *python, const char *script)
{
    mp_connection *there;
    /* What the peer leaves behind comes to this process, which can wait for its end. */
    check(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    assert_mp_result(mp_pipe(&peer->connection, &there, true), 0);
    (void)fflush(NULL);
    peer->pid = fork();
    check(peer->pid >= 0);
    if (peer->pid == 0)
        become_python(python, script, there);
    (void)setpgid(peer->pid, peer->pid);
    mp_connection_destroy(there);
}

static bool group_ends(pid_t group)
{
    int status = 0, last = 0;
    pid_t ended;
    while ((ended = waitpid(-group, &status, 0)) > 0 || errno == EINTR) {
        if (ended == group)
            last = status;
    }
    return last == 0;
}

bool peer_end(struct peer *peer)
{
    (void)mp_connection_send(peer->connection, MP_TUPLE("end", MP_EMPTY_TUPLE));
    mp_connection_destroy(peer->connection);
    peer->connection = NULL;
    return group_ends(peer->pid);
}

void peer_kill(struct peer *peer)
{
    (void)kill(-peer->pid, SIGKILL);
    mp_connection_destroy(peer->connection);
    peer->connection = NULL;
    (void)group_ends(peer->pid);
}

/* ---- messages -------------------------------------------------------------------------------- */

void peer_begin(struct peer *peer, const char *name, mp_obj args)
{
    mp_obj arguments = args.type == MP_TYPE_NONE ? MP_EMPTY_TUPLE : args;
    assert_mp_result(mp_connection_send(peer->connection, MP_TUPLE(name, arguments)), 0);
}

mp_obj peer_answer_at(struct peer *peer, const char *name, const char *file, int line)
{
    mp_obj answer, result;
    bool good;
    int rc = mp_connection_recv(peer->connection, &answer);
    if (rc != 0)
        support_fail(file, line, "%s: no answer: %s %s", name, mp_error_name(rc),
                     mp_error_detail());
    assert_mp_result(mp_obj_unpack(answer, "bO", &good, &result), 0);
    if (!good)
        support_fail(file, line, "%s: %s", name, result.s);
    assert_mp_result(mp_obj_copy(result, &result), 0);
    mp_obj_free(&answer);
    return result;
}

mp_obj peer_ask_at(struct peer *peer, const char *name, mp_obj args, const char *file, int line)
{
    peer_begin(peer, name, args);
    return peer_answer_at(peer, name, file, line);
}

/* ---- objects --------------------------------------------------------------------------------- */

static bool same_types(mp_obj a, mp_obj b)
{
    if (a.type != b.type)
        return false;
    if (a.type != MP_TYPE_LIST && a.type != MP_TYPE_TUPLE)
        return true;
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        if (!same_types(a.items[i], b.items[i]))
            return false;
    }
    return true;
}

void obj_is_at(mp_obj got, mp_obj expected, const char *what, const char *file, int line)
{
    if (!mp_obj_equal(got, expected) || !same_types(got, expected)) {
        char *gave = mp_obj_repr(got), *wanted = mp_obj_repr(expected);
        support_fail(file, line, "%s: %.150s, not %.100s", what, gave ? gave : "?",
                     wanted ? wanted : "?");
    }
    mp_obj_free(&got);
}

/* ---- calls ----------------------------------------------------------------------------------- */

mp_proxy *proxy_make_at(mp_manager *manager, const char *type_id, mp_obj args, const char *file,
                        int line)
{
    mp_proxy *proxy = NULL;
    int rc = mp_manager_proxy(manager, type_id, args, MP_NONE, &proxy);
    if (rc != 0)
        support_fail(file, line, "making a %s gave %s: %s", type_id, mp_error_name(rc),
                     mp_error_detail());
    return proxy;
}

mp_obj proxy_call_at(mp_proxy *proxy, const char *method, mp_obj args, mp_obj kwargs,
                     const char *file, int line)
{
    mp_obj result = MP_NONE;
    int rc = mp_proxy_call(proxy, method, args, kwargs, &result);
    if (rc != 0)
        support_fail(file, line, "%s.%s gave %s: %s", mp_proxy_typeid(proxy), method,
                     mp_error_name(rc), mp_error_detail());
    return result;
}

void proxy_gives_at(mp_proxy *proxy, const char *method, mp_obj args, mp_obj kwargs,
                    mp_obj expected, const char *file, int line)
{
    mp_obj result = proxy_call_at(proxy, method, args, kwargs, file, line);
    obj_is_at(result, expected, method, file, line);
}

void proxy_fails_at(mp_proxy *proxy, const char *method, mp_obj args, int code, const char *text,
                    const char *file, int line)
{
    mp_obj result = MP_NONE;
    int rc = mp_proxy_call(proxy, method, args, MP_NONE, &result);
    if (rc == 0) {
        char *repr = mp_obj_repr(result);
        support_fail(file, line, "%s gave %.150s, not %s", method, repr ? repr : "?",
                     mp_error_name(code));
    }
    if (rc != code || strstr(mp_error_detail(), text) == NULL)
        support_fail(file, line, "%s gave %s (%.200s), not %s (%s)", method, mp_error_name(rc),
                     mp_error_detail(), mp_error_name(code), text);
}

mp_proxy *proxy_of_at(mp_obj object, const char *file, int line)
{
    mp_proxy *proxy = NULL;
    int rc = mp_proxy_from(object, &proxy);
    if (rc != 0)
        support_fail(file, line, "a proxy of type %d: %s: %s", object.type, mp_error_name(rc),
                     mp_error_detail());
    mp_obj_free(&object);
    return proxy;
}
