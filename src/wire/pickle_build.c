/* The last step of reading a pickle: one block of memory out of what the machine left.
 *
 * How it works
 *   Two passes over the vessels that the result reaches. The first goes down from the root, each
 *   vessel once: it gives its items their place in the block, the root's first, and refuses what
 *   contains itself, stands too deep, or would be too much if it were written out without sharing
 *   (what printing, copying or sending it on would do). On the way back up it chains the vessels,
 *   children before parents. The second pass follows the chain, copies the items and turns numbers
 *   of vessels into addresses. Keys that are equal become one there: their children are final.
 *   Where hardly a cell is waste the cells themselves become the block, and nothing is copied.
 *   Behind the items stand the bytes read, from the first text in them to the last, then those
 *   that were decoded. The byte behind a text belongs to the next opcode: a NUL takes its place.
 */
#include "wire/objects.h"

#include "wire/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct build {
    struct mp__reader *r;
    uint64_t weight_most;
    size_t items, items_most;
    uint32_t first, last; /* the chain; number + 1, 0 is none */
    mp_obj *block;
    bool in_cells; /* the block was the cells */
    char *text, *side;
};

static int vessel_measure(struct build *b, const mp_obj *o, unsigned depth);

/* ---- the first pass ----------------------------------------------------------------------- */

static int opaque_check(struct build *b, const mp_obj *cells)
{
    if ((b->r->flags & MP__PICKLE_OPAQUE) != 0)
        return 0;
    return mp__broken("%.*s.%.*s is no plain data", (int)cells[0].len,
                      mp__reader_chars(b->r, &cells[0]), (int)cells[1].len,
                      mp__reader_chars(b->r, &cells[1]));
}

static int cells_measure(struct build *b, struct mp__vessel *vessel, unsigned depth)
{
    const mp_obj *cells = mp__cells_of(b->r, vessel);
    uint64_t weight = vessel->count * sizeof(mp_obj);
    int rc = 0;
    for (uint32_t i = 0; i < vessel->count && rc == 0; i++) {
        if (cells[i].type == MP_TYPE_STR || cells[i].type == MP_TYPE_BYTES) {
            weight += cells[i].len + 1;
        } else if (mp__type_is_container(cells[i].type)) {
            rc = vessel_measure(b, &cells[i], depth + 1);
            const struct mp__vessel *child = mp__vessel_at(b->r, &cells[i]);
            weight += child->weight;
            if (vessel->height <= child->height)
                vessel->height = (uint16_t)(child->height + 1);
        }
        if (weight > b->weight_most)
            rc = rc != 0 ? rc : mp__broken("parts that it shares come to too much");
    }
    vessel->weight = weight;
    return rc;
}

static int vessel_measure(struct build *b, const mp_obj *o, unsigned depth)
{
    struct mp__vessel *vessel = mp__vessel_at(b->r, o);
    if (vessel->state == MP__VESSEL_OPEN)
        return mp__broken("an object that contains itself");
    if (depth + vessel->height >= MP__DEPTH)
        return mp__broken("more than %d levels deep", MP__DEPTH);
    if (vessel->state == MP__VESSEL_DONE)
        return 0;
    vessel->state = MP__VESSEL_OPEN;
    vessel->place = (uint32_t)b->items;
    b->items += vessel->count;
    if (b->items > b->items_most || b->items > UINT32_MAX)
        return mp__broken("parts that it shares come to too much");
    int rc = vessel->type == MP__TYPE_OPAQUE ? opaque_check(b, mp__cells_of(b->r, vessel)) : 0;
    if (rc == 0)
        rc = cells_measure(b, vessel, depth);
    vessel->state = MP__VESSEL_DONE;
    uint32_t number = (uint32_t)o->len + 1;
    if (b->last == 0)
        b->first = number;
    else
        ((struct mp__vessel *)b->r->vessels.entries)[b->last - 1].next = number;
    b->last = number;
    return rc;
}

/* ---- the second pass ---------------------------------------------------------------------- */

static void text_place(const struct build *b, mp_obj *o)
{
    if (o->len == 0) {
        o->s = "";
    } else {
        char *text = o->reserved[0] ? b->side + o->i : b->text + (o->bytes - b->r->text_from);
        text[o->len] = '\0';
        o->s = text;
    }
    o->reserved[0] = 0;
}

static size_t place_of(const struct build *b, const struct mp__vessel *vessel)
{
    return b->in_cells ? vessel->first : vessel->place;
}

static void container_place(const struct build *b, mp_obj *o)
{
    const struct mp__vessel *vessel = mp__vessel_at(b->r, o);
    o->len = vessel->type == MP_TYPE_DICT ? vessel->count / 2 : vessel->count;
    o->items = vessel->count > 0 ? b->block + place_of(b, vessel) : NULL;
    o->reserved[0] = vessel->is_new;
}

static void item_place(const struct build *b, mp_obj *o)
{
    if (o->type == MP_TYPE_STR || o->type == MP_TYPE_BYTES)
        text_place(b, o);
    else if (mp__type_is_container(o->type))
        container_place(b, o);
}

static int key_check(const mp_obj *key)
{
    if (!mp__obj_is_hashable(key))
        return mp__broken("a list, dict or set as a key or in a set");
    return 0;
}

/* Of equal keys the first stays, with the last one's value. */
static int keys_unite(struct mp__vessel *vessel, mp_obj *items)
{
    size_t stride = vessel->type == MP_TYPE_DICT ? 2 : 1, n = vessel->count / stride, kept = 0;
    struct mp__index index;
    if (n <= 1)
        return n == 0 ? 0 : key_check(items);
    if (mp__index_begin(&index, items, stride, n) != 0)
        return mp__fail(-ENOMEM);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        uint64_t hash = 0;
        rc = key_check(&items[i * stride]);
        if (rc == 0 && mp__obj_hash(&items[i * stride], &hash) != 0)
            rc = mp__fail(-ENOMEM);
        if (i != kept)
            memcpy(&items[kept * stride], &items[i * stride], stride * sizeof(mp_obj));
        size_t found = mp__index_add(&index, kept, hash);
        if (found == kept)
            kept++;
        else if (stride == 2)
            items[2 * found + 1] = items[2 * kept + 1];
    }
    mp__index_end(&index);
    vessel->count = (uint32_t)(kept * stride);
    return rc;
}

static int vessel_build(const struct build *b, struct mp__vessel *vessel)
{
    mp_obj *items = b->block + place_of(b, vessel);
    if (vessel->count > 0 && !b->in_cells)
        memcpy(items, mp__cells_of(b->r, vessel), vessel->count * sizeof(mp_obj));
    for (uint32_t i = 0; i < vessel->count; i++)
        if (items[i].type >= MP_TYPE_STR) /* NOLINT: if they are in the cells, they were read */
            item_place(b, &items[i]);
    bool has_keys = vessel->type == MP_TYPE_DICT || vessel->type == MP_TYPE_SET ||
                    vessel->type == MP_TYPE_FROZENSET;
    return has_keys ? keys_unite(vessel, items) : 0;
}

static int vessels_build(const struct build *b)
{
    struct mp__vessel *vessels = b->r->vessels.entries;
    int rc = 0;
    for (uint32_t i = b->first; i != 0 && rc == 0; i = vessels[i - 1].next)
        rc = vessel_build(b, &vessels[i - 1]);
    return rc;
}

/* ---- the block ---------------------------------------------------------------------------- */

/* The cells may serve as the block: no vessel moved far, and each has its own. */
static bool cells_will_do(const struct build *b)
{
    const struct mp__reader *r = b->r;
    return r->cells.entries != r->few_cells && !r->shares_cells &&
           r->cells.used - b->items <= b->items / 8;
}

static int block_take(struct build *b)
{
    struct mp__reader *r = b->r;
    if (b->items == 0)
        return 0;
    b->in_cells = cells_will_do(b);
    size_t texts = r->text_from != NULL ? (size_t)(r->text_to - r->text_from) + 1 : 0;
    size_t size = (b->in_cells ? r->cells.used : b->items) * sizeof(mp_obj), all;
    if (!mp__size_add(size, texts, &all) || !mp__size_add(all, r->side.used, &all))
        return mp__fail(-ENOMEM);
    b->block = realloc(b->in_cells ? r->cells.entries : NULL, all);
    if (b->block == NULL)
        return mp__fail(-ENOMEM);
    if (b->in_cells)
        r->cells = (struct mp__pile){r->few_cells, 0, 0};
    b->text = (char *)b->block + size;
    b->side = b->text + texts;
    if (texts > 0)
        memcpy(b->text, r->text_from, texts - 1);
    if (r->side.used > 0)
        memcpy(b->side, r->side.entries, r->side.used);
    return 0;
}

static int build_container(struct mp__reader *r, const mp_obj *root, mp_obj *out)
{
    size_t n = (size_t)(r->end - r->start);
    struct build b = {
        .r = r, .weight_most = 64 * (uint64_t)n + (1 << 24), .items_most = 4 * n + 64};
    int rc = vessel_measure(&b, root, 0);
    if (rc == 0)
        rc = block_take(&b);
    if (rc == 0 && b.block != NULL)
        rc = vessels_build(&b);
    if (rc != 0) {
        free(b.block);
        return rc;
    }
    mp_obj o = *root;
    container_place(&b, &o);
    if (o.items == NULL)
        free(b.block);
    else
        mp__obj_set_ahead(&o, (uint32_t)(o.items - b.block));
    o.owned = 1;
    *out = o;
    return 0;
}

static int build_text(struct mp__reader *r, const mp_obj *root, mp_obj *out)
{
    char *text = malloc(root->len + 1);
    if (text == NULL)
        return mp__fail(-ENOMEM);
    if (root->len > 0)
        memcpy(text, mp__reader_chars(r, root), root->len);
    text[root->len] = '\0';
    *out = (mp_obj){.type = root->type, .owned = 1, .len = root->len, .s = text};
    return 0;
}

int mp__reader_build(struct mp__reader *r, const mp_obj *root, mp_obj *out)
{
    if (root->type == MP_TYPE_STR || root->type == MP_TYPE_BYTES)
        return build_text(r, root, out);
    if (mp__type_is_container(root->type))
        return build_container(r, root, out);
    *out = *root;
    out->owned = 1;
    return 0;
}
