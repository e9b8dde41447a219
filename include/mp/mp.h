/**
 * \file
 * All of libmp: Python's multiprocessing for C. Read this chapter once, it is what surprises.
 *
 * FORK, AND THREADS. A child is a fork of its parent: it sees the memory as it was at start, and
 * only the thread that started it exists there. What another thread had half done under a mutex
 * stays half done in the child: start children before threads, or let the child use nothing that
 * those threads use. On glibc that is also atexit, and with it the first run of a C++ static's
 * initializer: a child forked in the middle of one hangs until it is killed. stdout and stderr
 * are flushed before the fork, so nothing is printed twice (on a libc without __fpurge, but for
 * what another thread prints at that very moment). A child holds no lock of its parent. Shared
 * objects are at one address in all processes descended from the one that made the first of them:
 * a program that forks by itself makes a shared object before that, or each side has a world of
 * its own.
 *
 * KILL -9. "Ended is died": a process that is killed, crashes, exits or returns while it holds a
 * Lock, RLock, a Condition's lock or a unit of a BoundedSemaphore leaves it to the next acquire,
 * which says MP_RECOVERED, once. The data is then as the dead left it: check it. No call hangs on
 * state of libmp's own. What only the dead would have done nobody does for it: a unit of a plain
 * Semaphore, an Event never set, a Barrier's party that never arrived; such a wait ends at its
 * timeout. A stopped process (SIGSTOP) is alive. A death is noticed in some ten milliseconds by
 * those who sleep. A thread that ends while its process lives keeps its RLock, as in Python.
 *
 * SIGNALS. libmp has no handler for SIGCHLD, reaps only children it started, and works with
 * SIGCHLD ignored or with a program that reaps everything: an exit status lost that way is
 * MP_EXIT_UNKNOWN at worst. Waits go on after a handler has run. Children inherit mask and
 * handlers. In a daemonic child on Linux SIGRTMAX is libmp's: by it the child learns that its
 * parent died, and ends at once; do not block or handle it there. A program that such a child
 * executes is ended by it when the thread that started the child ends, and a child that changes
 * its user or group gets it no more. None of libmp's functions is for use inside a signal handler,
 * unless its comment says so.
 *
 * DESCRIPTORS. One stays open for the life of the process once it uses shared objects, one of
 * /dev/null after the first start, and until it is closed, one for each child whose sentinel was
 * asked for; a system without pidfd needs one for every child. All are close-on-exec. A program
 * that closes them all, in its own thread, goes on working; libmp then tells the dead from the
 * living by their start times, and where the system does not tell those, by their being reaped. A
 * child's stdin is /dev/null.
 *
 * MEMORY. Shared objects lie in one arena, reserved once, sparse: up to 16 GiB of addresses, less
 * under limits, but pages only as they are used. -ENOMEM comes at its budget, before the machine
 * is in need. LIBMP_ARENA_SIZE in the environment (bytes) sets the size. mlockall with
 * MCL_CURRENT or MCL_FUTURE would fill all of it: use MCL_ONFAULT, or a small LIBMP_ARENA_SIZE.
 * Core dumps leave the arena out where the system can. Objects live until destroyed, or until
 * the last process ends; nothing is left behind. Only what is made with a name has one in the file
 * system, see shared_memory.h and connection.h.
 * A destroyed object answers MP_ECLOSED until its memory serves another, and anything after.
 *
 * POOLS. A pool or executor is one more child, its supervisor, and no thread unless a callback
 * asks for one. Workers have the memory, descriptors and handlers of the program as they were when
 * the pool was made. Both are gone when the program is, whatever way it ends. See pool.h.
 *
 * MANAGERS. A manager is a child too, with sockets to all who use it. See managers.h.
 *
 * AT EXIT. Managers are shut down, pools are terminated, and executors finish what was handed in.
 * A process ends its daemonic children and joins the others, as in Python, however long that
 * takes; _exit and a deadly signal skip this. A child runs the atexit handlers that it registered
 * itself, not its parent's; of its streams only stdout and stderr are flushed at the end: fclose
 * your own, and flush C++ streams, before the target returns. On a libc without on_exit a child
 * that calls exit() by itself runs the parent's too: let the target return instead.
 *
 * NOT LIKE PYTHON. The start method is fork. A timeout is a number, MP_FOREVER stands for None,
 * and a call that ran out of time to take or give something answers a code, mostly MP_ETIMEOUT,
 * not False. A Lock whose holder ended is not locked for ever. notify does not wait for the woken,
 * Event.wait does not miss a set that is cleared at once, Barrier(0) is refused, wide characters
 * ('u') are no typecode. There are no ThreadPool, no dummy, no contexts as objects and no
 * reducers. As in Python, `value += 1` alone is no atomic step: hold the value's lock.
 *
 * C++17 may include every header; the guards need gcc or clang.
 */
#ifndef MP_MP_H
#define MP_MP_H

#include "connection.h"
#include "context.h"
#include "errors.h"
#include "export.h"
#include "futures.h"
#include "managers.h"
#include "object.h"
#include "pool.h"
#include "process.h"
#include "queues.h"
#include "shared_memory.h"
#include "sharedctypes.h"
#include "synchronize.h"
#include "timeout.h"
#include "util.h"
#include "version.h"

#endif
