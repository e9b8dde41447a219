/* The log: who takes its lines, from which level on, and how a line is made.
 *
 * How it works
 *   An output is a function and what it is called with. The last ones stand in a ring, and one word
 *   says by its ticket which is in use, and in its lowest bit whether anybody listens at all.
 *
 *       mp__log_output = 18 * 2 + 1     place 0: 16   1: 17   2: 18   3: BUSY (19)   4: 4   ...
 *
 *   Who sets one draws tickets until the place of one holds an output older than that in use, marks
 *   it BUSY, fills it, writes the ticket, and raises the word to it, unless a later one is in use
 *   by then. So the word only grows, and the place it names stays as it is until the word moves on:
 *   who has read a place looks at its ticket, and at another one there reads the word again.
 *   There is no lock that a fork could leave held: a child forked while a thread sets an output has
 *   the one before, and one place less.
 *   A line is made on the stack of who says it, and handed over whole.
 *
 *   Globals: all of these, each process's own, copied by a fork.
 */
#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define PLACES 16
#define BUSY UINT64_MAX
#define LINE_ROOM 4096

struct output {
    _Atomic uint64_t ticket; /* 0: never used */
    _Atomic(mp_log_sink *) sink;
    _Atomic(void *) arg;
};

static struct output outputs[PLACES];
static _Atomic uint64_t last_ticket;

_Atomic uint64_t mp__log_output;
_Atomic int mp__log_level = MP_LOG_WARNING;

static const char *main_process(void)
{
    return "MainProcess";
}

const char *(*mp__self_name)(void) = main_process;

/* ---- outputs -------------------------------------------------------------------------------- */

static struct output *place_take(uint64_t *ticket)
{
    for (;;) {
        *ticket = atomic_fetch_add(&last_ticket, 1) + 1;
        struct output *output = &outputs[*ticket % PLACES];
        uint64_t was = atomic_load(&output->ticket);
        if ((was == 0 || was < atomic_load(&mp__log_output) / 2) &&
            atomic_compare_exchange_strong(&output->ticket, &was, BUSY))
            return output;
    }
}

static void output_use(uint64_t word)
{
    uint64_t now = atomic_load(&mp__log_output);
    while (now < word && !atomic_compare_exchange_weak(&mp__log_output, &now, word))
        ;
}

static void output_set(mp_log_sink *sink, void *arg)
{
    uint64_t ticket;
    if (sink == NULL) {
        output_use((atomic_fetch_add(&last_ticket, 1) + 1) * 2);
        return;
    }
    struct output *output = place_take(&ticket);
    atomic_store(&output->sink, sink);
    atomic_store(&output->arg, arg);
    atomic_store(&output->ticket, ticket);
    output_use(ticket * 2 + 1);
}

/* NULL: nobody. */
static mp_log_sink *output_get(void **arg)
{
    for (;;) {
        uint64_t word = atomic_load(&mp__log_output);
        if (word % 2 == 0)
            return NULL;
        struct output *output = &outputs[word / 2 % PLACES];
        mp_log_sink *sink = atomic_load(&output->sink);
        mp__step("log.reading");
        *arg = atomic_load(&output->arg);
        if (atomic_load(&output->ticket) == word / 2)
            return sink;
    }
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
