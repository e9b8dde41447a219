/* Error codes: their names, texts and Python exceptions, and the last failure of each thread.
 *
 * How it works
 *   The library's own codes come from the one table in <mp/errors.h>; what the system refuses is
 *   -errno, named by the table below. A failing public call writes its text into the thread's
 *   buffer by mp__fail or mp__failf; success leaves the buffer alone. Nothing here is shared
 *   between processes: a forked child starts with a copy of the forking thread's last failure.
 */
#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
    int code;
    const char *name, *text, *exception;
};

#define OWN_ROW(name, text, exception) {MP_##name, "MP_" #name, text, exception},
static const struct row own_rows[] = {MP_ERRORS_(OWN_ROW)};

/* What POSIX names, each number once; other numbers have a text only. */
#define SYSTEM_ERRORS(X)                      \
    X(E2BIG, "OSError")                       \
    X(EACCES, "PermissionError")              \
    X(EADDRINUSE, "OSError")                  \
    X(EADDRNOTAVAIL, "OSError")               \
    X(EAFNOSUPPORT, "OSError")                \
    X(EAGAIN, "BlockingIOError")              \
    X(EALREADY, "BlockingIOError")            \
    X(EBADF, "OSError")                       \
    X(EBADMSG, "OSError")                     \
    X(EBUSY, "OSError")                       \
    X(ECANCELED, "OSError")                   \
    X(ECHILD, "ChildProcessError")            \
    X(ECONNABORTED, "ConnectionAbortedError") \
    X(ECONNREFUSED, "ConnectionRefusedError") \
    X(ECONNRESET, "ConnectionResetError")     \
    X(EDEADLK, "OSError")                     \
    X(EDESTADDRREQ, "OSError")                \
    X(EDOM, "OSError")                        \
    X(EDQUOT, "OSError")                      \
    X(EEXIST, "FileExistsError")              \
    X(EFAULT, "OSError")                      \
    X(EFBIG, "OSError")                       \
    X(EHOSTUNREACH, "OSError")                \
    X(EIDRM, "OSError")                       \
    X(EILSEQ, "OSError")                      \
    X(EINPROGRESS, "BlockingIOError")         \
    X(EINTR, "InterruptedError")              \
    X(EINVAL, "OSError")                      \
    X(EIO, "OSError")                         \
    X(EISCONN, "OSError")                     \
    X(EISDIR, "IsADirectoryError")            \
    X(ELOOP, "OSError")                       \
    X(EMFILE, "OSError")                      \
    X(EMLINK, "OSError")                      \
    X(EMSGSIZE, "OSError")                    \
    X(ENAMETOOLONG, "OSError")                \
    X(ENETDOWN, "OSError")                    \
    X(ENETRESET, "OSError")                   \
    X(ENETUNREACH, "OSError")                 \
    X(ENFILE, "OSError")                      \
    X(ENOBUFS, "OSError")                     \
    X(ENODEV, "OSError")                      \
    X(ENOENT, "FileNotFoundError")            \
    X(ENOEXEC, "OSError")                     \
    X(ENOLCK, "OSError")                      \
    X(ENOMEM, "MemoryError")                  \
    X(ENOMSG, "OSError")                      \
    X(ENOPROTOOPT, "OSError")                 \
    X(ENOSPC, "OSError")                      \
    X(ENOSYS, "OSError")                      \
    X(ENOTCONN, "OSError")                    \
    X(ENOTDIR, "NotADirectoryError")          \
    X(ENOTEMPTY, "OSError")                   \
    X(ENOTSOCK, "OSError")                    \
    X(ENOTSUP, "OSError")                     \
    X(ENOTTY, "OSError")                      \
    X(ENXIO, "OSError")                       \
    X(EOVERFLOW, "OSError")                   \
    X(EPERM, "PermissionError")               \
    X(EPIPE, "BrokenPipeError")               \
    X(EPROTO, "OSError")                      \
    X(EPROTONOSUPPORT, "OSError")             \
    X(EPROTOTYPE, "OSError")                  \
    X(ERANGE, "OSError")                      \
    X(EROFS, "OSError")                       \
    X(ESHUTDOWN, "BrokenPipeError")           \
    X(ESPIPE, "OSError")                      \
    X(ESRCH, "ProcessLookupError")            \
    X(ESTALE, "OSError")                      \
    X(ETIMEDOUT, "TimeoutError")              \
    X(ETXTBSY, "OSError")                     \
    X(EXDEV, "OSError")

#define SYSTEM_ROW(name, exception) {-(name), #name, NULL, exception},
static const struct row system_rows[] = {SYSTEM_ERRORS(SYSTEM_ROW)};

static _Thread_local char detail_text[512];
static _Thread_local int detail_code; /* of the failure that the text is about */
static _Thread_local int task_code;   /* what the task itself gave, if it was one that failed */
static _Thread_local char system_text[128];

static const struct row *row_find(const struct row *rows, size_t n, int code)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].code == code)
            return &rows[i];
    return NULL;
}

static const struct row *row_of(int code)
{
    const struct row *row = row_find(own_rows, sizeof own_rows / sizeof own_rows[0], code);
    if (row == NULL)
        row = row_find(system_rows, sizeof system_rows / sizeof system_rows[0], code);
    return row;
}

const char *mp_strerror(int code)
{
    if (code == MP_RECOVERED)
        return "acquired, but the last holder died holding it";
    if (code >= 0)
        return "success";
    const struct row *row = row_of(code);
    if (row != NULL && row->text != NULL)
        return row->text;
    if (code < -4095 || strerror_r(-code, system_text, sizeof system_text) != 0)
        snprintf(system_text, sizeof system_text, "unknown error %d", code);
    return system_text;
}

const char *mp_error_name(int code)
{
    if (code == MP_RECOVERED)
        return "MP_RECOVERED";
    if (code >= 0)
        return "OK";
    const struct row *row = row_of(code);
    return row != NULL ? row->name : "UNKNOWN";
}

const char *mp_error_exception(int code)
{
    if (code >= 0)
        return "";
    const struct row *row = row_of(code);
    if (row != NULL)
        return row->exception;
    return code < -4095 ? "Exception" : "OSError";
}

const char *mp_error_detail(void)
{
    return detail_text;
}

const char *mp__detail_of(int code)
{
    return detail_code == code ? detail_text : "";
}

int mp_error_code(void)
{
    return task_code;
}

void mp__fail_own_code(int own_code)
{
    task_code = own_code;
}

int(mp__fail)(int code)
{
    detail_text[0] = '\0';
    detail_code = code;
    task_code = 0;
    return code;
}

int(mp__failf)(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(detail_text, sizeof detail_text, format, args);
    va_end(args);
    detail_code = code;
    task_code = 0;
    return code;
}

static void leave_by_exit(int status)
{
    exit(status);
}

void (*mp__leave)(int status) = leave_by_exit;

int mp_check_(int result, const char *file, int line, const char *expr)
{
    if (result >= 0)
        return result;
    const char *detail = mp__detail_of(result);
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s: %s%s%s%s\n", file, line, expr, mp_strerror(result),
            *detail ? " (" : "", detail, *detail ? ")" : "");
    mp__leave(1);
    return result;
}
