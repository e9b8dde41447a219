/* How fast objects become pickles and pickles objects, beside CPython's C pickle. */
#include "kit.h"

#include <mp/object.h>

#include <stdlib.h>
#include <string.h>

enum { INTS = 100000, STRINGS = 10000 };

/* An object, and its pickle. */
struct subject {
    mp_obj o;
    void *bytes;
    size_t n;
};

static struct subject ints, strings, one;

static void subject_begin(struct subject *subject, mp_obj o)
{
    subject->o = o;
    MP_CHECK(mp_obj_dumps(o, 4, &subject->bytes, &subject->n));
}

static mp_obj make_ints(void)
{
    mp_obj *items = calloc(INTS, sizeof *items);
    bench_check(items != NULL);
    for (int i = 0; i < INTS; i++)
        items[i] = MP(i);
    return mp_obj_list(items, INTS);
}

static mp_obj make_strings(void)
{
    mp_obj *items = calloc(2 * STRINGS, sizeof *items);
    bench_check(items != NULL);
    for (int i = 0; i < STRINGS; i++) {
        MP_CHECK(mp_obj_format(&items[2 * i], "key-%d", i));
        MP_CHECK(mp_obj_format(&items[2 * i + 1], "value number %d", i));
    }
    return mp_obj_dict(items, STRINGS);
}

static void dumps(const struct subject *subject, uint64_t n)
{
    while (n-- > 0) {
        void *bytes;
        size_t size;
        MP_CHECK(mp_obj_dumps(subject->o, 4, &bytes, &size));
        free(bytes);
    }
}

static void loads(const struct subject *subject, uint64_t n)
{
    while (n-- > 0) {
        mp_obj o;
        MP_CHECK(mp_obj_loads(&o, subject->bytes, subject->n));
        mp_obj_free(&o);
    }
}

#define SIDES(subject)                                      \
    static void subject##_dumps_batch(uint64_t n)           \
    {                                                       \
        dumps(&subject, n);                                 \
    }                                                       \
    static void subject##_loads_batch(uint64_t n)           \
    {                                                       \
        loads(&subject, n);                                 \
    }                                                       \
    static double subject##_dumps(double seconds)           \
    {                                                       \
        return bench_alone(subject##_dumps_batch, seconds); \
    }                                                       \
    static double subject##_loads(double seconds)           \
    {                                                       \
        return bench_alone(subject##_loads_batch, seconds); \
    }

SIDES(ints)
SIDES(strings)
SIDES(one)

int main(int argc, char **argv)
{
    static const struct bench_row rows[] = {
        {"dumps of a list of 100,000 ints", ints_dumps, NULL, "pickle_dumps_ints", 0, 1.0},
        {"loads of a list of 100,000 ints", ints_loads, NULL, "pickle_loads_ints", 0, 1.0},
        {"dumps of a dict of 10,000 strs", strings_dumps, NULL, "pickle_dumps_strings", 0, 1.0},
        {"loads of a dict of 10,000 strs", strings_loads, NULL, "pickle_loads_strings", 0, 1.0},
        {"dumps of one int", one_dumps, NULL, "pickle_dumps_one", 0, 0},
        {"loads of one int", one_loads, NULL, "pickle_loads_one", 0, 0},
    };
    subject_begin(&ints, make_ints());
    subject_begin(&strings, make_strings());
    subject_begin(&one, MP(7));
    return bench_main(argc, argv, rows, sizeof rows / sizeof rows[0]);
}
