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

#define SYSTEM_ROW(name, exception) {-name, #name, NULL, exception},
static const struct row system_rows[] = {
    SYSTEM_ROW(EPERM, "PermissionError") SYSTEM_ROW(ENOENT, "FileNotFoundError") SYSTEM_ROW(
        ESRCH, "ProcessLookupError") SYSTEM_ROW(EINTR, "InterruptedError")
        SYSTEM_ROW(EIO, "OSError") SYSTEM_ROW(E2BIG, "OSError") SYSTEM_ROW(
            EBADF, "OSError") SYSTEM_ROW(ECHILD, "ChildProcessError")
            SYSTEM_ROW(EAGAIN, "BlockingIOError") SYSTEM_ROW(ENOMEM, "MemoryError") SYSTEM_ROW(
                EACCES, "PermissionError") SYSTEM_ROW(EFAULT, "OSError") SYSTEM_ROW(EBUSY,
                                                                                    "OSError")
                SYSTEM_ROW(EEXIST, "FileExistsError") SYSTEM_ROW(ENODEV, "OSError") SYSTEM_ROW(
                    ENOTDIR, "NotADirectoryError") SYSTEM_ROW(EISDIR, "IsADirectoryError")
                    SYSTEM_ROW(EINVAL, "OSError") SYSTEM_ROW(ENFILE, "OSError") SYSTEM_ROW(
                        EMFILE, "OSError") SYSTEM_ROW(EFBIG, "OSError")
                        SYSTEM_ROW(ENOSPC, "OSError") SYSTEM_ROW(EROFS, "OSError") SYSTEM_ROW(
                            EPIPE, "BrokenPipeError") SYSTEM_ROW(EDOM, "OSError")
                            SYSTEM_ROW(ERANGE, "OSError") SYSTEM_ROW(EDEADLK, "OSError") SYSTEM_ROW(
                                ENAMETOOLONG, "OSError") SYSTEM_ROW(ENOLCK, "OSError")
                                SYSTEM_ROW(ENOSYS, "OSError") SYSTEM_ROW(
                                    ELOOP, "OSError") SYSTEM_ROW(EOVERFLOW, "OSError")
                                    SYSTEM_ROW(EILSEQ, "OSError") SYSTEM_ROW(
                                        ENOTSOCK, "OSError") SYSTEM_ROW(EMSGSIZE, "OSError")
                                        SYSTEM_ROW(EPROTO, "OSError") SYSTEM_ROW(
                                            ENOTSUP, "OSError") SYSTEM_ROW(EAFNOSUPPORT, "OSError")
                                            SYSTEM_ROW(EADDRINUSE, "OSError") SYSTEM_ROW(
                                                EADDRNOTAVAIL,
                                                "OSError") SYSTEM_ROW(ENETDOWN, "OSError")
                                                SYSTEM_ROW(ENETUNREACH, "OSError") SYSTEM_ROW(
                                                    ECONNABORTED, "ConnectionAbortedError")
                                                    SYSTEM_ROW(ECONNRESET, "ConnectionResetError")
                                                        SYSTEM_ROW(ENOBUFS, "OSError") SYSTEM_ROW(
                                                            EISCONN, "OSError")
                                                            SYSTEM_ROW(ENOTCONN, "OSError")
                                                                SYSTEM_ROW(ETIMEDOUT,
                                                                           "TimeoutError")
                                                                    SYSTEM_ROW(
                                                                        ECONNREFUSED,
                                                                        "ConnectionRefusedError")
                                                                        SYSTEM_ROW(EHOSTUNREACH,
                                                                                   "OSError")
                                                                            SYSTEM_ROW(
                                                                                EALREADY,
                                                                                "BlockingIOError")
                                                                                SYSTEM_ROW(
                                                                                    EINPROGRESS,
                                                                                    "BlockingIOErro"
                                                                                    "r")
                                                                                    SYSTEM_ROW(
                                                                                        ECANCELED,
                                                                                        "OSError")};

static _Thread_local char detail_text[512];
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

int mp_error_code(void)
{
    return 0;
}

int mp__fail(int code)
{
    detail_text[0] = '\0';
    return code;
}

int mp__failf(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(detail_text, sizeof detail_text, format, args);
    va_end(args);
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
    const char *detail = detail_text;
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s: %s%s%s%s\n", file, line, expr, mp_strerror(result),
            *detail ? " (" : "", detail, *detail ? ")" : "");
    mp__leave(1);
    return result;
}
