/* What the container types share: their arguments and their answers.
 *
 * How it works
 *   An answer that cannot be a view of one stored object is an array of views, in the one block
 *   that the server frees when the answer has been sent.
 */
#include "managers/containers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int mp__call_plain(const struct mp__call *call, size_t least, size_t most)
{
    if (call->kwargs.len > 0)
        return mp__failf(MP_ETYPE, "the method takes no keyword arguments");
    return mp__call_expects(call, least, most);
}

int mp__call_keywords(const struct mp__call *call, const char *const *names, size_t n)
{
    for (size_t i = 0; i < call->kwargs.len; i++) {
        const mp_obj *key = &call->kwargs.items[2 * i];
        size_t at = 0;
        while (at < n && !mp__obj_is_str(key, names[at]))
            at++;
        if (at == n)
            return mp__failf(MP_ETYPE, "got an unexpected keyword argument '%.*s'", (int)key->len,
                             key->s);
        if (at < call->args.len)
            return mp__failf(MP_ETYPE, "got multiple values for argument '%s'", names[at]);
    }
    return 0;
}

int mp__call_takes(const struct mp__call *call, const char *const *names, size_t least, size_t n)
{
    int rc = mp__call_keywords(call, names, n);
    if (rc == 0 && call->args.len > n)
        rc = mp__call_expects(call, least, n);
    for (size_t i = 0; i < least && rc == 0; i++)
        if (mp__call_argument(call, i, names[i]) == NULL)
            rc = mp__failf(MP_ETYPE, "missing a required argument: '%s'", names[i]);
    return rc;
}

/* A str, of malloc, that becomes the answer's. */
static void answer_text(struct mp__call *call, char *text, size_t n)
{
    call->value = mp_obj_strn(text, n);
    call->value.s = text; /* this block, though it were empty */
    call->value.owned = 1;
}

int mp__answer_repr(struct mp__call *call, mp_obj o)
{
    char *text = mp_obj_repr(o);
    if (text == NULL)
        return -ENOMEM;
    answer_text(call, text, strlen(text));
    return 0;
}

int mp__answer_stream(struct mp__call *call, FILE *out, char **text)
{
    bool failed = fflush(out) != 0 || ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(*text);
        return mp__fail(-ENOMEM);
    }
    answer_text(call, *text, strlen(*text));
    return 0;
}

void mp__answer_instance(struct mp__call *call, mp_obj *room, const char *class, mp_obj state)
{
    room[MP__OPAQUE_MODULE] = mp_obj_str("multiprocessing.managers");
    room[MP__OPAQUE_NAME] = mp_obj_str(class);
    room[MP__OPAQUE_ARGS] = mp_obj_tuple(NULL, 0);
    room[MP__OPAQUE_STATE] = state;
    call->value = mp__obj_opaque(room, true);
}

mp_obj *mp__answer_room(struct mp__call *call, size_t n)
{
    size_t size;
    if (mp__size_mul(n, sizeof(mp_obj), &size) && size < SIZE_MAX)
        call->scratch = malloc(size + 1);
    if (call->scratch == NULL)
        mp__fail(-ENOMEM);
    return call->scratch;
}

void mp__answer_iter(struct mp__call *call, mp_obj *room, size_t n)
{
    room[MP__OPAQUE_MODULE] = mp_obj_str("builtins");
    room[MP__OPAQUE_NAME] = mp_obj_str("iter");
    room[MP__OPAQUE_ARGS] = mp_obj_tuple(room + 4, 1);
    room[MP__OPAQUE_STATE] = mp_obj_none();
    room[4] = mp_obj_list(room + MP__ITER_ROOM, n);
    call->value = mp__obj_opaque(room, false);
}

int mp__unsupported(const char *op, const char *left, const char *right)
{
    return mp__failf(MP_ETYPE, "unsupported operand type(s) for %s: '%s' and '%s'", op, left,
                     right);
}
