/* Objects and pickles for the library itself: messages are encoded straight into the memory they
 * travel in, and managers receive what no public call gives out. */
#ifndef MP__OBJECTS_H
#define MP__OBJECTS_H

#include "base/base.h"

#include <mp/object.h>
#include <string.h>

/* How deep containers may stand in each other, opaque ones included. */
enum { MP__DEPTH = 256 };

/* Types beside the public ones. An opaque object is what the bytes want called, and nobody calls:
   four items {module, name, args, state}. Where args is None it is the name alone, else a tuple;
   in a manager's messages an exception, a Token, a proxy, a connection. Its reserved[0] is 1
   if the class's __new__ is to be called (NEWOBJ), not the class (REDUCE). */
enum { MP__TYPE_OPAQUE = 128, MP__TYPE_POISON = 255 };

static inline bool mp__type_is_container(unsigned type)
{
    return (type >= MP_TYPE_LIST && type <= MP_TYPE_PROXY) || type == MP__TYPE_OPAQUE;
}

/* How many items stand behind `items`. */
static inline size_t mp__obj_items(const mp_obj *o)
{
    return o->type == MP_TYPE_DICT ? 2 * o->len : o->len;
}

static inline bool mp__obj_is_str(const mp_obj *o, const char *text)
{
    return o->type == MP_TYPE_STR && o->len == strlen(text) && memcmp(o->s, text, o->len) == 0;
}

/* How many items of other containers stand before the root's in its block: free wants to know. */
static inline void mp__obj_set_ahead(mp_obj *root, uint32_t ahead)
{
    memcpy(&root->reserved[1], &ahead, sizeof ahead);
} /* NOLINT(clang-analyzer-unix.Malloc): the root that is copied names its block */
static inline uint32_t mp__obj_ahead(const mp_obj *root)
{
    uint32_t ahead;
    memcpy(&ahead, &root->reserved[1], sizeof ahead);
    return ahead;
}

enum mp__opaque { MP__OPAQUE_MODULE, MP__OPAQUE_NAME, MP__OPAQUE_ARGS, MP__OPAQUE_STATE };

/* A literal of four such items. */
mp_obj mp__obj_opaque(const mp_obj items[4], bool is_new);

/* A proxy is a container of these: the typeid, the server's address as Python has it, the object's
   id, a tuple of method names or None, and the class by which Python makes a proxy of it. */
enum mp__proxy_item {
    MP__PROXY_TYPEID,
    MP__PROXY_ADDRESS,
    MP__PROXY_ID,
    MP__PROXY_EXPOSED,
    MP__PROXY_MODULE,
    MP__PROXY_CLASS,
    MP__PROXY_ITEMS
};
#define MP__MANAGERS_MODULE "multiprocessing.managers"

/* A literal of such items. */
mp_obj mp__obj_proxy(const mp_obj items[MP__PROXY_ITEMS]);
/* multiprocessing.managers.Token(typeid, address, id), as a literal in the memory given. */
struct mp__token {
    mp_obj state[3], items[4];
};
mp_obj mp__obj_token(struct mp__token *token, mp_obj typeid, mp_obj address, mp_obj id);

/* Makes item i of an owned container an owned object of its own, and gives the rest back, without
   copying what is a container; *whole is None then. -ENOMEM, reported: nothing has changed. */
int mp__obj_take(mp_obj *whole, size_t i, mp_obj *out);

/* ---- pickles (pickle_write.c, pickle_read.c) ---------------------------------------------- */

/* What both sides of a message understand beyond plain data. */
enum {
    MP__PICKLE_HANDLES = 1, /* both are processes of one tree */
    MP__PICKLE_OPAQUE = 2,
};
#define MP__PICKLE_PROTOCOL 4

/* The bytes that `o` takes, or why it cannot be written, with a detail for the caller. */
int mp__pickle_size(mp_obj o, int protocol, unsigned flags, size_t *size);
/* Writes what was measured and gives the end. */
uint8_t *mp__pickle_write(mp_obj o, int protocol, unsigned flags, uint8_t *to);
/* Reads n bytes that may go afterwards; the object is the caller's. Without a detail only for
   -ENOMEM. */
int mp__pickle_read(mp_obj *out, const void *buf, size_t n, unsigned flags);

/* ---- equality and hashes (obj_equal.c) ---------------------------------------------------- */

/* Equal objects have equal hashes; the seed is this process's own. *hash is 0 for what equals
   nothing, since it holds a NaN. -ENOMEM: a large set stands in it. */
int mp__obj_hash(const mp_obj *o, uint64_t *hash);
/* As Python has it: no list, dict or set, in tuples neither. */
bool mp__obj_is_hashable(const mp_obj *o);

struct mp__index_slot {
    uint64_t hash; /* 0: free */
    size_t entry;
};

/* Finds equal keys among items that stand `stride` apart, up to 8 without memory of its own. It
   must stay where it was begun. */
struct mp__index {
    const mp_obj *items;
    size_t stride, used, mask;
    unsigned depth; /* of the keys in the whole that is compared */
    struct mp__index_slot *slots, few[16];
};
int mp__index_begin(struct mp__index *index, const mp_obj *items, size_t stride, size_t most);
/* Gives the entry with an equal key, which is `entry` itself if it was the first. One whose hash
   is 0 is the first of its kind always. */
size_t mp__index_add(struct mp__index *index, size_t entry, uint64_t hash);
/* Never for a hash of 0. SIZE_MAX: none. */
size_t mp__index_find(const struct mp__index *index, const mp_obj *key, uint64_t hash);
void mp__index_end(struct mp__index *index);

/* ---- printing (obj_print.c) --------------------------------------------------------------- */

void mp__obj_repr_to(FILE *out, const mp_obj *o);

/* ---- handles (obj_handle.c) --------------------------------------------------------------- */

/* What a handle says of its object. */
struct mp__handle {
    uint64_t address;
    uint64_t arena;  /* the lower 48 bits of its number */
    uint32_t serial; /* 0: there is no object */
};
mp_obj mp__obj_of_handle(struct mp__handle handle);
struct mp__handle mp__handle_of(const mp_obj *o);

#endif
