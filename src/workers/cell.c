/* Cells: objects on their way to a worker and back, and what stands there when there is none.
 *
 * How it works
 *   None, bools, ints and floats lie in the cell itself, everything else as a pickle: in the cell
 *   if it is very short, in the job's own memory, or in a piece of the pool. The form is written
 *   last, with release, so a cell that is not EMPTY is complete.
 */
#include "workers/board.h"

#include "wire/wire.h"

#include <errno.h>
#include <string.h>

enum { SHORT_MOST = 16 };

static enum mp__form scalar_form(const mp_obj *o)
{
    switch (o->type) {
    case MP_TYPE_NONE:
        return MP__NONE;
    case MP_TYPE_BOOL:
        return MP__BOOL;
    case MP_TYPE_INT:
        return MP__INT;
    case MP_TYPE_FLOAT:
        return MP__FLOAT;
    default:
        return MP__EMPTY;
    }
}

static uint64_t scalar_bits(const mp_obj *o)
{
    uint64_t bits = 0;
    if (o->type == MP_TYPE_BOOL)
        bits = o->b;
    else if (o->type == MP_TYPE_INT)
        bits = (uint64_t)o->i;
    else if (o->type == MP_TYPE_FLOAT)
        memcpy(&bits, &o->f, sizeof bits);
    return bits;
}

static void form_set(struct mp__cell *cell, enum mp__form form)
{
    /* release: who sees the form sees the rest */
    atomic_store_explicit(&cell->form, (uint32_t)form, memory_order_release);
}

static uint8_t *short_bytes(const struct mp__cell *cell)
{
    return (uint8_t *)(uintptr_t)&cell->a;
}

int mp__cell_measure(mp_obj o, size_t *size)
{
    if (scalar_form(&o) != MP__EMPTY) {
        *size = 0;
        return 0;
    }
    return mp__pickle_size(o, MP__PICKLE_PROTOCOL, MP__PICKLE_HANDLES, size);
}

void mp__cell_write(struct mp__cell *cell, mp_obj o, void *memory, size_t size)
{
    enum mp__form form = scalar_form(&o);
    if (form != MP__EMPTY) {
        cell->a = scalar_bits(&o);
    } else if (size <= SHORT_MOST) {
        mp__pickle_write(o, MP__PICKLE_PROTOCOL, MP__PICKLE_HANDLES, short_bytes(cell));
        cell->code = (int32_t)size;
        form = MP__SHORT;
    } else {
        mp__pickle_write(o, MP__PICKLE_PROTOCOL, MP__PICKLE_HANDLES, memory);
        cell->a = size;
        cell->b = (uint64_t)(uintptr_t)memory;
        form = MP__NEAR;
    }
    form_set(cell, form);
}

void mp__cell_hand_over(struct mp__cell *cell, uint32_t piece, size_t size)
{
    cell->a = size;
    cell->b = piece;
    form_set(cell, MP__PIECE);
}

static int scalar_read(const struct mp__cell *cell, enum mp__form form, mp_obj *out)
{
    double f;
    switch (form) {
    case MP__NONE:
        *out = mp_obj_none();
        return 0;
    case MP__BOOL:
        *out = mp_obj_bool(cell->a != 0);
        return 0;
    case MP__INT:
        *out = mp_obj_int((int64_t)cell->a);
        return 0;
    case MP__FLOAT:
        memcpy(&f, &cell->a, sizeof f);
        *out = mp_obj_float(f);
        return 0;
    default:
        return MP_ESTATE;
    }
}

int mp__cell_read(const struct mp__cell *cell, mp_obj *out)
{
    enum mp__form form = (enum mp__form)mp__cell_form(cell);
    const void *bytes = short_bytes(cell);
    size_t size = (size_t)cell->code;
    if (form == MP__NEAR || form == MP__PIECE) {
        bytes =
            form == MP__NEAR ? (const void *)(uintptr_t)cell->b : mp__piece_body((uint32_t)cell->b);
        size = (size_t)cell->a;
    } else if (form != MP__SHORT) {
        return scalar_read(cell, form, out);
    }
    return mp__pickle_read(out, bytes, size, MP__PICKLE_HANDLES);
}

uint32_t mp__cell_piece(const struct mp__cell *cell)
{
    uint32_t form = mp__cell_form(cell);
    return form == MP__PIECE || form == MP__FAILED ? (uint32_t)cell->b : 0;
}

void mp__cell_clear(struct mp__cell *cell)
{
    uint32_t piece = mp__cell_piece(cell);
    form_set(cell, MP__EMPTY);
    if (piece != 0)
        mp__heap_give(mp__piece_at(piece));
}
