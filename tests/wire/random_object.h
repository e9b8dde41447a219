/* Random objects: every type, every size class of pickle's opcodes, valid for every protocol. */
#ifndef TESTS_WIRE_RANDOM_OBJECT_H
#define TESTS_WIRE_RANDOM_OBJECT_H

#include "support/support.h"

#include <mp/object.h>

struct random_object;

/* A tree of up to `depth` levels of containers, made of literals. */
struct random_object *random_object_make(struct rng *rng, unsigned depth);
mp_obj random_object_get(const struct random_object *random);
void random_object_free(struct random_object *random);

#endif
