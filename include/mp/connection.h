/**
 * \file
 * Pipes, the connections at their ends, and waiting for several things at once.
 *
 * WHAT HOLDS FOR ALL OF THEM. A message arrives whole or not at all, in the order sent, with the
 * framing of Python's Connection: a Python process may have the other end. One thread may send and
 * another receive on the same end at one time; two senders, or two receivers, need a lock of their
 * own, whether they are threads or processes. A connection is the process's own: a forked child
 * has a copy, which works, and closes its own descriptor only. Calls go on after signals. No call
 * raises SIGPIPE: a closed other end is -EPIPE (BrokenPipeError) to who sends and MP_EEOF
 * (EOFError) to who receives. The end shows only when every process has closed its copy.
 *
 * Besides what its comment names, every call answers MP_EINVAL (ValueError) for NULL where it
 * needs something and for a NaN timeout, MP_ETYPE (TypeError) for what is no connection,
 * MP_ECLOSED (OSError) after close, MP_ESTATE (OSError) for an end that does not go that way, and
 * -errno (OSError) for what the system refuses. None of this is for signal handlers.
 *
 * KILL -9. Who is killed while sending leaves part of a message: the receiver gets MP_EEOF with a
 * detail, and nothing of that message. Who is killed while receiving takes what it had read along;
 * another process that holds the same end may then find itself inside a message.
 *
 * Who receives looks for up to 50 us before it sleeps, as long as that pays.
 */
#ifndef MP_CONNECTION_H
#define MP_CONNECTION_H

#include "object.h"
#include "process.h"
#include "queues.h"
#include "timeout.h"

#include <stdbool.h>
#include <stddef.h>

/**
 * One end of a stream of messages, mirroring Python's Connection.
 *
 *     mp_connection *here, *there;
 *     mp_obj list;
 *     MP_CHECK(mp_pipe(&here, &there, true));                 // here, there = Pipe()
 *     MP_CHECK(mp_connection_send(there, MP_LIST(1, "two"))); // in a child: there.send([1, "two"])
 *     MP_CHECK(mp_connection_recv(here, &list));              // in the parent: here.recv()
 *     mp_obj_free(&list);
 */
typedef struct mp_connection mp_connection;

/**
 * A socket that accepts connections, mirroring Python's Listener: on either side may be Python.
 *
 *     mp_listener *listener;
 *     mp_connection *connection;
 *     mp_listener_options options = {.authkey = "secret", .authkey_len = 6};
 *     MP_CHECK(mp_listener_create(&listener, "localhost:6000", &options));
 *     MP_CHECK(mp_listener_accept(listener, &connection, MP_FOREVER)); // listener.accept()
 *
 * ADDRESSES. "/path/of/socket", and any other text without a colon, is a socket in the file system;
 * "@name" one in Linux's abstract name space (Python: "\0name"); "host:port" TCP over IPv4 (Python:
 * ("host", port)), where an empty host means every interface, and port 0 a free one.
 *
 * AUTHENTICATION. With a key each side proves to the other that it has it, by HMAC-SHA256, or
 * HMAC-MD5 for Python before 3.12; the key itself is never sent, and nothing is encrypted.
 * Strangers hold up nobody: up to 32 of them are asked at the same time, each for at most 5 s.
 * One more, and the one that has been at it longest without proving the key is dropped, once it
 * had 20 ms; until then who comes waits in the backlog.
 *
 * One thread may accept on a listener at one time. A forked child's copy accepts too, and leaves
 * the socket's file alone. KILL -9 of the processes that hold it leaves no file behind: a small
 * process beside them, of its own session, removes it.
 */
typedef struct mp_listener mp_listener;

typedef struct mp_future mp_future; /* of futures.h */

/** Options of a listener; all zero is Python's default. */
typedef struct mp_listener_options {
    const void *authkey; /**< NULL: no authentication; a key of no bytes is one */
    size_t authkey_len;  /**< bytes */
    int backlog;         /**< connections that may wait to be accepted; 0: 1 */
} mp_listener_options;

/** Options of a client; all zero is Python's default. */
typedef struct mp_client_options {
    const void *authkey; /**< NULL: no authentication; a key of no bytes is one */
    size_t authkey_len;  /**< bytes */
} mp_client_options;

/** What an item of mp_wait is. */
typedef enum mp_wait_kind {
    MP_WAIT_FD,
    MP_WAIT_CONNECTION,
    MP_WAIT_PROCESS,
    MP_WAIT_QUEUE,
    MP_WAIT_SIMPLE_QUEUE,
    MP_WAIT_FUTURE,
    MP_WAIT_LISTENER
} mp_wait_kind;

/**
 * One of the things mp_wait waits for, and whether it was ready.
 *
 *     mp_waitable items[] = {MP_WAITABLE(connection), MP_WAITABLE(process)};
 *     MP_CHECK(mp_wait(items, 2, 5.0)); // wait([connection, process.sentinel], 5.0)
 *     if (items[0].ready)
 *         MP_CHECK(mp_connection_recv(connection, &object));
 */
typedef struct mp_waitable {
    mp_wait_kind kind; /**< which of those below it is */
    bool ready;        /**< written by mp_wait */
    union {
        int fd;
        mp_connection *connection;
        mp_process *process;
        mp_queue *queue;
        mp_simple_queue *simple_queue;
        mp_future *future;
        mp_listener *listener;
    };
} mp_waitable;

MP_BEGIN_DECLS

/**
 * Make a pipe: two connected ends.
 * Python: Pipe(duplex=True)
 * Does not wait. The caller owns both. With `duplex` both send and receive, over a socket pair;
 * without, *a only receives and *b only sends, over a pipe. The descriptors are close-on-exec, and
 * inherited by children.
 * Returns 0; -ENOMEM (MemoryError); -EMFILE, -ENFILE (OSError).
 */
MP_API int mp_pipe(mp_connection **a, mp_connection **b, bool duplex);

/**
 * Make a connection of a descriptor: a socket, a pipe's end, or one that was received.
 * Python: Connection(handle, readable=True, writable=True)
 * Does not wait. The caller owns *out, which owns the descriptor from now on; after a failure it
 * is still the caller's. The descriptor's flags are left as they are, non-blocking ones work.
 * Returns 0; MP_EINVAL (ValueError) for a negative fd, and without a direction; -EBADF (OSError)
 * for what is not open; -ENOMEM (MemoryError).
 */
MP_API int mp_connection_create(mp_connection **out, int fd, bool readable, bool writable);

/**
 * Close this end in this process.
 * Python: Connection.close()
 * Does not wait; what was sent still arrives. A message that MP_ETOOSHORT left is dropped.
 * Returns 0, the second time too. Not while another thread uses the connection.
 */
MP_API int mp_connection_close(mp_connection *connection);

/**
 * Close the connection if it is open, and give the object back; NULL is fine.
 * Python: the last reference goes
 * Does not wait. In a forked child it closes the child's copy and frees the child's object.
 */
MP_API void mp_connection_destroy(mp_connection *connection);

/**
 * Take the descriptor out of the connection, which is closed afterwards.
 * Python: Connection._detach()
 * Does not wait. The caller owns the descriptor.
 * Returns the descriptor; MP_ESTATE while a message that MP_ETOOSHORT left is unread.
 */
MP_API int mp_connection_detach(mp_connection *connection);

/**
 * Give the descriptor, for poll or select.
 * Python: Connection.fileno()
 * Does not wait. It stays the connection's. A message that MP_ETOOSHORT left is not seen by it.
 * Returns the descriptor.
 */
MP_API int mp_connection_fileno(const mp_connection *connection);

/**
 * Ask whether the connection was closed.
 * Python: Connection.closed
 * True for NULL and what is no connection. Does not wait.
 */
MP_API bool mp_connection_closed(const mp_connection *connection);

/**
 * Ask whether this end receives. It stops to after MP_EOVERFLOW.
 * Python: Connection.readable
 * A closed end still tells what it did; false for NULL. Does not wait.
 */
MP_API bool mp_connection_readable(const mp_connection *connection);

/**
 * Ask whether this end sends.
 * Python: Connection.writable
 * As mp_connection_readable.
 */
MP_API bool mp_connection_writable(const mp_connection *connection);

/**
 * Send an object, as a pickle of protocol 4.
 * Python: Connection.send(obj)
 * Waits while the pipe is full. The object is encoded before anything is sent; a literal may die
 * when the call returns.
 * Returns 0; -EPIPE (BrokenPipeError) if the other end is closed; MP_EPICKLE, MP_ETYPE,
 * MP_EOVERFLOW (PicklingError, TypeError, OverflowError) for what cannot be written, handles of
 * shared objects on other connections than mp_pipe's among it, -ENOMEM: nothing was sent then.
 */
MP_API int mp_connection_send(mp_connection *connection, mp_obj object);

/**
 * Receive an object.
 * Python: Connection.recv()
 * Waits for a whole message. The caller owns *out, and frees it with mp_obj_free.
 * Returns 0; MP_EEOF (EOFError) as with mp_connection_recv_bytes; MP_EPICKLE (UnpicklingError) for
 * a message that is no pickle libmp reads, which is gone then; -ENOMEM; MP_EOVERFLOW as with
 * mp_connection_set_max_message.
 * \param out may be NULL: the message is dropped unread
 */
MP_API int mp_connection_recv(mp_connection *connection, mp_obj *out);

/**
 * Send bytes as one message.
 * Python: Connection.send_bytes(buf)
 * Waits while the pipe is full. No bytes are a message too; more than 2 GiB are one as well.
 * Returns 0; -EPIPE (BrokenPipeError) if the other end is closed.
 * \param p may be NULL if n is 0
 */
MP_API int mp_connection_send_bytes(mp_connection *connection, const void *p, size_t n);

/**
 * Receive one message into memory of its own.
 * Python: Connection.recv_bytes()
 * Waits for a whole message. The caller owns *buf, never NULL, and frees it with free; a NUL that
 * *n does not count follows the message. Memory grows with what arrives.
 * Returns 0; MP_EEOF (EOFError) when the other end is closed, with a detail if that was inside a
 * message, which is dropped (OSError); -ENOMEM (MemoryError), after which the next call goes on
 * with the same message; MP_EOVERFLOW as with mp_connection_set_max_message.
 * \param buf may be NULL: the message is dropped
 * \param n may be NULL
 */
MP_API int mp_connection_recv_bytes(mp_connection *connection, void **buf, size_t *n);

/**
 * Receive one message into the caller's memory.
 * Python: Connection.recv_bytes_into(buf)
 * Waits for a whole message. *n is its size. One that is cut short (MP_EEOF with a detail) may
 * leave its beginning in buf.
 * Returns 0; MP_ETOOSHORT (BufferTooShort) if it is longer than cap: buf is untouched, *n the size
 * needed, and the message comes with the next call of any kind; poll and mp_wait report it. It is
 * kept by this process alone: a child forked then receives what follows. Otherwise as
 * mp_connection_recv_bytes.
 * \param cap bytes that buf has, may be 0 with a NULL buf
 * \param n may be NULL
 */
MP_API int mp_connection_recv_bytes_into(mp_connection *connection, void *buf, size_t cap,
                                         size_t *n);

/**
 * Set how long a received message may be; at first SIZE_MAX, without a limit.
 * Python: Connection.recv_bytes(maxlength)
 * Does not wait. A longer message, and a length that no sender writes, is MP_EOVERFLOW (OSError)
 * to who receives: nothing is allocated for it, and as its bytes stay in the stream, the end
 * receives no more: MP_ESTATE. An end that only receives is closed: MP_ECLOSED.
 * Returns 0. A message already kept after MP_ETOOSHORT is not measured again.
 */
MP_API int mp_connection_set_max_message(mp_connection *connection, size_t n);

/**
 * Ask whether receiving would find something: a message, or the end.
 * Python: Connection.poll(timeout=0.0)
 * Waits at most `timeout`, takes nothing. A message of no bytes counts; so does the beginning of
 * one, the rest of which receiving then waits for.
 * Returns 1 or 0.
 */
MP_API int mp_connection_poll(mp_connection *connection, double timeout);

/**
 * Send a descriptor to the process at the other end.
 * Python: multiprocessing.reduction.send_handle(conn, handle, pid)
 * A byte outside the messages, with the descriptor beside it: the other side must expect it there,
 * with mp_connection_recv_fd or Python's recv_handle (up to 3.13; later ones answer it). Waits
 * while the pipe is full. The descriptor stays the caller's, and may be closed at once.
 * Returns 0; -EPIPE; MP_EINVAL for a negative fd; -EBADF; -ENOTSOCK, -EOPNOTSUPP (OSError) if the
 * connection is no socket of this machine.
 */
MP_API int mp_connection_send_fd(mp_connection *connection, int fd);

/**
 * Receive a descriptor that mp_connection_send_fd or Python's send_handle sent.
 * Python: multiprocessing.reduction.recv_handle(conn)
 * Waits for it. The caller owns the descriptor, which is close-on-exec and none of 0, 1, 2.
 * Returns the descriptor; MP_EEOF (EOFError); MP_ETYPE (RuntimeError) if a byte came without a
 * descriptor, or not with one: the byte is gone, others are closed; -EMFILE (OSError) if there is
 * no room for it, after which it is lost; -ENOTSOCK (OSError).
 */
MP_API int mp_connection_recv_fd(mp_connection *connection);

/**
 * Listen on an address.
 * Python: Listener(address=None, family=None, backlog=1, authkey=None)
 * Does not wait, but for the name service if the host is a name. The caller owns *out; the key is
 * copied. A socket in the file system can be used by its owner alone (0600); NULL as the address
 * makes one in a new folder (0700) of the folder for temporary files.
 * Returns 0; MP_EINVAL (ValueError) for an address that is none, also a Windows pipe's, and a
 * negative backlog; -EADDRINUSE, -EACCES, -ENOENT, ..., -ENAMETOOLONG for a path of more than 107
 * bytes, -EHOSTUNREACH for a host that nobody knows (OSError); -ENOMEM.
 * \param options may be NULL
 */
MP_API int mp_listener_create(mp_listener **out, const char *address,
                              const mp_listener_options *options);

/**
 * Accept a connection, and with a key make sure that the other side has it.
 * Python: Listener.accept()
 * Waits at most `timeout`. The caller owns *out. What it accepts with a key receives messages of at
 * most 64 MiB, see mp_connection_set_max_message. Who hangs up, or says nothing, before the end of
 * the authentication is dropped without a word, and the wait goes on.
 * Returns 0; MP_ETIMEOUT; MP_EAUTH (AuthenticationError) for somebody with another key, who is
 * dropped: call again; MP_ECLOSED (OSError); -EMFILE, -ENFILE, -ENOMEM (OSError).
 */
MP_API int mp_listener_accept(mp_listener *listener, mp_connection **out, double timeout);

/**
 * Give the address in the form that mp_client takes: with the port that a port 0 became.
 * Python: Listener.address
 * Valid until destroy, after close too. Does not wait. NULL for what is no listener.
 */
MP_API const char *mp_listener_address(const mp_listener *listener);

/**
 * Give the address of the connection that was accepted last, "host:port", or "" where it has none.
 * Python: Listener.last_accepted
 * Valid until the next accept. Does not wait. NULL if there was none.
 */
MP_API const char *mp_listener_last_accepted(const mp_listener *listener);

/**
 * Give the descriptor of the socket. Readable: somebody wants to connect, which need not yet mean
 * that accept finds a connection that knows the key; mp_wait on the listener means the same, and
 * tells, within 10 ms, of those under authentication too: a loop of the two serves everybody.
 * Python: Listener._listener._socket.fileno()
 * Does not wait. Returns the descriptor; MP_ECLOSED.
 */
MP_API int mp_listener_fileno(mp_listener *listener);

/**
 * Stop listening, and remove the socket's file where this process made it.
 * Python: Listener.close()
 * Does not wait. What was accepted stays open. Not while another thread accepts.
 * Returns 0, the second time too.
 */
MP_API int mp_listener_close(mp_listener *listener);

/**
 * Close the listener if it is open, and give the object back; NULL is fine.
 * Python: the last reference goes
 * Does not wait. What was accepted stays open. In a forked child it leaves the socket's file.
 */
MP_API void mp_listener_destroy(mp_listener *listener);

/**
 * Connect to a listener, one of Python's too.
 * Python: Client(address, family=None, authkey=None)
 * Waits at most `timeout` for connection and authentication together, and for the name service.
 * The caller owns *out. With a key both sides prove theirs.
 * Returns 0; MP_EAUTH (AuthenticationError) if either has another key; MP_ETIMEOUT; MP_EEOF
 * (EOFError) if the other side hangs up meanwhile; MP_EINVAL (ValueError) for an address that is
 * none; -ECONNREFUSED, -ENOENT, ... (OSError), as mp_listener_create; -ENOMEM.
 *
 *     mp_client_options options = {.authkey = "secret", .authkey_len = 6};
 *     MP_CHECK(mp_client(&connection, "localhost:6000", &options, 5.0));
 *
 * \param options may be NULL
 */
MP_API int mp_client(mp_connection **out, const char *address, const mp_client_options *options,
                     double timeout);

/**
 * Prove to the other end that this side knows the key, the other side having asked.
 * Python: connection.answer_challenge(connection, authkey)
 * Waits for two messages. The half that mp_client begins with; for connections of other making.
 * Returns 0; MP_EAUTH (AuthenticationError); MP_EEOF (EOFError); -EPIPE; MP_EINVAL.
 */
MP_API int mp_answer_challenge(mp_connection *connection, const void *authkey, size_t n);

/**
 * Make the other end prove that it knows the key.
 * Python: connection.deliver_challenge(connection, authkey)
 * Waits for one message. The half that mp_listener_accept begins with.
 * Returns as mp_answer_challenge.
 */
MP_API int mp_deliver_challenge(mp_connection *connection, const void *authkey, size_t n);

/**
 * Wait until at least one of the items is ready.
 * Python: connection.wait(object_list, timeout=None)
 * A descriptor and a connection are ready when there is something to read, or the end; a listener
 * when accept has something to do; a process when it has ended; a queue when it is not empty. Each
 * item is marked; none is changed otherwise. Without items the timeout is waited out. Over
 * descriptors, connections, listeners and processes this is one poll; a queue among them, and on a
 * system without pidfd a process, is noticed within 10 ms.
 * Returns how many are ready, 0 after the timeout; MP_EINVAL (ValueError) for an item twice
 * (KeyError), a negative descriptor and an unknown kind; MP_ECLOSED (OSError) for a closed
 * connection; MP_ESTATE for a process not started here; -EBADF; -ENOMEM. No item is marked then.
 */
MP_API int mp_wait(mp_waitable *items, size_t n, double timeout);

MP_END_DECLS

static inline mp_waitable mp_waitable_fd_(int x)
{
    mp_waitable w;
    w.kind = MP_WAIT_FD;
    w.ready = false;
    w.fd = x;
    return w;
}

#define MP_WAITABLE_OF_(noun, NOUN)                               \
    static inline mp_waitable mp_waitable_##noun##_(mp_##noun *x) \
    {                                                             \
        mp_waitable w;                                            \
        w.kind = MP_WAIT_##NOUN;                                  \
        w.ready = false;                                          \
        w.noun = x;                                               \
        return w;                                                 \
    }
MP_WAITABLE_OF_(connection, CONNECTION)
MP_WAITABLE_OF_(process, PROCESS)
MP_WAITABLE_OF_(queue, QUEUE)
MP_WAITABLE_OF_(simple_queue, SIMPLE_QUEUE)
MP_WAITABLE_OF_(future, FUTURE)
MP_WAITABLE_OF_(listener, LISTENER)
#undef MP_WAITABLE_OF_

/** Make an item of mp_wait of a descriptor, or of a pointer to any of the objects above. */
#ifndef __cplusplus
/* clang-format off */
#define MP_WAITABLE(x)                                \
    _Generic((x),                                     \
        int: mp_waitable_fd_,                         \
        mp_connection *: mp_waitable_connection_,     \
        mp_process *: mp_waitable_process_,           \
        mp_queue *: mp_waitable_queue_,               \
        mp_simple_queue *: mp_waitable_simple_queue_, \
        mp_future *: mp_waitable_future_,             \
        mp_listener *: mp_waitable_listener_)(x)
/* clang-format on */
#else
inline mp_waitable MP_WAITABLE(int x)
{
    return mp_waitable_fd_(x);
}
#define MP_WAITABLE_OF_(noun)                    \
    inline mp_waitable MP_WAITABLE(mp_##noun *x) \
    {                                            \
        return mp_waitable_##noun##_(x);         \
    }
MP_WAITABLE_OF_(connection)
MP_WAITABLE_OF_(process)
MP_WAITABLE_OF_(queue)
MP_WAITABLE_OF_(simple_queue)
MP_WAITABLE_OF_(future)
MP_WAITABLE_OF_(listener)
#undef MP_WAITABLE_OF_
#endif

#endif
