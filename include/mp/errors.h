/**
 * \file
 * The error codes, what they are called in Python, and what is known of the last failure.
 *
 * A function that can fail returns an int: zero or more is success, negative an error. libmp's
 * own codes lie below -4096; what the system refuses comes as -errno (-ENOMEM, -EAGAIN, ...).
 *
 *     int result = mp_lock_acquire(lock, 0.5);
 *     if (result == MP_ETIMEOUT)
 *         puts("still busy");
 *     else if (result < 0)
 *         fprintf(stderr, "%s: %s\n", mp_strerror(result), mp_error_detail());
 */
#ifndef MP_ERRORS_H
#define MP_ERRORS_H

#include "export.h"

/*
 * Every code of libmp in the order of its value, from -4999 upwards: X(name, text, exception).
 * The code is MP_ and the name, the text is mp_strerror's, the exception is Python's nearest.
 * Use `name` with # and ## only: most of these names are macros of <errno.h> as well.
 */
#define MP_ERRORS_(X)                                                                  \
    X(EEMPTY, "nothing arrived in time", "queue.Empty")                                \
    X(EFULL, "no room became free in time", "queue.Full")                              \
    X(ETIMEOUT, "the wait ran out", "TimeoutError")                                    \
    X(EDEADLINE, "the task ran past its time limit and was killed", "TimeoutError")    \
    X(EEOF, "the other end is closed", "EOFError")                                     \
    X(ECLOSED, "the object was closed or destroyed", "ValueError")                     \
    X(EINVAL, "an argument has no valid value", "ValueError")                          \
    X(ETYPE, "the object or value is of another type", "TypeError")                    \
    X(EKEY, "no such key", "KeyError")                                                 \
    X(EINDEX, "the index lies outside the sequence", "IndexError")                     \
    X(EATTR, "no such attribute", "AttributeError")                                    \
    X(EOVERFLOW, "the number or size is too large", "OverflowError")                   \
    X(ESTATE, "the object is not in a state for this call", "AssertionError")          \
    X(EBROKEN, "the barrier is broken", "BrokenBarrierError")                          \
    X(EAUTH, "the other side does not know the key", "AuthenticationError")            \
    X(ETOOSHORT, "the buffer is too small for the message", "BufferTooShort")          \
    X(EPICKLE, "these bytes or this object cannot be pickled safely", "PicklingError") \
    X(EREMOTE, "the manager's side failed", "RemoteError")                             \
    X(ETASK, "the task reported a failure", "Exception")                               \
    X(ECANCELLED, "the task was cancelled before it ran", "CancelledError")            \
    X(EDIED, "the process that was at work on this ended", "BrokenProcessPool")        \
    X(EBROKENPOOL, "the pool cannot go on", "BrokenProcessPool")                       \
    X(ENOSLOT, "more processes are alive than libmp can follow", "OSError")

#define MP_ERROR_ENUM_(name, text, exception) MP_##name,

/** The codes, MP_EEMPTY (-4999) to MP_ENOSLOT (-4977), and the one answer that is a success. */
enum mp_error {
    MP_ERROR_FIRST_ = -5000,
    MP_ERRORS_(MP_ERROR_ENUM_)
    /** Acquired, but the last holder ended while holding: check the data that it guarded. */
    MP_RECOVERED = 1
};

MP_BEGIN_DECLS

/**
 * Describe a result in words.
 * Python: str(exception)
 * Knows libmp's codes, every -errno, 0 and MP_RECOVERED; says so when it knows nothing of the
 * number. Never NULL. Does not wait, and leaves mp_error_detail as it is.
 * The text is the library's, and stays valid until this thread asks again.
 */
MP_API const char *mp_strerror(int result);

/**
 * Give the name a result has in C: "MP_EEMPTY", "ENOMEM".
 * Python: errno.errorcode[number]
 * 0 is "OK", a number without a name "UNKNOWN". As mp_strerror in all else.
 */
MP_API const char *mp_error_name(int result);

/**
 * Give the name of the exception Python raises where libmp returns this: "queue.Empty".
 * Python: type(exception).__name__
 * A -errno gives "OSError", or the name Python has for that errno ("BrokenPipeError"), -ENOMEM
 * "MemoryError". A success gives "". As mp_strerror in all else.
 */
MP_API const char *mp_error_exception(int result);

/**
 * Tell more about the last failure of this thread: who, which item, which signal.
 * Python: the arguments of the exception
 * Every failing call of libmp replaces the text, by "" if it has nothing to say; a success leaves
 * it. Never NULL, does not wait. The text is the library's, valid until the next failure here.
 * Each thread has its own. A forked child begins with that of the thread that forked.
 */
MP_API const char *mp_error_detail(void);

/**
 * Give the number that a failing task itself chose, after MP_ETASK.
 * Python: the exception's own attributes
 * 0 if the last failure of this thread was none of a task's. Does not wait. Threads and fork as
 * with mp_error_detail.
 */
MP_API int mp_error_code(void);

/* What MP_CHECK and the guards call: yields `result`, or ends the program if it is negative. */
MP_API int mp_check_(int result, const char *file, int line, const char *expr);

MP_END_DECLS

/**
 * Go on only if a call succeeded.
 * Python: an exception that nobody catches
 * Evaluates `expr` once and yields it. If it is negative, prints file, line, `expr`, the text and
 * the detail of the error on stderr and ends the process with status 1: the main one as exit does,
 * a child as if its target had returned 1, so that atexit handlers of the parent never run there.
 * Whatever thread it happens in, the whole process ends; locks it held are told to the next as
 * MP_RECOVERED.
 */
#define MP_CHECK(expr) mp_check_((expr), __FILE__, __LINE__, #expr)

#endif
