/* What a table of keys has in common with other collections: the operations of a set. */
#ifndef MP__SET_ALGEBRA_H
#define MP__SET_ALGEBRA_H

#include "managers/table.h"

/* The others are the arguments of the call: anything that has items. */
enum mp__set_op {
    MP__SET_UNION,
    MP__SET_INTERSECTION,
    MP__SET_DIFFERENCE,
    MP__SET_SYMMETRIC_DIFFERENCE,  /* one other */
    MP__SET_DIFFERENCE_FROM_OTHER, /* what the one other has more */
};

/* Answers a new set. Code, reported: MP_ETYPE for what has no items or for one that Python cannot
   hash. So below. */
int mp__set_answer(struct mp__table *table, struct mp__call *call, enum mp__set_op op,
                   mp_type type);

/* Does it to the table itself, if all others can be read. */
int mp__set_change(struct mp__table *table, struct mp__call *call, enum mp__set_op op);

enum mp__set_relation {
    MP__SET_SUBSET,
    MP__SET_SUPERSET,
    MP__SET_PROPER_SUBSET,
    MP__SET_PROPER_SUPERSET,
    MP__SET_DISJOINT,
};

/* Answers a bool about the table and one other. */
int mp__set_relate(struct mp__table *table, struct mp__call *call, enum mp__set_relation relation);

#endif
