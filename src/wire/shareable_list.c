/* Shareable lists: lists of fixed length in a named block, laid out as Python does.
 *
 * How it works
 *   [ N | N + 1 offsets of slots | slots ... | N x 8 bytes of format | N x 1 byte of kind ]
 *   Words are of 8 bytes in this machine's order; offsets count from the first slot, and the last is
 *   where the slots end. A number's slot has 8 bytes, that of a str or bytes a multiple of 8 above
 *   their length. The format is the struct module's ("q", "16s", padded with NULs), the kind tells
 *   str from bytes, and None from the rest. Python 3.8 has N sizes where later ones have offsets:
 *   there the first word is a size and never 0, else it is an offset and always 0.
 *   The block may be anybody's, and change at any time: offsets are copied once and checked, what
 *   is read of a slot is copied before it is looked at, and nothing else is believed.
 *   Nothing locks a list. A death inside a set leaves a slot whose format, kind and bytes belong to
 *   two values: one of them, a mixture, or what get refuses.
 */
#include "wire/objects.h"

#include <mp/shared_memory.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#define SHAREABLE_LIST_MAGIC 0x4d50534cu

enum { WORD = 8, FORMAT = 8 };
enum { SLOT_MOST = 9999992 }; /* "9999992s" fills a format */
enum kind { KIND_AS_IS, KIND_STR, KIND_BYTES, KIND_NONE };

struct mp_shareable_list {
    uint32_t magic;
    mp_shared_memory *memory;
    size_t count;
    size_t data;     /* where the slots begin */
    size_t offset[]; /* of them from there, and of their end */
};

static size_t formats_of(const mp_shareable_list *list)
{
    return list->data + list->offset[list->count];
}

static size_t slot_size(const mp_shareable_list *list, size_t i)
{
    return list->offset[i + 1] - list->offset[i];
}

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

/* ---- items ----------------------------------------------------------------------------------- */

/* How an item is written: its format, its kind, and what of its slot. */
struct image {
    char format[FORMAT];
    enum kind kind;
    char number[WORD];
    const char *text; /* NULL: the number */
    size_t size;
};

static void number_image(const mp_obj *o, struct image *image)
{
    const char *format = "xxxxxx?x";
    if (o->type == MP_TYPE_INT || o->type == MP_TYPE_FLOAT) {
        format = o->type == MP_TYPE_INT ? "q" : "d";
        memcpy(image->number, &o->i, sizeof image->number);
    } else if (o->type == MP_TYPE_BOOL) {
        format = "xxxxxxx?";
        image->number[7] = o->b;
    }
    memcpy(image->format, format, strlen(format));
    image->kind = o->type == MP_TYPE_NONE ? KIND_NONE : KIND_AS_IS;
    image->size = WORD;
}

static int text_image(const mp_obj *o, struct image *image)
{
    bool is_str = o->type == MP_TYPE_STR;
    if (is_str && !mp__utf8_is_valid(o->s, o->len))
        return mp__failf(MP_ETYPE, "a str is no UTF-8: store it as bytes");
    image->kind = is_str ? KIND_STR : KIND_BYTES;
    image->text = is_str ? o->s : (const char *)o->bytes;
    image->size = o->len;
    return 0;
}

static int item_image(const mp_obj *o, struct image *image)
{
    *image = (struct image){.size = 0};
    switch (o->type) {
    case MP_TYPE_NONE:
    case MP_TYPE_BOOL:
    case MP_TYPE_INT:
    case MP_TYPE_FLOAT:
        number_image(o, image);
        return 0;
    case MP_TYPE_STR:
    case MP_TYPE_BYTES:
        return text_image(o, image);
    case MP__TYPE_POISON:
        return mp__failf(MP_EOVERFLOW, "the int does not fit 64 bits");
    default:
        return mp__failf(MP_ETYPE,
                         "a shareable list holds None, bool, int, float, str and bytes only");
    }
}

static size_t room_of(const struct image *image)
{
    return image->text == NULL ? WORD : (image->size / WORD + 1) * WORD;
}

/* Into a slot that has the room. */
static void image_put(const mp_shareable_list *list, char *block, size_t i, struct image *image)
{
    char *slot = block + list->data + list->offset[i], format[24] = "";
    char *formats = block + formats_of(list);
    size_t size = slot_size(list, i);
    if (image->text != NULL) {
        snprintf(format, sizeof format, "%zus", size);
        memcpy(image->format, format, FORMAT);
    }
    memcpy(formats + i * FORMAT, image->format, FORMAT);
    formats[list->count * FORMAT + i] = (char)image->kind;
    mp__step("shareable_list.typed");
    if (image->text == NULL) {
        memcpy(slot, image->number, WORD);
        return;
    }
    if (image->size > 0)
        memmove(slot, image->text, image->size);
    memset(slot + image->size, 0, size - image->size);
}

/* The size in a format "<n>s", or SIZE_MAX. */
static size_t text_format_size(const char format[FORMAT])
{
    size_t n = 0, i = 0;
    while (i < FORMAT && format[i] >= '0' && format[i] <= '9')
        n = 10 * n + (size_t)(format[i++] - '0');
    bool ends = i > 0 && i < FORMAT && format[i++] == 's';
    while (ends && i < FORMAT)
        ends = format[i++] == '\0';
    return ends ? n : SIZE_MAX;
}

static bool format_is(const char format[FORMAT], const char *text)
{
    char wanted[FORMAT + 1] = "";
    strcpy(wanted, text);
    return memcmp(format, wanted, FORMAT) == 0;
}

static int nonsense(size_t i)
{
    return mp__failf(MP_EPICKLE, "item %zu is no value", i);
}

static int text_get(const char *slot, size_t n, enum kind kind, size_t i, mp_obj *value)
{
    mp_obj copy;
    while (n > 0 && slot[n - 1] == '\0')
        n--;
    int rc = mp_obj_copy(kind == KIND_STR ? mp_obj_strn(slot, n) : mp_obj_bytes(slot, n), &copy);
    if (rc != 0)
        return rc;
    if (kind == KIND_STR && !mp__utf8_is_valid(copy.s, copy.len)) {
        mp_obj_free(&copy);
        return nonsense(i);
    }
    *value = copy;
    return 0;
}

static int item_get(const mp_shareable_list *list, const char *block, size_t i, mp_obj *value)
{
    char format[FORMAT];
    int64_t number;
    double real;
    const char *formats = block + formats_of(list), *slot = block + list->data + list->offset[i];
    unsigned char kind = (unsigned char)formats[list->count * FORMAT + i];
    memcpy(format, formats + i * FORMAT, FORMAT);
    size_t text = text_format_size(format), size = slot_size(list, i);
    if (text != SIZE_MAX && text <= size && (kind == KIND_STR || kind == KIND_BYTES))
        return text_get(slot, text, (enum kind)kind, i, value);
    if (size < WORD || (kind != KIND_AS_IS && kind != KIND_NONE))
        return nonsense(i);
    memcpy(&number, slot, WORD);
    memcpy(&real, &number, WORD);
    if (kind == KIND_NONE)
        *value = mp_obj_none();
    else if (format_is(format, "q"))
        *value = mp_obj_int(number);
    else if (format_is(format, "d"))
        *value = mp_obj_float(real);
    else if (format_is(format, "xxxxxxx?"))
        *value = mp_obj_bool(((const char *)&number)[WORD - 1] != 0);
    else
        return nonsense(i);
    return 0;
}

/* ---- making and attaching -------------------------------------------------------------------- */

static int offsets_set(mp_shareable_list *list, const mp_obj *items)
{
    struct image image;
    for (size_t i = 0; i < list->count; i++) {
        int rc = item_image(&items[i], &image);
        if (rc != 0)
            return rc;
        size_t room = room_of(&image);
        if (room > SLOT_MOST || !mp__size_add(list->offset[i], room, &list->offset[i + 1]))
            return mp__failf(MP_EOVERFLOW, "item %zu is longer than a list can hold", i);
    }
    return 0;
}

static void block_write(const mp_shareable_list *list, const mp_obj *items)
{
    char *block = mp_shared_memory_buf(list->memory);
    struct image image;
    for (size_t i = 0; i <= list->count; i++)
        word_put(block + WORD * (1 + i), list->offset[i]);
    for (size_t i = 0; i < list->count; i++)
        if (item_image(&items[i], &image) == 0)
            image_put(list, block, i, &image);
    mp__step("shareable_list.filled");
    word_put(block, list->count);
}

static int list_create(mp_shareable_list *list, const mp_obj *items, const char *name)
{
    size_t size;
    int rc = offsets_set(list, items);
    if (rc != 0)
        return rc;
    list->data = WORD * (list->count + 2);
    if (!mp__size_add(list->data + (FORMAT + 1) * list->count, list->offset[list->count], &size))
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
    return count == 0 ? size < 2 * WORD : word_at(block + WORD) != 0;
}

/* Copies the offsets of the `count` items that a block of `size` bytes is said to hold. */
static bool offsets_read(mp_shareable_list *list, const char *block, size_t size)
{
    size_t count = list->count;
    bool sizes = words_are_sizes(block, size, count);
    list->data = WORD * (count + (sizes ? 1 : 2));
    if (list->data > size || (FORMAT + 1) * count > size - list->data)
        return false;
    uint64_t most = size - list->data - (FORMAT + 1) * count, last = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t word = word_at(block + WORD * (sizes ? 1 + i : 2 + i));
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
    uint64_t count = size >= WORD ? word_at(block) : UINT64_MAX;
    if (count > (size - WORD) / (WORD + FORMAT + 1))
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
        rc = item_get(list, block, i, &got);
    if (rc == 0)
        *value = got;
    return rc;
}

int mp_shareable_list_set(mp_shareable_list *list, size_t i, mp_obj value)
{
    char *block;
    struct image image;
    int rc = item_enter(list, i, &block);
    if (rc == 0)
        rc = item_image(&value, &image);
    if (rc != 0)
        return rc;
    size_t need = image.text == NULL ? WORD : image.size, size = slot_size(list, i);
    if (need > size || (image.text != NULL && size > SLOT_MOST))
        return mp__failf(MP_EOVERFLOW, "%zu bytes exceed the available storage of %zu", need, size);
    image_put(list, block, i, &image);
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
        int rc = item_get(list, block, *i, &item);
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
