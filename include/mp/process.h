/**
 * \file
 * Processes: starting them, waiting for them, ending them, and who is who.
 */
#ifndef MP_PROCESS_H
#define MP_PROCESS_H

#include "export.h"
#include "timeout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/**
 * A child process, mirroring Python's Process: made, started once, joined, read, given back.
 * The object belongs to the process that made it. Forked children have but a copy, which tells
 * name, pid, daemon flag and key; to wait for, signal or close it there is MP_ESTATE.
 *
 *     static int greet(void *name) { return printf("Hello %s\n", (char *)name) < 0; }
 *
 *     mp_process *p; // p = Process(target=greet, args=("Bob",))
 *     MP_CHECK(mp_process_create(&p, greet, "Bob", sizeof "Bob", NULL));
 *     MP_CHECK(mp_process_start(p));
 *     MP_CHECK(mp_process_join(p, MP_FOREVER));
 *     mp_process_destroy(p);
 *
 * Every call below answers MP_EINVAL (ValueError) for NULL, MP_ETYPE (TypeError) for what is no
 * process, MP_ECLOSED (ValueError) after close; these are named again only where they differ.
 * Any thread may call any of them, unless its comment says otherwise.
 */
typedef struct mp_process mp_process;

/** Whether a child is daemonic. */
typedef enum mp_daemon {
    MP_DAEMON_INHERIT, /**< as the process that creates it, the default */
    MP_DAEMON_NO,      /**< it goes on when its parent ends, which waits for it */
    MP_DAEMON_YES      /**< it ends with its parent */
} mp_daemon;

/** Options of mp_process_create; all zero is Python's default. */
typedef struct mp_process_options {
    const char *name; /**< copied, at most 255 bytes; NULL or "": Process-N, or -N:M */
    mp_daemon daemon; /**< a daemonic child ends with its parent */
} mp_process_options;

/** The exit code of a child that somebody else reaped and that left no word of its own. */
#define MP_EXIT_UNKNOWN (-4096)

MP_BEGIN_DECLS

/** What a child runs. Its return value & 255 is the exit status, as if given to exit. */
typedef int mp_target(void *arg);

/**
 * Make a process object; nothing runs yet.
 * Python: Process(target=target, args=(arg,), name=None, daemon=None)
 * Does not wait. The caller owns *out. With arg_size > 0 that many bytes of `arg` are copied now,
 * and the child gets a pointer to its copy; with 0 it gets the pointer itself, and finds there
 * what stood there at start. Daemon flag and authkey are inherited now, not at start.
 * Returns 0; MP_EINVAL (ValueError) if out or target is NULL, if arg is NULL with a size, if the
 * name is longer than 255 bytes or the daemon flag is none of the three; -ENOMEM (MemoryError).
 * A caller killed inside leaves nothing.
 * \param arg_size bytes to copy, or 0
 * \param options may be NULL: all defaults
 */
MP_API int mp_process_create(mp_process **out, mp_target *target, const void *arg, size_t arg_size,
                             const mp_process_options *options);

/**
 * Start the child, which runs the target and ends with its return value.
 * Python: Process.start()
 * Forks and returns without waiting for the child. stdout and stderr are flushed first. In the
 * child stdin is /dev/null; mask, handlers and descriptors are inherited; only the calling thread
 * exists; at the end the atexit handlers registered in the child run, and stdout and stderr are
 * flushed, but no other stream: close with fclose what the target opened, flush C++ streams.
 * Returns 0; MP_ESTATE (AssertionError) the second time, in a daemonic process, and in another
 * process than the creator; MP_ENOSLOT, -EAGAIN, -ENOMEM, -EMFILE (OSError), after which the
 * object is as before and may be started again.
 * A caller killed inside leaves no child, or a whole one, which ends with it if daemonic.
 */
MP_API int mp_process_start(mp_process *process);

/**
 * Run the target here, in the calling process and thread.
 * Python: Process.run()
 * Takes as long as the target does; the object does not change and need not be started.
 * Returns the exit status that the target's value stands for, 0..255.
 * The caller's death inside is that of the target.
 */
MP_API int mp_process_run(mp_process *process);

/**
 * Wait until the child has ended.
 * Python: Process.join(timeout=None)
 * Waits at most `timeout`; may be repeated, by several threads at once; goes on after signals.
 * Says nothing of how the child ended: ask mp_process_exitcode. Grandchildren do not delay it.
 * Returns 0; MP_ETIMEOUT (Python: returns None as well); MP_ESTATE (AssertionError) before start,
 * by a process that did not start it, or by the child on itself; MP_EINVAL for NaN.
 * A caller killed inside leaves the child running.
 */
MP_API int mp_process_join(mp_process *process, double timeout);

/**
 * Ask whether the child runs.
 * Python: Process.is_alive()
 * Does not wait; reaps the child if it has ended. The current process is always alive.
 * Returns 1 or 0, 0 before start too; MP_ESTATE (AssertionError) for a process that is neither
 * the caller nor its parent nor its child.
 */
MP_API int mp_process_is_alive(mp_process *process);

/**
 * Ask the child to end, by SIGTERM.
 * Python: Process.terminate()
 * Does not wait: join afterwards. The child's own children are not told, and run on.
 * Returns 0, for a child that has ended too; MP_ESTATE before start (Python: AttributeError) and
 * by a process that did not start it; -EPERM (PermissionError) if it changed its user.
 * Locks the child held are free again, with MP_RECOVERED.
 */
MP_API int mp_process_terminate(mp_process *process);

/**
 * Kill the child, by SIGKILL.
 * Python: Process.kill()
 * As mp_process_terminate, but the child cannot refuse.
 */
MP_API int mp_process_kill(mp_process *process);

/**
 * Interrupt the child, by SIGINT.
 * Python: Process.interrupt()
 * As mp_process_terminate; a child without a handler for SIGINT ends.
 */
MP_API int mp_process_interrupt(mp_process *process);

/**
 * Give back what the object holds of the system, before mp_process_destroy does.
 * Python: Process.close()
 * Does not wait. Afterwards only name, repr, print, close and destroy work.
 * Returns 0, the second time too; MP_ESTATE (ValueError) while the child runs, and by a process
 * that did not create it. A sentinel is closed with it.
 */
MP_API int mp_process_close(mp_process *process);

/**
 * Give the object back; NULL is fine.
 * Python: the last reference goes
 * Never waits and never ends a child: a running one goes on, and is joined when this process
 * exits. Drops one reference where mp_active_children gave another. In another process than the
 * creator it only forgets. The pointer, its name and its sentinel are not to be used afterwards.
 */
MP_API void mp_process_destroy(mp_process *process);

/**
 * Ask how the child ended.
 * Python: Process.exitcode
 * Does not wait; reaps the child if it has ended.
 * Returns 1 with *code written: 0..255, -N for death by signal N, or MP_EXIT_UNKNOWN; 0 while it
 * runs, before start, and for the current process (None), *code untouched; MP_ESTATE by a process
 * that did not start it (None).
 * \param code may be NULL
 */
MP_API int mp_process_exitcode(mp_process *process, int *code);

/**
 * Give the process id.
 * Python: Process.pid
 * 0 before start (None), after close (ValueError) and for what is no process. Does not wait.
 * The number stays when the child has ended; the system may by then have given it to another.
 */
MP_API pid_t mp_process_pid(const mp_process *process);

/**
 * Give the name.
 * Python: Process.name
 * Works after close too; NULL for what is no process. Does not wait. The text is the object's,
 * valid until the name is set anew or the object destroyed.
 */
MP_API const char *mp_process_name(const mp_process *process);

/**
 * Change the name, which need not be unique.
 * Python: Process.name = name
 * Copies. A child that runs already does not learn of it. Not beside another thread that reads
 * the name.
 * Returns 0; MP_EINVAL for NULL or more than 255 bytes (AssertionError for no str).
 */
MP_API int mp_process_set_name(mp_process *process, const char *name);

/**
 * Ask whether the process is daemonic.
 * Python: Process.daemon
 * False for what is no process. Does not wait.
 */
MP_API bool mp_process_daemon(const mp_process *process);

/**
 * Make the process daemonic, or not, before it starts.
 * Python: Process.daemon = daemonic
 * A daemonic child is terminated when its parent exits, ends at once when its parent is killed,
 * and may start no children. On Linux one that executes another program is ended (by SIGRTMAX)
 * already when the thread that started it ends; and one that changes its user or group, or
 * executes a program that does, or blocks SIGRTMAX, loses the bond and may outlive a parent that
 * is killed. So may, in the portable form, one that executes another program.
 * Returns 0; MP_ESTATE (AssertionError) after start.
 */
MP_API int mp_process_set_daemon(mp_process *process, bool daemonic);

/**
 * Give a descriptor that becomes readable when the child has ended, for poll or select.
 * Python: Process.sentinel
 * Does not wait. It is the object's: never read or close it; close and destroy do. On a system
 * without pidfd it is readable too once the child executes another program, and only later if the
 * program forked by itself while the child ran; mp_wait is not misled.
 * Returns the descriptor; MP_ESTATE (ValueError) before start and by a process that did not start
 * the child; -EMFILE, -ENFILE (OSError); -ENOSYS on Linux before 5.3; -EBADF on a system without
 * pidfd if the program has closed it.
 */
MP_API int mp_process_sentinel(mp_process *process);

/**
 * Give the key by which processes of this tree know each other.
 * Python: Process.authkey
 * 32 random bytes in the first process, inherited by what it creates. Does not wait. The bytes
 * are the object's, valid until set anew or destroyed. NULL for what is no process, or is closed.
 * \param n their number; may be NULL
 */
MP_API const void *mp_process_authkey(mp_process *process, size_t *n);

/**
 * Set the key.
 * Python: Process.authkey = key
 * Copies. On the current process it is what later children inherit; a child that runs already
 * does not learn of it. Not beside another thread that reads the key.
 * Returns 0; MP_EINVAL for NULL with a size (TypeError); -ENOMEM (MemoryError).
 * \param n bytes, may be 0
 */
MP_API int mp_process_set_authkey(mp_process *process, const void *key, size_t n);

/**
 * Describe the process as Python does: <Process name='Process-1' pid=7 parent=6 started>.
 * Python: repr(process)
 * States: initial, started, stopped (with exitcode), closed, unknown (in other processes); then
 * daemon. Does not wait. Writes as snprintf: at most n bytes with the NUL, cut if need be.
 * Returns the whole length without NUL; MP_EINVAL also for a NULL buf with n > 0. Never
 * MP_ECLOSED.
 */
MP_API int mp_process_repr(mp_process *process, char *buf, size_t n);

/**
 * Print what mp_process_repr gives, without a newline.
 * Python: print(process, end="")
 * Waits as the stream does.
 * Returns 0; the codes of mp_process_repr; MP_EINVAL for a NULL stream; -errno of the stream.
 */
MP_API int mp_process_print(mp_process *process, FILE *stream);

/**
 * Give the process one is in.
 * Python: current_process()
 * Never NULL: the first process has an object named MainProcess. Borrowed, not to be destroyed.
 * Does not wait. A child sees the object it was started from.
 */
MP_API mp_process *mp_current_process(void);

/**
 * Give the process that started this one; NULL in the first.
 * Python: parent_process()
 * Borrowed, not to be destroyed. It can tell name, pid, is_alive and repr, and be joined with a
 * timeout; everything else is MP_ESTATE. Does not wait. It stays when the parent has died.
 */
MP_API mp_process *mp_parent_process(void);

/**
 * List the children of this process that run.
 * Python: active_children()
 * Reaps those that have ended, does not wait. Writes up to `cap` of them; each is a reference that
 * the caller drops with mp_process_destroy.
 * Returns how many there are, which may be more than `cap`; MP_EINVAL (ValueError) for a NULL buf
 * with cap > 0.
 */
MP_API int mp_active_children(mp_process **buf, size_t cap);

/**
 * Count the processors of the machine.
 * Python: cpu_count()
 * Returns at least 1. Does not wait.
 */
MP_API int mp_cpu_count(void);

/**
 * Count the processors that this process may use: affinity and the control group's quota.
 * Python: os.process_cpu_count()
 * Returns at least 1, a part of a processor counted as one. Reads the system each time. Where the
 * system does not tell, that is the machine's number.
 */
MP_API int mp_process_cpu_count(void);

MP_END_DECLS

#endif
