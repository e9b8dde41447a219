/* Rounds and the table: runs the sides of each row in turn and prints what their ratios are. */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 101
#define ATTEMPTS_PER_ROUND 2
#define QUIET_TRIES 20

enum { LIBMP, RAW, CPYTHON, SIDES };

struct options {
    int rounds;
    double seconds; /* of each side in each round */
    const char *only;
    struct bench_peer *python;
};

/* What the rounds of one row gave; 0 where there is no such side. */
struct result {
    int rounds, attempts, disturbed;
    double time[SIDES][ROUNDS_MAX];
};

struct spread {
    double least, median, most;
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct spread spread_of(const double *values, int n)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, (size_t)n * sizeof *values);
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
    return (struct spread){sorted[0], (sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted[n - 1]};
}

static struct spread ratio_of(const struct result *result, int above, int below)
{
    double ratio[ROUNDS_MAX];
    for (int i = 0; i < result->rounds; i++)
        ratio[i] = result->time[above][i] / result->time[below][i];
    return spread_of(ratio, result->rounds);
}

/* ---- rounds -------------------------------------------------------------------------------- */

static void quiet_await(void)
{
    for (int i = 0; i < QUIET_TRIES && !bench_is_quiet(); i++)
        nanosleep(&(struct timespec){0, 50000000}, NULL);
}

static double side_run(const struct bench_row *row, int side, const struct options *options)
{
    if (side == LIBMP)
        return row->libmp(options->seconds);
    if (side == RAW)
        return row->raw != NULL ? row->raw(options->seconds) : 0;
    bool asked = row->cpython != NULL && options->python != NULL;
    return asked ? bench_peer_ask(options->python, row->cpython, options->seconds) : 0;
}

/* One round, begun with another side each time; true if nobody else was at work. */
static bool round_run(const struct bench_row *row, const struct options *options, int turn,
                      double time[SIDES])
{
    quiet_await();
    bool quiet = true;
    for (int k = 0; k < SIDES; k++) {
        int side = (turn + k) % SIDES;
        time[side] = side_run(row, side, options);
        quiet = bench_is_quiet() && quiet;
    }
    return quiet;
}

static void row_run(const struct bench_row *row, const struct options *options,
                    struct result *result)
{
    double time[SIDES];
    int most = options->rounds * ATTEMPTS_PER_ROUND;
    while (result->rounds < options->rounds) {
        bool quiet = round_run(row, options, result->attempts, time);
        int attempts_left = most - ++result->attempts;
        if (!quiet && attempts_left >= options->rounds - result->rounds)
            continue;
        result->disturbed += !quiet;
        for (int side = 0; side < SIDES; side++)
            result->time[side][result->rounds] = time[side];
        result->rounds++;
    }
}

/* ---- the table ------------------------------------------------------------------------------ */

static void time_print(double ns)
{
    if (ns == 0)
        printf(" %9s", "-");
    else if (ns < 1000)
        printf(" %6.1f ns", ns);
    else if (ns < 1e6)
        printf(" %6.2f us", ns / 1e3);
    else
        printf(" %6.2f ms", ns / 1e6);
}

static void goal_print(const char *relation, double goal, bool met)
{
    printf("  %s %gx %s", relation, goal, met ? "ok" : "MISSED");
}

static void row_print(const struct bench_row *row, const struct result *result)
{
    bool has_raw = row->raw != NULL, has_python = result->time[CPYTHON][0] > 0;
    struct spread to_raw = {0}, to_python = {0};
    printf("%-34s", row->name);
    for (int side = 0; side < SIDES; side++)
        time_print(spread_of(result->time[side], result->rounds).median);
    if (has_raw) {
        char range[32];
        to_raw = ratio_of(result, LIBMP, RAW);
        snprintf(range, sizeof range, "(%.2f-%.2f)", to_raw.least, to_raw.most);
        printf("  %5.2f %-13s", to_raw.median, range);
    } else
        printf("  %19s", "");
    if (has_python) {
        to_python = ratio_of(result, CPYTHON, LIBMP);
        printf(" %6.1f", to_python.median);
    } else
        printf(" %6s", "-");
    if (has_raw && row->raw_goal > 0)
        goal_print("raw <=", row->raw_goal, to_raw.median <= row->raw_goal);
    if (has_python && row->cpython_goal > 0)
        goal_print("CPython >=", row->cpython_goal, to_python.median >= row->cpython_goal);
    if (result->disturbed > 0)
        printf("  [%d of %d rounds disturbed]", result->disturbed, result->rounds);
    printf("\n");
    fflush(stdout);
}

static void heading_print(const struct options *options)
{
    printf("%d rounds of %g ms a side; CPUs: %ld; processes: %s; %s\n"
           "ratios are medians over the rounds (least-most)\n\n",
           options->rounds, options->seconds * 1e3, sysconf(_SC_NPROCESSORS_ONLN),
           bench_is_placed_freely() ? "placed by the scheduler" : "pinned",
           options->python != NULL ? bench_peer_name(options->python) : "no python3");
    printf("%-34s %9s %9s %9s  %-19s %6s  %s\n", "", "libmp", "raw", "CPython", "libmp/raw",
           "CPy/l", "goals");
    fflush(stdout);
}

/* ---- the command line ----------------------------------------------------------------------- */

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [--quick] [--rounds N] [--only TEXT] [--unpinned]\n", program);
    return 2;
}

static bool options_read(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--quick") == 0) {
            options->rounds = 1;
            options->seconds = 0.03;
        } else if (strcmp(argv[i], "--rounds") == 0 && has_value)
            options->rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "--only") == 0 && has_value)
            options->only = argv[++i];
        else if (strcmp(argv[i], "--unpinned") == 0)
            bench_place_freely();
        else
            return false;
    }
    return options->rounds >= 1 && options->rounds <= ROUNDS_MAX;
}

int bench_main(int argc, char **argv, const struct bench_row *rows, size_t count)
{
    struct options options = {.rounds = 7, .seconds = 0.08};
    if (!options_read(argc, argv, &options))
        return usage(argv[0]);
    options.python = bench_peer_open("python3", BENCH_CPYTHON_SCRIPT);
    bench_quiet_begin();
    heading_print(&options);
    for (size_t i = 0; i < count; i++) {
        struct result result = {0};
        if (options.only != NULL && strstr(rows[i].name, options.only) == NULL)
            continue;
        row_run(&rows[i], &options, &result);
        row_print(&rows[i], &result);
    }
    bench_peer_close(options.python);
    return 0;
}
