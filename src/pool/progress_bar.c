/* A progress function for people at a terminal.
 *
 * Globals: when the map began that is being told of, and when it was told of last; one map at a
 * time.
 */
#include "base/base.h"
#include "platform/platform.h"

#include <mp/pool.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 30, LINE_MOST = 160 };
#define REDRAW (100 * MP__MS)

static struct {
    mp__moment began, told;
    size_t done, at_beginning;
} bar;

static void span_print(char *text, size_t size, double seconds)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, size, "%02ld:%02ld", s / 60, s % 60);
}

static void bar_draw(size_t done, size_t total, mp__moment now)
{
    char line[LINE_MOST], cells[BAR_WIDTH + 1], left[32] = "--:--";
    double seconds = (double)(now - bar.began) / 1e9;
    double rate = seconds > 0 ? (double)(done - bar.at_beginning) / seconds : 0;
    size_t full = total > 0 ? (size_t)((double)done / (double)total * BAR_WIDTH) : BAR_WIDTH;
    memset(cells, ' ', BAR_WIDTH);
    memset(cells, '#', full < BAR_WIDTH ? full : BAR_WIDTH);
    cells[BAR_WIDTH] = '\0';
    if (rate > 0)
        span_print(left, sizeof left, (double)(total - done) / rate);
    int n = snprintf(line, sizeof line, "\r[%s] %zu/%zu  %.1f/s  %s left  %s", cells, done, total,
                     rate, left, done >= total ? "\n" : "");
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line) < 0)
        return;
}

void mp_progress_bar(size_t done, size_t total, void *arg)
{
    mp__moment now = mp__now();
    (void)arg;
    if (!isatty(STDERR_FILENO))
        return;
    if (bar.began == 0 || done < bar.done) {
        bar.began = now;
        bar.told = 0;
        bar.at_beginning = done < total ? done : 0;
    }
    bar.done = done;
    if (done < total && now - bar.told < REDRAW)
        return;
    bar.told = now;
    bar_draw(done < total ? done : total, total, now);
    if (done >= total)
        bar.began = 0;
}
