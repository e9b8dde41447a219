/* What an example program may print, and the judge that compares a run with it.
 *
 * How it works. Every example has one row in the table. A row's `expected` is a list of lines, each
 * ended by a newline; within a line a placeholder stands for what differs from run to run:
 *
 *   @pid      a process id                        @parent   the pid of the program itself
 *   @cpus     what getconf _NPROCESSORS_ONLN says  @hex      hexadecimal digits
 *   @port     a port at which a test's server answers
 *   @shut     a port at which nobody does
 *   @0-4      a number from 0 to 4
 *
 * `rule` says whether the lines have to come in this order (RULE_EXACT) or in any order
 * (RULE_LINES); `orders` then asks for some of that order back. `also` is for what neither can say.
 * Whatever the row, a program has to end by itself with the row's status and leave stderr empty.
 *
 * A row with a `scene` runs in an empty directory of its own, in what the scene has put there; its
 * `arguments` may hold @port and @shut.
 */
#ifndef LIBMP_TESTS_EXAMPLES_JUDGE_H
#define LIBMP_TESTS_EXAMPLES_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define OUTPUT_MAX 65536
#define LINES_MAX 512
#define ORDERS_MAX 8
#define ARGUMENTS_MAX 8
#define EXIT_SKIPPED 77

/* What a scene has made that has a number. */
struct place {
    long port;
    long shut;
};

/* What one run of a program gave. Both texts are followed by a NUL that `len` does not count. */
struct output {
    char text[OUTPUT_MAX + 1];
    size_t len;
    char noise[OUTPUT_MAX + 1]; /* stderr */
    size_t noise_len;
    double stamps[LINES_MAX]; /* seconds from the start until each line of stdout was there */
    size_t lines;
    double seconds; /* until the program and all that held its stdout had ended */
    bool ended;     /* by itself, before the deadline */
    int status;     /* as waitpid gives it */
    pid_t pid;
    struct place place;
};

enum rule { RULE_EXACT, RULE_LINES };

/* Every line that matches `earlier` comes before the first that matches `later`; with `each`, only
   the first before the first, the second before the second, and so on. */
struct order {
    const char *earlier;
    const char *later;
    bool each;
};

/* What stands around a run of a program; each function may be NULL. */
struct scene {
    bool (*begin)(struct place *); /* in the directory, before the run */
    const char *(*inspect)(void); /* there, after a run that was accepted: what is wrong, or NULL */
    void (*end)(void);
    int (*self_check)(void); /* tests `inspect`; returns how often it was wrong */
};

struct example {
    const char *id; /* folder.number */
    const char *arguments[ARGUMENTS_MAX + 1];
    const struct scene *scene;
    int status; /* the exit status it has to end with */
    enum rule rule;
    const char *expected;
    struct order orders[ORDERS_MAX]; /* up to the first without a text */
    bool (*also)(const struct output *);
    const char *also_means; /* what `also` asks for, to be printed when it says no */
    const char *sample;     /* a right output, where `expected` in its own order is none */
    double min_seconds;
    double max_seconds; /* 0: no limit */
    size_t at_once;     /* so many lines are printed in each turn of turn_seconds; 0: not asked */
    double turn_seconds;
    int runs;      /* how often the program is run, 0 for once */
    bool may_skip; /* it may end with EXIT_SKIPPED where what it needs is not there */
};

struct verdict {
    bool accepted;
    bool is_late; /* refused for its time alone, which the machine may have taken */
    char why[256];
};

struct slice {
    const char *start;
    const char *end;
};

extern const struct scene scene_web;
extern const struct scene scene_picture;
extern const struct scene scene_words;
extern const struct example examples[];
extern const size_t example_count;

const struct example *example_find(const char *id);

/* Cuts `len` bytes into lines without their newlines; false if there are more than LINES_MAX of
   them or the last one has no newline. */
bool lines_split(const char *text, size_t len, struct slice *lines, size_t *count);
bool line_matches(struct slice pattern, struct slice line, const struct output *);
long cpus_online(void);

struct verdict judge(const struct example *, const struct output *);

/* Runs argv[0] with its stdin on /dev/null; kills it and its process group at the deadline. False
   if it could not even be tried. */
bool program_run(char *const argv[], unsigned deadline_seconds, struct output *);

/* Feeds the judge right and wrong outputs of every row; returns how many it judged wrongly. The ids
   are those of the registered examples: they and the rows have to be the same. */
int judge_self_check(char *const ids[]);

#endif
