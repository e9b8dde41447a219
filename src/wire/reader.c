/* What the machine of reader.h consists of: its piles, stack, marks, vessels, texts and memo. */
#include "wire/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A memo entry that was never put. */
enum { ABSENT = 254 };

/* ---- piles -------------------------------------------------------------------------------- */

static bool is_few(const struct mp__reader *r, const void *entries)
{
    return entries == r->few_stack || entries == r->few_cells || entries == r->few_vessels ||
           entries == r->few_marks;
}

int mp__pile_grow(struct mp__reader *r, struct mp__pile *pile, size_t more, size_t size)
{
    size_t room, bytes;
    if (!mp__size_add(pile->used, more, &room) || room > UINT32_MAX)
        return mp__fail(-ENOMEM);
    size_t least = (size_t)2 * MP__FEW;
    if (room < 2 * pile->room)
        room = 2 * pile->room;
    if (room < least)
        room = least;
    if (!mp__size_mul(room, size, &bytes))
        return mp__fail(-ENOMEM);
    bool few = is_few(r, pile->entries);
    void *entries = realloc(few ? NULL : pile->entries, bytes);
    if (entries == NULL)
        return mp__fail(-ENOMEM);
    if (few)
        memcpy(entries, pile->entries, pile->used * size);
    pile->entries = entries;
    pile->room = room;
    return 0;
}

static void pile_free(const struct mp__reader *r, struct mp__pile *pile)
{
    if (!is_few(r, pile->entries))
        free(pile->entries);
}

/* ---- bytes -------------------------------------------------------------------------------- */

int mp__reader_take(struct mp__reader *r, size_t n, const uint8_t **bytes)
{
    if ((size_t)(r->end - r->p) < n)
        return mp__broken("cut short: %zu bytes announced, %zu left", n, (size_t)(r->end - r->p));
    *bytes = r->p;
    r->p += n;
    return 0;
}

int mp__reader_line(struct mp__reader *r, const uint8_t **line, size_t *n)
{
    const uint8_t *newline = memchr(r->p, '\n', (size_t)(r->end - r->p));
    if (newline == NULL)
        return mp__broken("cut short within a line");
    *line = r->p;
    *n = (size_t)(newline - r->p);
    r->p = newline + 1;
    return 0;
}

/* ---- the stack ---------------------------------------------------------------------------- */

int mp__reader_push(struct mp__reader *r, mp_obj o)
{
    int rc = mp__pile_reserve(r, &r->stack, 1, sizeof(mp_obj));
    if (rc == 0)
        ((mp_obj *)r->stack.entries)[r->stack.used++] = o;
    return rc;
}

/* The values above the last mark. */
static size_t fence(const struct mp__reader *r)
{
    return r->marks.used > 0 ? ((const size_t *)r->marks.entries)[r->marks.used - 1] : 0;
}

bool mp__reader_at_mark(const struct mp__reader *r)
{
    return r->marks.used > 0 && fence(r) == r->stack.used;
}

int mp__reader_pop(struct mp__reader *r, size_t n, mp_obj **values)
{
    if (r->stack.used - fence(r) < n)
        return mp__broken("it takes a value where there is none");
    r->stack.used -= n;
    *values = (mp_obj *)r->stack.entries + r->stack.used;
    return 0;
}

int mp__reader_pop_mark(struct mp__reader *r, mp_obj **values, size_t *n)
{
    if (r->marks.used == 0)
        return mp__broken("it goes back to a mark where there is none");
    size_t from = fence(r);
    r->marks.used--;
    *values = (mp_obj *)r->stack.entries + from;
    *n = r->stack.used - from;
    r->stack.used = from;
    return 0;
}

/* ---- vessels ------------------------------------------------------------------------------ */

/* A byte puts at most one value into a container, which takes up to four cells while that grows by
   moving. Only containers that share their items and then grow want more. */
static int cells_reserve(struct mp__reader *r, size_t n)
{
    if (r->cells.used + n > 6 * (uint64_t)(r->end - r->start) + 64)
        return mp__broken("parts that it shares come to too much");
    return mp__pile_reserve(r, &r->cells, n, sizeof(mp_obj));
}

int mp__vessel_make(struct mp__reader *r, unsigned type, const mp_obj *items, size_t n, mp_obj *out)
{
    int rc = mp__pile_reserve(r, &r->vessels, 1, sizeof(struct mp__vessel));
    if (rc == 0)
        rc = cells_reserve(r, n);
    if (rc != 0)
        return rc;
    struct mp__vessel *vessel = (struct mp__vessel *)r->vessels.entries + r->vessels.used;
    *vessel = (struct mp__vessel){.first = (uint32_t)r->cells.used,
                                  .count = (uint32_t)n,
                                  .room = (uint32_t)n,
                                  .type = (uint8_t)type};
    if (n > 0)
        memcpy(mp__cells_of(r, vessel), items, n * sizeof(mp_obj));
    r->cells.used += n;
    *out = (mp_obj){.type = (uint8_t)type, .len = r->vessels.used++};
    return 0;
}

/* Moves a vessel that is full, and not the last of the cells, to their end. */
static int vessel_move(struct mp__reader *r, struct mp__vessel *vessel, size_t n)
{
    size_t room = 2 * (vessel->count + n);
    int rc = cells_reserve(r, room);
    if (rc != 0)
        return rc;
    mp_obj *from = mp__cells_of(r, vessel);
    vessel->first = (uint32_t)r->cells.used;
    vessel->room = (uint32_t)room;
    if (vessel->count > 0)
        memcpy(mp__cells_of(r, vessel), from, vessel->count * sizeof(mp_obj));
    r->cells.used += room;
    return 0;
}

int mp__vessel_extend(struct mp__reader *r, const mp_obj *o, const mp_obj *items, size_t n)
{
    struct mp__vessel *vessel = mp__vessel_at(r, o);
    int rc = 0;
    if (n > vessel->room - vessel->count) {
        size_t more = n - (vessel->room - vessel->count);
        if (vessel->first + (size_t)vessel->room == r->cells.used) {
            rc = cells_reserve(r, more);
            if (rc == 0) {
                r->cells.used += more;
                vessel->room += (uint32_t)more;
            }
        } else {
            rc = vessel_move(r, vessel, n);
        }
    }
    if (rc != 0)
        return rc;
    if (n > 0)
        memcpy(mp__cells_of(r, vessel) + vessel->count, items, n * sizeof(mp_obj));
    vessel->count += (uint32_t)n;
    return 0;
}

/* ---- texts -------------------------------------------------------------------------------- */

int mp__reader_text(struct mp__reader *r, mp_type type, const uint8_t *bytes, size_t n, mp_obj *out)
{
    if (type == MP_TYPE_STR && !mp__utf8_is_valid((const char *)bytes, n))
        return mp__broken("a str is no UTF-8");
    if (r->text_from == NULL)
        r->text_from = bytes;
    r->text_to = bytes + n;
    *out = (mp_obj){.type = (uint8_t)type, .len = n, .bytes = bytes};
    return 0;
}

int mp__reader_side(struct mp__reader *r, size_t n, char **room)
{
    /* twice is the most that decoding one line makes of it */
    if (r->side.used + n > 4 * (uint64_t)(r->end - r->start) + 64)
        return mp__broken("its texts decode to too much");
    int rc = mp__pile_reserve(r, &r->side, n + 1, 1);
    *room = (char *)r->side.entries + r->side.used;
    return rc;
}

mp_obj mp__reader_side_commit(struct mp__reader *r, mp_type type, size_t n)
{
    mp_obj o = {.type = (uint8_t)type, .reserved = {1}, .len = n, .i = (int64_t)r->side.used};
    ((char *)r->side.entries)[r->side.used + n] = '\0';
    r->side.used += n + 1;
    return o;
}

const char *mp__reader_chars(const struct mp__reader *r, const mp_obj *text)
{
    return text->reserved[0] ? (const char *)r->side.entries + text->i : text->s;
}

/* ---- the memo ------------------------------------------------------------------------------ */

int mp__reader_memo_put(struct mp__reader *r, uint64_t index)
{
    mp_obj *top = NULL;
    int rc = mp__reader_pop(r, 1, &top);
    if (rc != 0)
        return rc;
    mp_obj value = *top;
    r->stack.used++;
    /* writers number what they put, so the numbers stay below the size of it all */
    if (index >= (size_t)(r->end - r->start))
        return mp__broken("memo index %llu is too large", (unsigned long long)index);
    if (index >= r->memo.used) {
        size_t more = (size_t)index + 1 - r->memo.used;
        rc = mp__pile_reserve(r, &r->memo, more, sizeof(mp_obj));
        for (; more > 0 && rc == 0; more--)
            ((mp_obj *)r->memo.entries)[r->memo.used++].type = ABSENT;
    }
    if (rc == 0)
        ((mp_obj *)r->memo.entries)[index] = value;
    return rc;
}

int mp__reader_memo_get(struct mp__reader *r, uint64_t index)
{
    const mp_obj *memo = r->memo.entries;
    if (index >= r->memo.used || memo[index].type == ABSENT)
        return mp__broken("memo index %llu was never put", (unsigned long long)index);
    return mp__reader_push(r, memo[index]);
}

/* ---- the whole ----------------------------------------------------------------------------- */

void mp__reader_begin(struct mp__reader *r, const void *buf, size_t n, unsigned flags)
{
    r->start = r->p = buf;
    r->end = r->start + n;
    r->flags = flags;
    r->shares_cells = false;
    r->text_from = r->text_to = NULL;
    r->stack = (struct mp__pile){r->few_stack, 0, MP__FEW};
    r->cells = (struct mp__pile){r->few_cells, 0, MP__FEW};
    r->vessels = (struct mp__pile){r->few_vessels, 0, MP__FEW / 2};
    r->marks = (struct mp__pile){r->few_marks, 0, MP__FEW / 2};
    r->memo = r->side = (struct mp__pile){NULL, 0, 0};
}

void mp__reader_end(struct mp__reader *r)
{
    pile_free(r, &r->stack);
    pile_free(r, &r->cells);
    pile_free(r, &r->vessels);
    pile_free(r, &r->marks);
    pile_free(r, &r->memo);
    pile_free(r, &r->side);
}
