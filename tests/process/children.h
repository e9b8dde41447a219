/* What the tests of processes share: children by one call, and whole programs in a child. */
#ifndef TESTS_PROCESS_CHILDREN_H
#define TESTS_PROCESS_CHILDREN_H

#include "base/sanitized.h"
#include "support/support.h"

#include <mp/process.h>

/* A process object that was not started yet; the argument is not copied. */
mp_process *new_process(mp_target *target, void *arg, mp_daemon daemon);

/* The same, started. */
mp_process *start_process(mp_target *target, void *arg);
mp_process *start_daemon(mp_target *target, void *arg);

/* Joins, destroys, and gives the exit code. */
int finish_process(mp_process *process);

/* Targets: return at once with the status the argument points to (NULL: 0), or never. */
int leave_with(void *status);
int stay(void *unused);

/* Forks a child that is a first process of its own to libmp, runs the body and leaves by exit;
 * gives its exit status. */
int program(int (*body)(void *arg), void *arg);

/* Whether a process of this number runs: no corpse, no stranger. */
bool runs(pid_t pid);

#endif
