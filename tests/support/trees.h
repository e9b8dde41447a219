/* Trees of processes that a test begins, each with a tracker of its own. */
#ifndef TESTS_TREES_H
#define TESTS_TREES_H

#include "support/support.h"

/* Starts this program's own tracker, so that the channel to it is no leak: before support_run. */
void trees_begin(void);

/* Runs the body in a child whose standard error is a pipe of its own, and gives what child_wait
 * gives. It returns when nobody has that pipe any more: all processes of the tree have ended, and
 * so has its tracker. What they printed there is in tree_printed(). */
int tree_run(int (*body)(void));
const char *tree_printed(void);

/* In a tree: its tracker, or 0. Of several the one that was started last. */
pid_t tree_tracker(void);
/* In a tree: kills its tracker, and returns when it has ended. */
void tree_kill_tracker(void);

/* Whether there is shared memory of this name. */
bool segment_exists(const char *name);

#endif
