/* Codes as the exceptions that Python's clients expect, and exceptions as codes. */
#include "managers/server.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const struct {
    int code;
    const char *module, *name;
} known[] = {
    /* the first of a code is the one that is sent */
    {MP_EKEY, "builtins", "KeyError"},
    {MP_EINDEX, "builtins", "IndexError"},
    {MP_EINVAL, "builtins", "ValueError"},
    {MP_ETYPE, "builtins", "TypeError"},
    {MP_EATTR, "builtins", "AttributeError"},
    {MP_ESTATE, "builtins", "RuntimeError"},
    {MP_ESTATE, "builtins", "AssertionError"}, /* the second: of a registered type */
    {MP_EOVERFLOW, "builtins", "OverflowError"},
    {MP_EEMPTY, "queue", "Empty"},
    {MP_EEMPTY, "_queue", "Empty"},
    {MP_EFULL, "queue", "Full"},
    {MP_EFULL, "_queue", "Full"},
    {MP_ECLOSED, "queue", "ShutDown"},
    {MP_EBROKEN, "threading", "BrokenBarrierError"},
    {MP_EEOF, "builtins", "EOFError"},
    {MP_EEOF, "builtins", "StopIteration"}, /* the second: that of __next__ */
    {MP_ETIMEOUT, "multiprocessing.context", "TimeoutError"},
    {MP_ETIMEOUT, "builtins", "TimeoutError"},
    {MP_EDEADLINE, "multiprocessing.context", "TimeoutError"},
    {MP_EAUTH, "multiprocessing.context", "AuthenticationError"},
    {MP_ETOOSHORT, "multiprocessing.context", "BufferTooShort"},
    {MP_EPICKLE, "_pickle", "PicklingError"},
    {MP_EPICKLE, "_pickle", "UnpicklingError"},
    {MP_EPICKLE, "pickle", "PicklingError"},
    {MP_ECANCELLED, "concurrent.futures._base", "CancelledError"},
    {MP_EDIED, "concurrent.futures.process", "BrokenProcessPool"},
    {MP_EBROKENPOOL, "concurrent.futures.process", "BrokenProcessPool"},
    {-ENOMEM, "builtins", "MemoryError"},
    {-EPIPE, "builtins", "BrokenPipeError"},
    {-ENOENT, "builtins", "FileNotFoundError"},
    {-EEXIST, "builtins", "FileExistsError"},
    {-EACCES, "builtins", "PermissionError"},
    {-ECONNREFUSED, "builtins", "ConnectionRefusedError"},
    {-ECONNRESET, "builtins", "ConnectionResetError"},
    {-EAGAIN, "builtins", "BlockingIOError"},
};

enum { KNOWN = sizeof known / sizeof known[0] };

static bool is_errno(int code)
{
    return code < 0 && code > -4096;
}

/* Where in the list the exception of a code is. */
static size_t place_of(int code, enum mp__called called)
{
    size_t i = 0;
    if (code == MP_ECLOSED && called != MP__CALLED_QUEUE)
        code = MP_EINVAL; /* ValueError, as of a file that is closed */
    while (i < KNOWN && known[i].code != code)
        i++;
    bool second = (code == MP_EEOF && called == MP__CALLED_NEXT) ||
                  (code == MP_ESTATE && called == MP__CALLED_REGISTERED);
    return i + second;
}

mp_obj mp__exception_of(struct mp__exception *exception, int code, const mp_obj *value,
                        enum mp__called called)
{
    size_t i = place_of(code, called), n = 1;
    bool found = i < KNOWN;
    const char *name = found ? known[i].name : is_errno(code) ? "OSError" : "Exception";
    exception->args[0] = mp_obj_view(*value);
    if (is_errno(code) && code != -ENOMEM) {
        exception->args[0] = mp_obj_int(-code);
        exception->args[1] = mp_obj_str(mp_strerror(code));
        n = 2;
    } else if (value->type == MP_TYPE_STR && value->len == 0 && code != MP_EKEY) {
        n = 0;
    }
    exception->items[MP__OPAQUE_MODULE] = mp_obj_str(found ? known[i].module : "builtins");
    exception->items[MP__OPAQUE_NAME] = mp_obj_str(name);
    exception->items[MP__OPAQUE_ARGS] = mp_obj_tuple(exception->args, n);
    exception->items[MP__OPAQUE_STATE] = mp_obj_none();
    return mp__obj_opaque(exception->items, false);
}

/* OSError and the classes below it. */
static bool is_system_error(const mp_obj *items)
{
    static const char *const names[] = {"OSError",
                                        "IOError",
                                        "BlockingIOError",
                                        "BrokenPipeError",
                                        "ChildProcessError",
                                        "ConnectionError",
                                        "ConnectionAbortedError",
                                        "ConnectionRefusedError",
                                        "ConnectionResetError",
                                        "FileExistsError",
                                        "FileNotFoundError",
                                        "InterruptedError",
                                        "IsADirectoryError",
                                        "NotADirectoryError",
                                        "PermissionError",
                                        "ProcessLookupError",
                                        "TimeoutError"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (mp__obj_is_str(&items[MP__OPAQUE_NAME], names[i]))
            return mp__obj_is_str(&items[MP__OPAQUE_MODULE], "builtins");
    return false;
}

int mp__exception_code(const mp_obj *exception)
{
    const mp_obj *items = exception->items, *args = &items[MP__OPAQUE_ARGS];
    const mp_obj *first = args->type == MP_TYPE_TUPLE && args->len >= 2 ? &args->items[0] : NULL;
    bool has_number =
        first != NULL && first->type == MP_TYPE_INT && first->i > 0 && first->i < 4096;
    size_t i = 0;
    while (i < KNOWN && !(mp__obj_is_str(&items[MP__OPAQUE_MODULE], known[i].module) &&
                          mp__obj_is_str(&items[MP__OPAQUE_NAME], known[i].name)))
        i++;
    if (has_number && is_system_error(items))
        return -(int)first->i;
    return i < KNOWN ? known[i].code : MP_EREMOTE;
}
