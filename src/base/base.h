/* What every layer stands on: error results with their text, time spans, and the test hooks. */
#ifndef MP__BASE_H
#define MP__BASE_H

#include <mp/errors.h>
#include <mp/util.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Records a failure of a public call for mp_error_detail() and returns `code`. The function that
   decides that a public call fails calls one of the two; internal functions whose failure a
   caller may swallow return bare codes. */
int mp__fail(int code);
int mp__failf(int code, const char *format, ...) MP_PRINTF(2, 3);
#ifdef __clang_analyzer__ /* it sees one file at a time: so it knows what they return */
#define mp__fail(code) ((void)mp__fail(code), (code))
#define mp__failf(code, ...) ((void)mp__failf(code, __VA_ARGS__), (code))
#endif
/* The text of this thread's last failure, if that had this code, else "". */
const char *mp__detail_of(int code);
/* After one of the two: what mp_error_code() is to say of this failure. */
void mp__fail_own_code(int own_code);

/* What this process is called in texts; the process layer knows better than "MainProcess". */
extern const char *(*mp__self_name)(void);

/* Says something in the log, as mp_log. Where nobody listens it costs one relaxed load, and the
   arguments are not evaluated; the line may be written while the caller holds locks. */
#define mp__log(level, ...) (mp__log_wants(level) ? mp_log(level, __VA_ARGS__) : (void)0)
extern _Atomic uint64_t mp__log_output; /* even: nobody listens */
extern _Atomic int mp__log_level;

/* Relaxed: a line may come a little too late or too early, but is whole. */
static inline bool mp__log_wants(int level)
{
    return atomic_load_explicit(&mp__log_output, memory_order_relaxed) % 2 != 0 &&
           level >= atomic_load_explicit(&mp__log_level, memory_order_relaxed);
}

/* How mp_check_ ends the program: exit(status) unless a layer above knows better. */
extern void (*mp__leave)(int status);

/* A moment of the monotonic clock in nanoseconds. Two values are no moments: 0 lies in the past
   (try once), MP__NEVER does not come. */
typedef int64_t mp__moment;
#define MP__NEVER INT64_MAX
#define MP__MS ((int64_t)1000000)
#define MP__SECOND ((int64_t)1000000000)

/* Turns the public form of a timeout into nanoseconds, MP__NEVER for infinity. MP_EINVAL: NaN. */
int mp__span_of(double seconds, int64_t *span);

bool mp__size_mul(size_t a, size_t b, size_t *product);
bool mp__size_add(size_t a, size_t b, size_t *sum);

/* Python's repr of a float: the fewest digits that read back as the same number. */
void mp__float_repr(double x, char text[40]);
/* Python's repr of a str and of bytes; a byte of a str that is no UTF-8 is printed as Python shows
   it in a file name, \udc80 to \udcff. */
void mp__str_print(FILE *out, const char *text);
void mp__strn_print(FILE *out, const char *text, size_t n);
void mp__bytes_print(FILE *out, const char *p, size_t n);
bool mp__is_printable(uint32_t point);

/* UTF-8 that may hold surrogates. next gives the size of the first character, 0 if there is none;
   put the size of what it wrote. */
size_t mp__utf8_next(const char *text, size_t n, uint32_t *point);
size_t mp__utf8_put(uint32_t point, char out[4]);
bool mp__utf8_is_valid(const char *text, size_t n);
size_t mp__ascii_span(const char *text, size_t n); /* bytes below 0x80 that it begins with */

/* Marked steps: between any two stores to shared memory the kill tests can stop a process here.
   Compiled into the test twin of the library only. */
#ifdef MP_STEPS
extern void (*mp__step_hook)(const char *name);
void mp__step(const char *name);
#else
#define mp__step(name) ((void)0)
#endif

#endif
