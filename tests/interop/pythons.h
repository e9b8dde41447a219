/* The Pythons of this machine, for programs that compare libmp with each of them. */
#ifndef TESTS_INTEROP_PYTHONS_H
#define TESTS_INTEROP_PYTHONS_H

#include <stddef.h>

enum { PYTHONS_MOST = 32, PYTHON_PATH = 512 };

struct pythons {
    size_t count;
    char path[PYTHONS_MOST][PYTHON_PATH];
};

/* What the programs begin with: finds python3, every python3.N of $PATH and of ~/.pyenv/versions,
 * each version from 3.8 on once, and gives the script, which is the first argument. Ends the
 * program where there is none of the two, as skipped for want of a Python. */
const char *pythons_begin(struct pythons *pythons, int argc, char **argv);

/* Runs a command made of shell-quoted words; the exit status, or -1. */
int python_run(const char *python, const char *const *args);

#endif
