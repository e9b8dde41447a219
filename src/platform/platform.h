/* Everything the system differs in: what each call promises, on every system.
 *
 * Each group has a portable form (portable_*.c) and, where Linux has something better, a Linux
 * form (linux_*.c); the build picks one of each pair (option LIBMP_PORTABLE). Calls return 0 or a
 * negative code unless they say otherwise. "A death" is a SIGKILL inside the call.
 */
#ifndef MP__PLATFORM_H
#define MP__PLATFORM_H

#include "base/base.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/types.h>

/* ---- time ------------------------------------------------------------------------------- */

mp__moment mp__now(void);
mp__moment mp__moment_in(int64_t span); /* saturates to MP__NEVER; a span of 0 gives 0 */
int mp__moment_of(double seconds, mp__moment *until);
bool mp__moment_passed(mp__moment until);
int mp__poll_time(mp__moment until); /* milliseconds, rounded up, at most a day; -1: for ever */

/* A waiter's slices: 10 ms, doubling to 80 ms. mp__slice_end never lies beyond `until`. */
#define MP__SLICE_FIRST (10 * MP__MS)
mp__moment mp__slice_end(int64_t *slice, mp__moment until);

/* ---- spinning --------------------------------------------------------------------------- */

/* A bounded busy wait before a thread parks. One waits for a lock, whose holder is about to free
   it, or for a wake by somebody else; each thread learns for each whether it is worth while. */
enum mp__spin_for { MP__SPIN_LOCK, MP__SPIN_WAKE };
struct mp__spin {
    enum mp__spin_for what;
    int pauses;
    mp__moment end;
};
bool mp__spin_begin(struct mp__spin *spin, enum mp__spin_for what); /* false: do not */
bool mp__spin_again(struct mp__spin *spin);
void mp__spin_ended(struct mp__spin *spin, bool gained);

/* ---- gates ------------------------------------------------------------------------------ */

/* A parking place in shared memory that holds at most about one token. A token is a hint, never
   the truth: waiters sleep in slices and look at the state again. A death of waker or woken loses
   at most the token. A gate in zeroed memory becomes usable by mp__gate_init, once. */
typedef union mp__gate {
    sem_t sem;
    unsigned char bytes[32];
} mp__gate;

int mp__gate_init(mp__gate *gate);
void mp__gate_drain(mp__gate *gate);
bool mp__gate_wait(mp__gate *gate, mp__moment until); /* true: took a token; false: time, signal */
void mp__gate_post(mp__gate *gate);                   /* adds a token unless one is there */

/* ---- memory ----------------------------------------------------------------------------- */

/* Zeroed pages shared with every process forked later, at the same address; sparse: unused pages
   cost nothing; left out of core dumps where the system can. NULL when refused. */
void *mp__map_shared(size_t size);
void mp__map_punch(void *p, size_t size); /* may give the pages back; contents become unknown */
void mp__map_release(void *p, size_t size);

/* For a forked process that goes on with what stands on its stack and in the variables of programs
   and libraries: what malloc gave out before becomes zeros, and costs nothing more. After it
   nothing may be called that takes memory, or has. */
void mp__memory_shed(void);

/* Private pages that are zero again in every forked child; where the system does not do it,
   `reset`, which runs in the children of fork(), has to. */
void *mp__map_wiped(size_t size, void (*reset)(void));

size_t mp__memory_limit(void);  /* bytes shared memory may come to hold at all */
size_t mp__address_limit(void); /* bytes of address space to ask for at most */

int mp__entropy(void *p, size_t size);

/* ---- descriptors ------------------------------------------------------------------------- */

/* Moves a descriptor that a call just returned to a free number from `floor` on, if one is allowed,
   and sets close-on-exec. Returns the code of that call if it failed; never 0 to 2. */
int mp__fd_raise(int fd, int floor);
/* Of those that are kept: above what programs open first, and low, as a descriptor at a high number
   makes every fork dearer (measured: one at 4096 by a quarter). */
#define MP__FD_FLOOR_KEPT 64
#define MP__FD_FLOOR 3 /* above the standard streams, which a program may have closed */
/* Accepts a connection: close-on-exec from the start where the system can, blocking, and raised.
   `from` and `size` as accept has them. */
int mp__fd_accept(int fd, void *from, unsigned *size);
/* Both of a pair, or neither. */
int mp__fd_raise_pair(int fd[2]);
/* A pipe whose ends are raised: [0] is read from. */
int mp__pipe_open(int fd[2]);
/* Raised too: a stream socket of a family, and a connected pair of this machine's. */
int mp__socket_open(int family);
int mp__socket_pair(int fd[2]);
/* recvmsg: what descriptors come are close-on-exec from the start where the system can. */
struct msghdr;
ssize_t mp__fd_receive(int fd, struct msghdr *message);
/* Whether sockets of this machine may have names that are no files. */
#ifdef __linux__
enum { MP__HAS_ABSTRACT_NAMES = 1 };
#else
enum { MP__HAS_ABSTRACT_NAMES = 0 };
#endif

int mp__fd_unblock(int fd); /* sets O_NONBLOCK */
/* Of a TCP connection, where the system can: what has come is acknowledged now. A sender that
   writes twice in a row, as Python does, waits for that with the second write, 40 ms if nobody
   asks. */
void mp__fd_acknowledge(int fd);

/* The process at the other end of a socket of this machine; 0: not told. */
pid_t mp__peer_pid(int fd);
/* A channel whose ends are sockets: each send to [1] comes out of [0] as one piece, what was sent
   before its sender died too; the end, when no process has [1] any more. */
int mp__channel_open(int fd[2]);

/* The application may close any descriptor, and another file may get its number: one that is kept
   is known by its file. Both ends of a pipe are one file. */
int mp__fd_note(int fd, uint64_t *device, uint64_t *inode); /* closes it when it fails */
bool mp__fd_is(int fd, uint64_t device, uint64_t inode);

/* Waiting for many descriptors. One thread uses a watch; another may do so after a fork, never
   both.
   Nothing is shared by it. */
struct pollfd;
enum { MP__WATCH_IN = 1, MP__WATCH_OUT = 2, MP__WATCH_END = 4, MP__WATCH_EDGE = 8 };
struct mp__watch {
    int fd; /* of the Linux form */
    struct pollfd *polls;
    struct mp__watched *entries;
    size_t used, room;
};
struct mp__event {
    void *tag;
    unsigned what; /* END: the other side has closed, at least what it sends by */
};
int mp__watch_open(struct mp__watch *watch);
void mp__watch_close(struct mp__watch *watch);
/* With EDGE the Linux form need tell each thing once only, when it begins or by the next change:
   who reads or writes goes on until there is no more.
   Begins to watch a descriptor, or changes for what; END is always told, even for 0. Where there is
   more to read than was asked for, the portable form tells END only after it was read. */
int mp__watch_add(struct mp__watch *watch, int fd, unsigned what, void *tag);
int mp__watch_change(struct mp__watch *watch, int fd, unsigned what, void *tag);
void mp__watch_remove(struct mp__watch *watch, int fd); /* before it is closed */
/* How many of `most` events there are; 0 when time is up, and sometimes before. */
int mp__watch_wait(struct mp__watch *watch, struct mp__event *events, int most, mp__moment until);

/* ---- signs of life ---------------------------------------------------------------------- */

/* One unlinked file per tree of processes; each process holds a write lock on the byte with its
   number, which the kernel drops when the process ends, before a parent can reap it. The record
   lock is also dropped when the process closes any descriptor of the file: then, and only then,
   the start time decides. A death while opening can leave an empty file in the portable form. */
struct mp__lifefile {
    int fd;
    uint64_t device, inode;
};
enum mp__sign { MP__SIGN_HELD, MP__SIGN_FREE, MP__SIGN_UNKNOWN };

/* Where no file can be made the descriptor is -1, and start times alone decide; that no descriptor
   is free is told: -EMFILE, -ENFILE. */
int mp__lifefile_open(struct mp__lifefile *file);
int mp__lifefile_open_temporary(struct mp__lifefile *file); /* its portable form */
int mp__lifefile_keep(struct mp__lifefile *file, int fd);   /* of what was just opened */
/* Without its descriptor a process has no byte; its start time speaks for it. */
bool mp__lifefile_is_ours(const struct mp__lifefile *file);
/* Of a file that is ours. False: taken. */
bool mp__lifefile_hold(const struct mp__lifefile *file, unsigned number);
void mp__lifefile_drop(const struct mp__lifefile *file, unsigned number);
enum mp__sign mp__lifefile_look(const struct mp__lifefile *file, unsigned number);

/* Start times are counted from boot; mp__boot_now brackets them. */
enum mp__trace { MP__TRACE_RUNS, MP__TRACE_GONE, MP__TRACE_UNKNOWN };
uint64_t mp__boot_now(void);                                  /* in the unit of start times */
enum mp__trace mp__process_trace(pid_t pid, uint64_t *start); /* a corpse is GONE */
/* The number by which /proc, and so others who look there, know this process. */
pid_t mp__process_id(void);
bool mp__process_is_gone(pid_t pid); /* ended and not reaped by this process, or no such process */

/* ---- processes -------------------------------------------------------------------------- */

/* fork() between mp__stdio_hold and mp__stdio_give, which the child has done when this returns;
   with all signals blocked from before the fork in both processes (*mask is the mask to restore),
   and in the child nothing left in the buffers of stdin, stdout and stderr, and /dev/null for
   stdin, of which a descriptor is kept. Not for two threads at once. */
pid_t mp__fork(sigset_t *mask);
void mp__stdio_hold(void); /* flushes stdout and stderr, and where it must be locks them */
void mp__stdio_give(void);
void mp__stdio_flush(void); /* stdout and stderr */

/* A static lock for what this process's forked children go on using: every fork, mp__fork or not,
   waits until it is free, so a child finds it free and what it guards whole. Who holds one takes
   no other one, and does not fork. `inherited` may be NULL; it runs in the child. */
struct mp__fork_lock {
    pthread_mutex_t mutex;
    void (*inherited)(void);
    struct mp__fork_lock *next;
    _Atomic bool is_listed;
};
#define MP__FORK_LOCK(inherited)                          \
    {                                                     \
        PTHREAD_MUTEX_INITIALIZER, inherited, NULL, false \
    }
void mp__fork_lock_take(struct mp__fork_lock *lock);
void mp__fork_lock_give(struct mp__fork_lock *lock);

/* A child as its parent sees it: how its end is noticed without SIGCHLD and without reaping. */
struct mp__child {
    pid_t pid;
    int sentinel;   /* -1: none yet */
    int child_side; /* the portable form's write end, else -1 */
    bool sentinel_is_pipe;
    uint64_t device, inode; /* of both */
};
int mp__child_prepare(struct mp__child *child); /* before the fork */
void mp__child_started(struct mp__child *child, pid_t pid);
void mp__child_inside(struct mp__child *child); /* in the child itself */
void mp__child_forget(struct mp__child *child); /* closes what it opened */
/* Readable once it ended, or a code. An `ended` one has been reaped: its number may be
   another's. */
int mp__child_sentinel(struct mp__child *child, bool ended);
/* False: one is readable early if the child executes another program, and late if the application
   forked by itself while the child ran. */
extern const bool mp__child_sentinels_are_exact;
/* Returns early at any time; a copy of the child will do, nothing is opened. */
void mp__child_await(const struct mp__child *child, mp__moment until);

/* Waits until this process's parent is no longer `parent`; true if it is gone. */
bool mp__parent_await(pid_t parent, mp__moment until);
/* From now on this process is killed when `parent` ends, whatever it is doing. */
int mp__parent_bind(pid_t parent);
/* The same for a child of a parent with one thread: nothing that the child does prevents it. */
int mp__parent_bind_hard(pid_t parent);
/* From now on this process is sent the signal when the thread that forked it ends, on Linux;
   elsewhere it has to look now and then. */
void mp__parent_signal(int signal_number);

/* Runs body(fd) in a process that is nobody's child, of a session of its own, with all signals
   blocked and no other descriptor than fd and standard error. It runs the fork handlers, and leaves
   by _exit when body returns. 0 may come where it could not be made, if the program reaps children
   that it does not know. */
int mp__detach(void (*body)(int fd), int fd, const char *name);

/* Runs `last` when this process exits, after all handlers registered later and before all
   registered earlier; status is what the parent will see, or -1 where the system does not tell.
   To set it is a parent's part, so that its children have no page to fetch for it. */
void mp__exit_set_last(void (*last)(int status));
int mp__exit_register_last(void);

/* This is the thread that main runs in, or in a forked child the one that forked. */
bool mp__thread_is_first(void);

int mp__cpus_online(void);
int mp__cpus_usable(void);

#endif
