/* Kill tests of semaphores that know who holds a place. */
#ifndef TESTS_KILL_PLACES_H
#define TESTS_KILL_PLACES_H

#include "kill/harness.h"

struct places {
    const char *name;
    void (*make)(unsigned count);
    void (*end)(void);
    int (*take)(double timeout);
    int (*give)(void);
    int (*value)(void);
};

/* Of three places never more are taken than there are, none is lost, and all are back at last. */
void places_test(const struct places *which);

/* Workers that are in their places at the same time, those who may be dead left out. */
void places_prepare(void);
void places_enter(struct kill_worker *me, int most);
void places_leave(struct kill_worker *me);
void places_died(struct kill_worker *w);

#endif
