/**
 * \file
 * Small services of the library itself.
 */
#ifndef MP_UTIL_H
#define MP_UTIL_H

#include "export.h"

MP_BEGIN_DECLS

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
