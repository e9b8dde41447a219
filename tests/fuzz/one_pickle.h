/* What has to hold for any bytes that are read as a pickle. */
#ifndef TESTS_FUZZ_ONE_PICKLE_H
#define TESTS_FUZZ_ONE_PICKLE_H

#include <stdbool.h>
#include <stddef.h>

/* Reads the bytes in both ways, publicly and as a manager does; what is read must survive being
   printed, compared, copied, written and read again. Ends the program if not. True: it was an
   object. */
bool one_pickle(const void *bytes, size_t n);

#endif
