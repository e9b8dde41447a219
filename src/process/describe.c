/* Processes as Python's repr describes them. */
#include "process/process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIGNAL_ROW(name) \
    {                    \
        name, #name      \
    }
static const struct {
    int number;
    const char *name;
} signals[] = {
    SIGNAL_ROW(SIGHUP),    SIGNAL_ROW(SIGINT),    SIGNAL_ROW(SIGQUIT), SIGNAL_ROW(SIGILL),
    SIGNAL_ROW(SIGTRAP),   SIGNAL_ROW(SIGABRT),   SIGNAL_ROW(SIGBUS),  SIGNAL_ROW(SIGFPE),
    SIGNAL_ROW(SIGKILL),   SIGNAL_ROW(SIGUSR1),   SIGNAL_ROW(SIGSEGV), SIGNAL_ROW(SIGUSR2),
    SIGNAL_ROW(SIGPIPE),   SIGNAL_ROW(SIGALRM),   SIGNAL_ROW(SIGTERM), SIGNAL_ROW(SIGXCPU),
    SIGNAL_ROW(SIGXFSZ),   SIGNAL_ROW(SIGSYS),    SIGNAL_ROW(SIGCHLD), SIGNAL_ROW(SIGCONT),
    SIGNAL_ROW(SIGSTOP),   SIGNAL_ROW(SIGTSTP),   SIGNAL_ROW(SIGTTIN), SIGNAL_ROW(SIGTTOU),
    SIGNAL_ROW(SIGURG),    SIGNAL_ROW(SIGVTALRM), SIGNAL_ROW(SIGPROF),
#ifdef SIGPOLL
    SIGNAL_ROW(SIGPOLL),
#endif
#ifdef SIGPWR
    SIGNAL_ROW(SIGPWR),
#endif
#ifdef SIGSTKFLT
    SIGNAL_ROW(SIGSTKFLT),
#endif
#ifdef SIGWINCH
    SIGNAL_ROW(SIGWINCH),
#endif
};

static void exit_code_print(FILE *out, int code)
{
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (signals[i].number == -code) {
            fprintf(out, " exitcode=-%s", signals[i].name);
            return;
        }
    if (code == MP_EXIT_UNKNOWN)
        fputs(" exitcode=unknown", out);
    else
        fprintf(out, " exitcode=%d", code);
}

/* Creator 0 is nobody: Python's None. */
static void process_describe(mp_process *p, FILE *out)
{
    int code = 0;
    bool is_current = p == mp__process_current, is_mine = p->creator == getpid();
    bool ended = !is_current && is_mine && p->life != MP__CLOSED && p->life != MP__INITIAL &&
                 mp_process_exitcode(p, &code) == 1;
    fprintf(out, "<%s name=", p->type_name);
    mp__str_print(out, p->name);
    if (!is_current && p->creator != 0 && p->life != MP__CLOSED && p->life != MP__INITIAL)
        fprintf(out, " pid=%ld", (long)p->child.pid);
    if (p->creator != 0)
        fprintf(out, " parent=%ld", (long)p->creator);
    else
        fputs(" parent=None", out);
    if (is_current)
        fputs(" started", out);
    else if (p->life == MP__CLOSED)
        fputs(" closed", out);
    else if (!is_mine)
        fputs(" unknown", out);
    else if (p->life == MP__INITIAL)
        fputs(" initial", out);
    else
        fputs(ended ? " stopped" : " started", out);
    if (ended)
        exit_code_print(out, code);
    fputs(p->daemonic ? " daemon>" : ">", out);
}

/* The whole description, to be freed; NULL without memory. */
static char *process_text(mp_process *p)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL)
        return NULL;
    process_describe(p, out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static int description_check(const mp_process *p)
{
    if (p == NULL)
        return MP_EINVAL;
    return p->magic == MP__PROCESS_MAGIC ? 0 : MP_ETYPE;
}

int mp_process_repr(mp_process *p, char *buf, size_t n)
{
    int rc = description_check(p);
    if (rc != 0 || (buf == NULL && n > 0))
        return mp__fail(rc != 0 ? rc : MP_EINVAL);
    char *text = process_text(p);
    if (text == NULL)
        return mp__fail(-ENOMEM);
    int length = snprintf(buf, n, "%s", text);
    free(text);
    return length;
}

int mp_process_print(mp_process *p, FILE *stream)
{
    int rc = description_check(p);
    if (rc != 0 || stream == NULL)
        return mp__fail(rc != 0 ? rc : MP_EINVAL);
    char *text = process_text(p);
    if (text == NULL)
        return mp__fail(-ENOMEM);
    errno = 0;
    rc = fputs(text, stream) < 0 ? (errno != 0 ? -errno : -EIO) : 0;
    free(text);
    return rc != 0 ? mp__fail(rc) : 0;
}
