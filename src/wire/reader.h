/* The machine that reads pickles; for the files pickle_*.c only.
 *
 * How it works
 *   The bytes are a program for a stack machine. While it runs, a value is an mp_obj in which a
 *   container is the number of a vessel (in `len`) and a text points into the bytes that are read,
 *   or, where it had to be decoded, is an offset into `side` (then reserved[0] is 1). A vessel
 *   knows its items as a run of `cells`; it grows in place at the end of the cells, else by moving
 *   there. So a value that the memo gives out twice is a few bytes twice, and a container that is
 *   filled after it was put somewhere is filled everywhere.
 *   At STOP, pickle_build.c walks the vessels that the result reaches, each once, and makes one
 *   block of them. Every list here grows by doubling, by at most one entry per byte read.
 */
#ifndef MP__READER_H
#define MP__READER_H

#include "wire/objects.h"

/* A container in the making. `count` includes both halves of a dict's pairs. */
struct mp__vessel {
    uint32_t first, count; /* its run of cells */
    uint32_t room;         /* of the run */
    uint32_t place;        /* of its items in the result */
    uint32_t next;         /* the one to be built after it */
    uint16_t height;       /* levels of containers within */
    uint8_t type, is_new;
    uint8_t state;
    uint64_t weight; /* of a copy that shares nothing, in bytes */
};

enum { MP__VESSEL_UNSEEN, MP__VESSEL_OPEN, MP__VESSEL_DONE };

/* A list that grows out of its first place, inside the reader, into the heap. */
struct mp__pile {
    void *entries;
    size_t used, room;
};

enum { MP__FEW = 16 };

struct mp__reader {
    const uint8_t *start, *p, *end;
    unsigned flags;
    bool shares_cells;                  /* two vessels may have a cell in common */
    const uint8_t *text_from, *text_to; /* all texts that were not decoded lie between */
    struct mp__pile stack, marks, cells, vessels, memo, side;
    mp_obj few_stack[MP__FEW], few_cells[MP__FEW];
    struct mp__vessel few_vessels[MP__FEW / 2];
    size_t few_marks[MP__FEW / 2];
};

/* Pickles that no writer makes. */
#define mp__broken(...) mp__failf(MP_EPICKLE, __VA_ARGS__)

void mp__reader_begin(struct mp__reader *r, const void *buf, size_t n, unsigned flags);
void mp__reader_end(struct mp__reader *r);

/* Makes room for `more` entries beyond `used`. */
int mp__pile_reserve(struct mp__reader *r, struct mp__pile *pile, size_t more, size_t size);

static inline struct mp__vessel *mp__vessel_at(struct mp__reader *r, const mp_obj *o)
{
    return (struct mp__vessel *)r->vessels.entries + o->len;
}
static inline mp_obj *mp__cells_of(struct mp__reader *r, const struct mp__vessel *vessel)
{
    return (mp_obj *)r->cells.entries + vessel->first;
}

/* ---- for the operations: all give 0 or the code the whole read ends with ------------------ */

/* The next n bytes, or the bytes up to the newline, which is skipped. */
int mp__reader_take(struct mp__reader *r, size_t n, const uint8_t **bytes);
int mp__reader_line(struct mp__reader *r, const uint8_t **line, size_t *n);

static inline int mp__reader_push(struct mp__reader *r, mp_obj o)
{
    int rc = 0;
    if (r->stack.used == r->stack.room)
        rc = mp__pile_reserve(r, &r->stack, 1, sizeof(mp_obj));
    if (rc == 0)
        ((mp_obj *)r->stack.entries)[r->stack.used++] = o;
    return rc;
}
/* Takes n values off the stack, down to the last mark at most; they stay readable there. */
int mp__reader_pop(struct mp__reader *r, size_t n, mp_obj **values);
/* Takes off the last mark, and what is above it. */
int mp__reader_pop_mark(struct mp__reader *r, mp_obj **values, size_t *n);
bool mp__reader_at_mark(const struct mp__reader *r); /* nothing is above it */

/* A text in the bytes read. A str must be UTF-8. */
int mp__reader_text(struct mp__reader *r, mp_type type, const uint8_t *bytes, size_t n,
                    mp_obj *out);
/* Room for a text of up to n bytes beside; commit says how long it became. */
int mp__reader_side(struct mp__reader *r, size_t n, char **room);
mp_obj mp__reader_side_commit(struct mp__reader *r, mp_type type, size_t n);
const char *mp__reader_chars(const struct mp__reader *r, const mp_obj *text);

/* A container of these items, which may lie in the stack. */
int mp__vessel_make(struct mp__reader *r, unsigned type, const mp_obj *items, size_t n,
                    mp_obj *out);
int mp__vessel_extend(struct mp__reader *r, const mp_obj *o, const mp_obj *items, size_t n);

int mp__reader_memo_put(struct mp__reader *r, uint64_t index);
int mp__reader_memo_get(struct mp__reader *r, uint64_t index);

/* Protocol 0 (pickle_text.c), and what is called (pickle_call.c). */
typedef int mp__operation(struct mp__reader *r, uint8_t op);
mp__operation mp__read_int_line, mp__read_long_line, mp__read_float_line, mp__read_unicode_line,
    mp__read_get_line, mp__read_put_line;
mp__operation mp__read_global, mp__read_stack_global, mp__read_reduce, mp__read_newobj,
    mp__read_newobj_ex, mp__read_build;

/* Makes the owned object of what is left on the stack (pickle_build.c). */
int mp__reader_build(struct mp__reader *r, const mp_obj *root, mp_obj *out);

#endif
