/* What tasks call to give a result or to fail, and the text they fail with.
 *
 * Globals: the text, one for each thread, as a task may have threads of its own.
 */
#include "workers/board.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char task_text[401];
static _Thread_local bool text_is_set;

void mp__task_text_clear(void)
{
    text_is_set = false;
}

const char *mp__task_text(void)
{
    return text_is_set ? task_text : "";
}

/* A task that said nothing, and returned one of libmp's codes, most likely passed it on. */
void mp__task_text_name(int code)
{
    if (text_is_set || code >= 0)
        return;
    const char *detail = mp_error_detail();
    snprintf(task_text, sizeof task_text, "%s: %s%s%s%s", mp_error_name(code), mp_strerror(code),
             *detail ? " (" : "", detail, *detail ? ")" : "");
    text_is_set = true;
}

int mp_task_return(mp_obj *result, mp_obj value)
{
    mp_obj copy;
    if (result == NULL)
        return mp__fail(MP_EINVAL);
    int rc = mp_obj_copy(value, &copy);
    if (rc != 0)
        return rc;
    if (result->owned)
        mp_obj_free(result);
    *result = copy;
    return 0;
}

int mp_task_fail(int code, const char *format, ...)
{
    va_list args;
    task_text[0] = '\0';
    if (format != NULL) {
        va_start(args, format);
        vsnprintf(task_text, sizeof task_text, format, args);
        va_end(args);
    }
    text_is_set = true;
    return code != 0 ? code : MP_EINVAL;
}
