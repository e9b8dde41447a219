/* What comes of work that is ready: objects, codes, and the texts of failures.
 *
 * How it works
 *   A list's item has a cell, an array's a byte and perhaps a failure. An EMPTY cell of a task that
 *   is done was cancelled; what belongs to a task that will not be done has the crew's last code.
 */
#include "workers/crew.h"

#include "wire/wire.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static bool is_done(struct mp__task *task)
{
    return mp__task_state(atomic_load(&task->word)) == MP__TASK_DONE;
}

static struct mp__task *task_next(struct mp__work *work, const struct mp__task *task)
{
    uint32_t index = task == NULL ? work->lead : task->sibling;
    return index != 0 ? mp__task_at(work->crew->board, index) : NULL;
}

static struct mp__task *task_of(struct mp__work *work, size_t item)
{
    struct mp__task *task = task_next(work, NULL);
    while (item >= (size_t)task->first + task->count)
        task = task_next(work, task);
    return task;
}

/* ---- texts ---------------------------------------------------------------------------------- */

static const struct {
    int number;
    const char *name;
} signal_names[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGKILL, "SIGKILL"}, {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"},
    {SIGFPE, "SIGFPE"},   {SIGILL, "SIGILL"},   {SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"},
    {SIGHUP, "SIGHUP"},   {SIGQUIT, "SIGQUIT"}, {SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"},
    {SIGUSR1, "SIGUSR1"}, {SIGUSR2, "SIGUSR2"}, {SIGTRAP, "SIGTRAP"}, {SIGSYS, "SIGSYS"},
    {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"},
};

static void end_print(char text[64], int end)
{
    if (end == MP_EXIT_UNKNOWN) {
        strcpy(text, "ended");
        return;
    }
    if (end >= 0) {
        snprintf(text, 64, "exited with status %d", end);
        return;
    }
    snprintf(text, 64, "killed by signal %d", -end);
    for (size_t i = 0; i < sizeof signal_names / sizeof signal_names[0]; i++)
        if (signal_names[i].number == -end)
            snprintf(text, 64, "killed by %s", signal_names[i].name);
}

static int lost_report(int code, size_t item, long pid, int end)
{
    char text[64];
    if (code == MP_EDEADLINE)
        return mp__failf(code, "worker %ld killed: item %zu ran longer than its task_timeout", pid,
                         item);
    end_print(text, end);
    return mp__failf(code, "worker %ld %s while running item %zu", pid, text, item);
}

static int failed_report(int code, int own_code, const char *text)
{
    mp__failf(code, "%s", text);
    if (code == MP_ETASK)
        mp__fail_own_code(own_code);
    return code;
}

int mp__crew_report_over(struct mp__crew *crew)
{
    int code = crew->over_code;
    if (code == MP_EBROKENPOOL)
        return mp__failf(code, "%s", crew->board->reason);
    if (code == MP_EDIED)
        return mp__failf(code, "the supervisor died");
    return mp__fail(code);
}

/* Of an item that nobody began. */
static int never_report(struct mp__work *work, int code)
{
    if (atomic_load(&work->crew->over) && code == work->crew->over_code)
        return mp__crew_report_over(work->crew);
    return mp__fail(code);
}

/* ---- one item ------------------------------------------------------------------------------- */

static int empty_code(struct mp__work *work, struct mp__task *task)
{
    if (is_done(task))
        return MP_ECANCELLED;
    return atomic_load(&work->crew->over) ? work->crew->over_code : MP_ETIMEOUT;
}

static int cell_code(struct mp__work *work, struct mp__task *task, size_t i)
{
    const struct mp__cell *cell = &work->job->results[i];
    uint32_t form = mp__cell_form(cell);
    if (form == MP__EMPTY || (!is_done(task) && !atomic_load(&work->crew->over)))
        return empty_code(work, task);
    return form == MP__FAILED || form == MP__LOST ? cell->code : 0;
}

static int byte_code(struct mp__work *work, struct mp__task *task, size_t i)
{
    static const int codes[] = {[MP__WELL] = 0,
                                [MP__WENT_WRONG] = MP_ETASK,
                                [MP__WAS_LOST] = MP_EDIED,
                                [MP__WAS_LATE] = MP_EDEADLINE};
    if (!is_done(task) && i - task->first >= atomic_load(&task->from))
        return empty_code(work, task);
    return codes[work->job->status[i]];
}

static int item_code(struct mp__work *work, struct mp__task *task, size_t i)
{
    return work->job->task != NULL ? cell_code(work, task, i) : byte_code(work, task, i);
}

static int cell_report(struct mp__work *work, size_t i, int code)
{
    const struct mp__cell *cell = &work->job->results[i];
    if (code == MP_ETIMEOUT)
        return mp__fail(code);
    switch (mp__cell_form(cell)) {
    case MP__EMPTY:
        return never_report(work, code);
    case MP__LOST:
        return lost_report(code, i, (long)cell->a, (int)(int64_t)cell->b);
    default:
        return failed_report(code, (int)(uint32_t)cell->a,
                             cell->b != 0 ? mp__piece_body((uint32_t)cell->b) : "");
    }
}

/* The failure of an array's item in a list that runs from the last item to the first; moves on
   from `*ref`. */
static const struct mp__failure *failure_find(uint32_t *ref, size_t item)
{
    while (*ref != 0) {
        const struct mp__failure *failure = mp__piece_at(*ref);
        if (failure->item <= item)
            return failure->item == item ? failure : NULL;
        *ref = failure->next;
    }
    return NULL;
}

static int byte_report(struct mp__work *work, size_t i, int code, const struct mp__failure *failure)
{
    if (work->job->status[i] == MP__WELL)
        return never_report(work, code);
    if (failure == NULL)
        return mp__fail(code); /* there was no memory for more */
    if (code == MP_ETASK)
        return failed_report(code, failure->own_code, failure->text);
    return lost_report(code, i, failure->pid, failure->end);
}

static int item_report(struct mp__work *work, struct mp__task *task, size_t i, int code)
{
    uint32_t failures = atomic_load(&task->failures);
    if (work->job->task != NULL)
        return cell_report(work, i, code);
    return byte_report(work, i, code, failure_find(&failures, i));
}

int mp__work_code(struct mp__work *work, size_t i)
{
    return item_code(work, task_of(work, i), i);
}

int mp__work_result(struct mp__work *work, size_t i, mp_obj *out)
{
    struct mp__task *task = task_of(work, i);
    int code = item_code(work, task, i);
    if (code != 0)
        return item_report(work, task, i, code);
    if (out == NULL)
        return 0;
    int rc = mp__cell_read(&work->job->results[i], out);
    return rc != 0 ? mp__fail(rc) : 0;
}

/* ---- all items ------------------------------------------------------------------------------ */

static bool task_went_well(struct mp__work *work, struct mp__task *task)
{
    const unsigned char *status = work->job->status + task->first;
    unsigned char any = 0;
    if (!is_done(task))
        return false;
    for (uint32_t k = 0; k < task->count; k++)
        any |= status[k];
    return any == 0;
}

int mp__work_survey(struct mp__work *work, int *status)
{
    struct mp__task *failed_task = NULL;
    size_t failed = 0;
    int failed_code = 0;
    for (struct mp__task *task = task_next(work, NULL); task != NULL;
         task = task_next(work, task)) {
        if (work->job->task == NULL && task_went_well(work, task)) {
            if (status != NULL)
                memset(status + task->first, 0, task->count * sizeof *status);
            continue;
        }
        for (size_t i = task->first; i < (size_t)task->first + task->count; i++) {
            int code = item_code(work, task, i);
            if (status != NULL)
                status[i] = code;
            if (code != 0 && failed_task == NULL) {
                failed_task = task;
                failed = i;
                failed_code = code;
            }
        }
    }
    return failed_task != NULL ? item_report(work, failed_task, failed, failed_code) : 0;
}

/* (code, text) of the failure that was reported last. */
int mp__error_make(int code, mp_obj *out)
{
    char text[512];
    snprintf(text, sizeof text, "%s", mp_error_detail());
    int own = code == MP_ETASK ? mp_error_code() : code;
    mp_obj pair[2] = {mp_obj_int(own), mp_obj_str(*text != '\0' ? text : mp_strerror(code))};
    return mp_obj_copy(mp_obj_tuple(pair, 2), out);
}

static int task_errors(struct mp__work *work, struct mp__task *task, mp_obj *errors)
{
    uint32_t failures = atomic_load(&task->failures);
    int rc = 0;
    for (size_t i = (size_t)task->first + task->count; i-- > task->first && rc == 0;) {
        int code = item_code(work, task, i);
        if (code == 0)
            continue;
        if (work->job->task != NULL)
            cell_report(work, i, code);
        else
            byte_report(work, i, code, failure_find(&failures, i));
        rc = mp__error_make(code, &errors[i]);
    }
    return rc;
}

int mp__work_errors(struct mp__work *work, mp_obj *errors)
{
    int rc = 0;
    for (struct mp__task *task = task_next(work, NULL); task != NULL && rc == 0;
         task = task_next(work, task))
        rc = task_errors(work, task, errors);
    return rc;
}

mp_obj *mp__objects_make(size_t n)
{
    mp_obj *objects = calloc(n + 1, sizeof *objects);
    for (size_t i = 0; objects != NULL && i < n; i++)
        objects[i] = mp_obj_none();
    return objects;
}

void mp__objects_free(mp_obj *objects, size_t n)
{
    for (size_t i = 0; objects != NULL && i < n; i++)
        if (objects[i].owned)
            mp_obj_free(&objects[i]);
    free(objects);
}

int mp__objects_list(const mp_obj *objects, size_t n, mp_obj *out)
{
    mp_obj *views = mp__objects_make(n);
    if (views == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        views[i] = mp_obj_view(objects[i]);
    int rc = mp_obj_copy(mp_obj_list(views, n), out);
    free(views);
    return rc;
}

/* The results of those that went well, going by a survey. */
static int results_read(struct mp__work *work, const int *codes, mp_obj *objects)
{
    int rc = 0;
    for (size_t i = 0; i < work->job->items && rc == 0; i++)
        if (codes[i] == 0)
            rc = mp__cell_read(&work->job->results[i], &objects[i]);
    return rc;
}

static int results_list(struct mp__work *work, const int *codes, mp_obj *out)
{
    size_t n = work->job->items;
    mp_obj *objects = mp__objects_make(n);
    int rc = objects != NULL ? results_read(work, codes, objects) : -ENOMEM;
    if (rc == 0)
        rc = mp__objects_list(objects, n, out);
    mp__objects_free(objects, n);
    return rc;
}

static int errors_list(struct mp__work *work, mp_obj *out)
{
    size_t n = work->job->items;
    mp_obj *objects = mp__objects_make(n);
    int rc = objects != NULL ? mp__work_errors(work, objects) : -ENOMEM;
    if (rc == 0)
        rc = mp__objects_list(objects, n, out);
    mp__objects_free(objects, n);
    return rc;
}

/* Codes are looked at once, as some items may end meanwhile. */
static int lists_make(struct mp__work *work, int *codes, mp_obj *results, mp_obj *errors)
{
    int rc = 0;
    mp_obj list = mp_obj_none();
    mp__work_survey(work, codes);
    if (results != NULL)
        rc = results_list(work, codes, &list);
    if (rc == 0 && errors != NULL)
        rc = errors_list(work, errors);
    if (rc != 0) {
        mp_obj_free(&list);
        return mp__fail(rc);
    }
    if (results != NULL)
        *results = list;
    return 0;
}

static int first_report(struct mp__work *work, const int *codes)
{
    for (size_t i = 0; i < work->job->items; i++)
        if (codes[i] != 0)
            return item_report(work, task_of(work, i), i, codes[i]);
    return 0;
}

int mp__work_results(struct mp__work *work, mp_obj *results, int *status, mp_obj *errors,
                     int *first)
{
    int *codes = status;
    if (codes == NULL)
        codes = calloc(work->job->items, sizeof *codes);
    if (codes == NULL)
        return mp__fail(-ENOMEM);
    int rc = lists_make(work, codes, results, errors);
    if (rc == 0)
        *first = first_report(work, codes);
    if (codes != status)
        free(codes);
    return rc;
}
