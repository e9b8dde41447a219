/* What the tests of Python's behaviours share: processes and threads that run a target, patterns
 * for texts, and shared memory.
 *
 * A target is libmp's: int (*)(void *). It runs in a process or in a thread, and uses the asserts
 * of support.h in either. */
#ifndef TESTS_PARITY_H
#define TESTS_PARITY_H

#include "support/support.h"

#include <mp/context.h>
#include <mp/process.h>
#include <mp/sharedctypes.h>
#include <mp/synchronize.h>
#include <pthread.h>

/* A started process; daemonic, as Python's tests have them. The argument is copied (size 0: not,
 * the pointer itself). */
mp_process *start_process(mp_target *target, const void *arg, size_t size);
mp_process *start_named_process(const char *name, mp_target *target, const void *arg, size_t size);

/* Joins, takes the exit code, destroys. */
int finish_process(mp_process *process);
#define finish_process_with(process, expected) assert_mp_result(finish_process(process), (expected))

/* The exit code of a process that has one. */
int exit_code(mp_process *process);

/* Whether mp_active_children knows a process of this pid. */
bool is_active_child(pid_t pid);

/* A target in a thread of this process; finish_thread checks that it returned 0. The argument must
 * stay until then. */
struct target_thread {
    pthread_t thread;
    mp_target *target;
    void *arg;
    int result;
};
void start_thread(struct target_thread *thread, mp_target *target, void *arg);
void finish_thread(struct target_thread *thread);

/* The text matches the extended regular expression from end to end. */
#define check_text(text, pattern) check_text_at((text), (pattern), __FILE__, __LINE__)
void check_text_at(const char *text, const char *pattern, const char *file, int line);

/* The same for an object's repr: check_repr(lock, lock_pointer, "<Lock...>"). */
#define check_repr(noun, object, pattern)                                            \
    do {                                                                             \
        char repr_text[256];                                                         \
        (void)assert_mp_ok(mp_##noun##_repr((object), repr_text, sizeof repr_text)); \
        check_text(repr_text, (pattern));                                            \
    } while (0)

/* Zeroed memory that all processes share; mp_raw_free gives it back. */
void *shared_memory(size_t size);

/* An event or a plain semaphore that starts at 0. */
mp_event *new_event(void);
mp_semaphore *new_semaphore(void);

/* Acquires one unit, however long it takes. */
void take(mp_semaphore *semaphore);

/* Nobody releases the semaphore within a moment. */
void nobody_releases(mp_semaphore *semaphore);

/* A file without a name; its content from the start, as text in the caller's buffer. */
FILE *nameless_file(void);
void read_file(FILE *file, char *text, size_t size);

#endif
