/* What the managed types stand on in their tests, and short ways to call them and to look. */
#ifndef TESTS_MANAGERS_HOST_H
#define TESTS_MANAGERS_HOST_H

#include "support/support.h"

#include "managers/managed.h"

/* The host of the objects that the tests make. */
struct mp__host *test_host(void);

/* Objects that stand stored and objects that are held or alive; both are 0 at the end. */
long host_kept(void);
long host_objects(void);

/* Lets so many more objects be stored, then there is no memory; negative: no limit. */
void host_keep_limit(long more);

/* A proxy of an object, to be stored or passed; mp__keep counts those. */
mp_obj host_proxy(struct mp__managed *object);

/* An object of a type, and its end. Where create refuses: NULL, and host_last tells more. */
struct mp__managed *host_create(const struct mp__type *type, mp_obj args, mp_obj kwargs);
void host_destroy(struct mp__managed *object);

/* Calls a method by its name, "__str__" and "#GETVALUE" among them; gives its code. The answer is
   encoded, as the server does it, and host_answer is what a client gets, until the next call. */
int host_call(struct mp__managed *object, const char *method, mp_obj args, mp_obj kwargs);
mp_obj host_answer(void);
struct mp__managed *host_answer_object(void);

/* slice(start, stop, step), of literals. */
#define SLICE(start, stop, step)                                                                   \
    mp__obj_opaque(                                                                                \
        (const mp_obj[]){MP("builtins"), MP("slice"), MP_TUPLE((start), (stop), (step)), MP_NONE}, \
        false)
#define RANGE(start, stop, step)                                                                   \
    mp__obj_opaque(                                                                                \
        (const mp_obj[]){MP("builtins"), MP("range"), MP_TUPLE((start), (stop), (step)), MP_NONE}, \
        false)

/* A call of a method with these arguments answers what has this repr. */
#define check_call(object, method, args, expected) \
    host_check_call((object), (method), (args), MP_NONE, (expected), __FILE__, __LINE__)
/* It is refused, with this code and text; MP_EKEY: with the repr of the key. */
#define check_refusal(object, method, args, code, text) \
    host_check_refusal((object), (method), (args), MP_NONE, (code), (text), __FILE__, __LINE__)
void host_check_call(struct mp__managed *object, const char *method, mp_obj args, mp_obj kwargs,
                     const char *expected, const char *file, int line);
void host_check_refusal(struct mp__managed *object, const char *method, mp_obj args, mp_obj kwargs,
                        int code, const char *text, const char *file, int line);

/* Creating is refused. */
#define check_no_object(type, args, kwargs, code, text) \
    host_check_no_object((type), (args), (kwargs), (code), (text), __FILE__, __LINE__)
void host_check_no_object(const struct mp__type *type, mp_obj args, mp_obj kwargs, int code,
                          const char *text, const char *file, int line);

/* Nothing stands stored any more. */
#define check_nothing_left() host_check_nothing_left(__FILE__, __LINE__)
void host_check_nothing_left(const char *file, int line);

#endif
