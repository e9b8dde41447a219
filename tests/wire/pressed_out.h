/* What the tests of listeners and managers among enemies share: honest callers, who have to make
 * room now and then. */
#ifndef MP_TEST_PRESSED_OUT_H
#define MP_TEST_PRESSED_OUT_H

#include "support/support.h"

/* Who gets no CPU for 20 ms may be pressed out, and calls in again. Sooner nobody is: the server
 * counts from when it let the caller in, which is after the call began. Gives what the last call
 * gave, and adds to `again` how many there were before it. */
static inline int call_until_served(int (*call_in)(void *out), void *out, int pressed_out,
                                    int *again)
{
    enum { CALLS = 200 };
    for (int calls = 1;; calls++) {
        double start = clock_seconds();
        int rc = call_in(out);
        if (rc != pressed_out || calls == CALLS)
            return rc;
        check(clock_seconds() - start >= 0.02);
        (*again)++;
    }
}

#endif
