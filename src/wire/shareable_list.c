/* Shareable lists: lists of fixed length in a named block, laid out as Python does.
 *
 * How it works
 *   [ N | N + 1 offsets of slots | slots ... | N x 8 bytes of format | N x 1 byte of kind ]
 *   Words are of 8 bytes in this machine's order; offsets count from the first slot, and the last
 *   is where the slots end. A number's slot has 8 bytes, that of a str or bytes a multiple of 8
 *   above their length. The format is the struct module's ("q", "16s", padded with NULs), the kind
 *   tells str from bytes, and None from the rest. Python 3.8 has N sizes where later ones have
 *   offsets: there the first word is a size and never 0, else it is an offset and always 0.
 *   The block may be anybody's, and change at any time: offsets are copied once and checked, what
 *   is read of a slot is copied before it is looked at, and nothing else is believed.
 *   Nothing locks a list. A death inside a set leaves a slot whose format, kind and bytes belong to
 *   two values: one of them, a mixture, or what get refuses.
 */
#include "wire/shareable_list.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#define SHAREABLE_LIST_MAGIC 0x4d50534cu

static int list_check(const mp_shareable_list *list)
{
    if (list == NULL)
        return mp__fail(MP_EINVAL);
    return list->magic == SHAREABLE_LIST_MAGIC ? 0 : mp__fail(MP_ETYPE);
}

/* Gives the block of a list that is open. */
static int list_enter(const mp_shareable_list *list, char **block)
{
    int rc = list_check(list);
    if (rc != 0)
        return rc;
    *block = mp_shared_memory_buf(list->memory);
    return *block != NULL ? 0 : mp__failf(MP_ECLOSED, "the list is closed");
}

static uint64_t word_at(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static void word_put(char *p, uint64_t word)
{
    memcpy(p, &word, sizeof word);
}

static mp_shareable_list *list_make(size_t count)
{
    mp_shareable_list *list = malloc(sizeof *list + (count + 1) * sizeof list->offset[0]);
    if (list == NULL)
        return NULL;
    *list = (mp_shareable_list){.magic = SHAREABLE_LIST_MAGIC, .count = count};
    list->offset[0] = 0;
    return list;
}

/* ---- making and attaching -------------------------------------------------------------------- */

static size_t room_of(const struct mp__image *image)
{
    return image->text == NULL ? MP__LIST_WORD : (image->size / MP__LIST_WORD + 1) * MP__LIST_WORD;
}

static int offsets_set(mp_shareable_list *list, const mp_obj *items)
{
    struct mp__image image;
    for (size_t i = 0; i < list->count; i++) {
        int rc = mp__image_of(&items[i], &image);
        if (rc != 0)
            return rc;
        size_t room = room_of(&image);
        if (room > MP__LIST_SLOT_MOST || !mp__size_add(list->offset[i], room, &list->offset[i + 1]))
            return mp__failf(MP_EOVERFLOW, "item %zu is longer than a list can hold", i);
    }
    return 0;
}

static void block_write(const mp_shareable_list *list, const mp_obj *items)
{
    char *block = mp_shared_memory_buf(list->memory);
    struct mp__image image;
    for (size_t i = 0; i <= list->count; i++)
        word_put(block + MP__LIST_WORD * (1 + i), list->offset[i]);
    for (size_t i = 0; i < list->count; i++)
        if (mp__image_of(&items[i], &image) == 0)
            mp__image_put(list, block, i, &image);
    mp__step("shareable_list.filled");
    word_put(block, list->count);
}

static int list_create(mp_shareable_list *list, const mp_obj *items, const char *name)
{
    size_t size;
    int rc = offsets_set(list, items);
    if (rc != 0)
        return rc;
    list->data = MP__LIST_WORD * (list->count + 2);
    if (!mp__size_add(list->data + (MP__LIST_FORMAT + 1) * list->count, list->offset[list->count],
                      &size))
        return mp__fail(MP_EOVERFLOW);
    rc = mp_shared_memory_create(&list->memory, name, size);
    if (rc == 0)
        block_write(list, items);
    return rc;
}

int mp_shareable_list_create(mp_shareable_list **out, mp_obj items, const char *name)
{
    if (out == NULL)
        return mp__fail(MP_EINVAL);
    if (items.type != MP_TYPE_LIST && items.type != MP_TYPE_TUPLE)
        return mp__failf(MP_ETYPE, "the items of a shareable list come in a list or tuple");
    mp_shareable_list *list = list_make(items.len);
    if (list == NULL)
        return mp__fail(-ENOMEM);
    int rc = list_create(list, items.items, name);
    if (rc != 0) {
        free(list);
        return rc;
    }
    *out = list;
    return 0;
}

/* The words behind the count are sizes, not offsets. */
static bool words_are_sizes(const char *block, size_t size, size_t count)
{
    return count == 0 ? size < (size_t)2 * MP__LIST_WORD : word_at(block + MP__LIST_WORD) != 0;
}

/* Copies the offsets of the `count` items that a block of `size` bytes is said to hold. */
static bool offsets_read(mp_shareable_list *list, const char *block, size_t size)
{
    size_t count = list->count;
    bool sizes = words_are_sizes(block, size, count);
    list->data = MP__LIST_WORD * (count + (sizes ? 1 : 2));
    if (list->data > size || (MP__LIST_FORMAT + 1) * count > size - list->data)
        return false;
    uint64_t most = size - list->data - (MP__LIST_FORMAT + 1) * count, last = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t word = word_at(block + MP__LIST_WORD * (sizes ? 1 + i : 2 + i));
        if (word > most || (sizes && word > most - last))
            return false;
        uint64_t next = sizes ? last + word : word;
        if (next < last)
            return false;
        list->offset[i + 1] = (size_t)next;
        last = next;
    }
    return true;
}

static int no_list(void)
{
    return mp__failf(MP_EPICKLE, "the block holds no shareable list");
}

static int list_read(mp_shareable_list **out, mp_shared_memory *memory)
{
    const char *block = mp_shared_memory_buf(memory);
    size_t size = mp_shared_memory_size(memory);
    uint64_t count = size >= MP__LIST_WORD ? word_at(block) : UINT64_MAX;
    if (count > (size - MP__LIST_WORD) / (MP__LIST_WORD + MP__LIST_FORMAT + 1))
        return no_list();
    mp_shareable_list *list = list_make((size_t)count);
    if (list == NULL)
        return mp__fail(-ENOMEM);
    if (!offsets_read(list, block, size)) {
        free(list);
        return no_list();
    }
    list->memory = memory;
    *out = list;
    return 0;
}

int mp_shareable_list_attach(mp_shareable_list **out, const char *name)
{
    mp_shared_memory *memory;
    if (out == NULL)
        return mp__fail(MP_EINVAL);
    int rc = mp_shared_memory_attach(&memory, name);
    if (rc != 0)
        return rc;
    rc = list_read(out, memory);
    if (rc != 0)
        mp_shared_memory_destroy(memory);
    return rc;
}

/* ---- its calls ------------------------------------------------------------------------------- */

static int item_enter(const mp_shareable_list *list, size_t i, char **block)
{
    int rc = list_enter(list, block);
    if (rc == 0 && i >= list->count)
        rc = mp__failf(MP_EINDEX, "item %zu of %zu", i, list->count);
    return rc;
}

int mp_shareable_list_get(mp_shareable_list *list, size_t i, mp_obj *value)
{
    char *block;
    mp_obj got;
    int rc = item_enter(list, i, &block);
    if (rc == 0 && value == NULL)
        rc = mp__fail(MP_EINVAL);
    if (rc == 0)
        rc = mp__list_item(list, block, i, &got);
    if (rc == 0)
        *value = got;
    return rc;
}

int mp_shareable_list_set(mp_shareable_list *list, size_t i, mp_obj value)
{
    char *block;
    struct mp__image image;
    int rc = item_enter(list, i, &block);
    if (rc == 0)
        rc = mp__image_of(&value, &image);
    if (rc != 0)
        return rc;
    size_t need = image.text == NULL ? MP__LIST_WORD : image.size,
           size = mp__list_slot_size(list, i);
    if (need > size || (image.text != NULL && size > MP__LIST_SLOT_MOST))
        return mp__failf(MP_EOVERFLOW, "%zu bytes exceed the available storage of %zu", need, size);
    mp__image_put(list, block, i, &image);
    return 0;
}

int mp_shareable_list_len(mp_shareable_list *list)
{
    char *block;
    int rc = list_enter(list, &block);
    if (rc != 0)
        return rc;
    return list->count < INT_MAX ? (int)list->count : INT_MAX;
}

/* Gives the place of the first that is equal from `i` on, `count` if there is none, or a code. */
static int equal_find(const mp_shareable_list *list, const char *block, mp_obj value, size_t *i)
{
    for (; *i < list->count; ++*i) {
        mp_obj item;
        int rc = mp__list_item(list, block, *i, &item);
        if (rc != 0)
            return rc;
        bool found = mp_obj_equal(item, value);
        mp_obj_free(&item);
        if (found)
            break;
    }
    return 0;
}

int mp_shareable_list_index(mp_shareable_list *list, mp_obj value)
{
    char *block;
    size_t i = 0;
    int rc = list_enter(list, &block);
    if (rc == 0)
        rc = equal_find(list, block, value, &i);
    if (rc != 0)
        return rc;
    if (i == list->count)
        return mp__failf(MP_EINVAL, "the value is not in the list");
    return i < INT_MAX ? (int)i : INT_MAX;
}

int mp_shareable_list_count(mp_shareable_list *list, mp_obj value)
{
    char *block;
    int n = 0, rc = list_enter(list, &block);
    for (size_t i = 0; rc == 0; i++) {
        rc = equal_find(list, block, value, &i);
        if (rc == 0 && i == list->count)
            return n;
        n += n < INT_MAX;
    }
    return rc;
}

mp_shared_memory *mp_shareable_list_memory(mp_shareable_list *list)
{
    return list != NULL && list->magic == SHAREABLE_LIST_MAGIC ? list->memory : NULL;
}

const char *mp_shareable_list_name(mp_shareable_list *list)
{
    return mp_shared_memory_name(mp_shareable_list_memory(list));
}

int mp_shareable_list_close(mp_shareable_list *list)
{
    int rc = list_check(list);
    return rc == 0 ? mp_shared_memory_close(list->memory) : rc;
}

int mp_shareable_list_unlink(mp_shareable_list *list)
{
    int rc = list_check(list);
    return rc == 0 ? mp_shared_memory_unlink(list->memory) : rc;
}

void mp_shareable_list_destroy(mp_shareable_list *list)
{
    if (list == NULL || list_check(list) != 0)
        return;
    mp_shared_memory_destroy(list->memory);
    list->magic = 0;
    free(list);
}
