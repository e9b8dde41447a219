/* The items of shareable lists: objects as Python's struct module packs them, and back.
 *
 * How it works
 *   "q" int | "d" float | "xxxxxxx?" bool | "xxxxxx?x" None | "<n>s" str, bytes, padded with NULs
 *   A format has 8 bytes, NULs behind it. The kind says what the format does not: str, bytes or
 *   None.
 *   A str's or bytes' format always says the size of its slot, and NULs at its end do not count.
 *   What is read may be anybody's and change meanwhile: it is copied first, checked then.
 *   A death between the stores leaves an item of one value's kind and another's bytes.
 */
#include "wire/shareable_list.h"

enum kind { KIND_AS_IS, KIND_STR, KIND_BYTES, KIND_NONE };

static size_t formats_of(const mp_shareable_list *list)
{
    return list->data + list->offset[list->count];
}

static void number_image(const mp_obj *o, struct mp__image *image)
{
    const char *format = "xxxxxx?x";
    if (o->type == MP_TYPE_INT || o->type == MP_TYPE_FLOAT) {
        format = o->type == MP_TYPE_INT ? "q" : "d";
        memcpy(image->number, &o->i, sizeof image->number);
    } else if (o->type == MP_TYPE_BOOL) {
        format = "xxxxxxx?";
        image->number[7] = (char)o->b;
    }
    memcpy(image->format, format, strlen(format));
    image->kind = o->type == MP_TYPE_NONE ? KIND_NONE : KIND_AS_IS;
    image->size = MP__LIST_WORD;
}

static int text_image(const mp_obj *o, struct mp__image *image)
{
    bool is_str = o->type == MP_TYPE_STR;
    if (is_str && !mp__utf8_is_valid(o->s, o->len))
        return mp__failf(MP_ETYPE, "a str is no UTF-8: store it as bytes");
    image->kind = is_str ? KIND_STR : KIND_BYTES;
    image->text = is_str ? o->s : (const char *)o->bytes;
    image->size = o->len;
    return 0;
}

int mp__image_of(const mp_obj *o, struct mp__image *image)
{
    *image = (struct mp__image){.size = 0};
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

void mp__image_put(const mp_shareable_list *list, char *block, size_t i, struct mp__image *image)
{
    char *slot = block + list->data + list->offset[i], format[24] = "";
    char *formats = block + formats_of(list);
    size_t size = mp__list_slot_size(list, i);
    if (image->text != NULL) {
        snprintf(format, sizeof format, "%zus", size);
        memcpy(image->format, format, MP__LIST_FORMAT);
    }
    memcpy(formats + i * MP__LIST_FORMAT, image->format, MP__LIST_FORMAT);
    formats[list->count * MP__LIST_FORMAT + i] = (char)image->kind;
    mp__step("shareable_list.typed");
    if (image->text == NULL) {
        memcpy(slot, image->number, MP__LIST_WORD);
        return;
    }
    if (image->size > 0)
        memmove(slot, image->text, image->size);
    memset(slot + image->size, 0, size - image->size);
}

/* The size in a format "<n>s", or SIZE_MAX. */
static size_t text_format_size(const char format[MP__LIST_FORMAT])
{
    size_t n = 0, i = 0;
    while (i < MP__LIST_FORMAT && format[i] >= '0' && format[i] <= '9')
        n = 10 * n + (size_t)(format[i++] - '0');
    bool ends = i > 0 && i < MP__LIST_FORMAT && format[i++] == 's';
    while (ends && i < MP__LIST_FORMAT)
        ends = format[i++] == '\0';
    return ends ? n : SIZE_MAX;
}

static bool format_is(const char format[MP__LIST_FORMAT], const char *text)
{
    char wanted[MP__LIST_FORMAT + 1] = "";
    strcpy(wanted, text);
    return memcmp(format, wanted, MP__LIST_FORMAT) == 0;
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

int mp__list_item(const mp_shareable_list *list, const char *block, size_t i, mp_obj *value)
{
    char format[MP__LIST_FORMAT];
    int64_t number;
    double real;
    const char *formats = block + formats_of(list), *slot = block + list->data + list->offset[i];
    unsigned char kind = (unsigned char)formats[list->count * MP__LIST_FORMAT + i];
    memcpy(format, formats + i * MP__LIST_FORMAT, MP__LIST_FORMAT);
    size_t text = text_format_size(format), size = mp__list_slot_size(list, i);
    if (text != SIZE_MAX && text <= size && (kind == KIND_STR || kind == KIND_BYTES))
        return text_get(slot, text, (enum kind)kind, i, value);
    if (size < MP__LIST_WORD || (kind != KIND_AS_IS && kind != KIND_NONE))
        return nonsense(i);
    memcpy(&number, slot, MP__LIST_WORD);
    memcpy(&real, &number, MP__LIST_WORD);
    if (kind == KIND_NONE)
        *value = mp_obj_none();
    else if (format_is(format, "q"))
        *value = mp_obj_int(number);
    else if (format_is(format, "d"))
        *value = mp_obj_float(real);
    else if (format_is(format, "xxxxxxx?"))
        *value = mp_obj_bool(((const char *)&number)[MP__LIST_WORD - 1] != 0);
    else
        return nonsense(i);
    return 0;
}
