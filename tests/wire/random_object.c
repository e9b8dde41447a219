/* Random objects. Every array and text is an entry of one list, which the object owns. */
#include "random_object.h"

#include <stdlib.h>
#include <string.h>

struct random_object {
    mp_obj root;
    void **parts;
    size_t count, room;
    struct rng *rng;
};

static void *part_take(struct random_object *random, size_t size)
{
    if (random->count == random->room) {
        random->room = random->room == 0 ? 16 : 2 * random->room;
        random->parts = realloc(random->parts, random->room * sizeof(void *));
        check(random->parts != NULL);
    }
    void *part = calloc(1, size + 1);
    check(part != NULL);
    random->parts[random->count++] = part;
    return part;
}

static size_t below(struct random_object *random, size_t bound)
{
    return rng_below(random->rng, bound);
}

static size_t any_size(struct random_object *random)
{
    static const size_t sizes[] = {0, 1, 2, 3, 4, 9, 40, 255, 256, 300};
    return sizes[below(random, below(random, 4) == 0 ? 10 : 6)];
}

static mp_obj any_int(struct random_object *random)
{
    static const int64_t edges[] = {
        0,         255,          256,       65535,           65536,
        INT32_MAX, INT32_MIN,    -1,        1LL << 31,       -(1LL << 31) - 1,
        1LL << 39, -(1LL << 39), 1LL << 47, (1LL << 55) - 1, INT64_MAX,
        INT64_MIN};
    if (below(random, 2) == 0)
        return mp_obj_int(edges[below(random, sizeof edges / sizeof edges[0])]);
    int64_t magnitude = (int64_t)(rng_next(random->rng) >> (1 + below(random, 63)));
    return mp_obj_int(below(random, 2) == 0 ? magnitude : -magnitude);
}

static mp_obj any_float(struct random_object *random)
{
    static const double edges[] = {0.0, -0.0, 1.0, 0.1, -1.5e300, 5e-324, 1e16, 1e22, 123456.789};
    if (below(random, 2) == 0)
        return mp_obj_float(edges[below(random, sizeof edges / sizeof edges[0])]);
    uint64_t bits = rng_next(random->rng);
    double f;
    memcpy(&f, &bits, sizeof f);
    return mp_obj_float(f);
}

static mp_obj any_str(struct random_object *random)
{
    static const char *const pieces[] = {"a",
                                         "Z",
                                         " ",
                                         "'",
                                         "\"",
                                         "\\",
                                         "\n",
                                         "\t",
                                         "\x01",
                                         "\x7f",
                                         "\xc2\x80",
                                         "\xc3\xa4",
                                         "\xc2\xad",
                                         "\xe2\x82\xac",
                                         "\xed\xa0\x80",
                                         "\xef\xbf\xbf",
                                         "\xf0\x9f\x98\x80"};
    size_t n = any_size(random), length = 0;
    char *text = part_take(random, 4 * n);
    for (size_t i = 0; i < n; i++) {
        const char *piece = pieces[below(random, sizeof pieces / sizeof pieces[0])];
        memcpy(text + length, piece, strlen(piece));
        length += strlen(piece);
        if (below(random, 50) == 0)
            text[length - 1] = strlen(piece) == 1 ? '\0' : text[length - 1];
    }
    return mp_obj_strn(text, length);
}

static mp_obj any_bytes(struct random_object *random)
{
    size_t n = any_size(random);
    unsigned char *bytes = part_take(random, n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)rng_next(random->rng);
    return mp_obj_bytes(bytes, n);
}

static mp_obj any_scalar(struct random_object *random)
{
    switch (below(random, 7)) {
    case 0:
        return mp_obj_none();
    case 1:
        return mp_obj_bool(below(random, 2) == 0);
    case 2:
    case 3:
        return any_int(random);
    case 4:
        return any_float(random);
    case 5:
        return any_bytes(random);
    default:
        return any_str(random);
    }
}

static bool is_in(const mp_obj *items, size_t n, size_t stride, mp_obj key)
{
    for (size_t i = 0; i < n; i++)
        if (mp_obj_equal(items[i * stride], key))
            return true;
    return false;
}

static mp_obj any_key(struct random_object *random, unsigned depth);

/* Keys that differ; each is followed by stride - 1 free places. */
static mp_obj *any_keys(struct random_object *random, unsigned depth, size_t stride, size_t *n)
{
    mp_obj *items = part_take(random, *n * stride * sizeof(mp_obj));
    size_t count = 0;
    for (size_t i = 0; i < *n; i++) {
        mp_obj key = any_key(random, depth);
        if (!is_in(items, count, stride, key))
            items[count++ * stride] = key;
    }
    *n = count;
    return items;
}

static mp_obj any_key(struct random_object *random, unsigned depth)
{
    uint64_t kind = below(random, 8);
    size_t n = below(random, 5);
    if (depth == 0 || kind > 1)
        return any_scalar(random);
    if (kind == 0) {
        mp_obj *items = any_keys(random, depth - 1, 1, &n);
        return mp_obj_frozenset(items, n);
    }
    mp_obj *items = part_take(random, n * sizeof(mp_obj));
    for (size_t i = 0; i < n; i++)
        items[i] = any_key(random, depth - 1);
    return mp_obj_tuple(items, n);
}

static mp_obj any_object(struct random_object *random, unsigned depth)
{
    uint64_t kind = below(random, 9);
    size_t n = below(random, 12) == 0 ? 30 : below(random, 6);
    if (depth == 1 && below(random, 200) == 0)
        n = 999 + below(random, 3) + 1000 * below(random, 2); /* around what is one batch */
    if (depth == 0 || kind < 4)
        return any_scalar(random);
    if (kind < 6) {
        mp_obj *items = part_take(random, n * sizeof(mp_obj));
        for (size_t i = 0; i < n; i++)
            items[i] = any_object(random, depth - 1);
        return kind == 4 ? mp_obj_list(items, n) : mp_obj_tuple(items, n);
    }
    unsigned below_keys = depth > 1 ? 1 : 0;
    mp_obj *items = any_keys(random, below_keys, kind == 6 ? 2 : 1, &n);
    for (size_t i = 0; i < n && kind == 6; i++)
        items[2 * i + 1] = any_object(random, depth - 1);
    return kind == 6   ? mp_obj_dict(items, n)
           : kind == 7 ? mp_obj_set(items, n)
                       : mp_obj_frozenset(items, n);
}

struct random_object *random_object_make(struct rng *rng, unsigned depth)
{
    struct random_object *random = calloc(1, sizeof *random);
    check(random != NULL);
    random->rng = rng;
    random->root = any_object(random, depth);
    return random;
}

mp_obj random_object_get(const struct random_object *random)
{
    return random->root;
}

void random_object_free(struct random_object *random)
{
    for (size_t i = 0; i < random->count; i++)
        free(random->parts[i]);
    free(random->parts);
    free(random);
}
