/* Inside shareable lists: the layout of the block, and items as bytes of it. */
#ifndef MP__SHAREABLE_LIST_H
#define MP__SHAREABLE_LIST_H

#include "wire/objects.h"

#include <mp/shared_memory.h>

enum { MP__LIST_WORD = 8, MP__LIST_FORMAT = 8 };
enum { MP__LIST_SLOT_MOST = 9999992 }; /* "9999992s" fills a format */

struct mp_shareable_list {
    uint32_t magic;
    mp_shared_memory *memory;
    size_t count;
    size_t data;     /* where the slots begin */
    size_t offset[]; /* of them from there, and of their end */
};

static inline size_t mp__list_slot_size(const mp_shareable_list *list, size_t i)
{
    return list->offset[i + 1] - list->offset[i];
}

/* How an item is written: its format, its kind, and what goes into its slot. */
struct mp__image {
    char format[MP__LIST_FORMAT];
    unsigned char kind;
    char number[MP__LIST_WORD];
    const char *text; /* NULL: the number */
    size_t size;
};
int mp__image_of(const mp_obj *o, struct mp__image *image);
/* Into a slot that has the room, of a block that may be anybody's. */
void mp__image_put(const mp_shareable_list *list, char *block, size_t i, struct mp__image *image);
/* Gives a copy of what stands in a slot. */
int mp__list_item(const mp_shareable_list *list, const char *block, size_t i, mp_obj *value);

#endif
