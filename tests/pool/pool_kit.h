/* What the tests of pools share: pools, objects and their reading. */
#ifndef TESTS_POOL_KIT_H
#define TESTS_POOL_KIT_H

#include "support/support.h"

#include <mp/object.h>
#include <mp/pool.h>

mp_pool *new_pool(int processes);

/* Closes, joins and destroys. */
void end_pool(mp_pool *pool);

/* x * x of an int. */
mp_task square;

/* The pool computes 7 * 7. */
void pool_works(mp_pool *pool);

/* What an owned object holds; the object is freed. */
int64_t take_int(mp_obj *o);

#endif
