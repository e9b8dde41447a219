/**
 * \file
 * Small services of the library itself: its version, and its log.
 */
#ifndef MP_UTIL_H
#define MP_UTIL_H

#include "export.h"

/** How much a line of the log matters, with Python's numbers. */
typedef enum mp_log_level {
    MP_LOG_SUBDEBUG = 5,    /**< Python: util.SUBDEBUG */
    MP_LOG_DEBUG = 10,      /**< Python: logging.DEBUG */
    MP_LOG_INFO = 20,       /**< Python: logging.INFO */
    MP_LOG_SUBWARNING = 25, /**< Python: util.SUBWARNING */
    MP_LOG_WARNING = 30     /**< Python: logging.WARNING */
} mp_log_level;

/** Takes one line of the log, without a newline: "[INFO/Process-1] child process ...". */
typedef void mp_log_sink(int level, const char *line, void *arg);

MP_BEGIN_DECLS

/**
 * Write the log to stderr, what matters as much as `level` and more.
 * Python: multiprocessing.log_to_stderr(level)
 * Does not wait. 0 leaves the level as it is: MP_LOG_WARNING unless it was set. Children have the
 * same log as their parent had at the fork. Each line is one write(2) to descriptor 2.
 * Returns 0; MP_EINVAL (ValueError) for a negative level.
 *
 *     mp_log_to_stderr(MP_LOG_INFO);
 *     mp_log(MP_LOG_WARNING, "doomed"); // [WARNING/MainProcess] doomed
 */
MP_API int mp_log_to_stderr(int level);

/**
 * Give the lines of the log to a function instead, or with NULL to nobody.
 * Python: multiprocessing.get_logger().addHandler(handler); .setLevel(level)
 * `sink` is called by whichever thread has something to say, several at a time, also while the
 * library holds locks: it must not call the library, nor wait for who does. 0 as above.
 * Returns 0; MP_EINVAL (ValueError) for a negative level.
 */
MP_API int mp_log_set(int level, mp_log_sink *sink, void *arg);

/**
 * Say something in the log, as printf.
 * Python: multiprocessing.get_logger().log(level, format, ...)
 * Does not wait. A line below the level of the log is dropped, what one has beyond 4 KiB is cut.
 */
MP_API void mp_log(int level, const char *format, ...) MP_PRINTF(2, 3);

/**
 * Give the level of the log.
 * Python: multiprocessing.get_logger().getEffectiveLevel()
 * Does not wait. MP_LOG_WARNING unless it was set.
 */
MP_API int mp_log_level_now(void);

/**
 * Name the version of the library the program runs with, as "0.1.0".
 * Python: multiprocessing has none of its own
 * Never fails and never waits; the text is static. It differs from MP_VERSION_MAJOR and its
 * fellows where a program was compiled against one version and runs with another.
 * Any thread, any process, signal handlers too.
 */
MP_API const char *mp_version(void);

MP_END_DECLS

#endif
