/* What tasks call to give a result or to fail, and the text they fail with.
 *
 * Globals: the text and the item it is about, one for each thread, as a task may have threads of
 * its own; where a worker's record tells the item at work.
 */
#include "workers/board.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char task_text[401];
static _Thread_local uint64_t text_item; /* 0: there is no text */
static const _Atomic uint64_t *item_at_work;

static uint64_t item_now(void)
{
    return item_at_work != NULL ? atomic_load(item_at_work) : 1;
}

void mp__task_text_clear(const _Atomic uint64_t *item)
{
    item_at_work = item;
    text_item = 0;
}

const char *mp__task_text(void)
{
    return text_item == item_now() ? task_text : "";
}

/* A task that said nothing, and returned one of libmp's codes, most likely passed it on. */
void mp__task_text_name(int code)
{
    if (text_item == item_now() || code >= 0)
        return;
    const char *detail = mp__detail_of(code);
    snprintf(task_text, sizeof task_text, "%s: %s%s%s%s", mp_error_name(code), mp_strerror(code),
             *detail ? " (" : "", detail, *detail ? ")" : "");
    text_item = item_now();
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
    text_item = item_now();
    return code != 0 ? code : MP_EINVAL;
}
