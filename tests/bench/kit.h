/* What the benchmarks share: sides that are timed in turn on a quiet machine, teams of processes,
 * a CPython that does the same, and the table of ratios.
 *
 * A row names one operation and up to three ways to do it: libmp's, the raw one that nothing can
 * beat by much, and CPython's. In each round every side of a row runs once, in rotated order, and
 * between any two of them each CPU is probed: a round in which somebody else took time is done
 * again. What counts is the median over the rounds of the ratio within a round.
 */
#ifndef BENCH_KIT_H
#define BENCH_KIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Works for about so many seconds; gives the nanoseconds that one operation took. */
typedef double bench_side(double seconds);

struct bench_row {
    const char *name;
    bench_side *libmp;
    bench_side *raw;     /* may be NULL */
    const char *cpython; /* what cpython.py is asked for: a name and a place; may be NULL */
    double raw_goal;     /* libmp / raw is at most this; 0: no goal */
    double cpython_goal; /* CPython / libmp is at least this; 0: no goal */
};

/* Reads --quick, --rounds N, --only TEXT and --unpinned, runs the rows and prints the table.
   Gives main's status: 0, whatever the figures are. */
int bench_main(int argc, char **argv, const struct bench_row *rows, size_t count);

/* Ends the program, or the member of a team, with a message and status 1. */
_Noreturn void bench_fail(const char *file, int line, const char *what);
#define bench_check(condition) \
    ((condition) ? (void)0 : bench_fail(__FILE__, __LINE__, #condition " does not hold"))

/* ---- time and work ------------------------------------------------------------------------ */

int64_t bench_now(void); /* nanoseconds, monotonic */

/* Times one process, pinned to one CPU with its children, that does n operations again and again. */
typedef void bench_batch(uint64_t n);
double bench_alone(bench_batch *batch, double seconds);
/* The same, not pinned: where the work is that of others. */
double bench_unpinned(bench_batch *batch, double seconds);
/* The same with 8 MiB of touched private memory, which every fork has to give a second owner. */
double bench_with_heap(bench_batch *batch, double seconds);

/* Computes something new of *datum for about 60 ns: what stands in a short critical section. */
void bench_section(volatile uint64_t *datum);
void bench_section_calibrate(void);

/* Zeroed memory that later forks share. */
void *bench_map_shared(size_t size);

/* ---- teams: processes that start together and stop together ------------------------------- */

/* SPREAD pins one member after another to the next CPU, TOGETHER pins all to one. */
enum bench_place { BENCH_SPREAD, BENCH_TOGETHER };

struct bench_team;
/* A member's work until the team is over; gives the number of operations done. */
typedef uint64_t bench_body(struct bench_team *team, unsigned index);

/* The time of the whole team, divided by all operations of all members. */
double bench_together(unsigned members, enum bench_place place, bench_body *body, double seconds);

/* For members that do not depend on each other. */
bool bench_is_over(struct bench_team *team);
/* For members that meet in every turn: member 0 decides before turn i that it is the last, and the
   meeting tells the others. */
bool bench_goes_on(struct bench_team *team, unsigned index, uint64_t turn);

/* Pins the caller to the n-th of the CPUs it may use, counted round. */
void bench_pin(unsigned n);
/* --unpinned: the scheduler decides. */
void bench_place_freely(void);
bool bench_is_placed_freely(void);

/* ---- peers: programs that measure one side by themselves ----------------------------------- */

/* A peer says its name in one line, then answers each line "request pinned|free seconds" on its
   stdin by nanoseconds, until the end of its stdin. NULL: there is no such program. */
struct bench_peer;
struct bench_peer *bench_peer_open(const char *program, const char *script);
const char *bench_peer_name(const struct bench_peer *peer);
double bench_peer_ask(struct bench_peer *peer, const char *request, double seconds);
void bench_peer_close(struct bench_peer *peer);
/* Opened anew for one question, as a program's layout in memory is another one each time. */
double bench_peer_ask_once(const char *program, const char *script, const char *request,
                           double seconds);
/* The peer's part: answers until the end of stdin. */
void bench_peer_serve(const char *name, double (*answer)(const char *request, double seconds));

/* ---- for kit.c ---------------------------------------------------------------------------- */

void bench_quiet_begin(void); /* learns how fast this machine is when quiet */
bool bench_is_quiet(void);    /* a few milliseconds on every CPU this program may use */

#endif
