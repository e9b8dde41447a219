/* What the processes of a tree and its tracker say to each other. */
#ifndef MP__TRACKER_PROCESS_H
#define MP__TRACKER_PROCESS_H

#include "memory/tracker.h"

enum mp__tracker_command {
    MP__TRACKER_NOTE = '+',
    MP__TRACKER_IDENTIFY = '=',
    MP__TRACKER_FORGET = '-'
};

/* A message, and what the tracker knows; the name with its NUL follows. */
struct mp__tracker_note {
    struct mp__tracked_segment segment;
    uint32_t count; /* of notes with this name and tag; 0: of no further use */
    uint16_t size;  /* of the name with the NUL */
    uint8_t kind, command;
};

enum {
    MP__TRACKED_NAME_MOST = 4000,
    MP__TRACKER_MESSAGE_MOST = sizeof(struct mp__tracker_note) + MP__TRACKED_NAME_MOST + 2
};

/* Whether the name of a segment whose file is known is gone, or another's. What cannot be looked at
   is still there. */
bool mp__segment_is_gone(const char *path, const struct mp__tracked_segment *segment);

void mp__tracker_print(const char *text); /* on standard error */

/* All that the tracker does. */
void mp__tracker_run(int fd);

#endif
