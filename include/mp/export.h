/**
 * \file
 * What every declaration of libmp carries: linkage, visibility and format checking.
 */
#ifndef MP_EXPORT_H
#define MP_EXPORT_H

/** Open and close the declarations of a header, with C linkage under C++. */
#ifdef __cplusplus
#define MP_BEGIN_DECLS extern "C" {
#define MP_END_DECLS }
#else
#define MP_BEGIN_DECLS
#define MP_END_DECLS
#endif

/** Marks a function that the shared library offers; all others are hidden. */
#define MP_API __attribute__((visibility("default")))

/** Lets the compiler check a printf-like call: argument `a` is the format, `b` the first value. */
#define MP_PRINTF(a, b) __attribute__((format(printf, a, b)))

#endif
