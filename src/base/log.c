/* The log: who takes its lines, from which level on, and how a line is made.
 *
 * How it works
 *   An output is a function and what it is called with. The last ones stand in a ring, and one word
 *   tells whose turn it is by its ticket: 0 for none, as before the log was asked for.
 *
 *       mp__log_output = 18       place 0: 16   1: 17   2: 18 <- in use   3: BUSY (19)   4: 4 ...
 *
 *   A new output takes the next ticket whose place is neither in use nor BUSY, marks the place
 *   BUSY, fills it, writes its ticket, and then the word. Who has read a place looks at the ticket
 *   once more, and reads again if it is another. There is no lock that a fork could leave held: a
 *   child forked while a thread sets an output has the one before, and one place less.
 *   A line is made on the stack of who says it, and handed over whole.
 *
 *   Globals: all of these, each process's own, copied by a fork.
 */
#include "base/base.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define PLACES 16
#define BUSY UINT_MAX
#define LINE_ROOM 4096

struct output {
    _Atomic unsigned ticket; /* 0: never used */
    _Atomic(mp_log_sink *) sink;
    _Atomic(void *) arg;
};

static struct output outputs[PLACES];
static _Atomic unsigned last_ticket;

_Atomic unsigned mp__log_output;
_Atomic int mp__log_level = MP_LOG_WARNING;

static const char *main_process(void)
{
    return "MainProcess";
}

const char *(*mp__self_name)(void) = main_process;

/* ---- outputs -------------------------------------------------------------------------------- */

static unsigned place_take(void)
{
    for (;;) {
        unsigned ticket = atomic_fetch_add(&last_ticket, 1) + 1;
        unsigned was = atomic_load(&outputs[ticket % PLACES].ticket);
        if (ticket == 0 || ticket == BUSY || was == BUSY)
            continue;
        if ((was == 0 || was != atomic_load(&mp__log_output)) &&
            atomic_compare_exchange_strong(&outputs[ticket % PLACES].ticket, &was, BUSY))
            return ticket;
    }
}

static void output_set(mp_log_sink *sink, void *arg)
{
    unsigned ticket = sink != NULL ? place_take() : 0;
    if (ticket != 0) {
        struct output *output = &outputs[ticket % PLACES];
        atomic_store(&output->sink, sink);
        atomic_store(&output->arg, arg);
        atomic_store(&output->ticket, ticket);
    }
    atomic_store(&mp__log_output, ticket);
}

/* NULL: nobody; also for who was overtaken by a whole round of the ring between two stores. */
static mp_log_sink *output_get(void **arg)
{
    unsigned ticket = atomic_load(&mp__log_output), before;
    do {
        if (ticket == 0)
            return NULL;
        before = ticket;
        struct output *output = &outputs[ticket % PLACES];
        mp_log_sink *sink = atomic_load(&output->sink);
        *arg = atomic_load(&output->arg);
        if (atomic_load(&output->ticket) == ticket)
            return sink;
        ticket = atomic_load(&mp__log_output);
    } while (ticket != before);
    return NULL;
}

int mp_log_set(int level, mp_log_sink *sink, void *arg)
{
    if (level < 0)
        return mp__fail(MP_EINVAL);
    if (level > 0)
        atomic_store(&mp__log_level, level);
    output_set(sink, arg);
    return 0;
}

static void line_to_stderr(int level, const char *line, void *arg)
{
    char text[LINE_ROOM + 1];
    size_t n = strlen(line);
    (void)level;
    (void)arg;
    memcpy(text, line, n);
    text[n] = '\n';
    while (write(STDERR_FILENO, text, n + 1) < 0 && errno == EINTR)
        ;
}

int mp_log_to_stderr(int level)
{
    return mp_log_set(level, line_to_stderr, NULL);
}

int mp_log_level_now(void)
{
    return atomic_load(&mp__log_level);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static const struct {
    int level;
    const char *name;
} level_names[] = {
    {MP_LOG_SUBDEBUG, "SUBDEBUG"},
    {MP_LOG_DEBUG, "DEBUG"},
    {MP_LOG_INFO, "INFO"},
    {MP_LOG_SUBWARNING, "SUBWARNING"},
    {MP_LOG_WARNING, "WARNING"},
    {40, "ERROR"},
    {50, "CRITICAL"},
};

static const char *level_name(int level, char room[24])
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (level_names[i].level == level)
            return level_names[i].name;
    snprintf(room, 24, "Level %d", level);
    return room;
}

static void line_make(char line[LINE_ROOM], int level, const char *format, va_list args)
{
    char room[24];
    int n = snprintf(line, LINE_ROOM, "[%s/%s] ", level_name(level, room), mp__self_name());
    if (n >= 0 && n < LINE_ROOM)
        vsnprintf(line + n, LINE_ROOM - (size_t)n, format, args);
}

void mp_log(int level, const char *format, ...)
{
    if (!mp__log_wants(level))
        return;
    int error = errno;
    void *arg;
    char line[LINE_ROOM];
    mp_log_sink *sink = output_get(&arg);
    if (sink != NULL) {
        va_list args;
        va_start(args, format);
        line_make(line, level, format, args);
        va_end(args);
        sink(level, line, arg);
    }
    errno = error;
}
