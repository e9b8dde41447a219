/* A table with a row for each Python of this machine, and a column for each case.
 *
 * A case runs in a forked child of its own, which may use check() and its kin, beside a Python that
 * does what it is asked for. One that fails spoils its own cell: what it left is killed, and the
 * next one gets a new Python. */
#ifndef TESTS_INTEROP_MATRIX_H
#define TESTS_INTEROP_MATRIX_H

#include "python_peer.h"
#include "pythons.h"

struct matrix_case {
    const char *name; /* of the column */
    /* What is done, any of them: cases of Python's side by their names, in one manager; something
       with that manager; something with managers of its own. */
    const char *python;
    void (*with_manager)(struct peer *peer, mp_manager *manager);
    void (*alone)(struct peer *peer);
};

struct matrix {
    const char *sentence, *title;
    const char *script, *only; /* from the arguments: NULL, or the one column to fill */
    void (*run)(struct peer *peer, const struct matrix_case *one);
    const struct matrix_case *cases;
    size_t count;
};

/* The main of a program with one matrix, whose arguments are the script and maybe one column.
 * Prints the rows, and what failed or was skipped below each. */
int matrix_main(struct matrix *matrix, int argc, char **argv);

/* Leaves a case that cannot run here, loudly. */
_Noreturn void case_skip(struct peer *peer, const char *why);

#endif
