/* What the container types share: their arguments, their answers, and how an iteration begins. */
#ifndef MP__CONTAINERS_H
#define MP__CONTAINERS_H

#include "managers/table.h"

/* mp__call_expects of a method that takes no keywords. */
int mp__call_plain(const struct mp__call *call, size_t least, size_t most);

/* Whether each keyword is one of these, which are the arguments by position too, and is not given
   twice. MP_ETYPE, reported. */
int mp__call_keywords(const struct mp__call *call, const char *const *names, size_t n);
/* The same, and whether there are no more than these, and the first `least` of them. */
int mp__call_takes(const struct mp__call *call, const char *const *names, size_t least, size_t n);

/* Code, reported: a str with the repr; one with what was written to a memory stream, which ends;
   room for n objects in `scratch`, NULL if there is none. */
int mp__answer_repr(struct mp__call *call, mp_obj o);
int mp__answer_stream(struct mp__call *call, FILE *out, char **text);
mp_obj *mp__answer_room(struct mp__call *call, size_t n);

/* Answers an instance of a class of multiprocessing.managers, with its attributes; the room is for
   four objects. */
void mp__answer_instance(struct mp__call *call, mp_obj *room, const char *class, mp_obj state);

/* Answers what Python's reversed(...) comes as: an iterator over a list. `room` was given for at
   least MP__ITER_ROOM objects, the n items behind those. */
enum { MP__ITER_ROOM = 5 };
void mp__answer_iter(struct mp__call *call, mp_obj *room, size_t n);

/* '|', '<=': the operator does not know the type on its other side. MP_ETYPE, reported. */
int mp__unsupported(const char *op, const char *left, const char *right);

/* Answers a new object of mp__type_iterator that walks the keys of a container; what the method of
   result_type "Iterator" calls. */
int mp__answer_keys(struct mp__managed *container, struct mp__call *call, struct mp__table *table,
                    const char *changed);

#endif
