/* Judges what a run of an example gave against the example's row in the table. */
#include "judge.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

__attribute__((format(printf, 1, 2))) static struct verdict refuse(const char *format, ...)
{
    struct verdict verdict = {.accepted = false};
    va_list args;

    va_start(args, format);
    (void)vsnprintf(verdict.why, sizeof verdict.why, format, args);
    va_end(args);
    return verdict;
}

static struct verdict accept(void)
{
    return (struct verdict){.accepted = true};
}

static int slice_width(struct slice s)
{
    return (int)(s.end - s.start);
}

static struct slice slice_of(const char *text)
{
    return (struct slice){text, text + strlen(text)};
}

const struct example *example_find(const char *id)
{
    for (size_t i = 0; i < example_count; i++) {
        if (strcmp(examples[i].id, id) == 0) {
            return &examples[i];
        }
    }
    return NULL;
}

bool lines_split(const char *text, size_t len, struct slice *lines, size_t *count)
{
    const char *end = text + len;

    *count = 0;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        if (newline == NULL || *count == LINES_MAX) {
            return false;
        }
        lines[(*count)++] = (struct slice){text, newline};
        text = newline + 1;
    }
    return true;
}

long cpus_online(void)
{
    long count = -1;
    FILE *answer = popen("getconf _NPROCESSORS_ONLN", "r");

    if (answer == NULL) {
        return -1;
    }
    if (fscanf(answer, "%ld", &count) != 1) {
        count = -1;
    }
    return pclose(answer) == 0 ? count : -1;
}

/* Takes a decimal number without sign or leading zeros off the front of `text`. */
static bool number_take(struct slice *text, long *number)
{
    const char *start = text->start;

    *number = 0;
    while (text->start < text->end && isdigit((unsigned char)*text->start)) {
        if (text->start - start == 9) {
            return false;
        }
        *number = *number * 10 + (*text->start - '0');
        text->start++;
    }
    return text->start > start && (*start != '0' || text->start == start + 1);
}

static bool word_take(struct slice *pattern, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(pattern->end - pattern->start) < length ||
        memcmp(pattern->start, word, length) != 0) {
        return false;
    }
    pattern->start += length;
    return true;
}

static bool hex_take(struct slice *line)
{
    const char *start = line->start;

    while (line->start < line->end && isxdigit((unsigned char)*line->start)) {
        line->start++;
    }
    return line->start > start;
}

/* Matches one placeholder, whose '@' is already taken, with the front of `line`. */
static bool placeholder_matches(struct slice *pattern, struct slice *line,
                                const struct output *output)
{
    long number;
    long low;
    long high;

    if (word_take(pattern, "hex")) {
        return hex_take(line);
    }
    if (!number_take(line, &number)) {
        return false;
    }
    if (word_take(pattern, "pid")) {
        return number > 0;
    }
    if (word_take(pattern, "parent")) {
        return number == (long)output->pid;
    }
    if (word_take(pattern, "cpus")) {
        return number == cpus_online();
    }
    if (word_take(pattern, "port")) {
        return number == output->place.port;
    }
    if (word_take(pattern, "shut")) {
        return number == output->place.shut;
    }
    return number_take(pattern, &low) && word_take(pattern, "-") && number_take(pattern, &high) &&
           low <= number && number <= high;
}

bool line_matches(struct slice pattern, struct slice line, const struct output *output)
{
    while (pattern.start < pattern.end) {
        if (*pattern.start == '@') {
            pattern.start++;
            if (!placeholder_matches(&pattern, &line, output)) {
                return false;
            }
        } else if (line.start < line.end && *line.start == *pattern.start) {
            pattern.start++;
            line.start++;
        } else {
            return false;
        }
    }
    return line.start == line.end;
}

static struct verdict exact_judge(const struct slice *want, size_t want_count,
                                  const struct slice *lines, size_t count,
                                  const struct output *output)
{
    for (size_t i = 0; i < want_count && i < count; i++) {
        if (!line_matches(want[i], lines[i], output)) {
            return refuse("line %zu is not `%.*s`", i + 1, slice_width(want[i]), want[i].start);
        }
    }
    if (want_count != count) {
        return refuse("%zu lines instead of %zu", count, want_count);
    }
    return accept();
}

/* Takes the first free match: two patterns of a row that match the same line have to be equal. */
static struct verdict lines_judge(const struct slice *want, size_t want_count,
                                  const struct slice *lines, size_t count,
                                  const struct output *output)
{
    bool used[LINES_MAX] = {false};

    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < want_count && (used[k] || !line_matches(want[k], lines[i], output))) {
            k++;
        }
        if (k == want_count) {
            return refuse("line %zu was not expected, or not so often: `%.*s`", i + 1,
                          slice_width(lines[i]), lines[i].start);
        }
        used[k] = true;
    }
    for (size_t k = 0; k < want_count; k++) {
        if (!used[k]) {
            return refuse("no line `%.*s`", slice_width(want[k]), want[k].start);
        }
    }
    return accept();
}

static struct verdict order_judge(const struct order *order, const struct slice *lines,
                                  size_t count, const struct output *output)
{
    size_t earlier = 0;
    size_t later = 0;

    for (size_t i = 0; i < count; i++) {
        bool is_earlier = line_matches(slice_of(order->earlier), lines[i], output);
        bool is_later = line_matches(slice_of(order->later), lines[i], output);

        earlier += is_earlier;
        later += is_later;
        if (order->each ? later > earlier : is_earlier && later > 0) {
            return refuse("a line `%s` comes before a line `%s`", order->later, order->earlier);
        }
    }
    if (earlier == 0 || later == 0) {
        return refuse("nothing to order by `%s` and `%s`", order->earlier, order->later);
    }
    return accept();
}

static struct verdict text_judge(const struct example *example, const struct output *output)
{
    struct slice want[LINES_MAX];
    struct slice lines[LINES_MAX];
    size_t want_count;
    size_t count;
    struct verdict verdict;

    if (!lines_split(example->expected, strlen(example->expected), want, &want_count)) {
        return refuse("the expected text of %s is no list of lines", example->id);
    }
    if (!lines_split(output->text, output->len, lines, &count)) {
        return refuse("the last line has no newline, or there are more than %d lines", LINES_MAX);
    }
    verdict = example->rule == RULE_EXACT ? exact_judge(want, want_count, lines, count, output)
                                          : lines_judge(want, want_count, lines, count, output);
    for (size_t i = 0; verdict.accepted && i < ORDERS_MAX && example->orders[i].earlier; i++) {
        verdict = order_judge(&example->orders[i], lines, count, output);
    }
    if (verdict.accepted && example->also && !example->also(output)) {
        return refuse("not so: %s", example->also_means);
    }
    return verdict;
}

static struct verdict time_judge(const struct example *example, const struct output *output)
{
    if (output->seconds < example->min_seconds) {
        return refuse("took %.3f s, less than %.3f", output->seconds, example->min_seconds);
    }
    if (example->max_seconds > 0 && output->seconds > example->max_seconds) {
        struct verdict verdict =
            refuse("took %.3f s, more than %.3f", output->seconds, example->max_seconds);
        verdict.is_late = true;
        return verdict;
    }
    /* A late reader only ever adds to a stamp, so a loaded machine cannot make this fail. */
    for (size_t i = 0; example->at_once > 0 && i < output->lines; i++) {
        double earliest = (double)(i / example->at_once) * example->turn_seconds;
        if (output->stamps[i] < earliest) {
            return refuse("line %zu after %.3f s: more than %zu at once", i + 1, output->stamps[i],
                          example->at_once);
        }
    }
    return accept();
}

struct verdict judge(const struct example *example, const struct output *output)
{
    struct verdict verdict;

    if (!output->ended) {
        return refuse("did not end by itself, or printed without an end");
    }
    if (WIFSIGNALED(output->status)) {
        return refuse("killed by signal %d", WTERMSIG(output->status));
    }
    if (!WIFEXITED(output->status) || WEXITSTATUS(output->status) != example->status) {
        return refuse("exit status %d", WEXITSTATUS(output->status));
    }
    if (output->noise_len > 0) {
        return refuse("stderr is not empty");
    }
    verdict = text_judge(example, output);
    return verdict.accepted ? time_judge(example, output) : verdict;
}
