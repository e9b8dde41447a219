/* Tests the judge: right outputs of every row have to be accepted, wrong ones refused. */
#include "judge.h"

#include <stdio.h>
#include <string.h>

static int mistakes;
static struct output good; /* what a right program of the row at hand gives */
static struct output bad;  /* the same with one thing made wrong */

static void mistake_count(const char *id, const char *what, const char *why)
{
    printf("%s: %s%s%s\n", id, what, *why ? ": " : "", why);
    mistakes++;
}

static void accept_expect(const struct example *example, const struct output *output,
                          const char *what)
{
    struct verdict verdict = judge(example, output);

    if (!verdict.accepted) {
        mistake_count(example->id, what, verdict.why);
    } else if (verdict.is_late) {
        mistake_count(example->id, "late and accepted", what);
    }
}

static void refusal_check(const struct example *example, const struct output *output,
                          const char *what, bool is_late)
{
    struct verdict verdict = judge(example, output);

    if (verdict.accepted) {
        mistake_count(example->id, "accepted", what);
    } else if (verdict.is_late != is_late) {
        mistake_count(example->id, is_late ? "not called late" : "called late", what);
    }
}

static void refuse_expect(const struct example *example, const struct output *output,
                          const char *what)
{
    refusal_check(example, output, what, false);
}

static void bad_reset(void)
{
    memcpy(&bad, &good, sizeof bad);
}

static void text_append(struct output *output, const char *text, size_t len)
{
    if (len > OUTPUT_MAX - output->len) {
        mistake_count("judge", "an expected text is too long", "");
        return;
    }
    memcpy(output->text + output->len, text, len);
    output->len += len;
    output->text[output->len] = '\0';
}

/* Writes in place of the placeholder after '@' what a program might print; gives what follows. */
static const char *placeholder_render(const char *pattern, struct output *output)
{
    enum { PID, PARENT, CPUS, HEX, PORT, SHUT, WORDS };
    static const char *const words[WORDS] = {"pid", "parent", "cpus", "hex", "port", "shut"};
    static int last_pid = 4711;
    char number[32];
    size_t word = 0;

    while (word < WORDS && strncmp(pattern, words[word], strlen(words[word])) != 0) {
        word++;
    }
    if (word == WORDS) { /* a range: its lowest number */
        size_t digits = strspn(pattern, "0123456789");
        text_append(output, pattern, digits);
        pattern += digits + 1;
        return pattern + strspn(pattern, "0123456789");
    }
    long value = word == PID      ? ++last_pid
                 : word == PARENT ? (long)output->pid
                 : word == CPUS   ? cpus_online()
                 : word == PORT   ? output->place.port
                 : word == SHUT   ? output->place.shut
                                  : 2748;
    (void)snprintf(number, sizeof number, word == HEX ? "%lx" : "%ld", (unsigned long)value);
    text_append(output, number, strlen(number));
    return pattern + strlen(words[word]);
}

static void good_render(const struct example *example)
{
    const char *pattern = example->sample ? example->sample : example->expected;

    memset(&good, 0, sizeof good);
    good.ended = true;
    good.pid = 4000;
    good.place = (struct place){.port = 8080, .shut = 8081};
    good.status = example->status << 8;
    while (*pattern != '\0') {
        if (*pattern == '@') {
            pattern = placeholder_render(pattern + 1, &good);
        } else {
            text_append(&good, pattern++, 1);
        }
    }
    for (size_t i = 0; i < good.len; i++) {
        if (good.text[i] == '\n') {
            size_t turn = example->at_once ? good.lines / example->at_once : 0;
            good.stamps[good.lines++] = (double)turn * example->turn_seconds;
        }
    }
    good.seconds = example->min_seconds + 0.1;
}

static void bad_set_lines(const struct slice *lines, size_t count)
{
    bad.len = 0;
    for (size_t i = 0; i < count; i++) {
        text_append(&bad, lines[i].start, (size_t)(lines[i].end - lines[i].start));
        text_append(&bad, "\n", 1);
    }
}

static void bytes_check(const struct example *example)
{
    for (size_t i = 0; i < good.len; i++) {
        bad_reset();
        bad.text[i] = '#';
        refuse_expect(example, &bad, "a wrong byte");
        bad_reset();
        bad.len = i;
        text_append(&bad, "#", 1);
        text_append(&bad, good.text + i, good.len - i);
        refuse_expect(example, &bad, "a byte too many");
    }
    bad_reset();
    bad.text[0] = '\0';
    refuse_expect(example, &bad, "a NUL byte");
    bad_reset();
    bad.text[--bad.len] = '\0';
    refuse_expect(example, &bad, "no last newline");
    bad_reset();
    text_append(&bad, "\n", 1);
    refuse_expect(example, &bad, "a blank line at the end");
    bad_reset();
    text_append(&bad, "0", 1);
    refuse_expect(example, &bad, "a rest without newline");
    bad.len = 0;
    bad.text[0] = '\0';
    refuse_expect(example, &bad, "no output");
}

static void lines_check(const struct example *example)
{
    struct slice lines[LINES_MAX];
    struct slice wrong[LINES_MAX];
    size_t count;

    if (!lines_split(good.text, good.len, lines, &count)) {
        mistake_count(example->id, "its right output is no list of lines", "");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(wrong, lines, i * sizeof *lines);
        memcpy(wrong + i, lines + i + 1, (count - i - 1) * sizeof *lines);
        bad_reset();
        bad_set_lines(wrong, count - 1);
        refuse_expect(example, &bad, "a line too few");

        memcpy(wrong, lines, (i + 1) * sizeof *lines);
        memcpy(wrong + i + 1, lines + i, (count - i) * sizeof *lines);
        bad_reset();
        bad_set_lines(wrong, count + 1);
        refuse_expect(example, &bad, "a line twice");
    }
}

static bool slices_equal(struct slice a, struct slice b)
{
    return a.end - a.start == b.end - b.start &&
           memcmp(a.start, b.start, (size_t)(a.end - a.start)) == 0;
}

/* Neighbours changed places: wrong where the order is given, right where any order is. */
static void swaps_check(const struct example *example)
{
    struct slice lines[LINES_MAX];
    size_t count;

    (void)lines_split(good.text, good.len, lines, &count);
    for (size_t i = 0; i + 1 < count; i++) {
        struct slice moved = lines[i];
        if (slices_equal(lines[i], lines[i + 1])) {
            continue;
        }
        lines[i] = lines[i + 1];
        lines[i + 1] = moved;
        bad_reset();
        bad_set_lines(lines, count);
        if (example->rule == RULE_EXACT) {
            refuse_expect(example, &bad, "two lines swapped");
        } else if (example->orders[0].earlier == NULL) {
            accept_expect(example, &bad, "refused for the order of its lines");
        }
        lines[i + 1] = lines[i];
        lines[i] = moved;
    }
}

/* Gives the index of the first line, or of the last, that matches; `count` if none does. */
static size_t line_find(const char *pattern, const struct slice *lines, size_t count, bool last)
{
    struct slice wanted = {pattern, pattern + strlen(pattern)};

    for (size_t i = 0; i < count; i++) {
        size_t k = last ? count - 1 - i : i;
        if (line_matches(wanted, lines[k], &good)) {
            return k;
        }
    }
    return count;
}

/* Moves the first line that has to come later in front of a line that has to come before it. */
static void order_check(const struct example *example, const struct order *order)
{
    struct slice lines[LINES_MAX];
    size_t count;

    (void)lines_split(good.text, good.len, lines, &count);
    size_t from = line_find(order->later, lines, count, false);
    size_t to = line_find(order->earlier, lines, count, !order->each);
    if (from == count || to >= from) {
        mistake_count(example->id, "an order that its right output does not keep", "");
        return;
    }
    struct slice moved = lines[from];
    memmove(lines + to + 1, lines + to, (from - to) * sizeof *lines);
    lines[to] = moved;
    bad_reset();
    bad_set_lines(lines, count);
    refuse_expect(example, &bad, "a line before the one it follows");
}

static void times_check(const struct example *example)
{
    if (example->min_seconds > 0) {
        bad_reset();
        bad.seconds = example->min_seconds - 0.01;
        refuse_expect(example, &bad, "too short a time");
    }
    if (example->max_seconds > 0) {
        bad_reset();
        bad.seconds = example->max_seconds + 0.01;
        refusal_check(example, &bad, "too long a time", true);
        bad.text[0] = '#';
        refuse_expect(example, &bad, "too long a time, and a wrong byte");
    }
    for (size_t i = example->at_once; example->at_once > 0 && i < good.lines; i++) {
        bad_reset();
        bad.stamps[i] = good.stamps[i] - 0.01;
        refuse_expect(example, &bad, "a line too early");
    }
}

static void ends_check(const struct example *example)
{
    bad_reset();
    bad.ended = false;
    refuse_expect(example, &bad, "a program that does not end");
    bad_reset();
    bad.noise[0] = '\n';
    bad.noise_len = 1;
    refuse_expect(example, &bad, "a word on stderr");
    bad_reset();
    bad.status = good.status + (1 << 8);
    refuse_expect(example, &bad, "another status");
    bad.status = 9;
    refuse_expect(example, &bad, "a death");
}

/* Outputs that are right line by line: only the row's `also` can refuse them. */
static void also_check(const struct example *example)
{
    char *list;

    bad_reset();
    if (strcmp(example->id, "notebook.03") == 0) {
        *(strchr(bad.text, '\n') + 8) = '1';
        refuse_expect(example, &bad, "a turn of two workers");
        bad.text[7] = '1';
        refuse_expect(example, &bad, "nine turns and eleven");
    } else if (strcmp(example->id, "quick_guide.06") == 0) {
        list = strchr(bad.text, '-');
        list[1] = '1';
        refuse_expect(example, &bad, "a child listed twice by its name");
        bad_reset();
        list = strstr(bad.text, " pid=") + 5;
        memcpy(strstr(list, " pid=") + 5, list, 4);
        refuse_expect(example, &bad, "a child listed twice by its pid");
    } else if (strcmp(example->id, "beyond.02") == 0) {
        list = strchr(bad.text, ' ') + 1;
        memcpy(strstr(list, "process ") + 8, list, 4);
        refuse_expect(example, &bad, "a killed process that goes on");
        bad_reset();
        memset(list, '0', 4);
        list[0] = '4';
        refuse_expect(example, &bad, "the program itself killed");
    } else {
        mistake_count(example->id, "has an `also` that nothing tests", "");
    }
}

static void row_check(const struct example *example)
{
    good_render(example);
    accept_expect(example, &good, "its right output is refused");
    bytes_check(example);
    lines_check(example);
    swaps_check(example);
    for (size_t i = 0; i < ORDERS_MAX && example->orders[i].earlier; i++) {
        order_check(example, &example->orders[i]);
    }
    times_check(example);
    ends_check(example);
    if (example->also) {
        also_check(example);
    }
    if (example->scene && example->scene->self_check) {
        mistakes += example->scene->self_check();
    }
}

static void placeholder_check(const char *pattern, const char *text, bool wanted)
{
    const struct example row = {.id = pattern, .expected = pattern};

    memset(&good, 0, sizeof good);
    good.ended = true;
    good.pid = 77;
    good.place = (struct place){.port = 8080, .shut = 8081};
    text_append(&good, text, strlen(text));
    if (wanted) {
        accept_expect(&row, &good, text);
    } else {
        refuse_expect(&row, &good, text);
    }
}

static void placeholders_check(void)
{
    char cpus[32];

    placeholder_check("a @pid b\n", "a 12 b\n", true);
    placeholder_check("a @pid b\n", "a  b\n", false);
    placeholder_check("@pid\n", "0\n", false);
    placeholder_check("@pid\n", "-5\n", false);
    placeholder_check("@pid\n", "012\n", false);
    placeholder_check("@parent\n", "77\n", true);
    placeholder_check("@parent\n", "78\n", false);
    placeholder_check(":@port/ :@shut/\n", ":8080/ :8081/\n", true);
    placeholder_check(":@port/ :@shut/\n", ":8081/ :8080/\n", false);
    placeholder_check("0x@hex>\n", "0x7f063621ea10>\n", true);
    placeholder_check("0x@hex>\n", "0x>\n", false);
    placeholder_check("0x@hex>\n", "0x7fg>\n", false);
    placeholder_check("P-@9-11\n", "P-10\n", true);
    placeholder_check("P-@9-11\n", "P-8\n", false);
    placeholder_check("P-@9-11\n", "P-12\n", false);
    placeholder_check("@nothing\n", "1\n", false);
    (void)snprintf(cpus, sizeof cpus, "%ld\n", cpus_online());
    placeholder_check("@cpus\n", cpus, true);
    (void)snprintf(cpus, sizeof cpus, "%ld\n", cpus_online() + 1);
    placeholder_check("@cpus\n", cpus, false);
}

static void empty_order_check(void)
{
    const struct example row = {.id = "an order of lines that are not there",
                                .expected = "a\n",
                                .orders = {{"a", "b", false}}};

    good_render(&row);
    refuse_expect(&row, &good, "an order without lines");
}

/* What the scripts have to print, at least 0.2 s apart. */
static const struct example script_row = {.id = "a script",
                                          .expected = "first @parent\nsecond\n",
                                          .min_seconds = 0.2,
                                          .at_once = 1,
                                          .turn_seconds = 0.2};

/* Runs a real program, so that nothing is lost between a program and the judge. */
static bool script_run(const char *script, unsigned deadline_seconds)
{
    char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, bad.text, NULL};

    (void)snprintf(bad.text, sizeof bad.text, "%s", script);
    if (!program_run(argv, deadline_seconds, &good)) {
        mistake_count(script, "cannot be run", "");
        return false;
    }
    return true;
}

static void script_check(const char *script, unsigned deadline_seconds, bool wanted)
{
    if (!script_run(script, deadline_seconds)) {
        return;
    }
    if (wanted) {
        accept_expect(&script_row, &good, script);
    } else {
        refuse_expect(&script_row, &good, script);
    }
}

/* A reader that comes late takes the early line for a good one, but not each time. */
static void early_line_check(void)
{
    const char *script = "echo first $$; echo second; sleep 0.2";
    int tries = 0;

    do {
        if (!script_run(script, 10)) {
            return;
        }
    } while (judge(&script_row, &good).accepted && ++tries < 10);
    refuse_expect(&script_row, &good, script);
}

static void scripts_check(void)
{
    char *nothing[] = {(char[]){"/nonexistent/program"}, NULL};

    script_check("cat; echo first $$; sleep 0.2; echo second", 10, true);
    script_check("cat; echo first $$; (sleep 0.2; echo second) &", 10, true);
    script_check("echo first $$; sleep 0.2; echo second; exit 1", 10, false);
    script_check("echo first $$; sleep 0.2; echo second; kill -9 $$", 10, false);
    script_check("echo first $$; sleep 0.2; echo second; echo oops >&2", 10, false);
    early_line_check();
    script_check("echo first $$; sleep 0.2; echo second; exec sleep 100", 1, false);
    script_check("echo first $$; sleep 0.2; echo second; sleep 100 &", 1, false);
    script_check("yes", 1, false);
    if (!program_run(nothing, 10, &good) ||
        judge(&(struct example){.id = "none", .expected = ""}, &good).accepted) {
        mistake_count("none", "a program that does not exist is accepted", "");
    }
}

static void ids_check(char *const ids[])
{
    for (size_t i = 0; i < example_count; i++) {
        size_t k = 0;
        while (ids[k] != NULL && strcmp(ids[k], examples[i].id) != 0) {
            k++;
        }
        if (ids[k] == NULL) {
            mistake_count(examples[i].id, "a row without a registered example", "");
        }
    }
    for (size_t k = 0; ids[k] != NULL; k++) {
        if (example_find(ids[k]) == NULL) {
            mistake_count(ids[k], "a registered example without a row", "");
        }
    }
}

int judge_self_check(char *const ids[])
{
    ids_check(ids);
    for (size_t i = 0; i < example_count; i++) {
        row_check(&examples[i]);
    }
    placeholders_check();
    empty_order_check();
    scripts_check();
    printf("%zu rows, %d mistakes\n", example_count, mistakes);
    return mistakes;
}
