/* The tracker: a small process that removes what a tree of processes named and left behind. */
#ifndef MP__TRACKER_H
#define MP__TRACKER_H

#include "base/base.h"

enum mp__tracked {
    MP__TRACKED_FILE = 'f',    /* unlink: an absolute path */
    MP__TRACKED_FOLDER = 'd',  /* rmdir, after all files */
    MP__TRACKED_SEGMENT = 'm', /* shm_unlink: a name without the slash */
};

/* Notes a name that is about to exist; it is removed when all processes of the tree have ended,
   unless it was forgotten before. Starts the tracker if there is none. A code, not reported:
   -ENAMETOOLONG for more than 4000 bytes; -EMFILE, -EAGAIN, ...: no tracker, nothing is noted. */
int mp__tracker_note(enum mp__tracked kind, const char *name);
/* Starts the tracker if there is none, so that children will share this one. */
void mp__tracker_ensure(void);
/* As often as it was noted, or what was removed since and made by another is removed. By any
   process of the tree; in one that did not note the name, a tracker that was killed is not told
   again. */
void mp__tracker_forget(enum mp__tracked kind, const char *name);

/* The same for a segment whose maker can be told from others that have the name at other times: by
   the tag, which only the note and its forgetting share. Once there is a segment the tracker is
   told its file, and then removes no other in its place. */
struct mp__tracked_segment {
    uint64_t tag;           /* not 0; random, so that no two notes of a tree share it */
    uint64_t device, inode; /* 0: there is none yet */
};
int mp__tracker_note_segment(const char *name, const struct mp__tracked_segment *segment);
void mp__tracker_identify_segment(const char *name, const struct mp__tracked_segment *segment);
void mp__tracker_forget_segment(const char *name, const struct mp__tracked_segment *segment);

#endif
