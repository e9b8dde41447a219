/* A table with a row for each Python of this machine, and a column for each case. */
#include "matrix.h"

#include "support/support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How it works. The cells of a row are filled one after the other, each by a child of this program;
 * its exit status says what came of it, its failed checks arrive as reports. This process itself
 * calls nothing but connections, so that every case begins with a library that has done nothing
 * yet. After a failure the Python and whatever the case left are killed. */

enum { CASE_LIMIT = 60, NOTES = 64, NOTE_SIZE = 1024 };

struct row {
    const struct matrix *matrix;
    const char *python;
    struct peer peer;
    char version[16];
    const struct matrix_case *one; /* under way */
    char (*notes)[NOTE_SIZE];
    size_t note_count;
};

static struct peer *skipping; /* in the child: whose case is under way */

void case_skip(struct peer *peer, const char *why)
{
    check(peer == skipping);
    mp_obj version = peer_ask(peer, "version", MP_NONE);
    printf("SKIPPED with Python %s: %s\n", version.s, why);
    (void)fflush(stdout);
    _exit(SUPPORT_SKIPPED);
}

static int case_child(void *arg)
{
    struct row *row = arg;
    (void)alarm(CASE_LIMIT);
    skipping = &row->peer;
    row->matrix->run(&row->peer, row->one);
    (void)fflush(stdout);
    return 0;
}

static void row_begin(struct row *row)
{
    peer_start(&row->peer, row->python, row->matrix->script);
    mp_obj version = peer_ask(&row->peer, "version", MP_NONE);
    (void)snprintf(row->version, sizeof row->version, "%s", version.s);
    mp_obj_free(&version);
}

static void row_note(struct row *row, const char *what, const char *text)
{
    if (row->note_count < NOTES)
        (void)snprintf(row->notes[row->note_count++], NOTE_SIZE, "  %s %s: %s", row->version, what,
                       text);
}

static const char *cell_fill(struct row *row)
{
    char text[NOTE_SIZE] = "";
    int status = child_wait(child_fork(case_child, row));
    if (status == 0)
        return "ok";
    if (status == SUPPORT_SKIPPED)
        return "skip";
    peer_kill(&row->peer);
    census_end_group_processes();
    if (!support_reports(text, sizeof text))
        (void)snprintf(text, sizeof text, status == -14 ? "hangs\n" : "ended with %d\n", status);
    text[strcspn(text, "\0") - 1] = '\0';
    row_note(row, row->one->name, text);
    row_begin(row);
    return "FAIL";
}

static int column_width(const struct matrix_case *one)
{
    size_t n = strlen(one->name);
    return n < 4 ? 4 : (int)n;
}

static bool is_wanted(const struct matrix *matrix, const struct matrix_case *one)
{
    return matrix->only == NULL || strcmp(matrix->only, one->name) == 0;
}

static int row_print(struct row *row)
{
    char line[1024];
    int failed = 0, used;
    double begin = clock_seconds();
    row_begin(row);
    used = snprintf(line, sizeof line, "| %-7s |", row->version);
    for (size_t i = 0; i < row->matrix->count && used < (int)sizeof line; i++) {
        row->one = &row->matrix->cases[i];
        const char *cell = is_wanted(row->matrix, row->one) ? cell_fill(row) : "";
        failed += strcmp(cell, "FAIL") == 0;
        used += snprintf(line + used, sizeof line - (size_t)used, " %-*s |", column_width(row->one),
                         cell);
    }
    if (!peer_end(&row->peer)) {
        row_note(row, "Python", "did not end well");
        failed++;
    }
    printf("%s %6.1f |\n", line, clock_seconds() - begin);
    for (size_t i = 0; i < row->note_count; i++)
        puts(row->notes[i]);
    return failed;
}

static void head_print(const struct matrix *matrix)
{
    printf("%s\n| %-7s |", matrix->title, "Python");
    for (size_t i = 0; i < matrix->count; i++)
        printf(" %-*s |", column_width(&matrix->cases[i]), matrix->cases[i].name);
    printf(" %6s |\n", "s");
}

static int matrix_print(const struct matrix *matrix, const struct pythons *pythons)
{
    static char notes[NOTES][NOTE_SIZE];
    int failed = 0;
    head_print(matrix);
    for (size_t i = 0; i < pythons->count; i++) {
        struct row row = {.matrix = matrix, .python = pythons->path[i], .notes = notes};
        failed += row_print(&row);
    }
    return failed;
}

static const struct matrix *of_program;
static struct pythons pythons;

static void test_no_cell_fails(void **state)
{
    (void)state;
    support_time_limit(280);
    check(matrix_print(of_program, &pythons) == 0);
}

int matrix_main(struct matrix *matrix, int argc, char **argv)
{
    const struct CMUnitTest tests[] = {support_test(matrix->sentence, test_no_cell_fails)};
    matrix->script = pythons_begin(&pythons, argc, argv);
    matrix->only = argc > 2 ? argv[2] : NULL;
    of_program = matrix;
    return support_run(matrix->title, tests);
}
