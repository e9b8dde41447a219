/**
 * \file
 * Objects: the values that processes send to each other, and pickles of them.
 *
 * An mp_obj is None, a bool, an int, a float, a str, bytes, a list, a tuple, a dict, a set or a
 * frozenset, as in Python. It is passed by value and never changes. There are two sorts:
 *
 * A LITERAL borrows what it is made of: MP(5), MP("text"), MP_LIST(1, "two", MP_LIST(3)). There
 * is nothing to free. It lives to the end of its block, in C++ to the end of the full expression.
 * A literal may be passed wherever an object is expected: it has been encoded when the call
 * returns.
 *
 * An OWNED object is what copy, format, loads, get, recv and results give: one block of memory for
 * the whole tree, freed by mp_obj_free. Its items are views into it, valid until then, and a copy
 * by assignment is a view too. Its str and bytes are followed by a NUL that `len` does not count.
 *
 *     mp_obj o;
 *     MP_CHECK(mp_obj_loads(&o, bytes, size));           // o = pickle.loads(bytes)
 *     const mp_obj *name = mp_obj_lookup(o, MP("name")); // name = o.get("name")
 *     if (name != NULL)
 *         mp_obj_println(*name, stdout);
 *     mp_obj_free(&o);
 *
 * LIMITS. Containers may stand 256 levels deep in each other; an int is one of int64_t; a str is
 * UTF-8 (surrogates may stand in it as in Python's own pickles) and may hold NUL. A MP(x) of an
 * unsigned x above INT64_MAX is an object that every encoder refuses with MP_EOVERFLOW.
 *
 * None of these calls blocks or keeps anything between calls: any thread may use them in any
 * process, a forked child included, though not in a signal handler. A process killed inside one
 * leaves nothing behind.
 */
#ifndef MP_OBJECT_H
#define MP_OBJECT_H

#include "errors.h"
#include "export.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** What an mp_obj is. A bytearray arrives as bytes. */
typedef enum mp_type {
    MP_TYPE_NONE = 0,
    MP_TYPE_BOOL,
    MP_TYPE_INT,
    MP_TYPE_FLOAT,
    MP_TYPE_STR,
    MP_TYPE_BYTES,
    MP_TYPE_LIST,
    MP_TYPE_TUPLE,
    MP_TYPE_DICT,
    MP_TYPE_SET,
    MP_TYPE_FROZENSET,
    MP_TYPE_PROXY, /**< stands for an object of a manager */
    MP_TYPE_HANDLE /**< a shared object of this library, see mp_obj_handle */
} mp_type;

/** An object; read it freely, make it by the functions and macros below. */
typedef struct mp_obj {
    uint8_t type;        /**< an mp_type */
    uint8_t owned;       /**< 1 in the root of an owned tree, else 0 */
    uint8_t reserved[6]; /**< not used */
    size_t len;          /**< bytes of a str or bytes, items of a container, pairs of a dict */
    union {
        bool b;
        int64_t i;
        double f;
        const char *s;
        const uint8_t *bytes;
        const struct mp_obj *items; /**< of a dict 2 * len: key, value, key, value, ... */
    };
} mp_obj;

#ifndef __cplusplus
_Static_assert(sizeof(size_t) < 8 || offsetof(mp_obj, i) == 16, "the layout is fixed");
#endif

MP_BEGIN_DECLS

/** Make None. Python: None. As the next four: nothing to free, cannot fail. */
MP_API mp_obj mp_obj_none(void);

/** Make a bool. Python: bool(b). Not MP(true): that is an int in C11. */
MP_API mp_obj mp_obj_bool(bool b);

/** Make an int. Python: int */
MP_API mp_obj mp_obj_int(int64_t i);

/** Make a float. Python: float */
MP_API mp_obj mp_obj_float(double f);

/** Make a str that borrows UTF-8 text up to its NUL; of NULL, None. Python: str */
MP_API mp_obj mp_obj_str(const char *s);

/** Make a str that borrows n bytes of UTF-8 text. Python: str */
MP_API mp_obj mp_obj_strn(const char *s, size_t n);

/** Make bytes that borrow n bytes. Python: bytes */
MP_API mp_obj mp_obj_bytes(const void *bytes, size_t n);

/**
 * Make a list that borrows an array of n objects.
 * Python: list
 * For lengths that are known only at run time; MP_LIST is shorter where they are not. The array,
 * and what its elements borrow, has to outlive the list. Cannot fail.
 */
MP_API mp_obj mp_obj_list(const mp_obj *items, size_t n);

/** Make a tuple that borrows an array, as mp_obj_list. Python: tuple */
MP_API mp_obj mp_obj_tuple(const mp_obj *items, size_t n);

/** Make a set that borrows an array, as mp_obj_list. Python: set. Equal items count once. */
MP_API mp_obj mp_obj_set(const mp_obj *items, size_t n);

/** Make a frozenset that borrows an array, as mp_obj_list. Python: frozenset */
MP_API mp_obj mp_obj_frozenset(const mp_obj *items, size_t n);

/**
 * Make a dict that borrows an array of 2 * pairs objects, each key with its value behind it.
 * Python: dict
 * Of several equal keys the last one's value counts. Otherwise as mp_obj_list.
 */
MP_API mp_obj mp_obj_dict(const mp_obj *keys_and_values, size_t pairs);

/**
 * Copy a whole tree into one block of its own.
 * Python: copy.deepcopy(o)
 * The caller owns *out and frees it with mp_obj_free.
 * Returns 0; MP_EINVAL (ValueError) for a NULL out or an unknown type; MP_EOVERFLOW
 * (OverflowError) for a tree too deep; -ENOMEM (MemoryError).
 */
MP_API int mp_obj_copy(mp_obj o, mp_obj *out);

/** Give the same object as one that is not owned. Python: another name for it. */
MP_API mp_obj mp_obj_view(mp_obj o);

/**
 * Make an owned str as printf would print it.
 * Python: format % values
 * The caller owns *out and frees it with mp_obj_free.
 * Returns 0; MP_EINVAL (ValueError) for NULL or a format that printf refuses; -ENOMEM.
 */
MP_API int mp_obj_format(mp_obj *out, const char *format, ...) MP_PRINTF(2, 3);

/**
 * Free an owned object, all its items with it, and make *o None.
 * Python: del o
 * A second call does nothing, so does one for a literal, a view or NULL. Copies made by
 * assignment end with it.
 */
MP_API void mp_obj_free(mp_obj *o);

/**
 * Ask whether two objects are equal.
 * Python: a == b
 * So 1, 1.0 and True are equal, a list and a tuple are not, nor are NaN and NaN. The order in
 * dicts and sets does not matter; the pairs and items of large ones are looked up by hash.
 * Handles equal themselves only, proxies those with the same id and address of the server.
 */
MP_API bool mp_obj_equal(mp_obj a, mp_obj b);

/**
 * Look at item i of a list, tuple, set, frozenset or, key and value counted apart, dict.
 * Python: o[i]
 * Returns a view into `o`, or NULL if `i` is out of range or `o` has no items.
 */
MP_API const mp_obj *mp_obj_item(mp_obj o, size_t i);

/**
 * Look up the value of a key.
 * Python: dict.get(key)
 * Looks at one key after the other. Returns a view into `dict`, or NULL if the key is absent or
 * `dict` is none.
 */
MP_API const mp_obj *mp_obj_lookup(mp_obj dict, mp_obj key);

/**
 * Read an int, or a bool as 0 or 1.
 * Python: operator.index(o)
 * Returns 0; MP_ETYPE (TypeError) for anything else; MP_EOVERFLOW (OverflowError) if it does not
 * fit. *i may be NULL, here and below, to ask only.
 */
MP_API int mp_obj_as_int(mp_obj o, int64_t *i);

/** Read a float, int or bool as a double. Python: float(o). Returns 0; MP_ETYPE (TypeError). */
MP_API int mp_obj_as_float(mp_obj o, double *f);

/**
 * Read a str: UTF-8, not always ended by a NUL if `o` is a literal.
 * Python: the str itself
 * *s points into `o`. Returns 0; MP_ETYPE (TypeError) for anything else, bytes included.
 */
MP_API int mp_obj_as_str(mp_obj o, const char **s, size_t *n);

/** Read a bool, not an int. Python: `o is True`. Returns 0; MP_ETYPE (TypeError). */
MP_API int mp_obj_as_bool(mp_obj o, bool *b);

/**
 * Read the items of a tuple or list, or the one value of any other object, by a format.
 * Python: name, seconds = o
 * One letter for each: i int *, q int64_t *, d double *, b bool *, s const char **,
 * y const void ** and size_t *, O mp_obj * (a view). Pointers may be NULL. All is checked before
 * anything is written; what is pointed to belongs to `o`. A str for `s` ends with a NUL if `o` is
 * owned or was made of a string literal, not if mp_obj_strn made it.
 *
 *     MP_CHECK(mp_obj_unpack(args, "sd", &name, &seconds)); // name, seconds = args
 *
 * Returns 0; MP_EINVAL (ValueError) if the number differs, the format is wrong or a str for `s`
 * holds a NUL; MP_ETYPE (TypeError); MP_EOVERFLOW (OverflowError).
 */
MP_API int mp_obj_unpack(mp_obj o, const char *format, ...);

/**
 * Print an object: a str as it is, everything else as its repr.
 * Python: print(o, end="", file=out)
 * Sets keep the order they were made or received in. Levels beyond the depth limit are "...".
 * Returns 0; MP_EINVAL for a NULL stream; -EIO (OSError) if it does not take the text.
 */
MP_API int mp_obj_print(mp_obj o, FILE *out);

/** Print an object and a newline. Python: print(o, file=out). As mp_obj_print. */
MP_API int mp_obj_println(mp_obj o, FILE *out);

/**
 * Give the repr of an object as a string.
 * Python: repr(o)
 * The caller frees it with free(). NULL: there is no memory for it.
 */
MP_API char *mp_obj_repr(mp_obj o);

/**
 * Write an object as a pickle that Python's pickle.loads reads.
 * Python: pickle.dumps(o, protocol)
 * `protocol` is 2 to 5, or negative for the newest. The caller frees *buf with free().
 * Returns 0; MP_EINVAL (ValueError) for NULL or another protocol; MP_EOVERFLOW (OverflowError)
 * for an int above INT64_MAX; MP_ETYPE (TypeError) for a key or set item that Python cannot hash;
 * MP_EPICKLE (PicklingError) for a str that is no UTF-8, a tree too deep, a handle, and below
 * protocol 4 a proxy; -ENOMEM (MemoryError).
 */
MP_API int mp_obj_dumps(mp_obj o, int protocol, void **buf, size_t *n);

/**
 * Read a pickle of protocol 0 to 5 that holds plain data.
 * Python: pickle.loads(buf)
 * Nothing that the bytes name is ever run, and memory stays below a small multiple of `n`.
 * Refused are classes, functions, instances, objects that contain themselves, out-of-band buffers,
 * parts shared so often that written out they take more than 64 * n bytes and 16 MiB, and lists
 * and sets made of others that come to several times n items. Each reference to a NaN as a key or
 * in a set is one of its own. `buf` may go afterwards; bytes after the pickle are ignored, as in
 * Python. The caller owns *out and frees it with mp_obj_free.
 * Returns 0; MP_EINVAL for NULL; MP_EPICKLE (UnpicklingError), with the reason in
 * mp_error_detail; MP_EOVERFLOW (OverflowError) for an int beyond int64_t; -ENOMEM (MemoryError).
 */
MP_API int mp_obj_loads(mp_obj *out, const void *buf, size_t n);

/**
 * Make an object that stands for a lock, a queue, a value or any other shared object.
 * Python: Process(args=(lock,)); in Python only there
 * It may be sent through pipes, queues and tasks to processes of the same tree, never to Python.
 * Borrows nothing: the object may be destroyed, and then the handle says so.
 */
MP_API mp_obj mp_obj_handle(const void *shared);

/**
 * Get back the pointer that a handle was made of.
 * Python: has no such thing
 * The object belongs to who it belonged to. `shared` points to a void *.
 * Returns 0; MP_ETYPE (TypeError) if `o` is no handle; MP_EINVAL (ValueError) if it is one of
 * another tree of processes, or of something that is no shared object; MP_ECLOSED (ValueError) if
 * the object was destroyed.
 */
MP_API int mp_obj_as_handle(mp_obj o, void **shared);

MP_END_DECLS

/** The objects None, True and False. */
#define MP_NONE mp_obj_none()
#define MP_TRUE mp_obj_bool(true)
#define MP_FALSE mp_obj_bool(false)

/** A str or bytes of n bytes at p. */
#define MP_STRN(p, n) mp_obj_strn(p, n)
#define MP_BYTES(p, n) mp_obj_bytes(p, n)

/** An empty list, tuple, dict and set, which the macros with items cannot make. */
#define MP_EMPTY_LIST mp_obj_list(NULL, 0)
#define MP_EMPTY_TUPLE mp_obj_tuple(NULL, 0)
#define MP_EMPTY_DICT mp_obj_dict(NULL, 0)
#define MP_EMPTY_SET mp_obj_set(NULL, 0)

/* An int, or for one that int64_t cannot hold, an object that no encoder takes. */
static inline mp_obj mp_obj_uint_(uint64_t u)
{
    mp_obj o = mp_obj_int((int64_t)u);
    if (u > (uint64_t)INT64_MAX)
        o.type = 255;
    return o;
}

#ifndef __cplusplus

static inline mp_obj mp_obj_same_(mp_obj o)
{
    return o;
}

/**
 * Make an object of any integer, float, double, string, bool or mp_obj.
 * Python: the value itself
 * `true` and `false` are ints in C11, and so are characters: write MP_TRUE, or a variable of type
 * bool. A string is borrowed.
 */
#define MP(x) \
    _Generic((x),                         \
        bool: mp_obj_bool,                \
        char: mp_obj_int,                 \
        signed char: mp_obj_int,          \
        unsigned char: mp_obj_int,        \
        short: mp_obj_int,                \
        unsigned short: mp_obj_int,       \
        int: mp_obj_int,                  \
        unsigned: mp_obj_int,             \
        long: mp_obj_int,                 \
        unsigned long: mp_obj_uint_,      \
        long long: mp_obj_int,            \
        unsigned long long: mp_obj_uint_, \
        float: mp_obj_float,              \
        double: mp_obj_float,             \
        char *: mp_obj_str,               \
        const char *: mp_obj_str,         \
        mp_obj: mp_obj_same_)(x)

/**
 * Make a list, tuple, set or dict of 1 to 64 items, each wrapped by MP().
 * Python: [1, "two", [3]], (1, "two"), {1, 2}, {"key": "value"}
 * No allocation: the items are an array that lives to the end of the block. A dict is written
 * MP_DICT(key, value, key, value, ...) and an odd one does not compile.
 */
#define MP_LIST(...) MP_LIT_(MP_TYPE_LIST, MP_N_(__VA_ARGS__), __VA_ARGS__)
#define MP_TUPLE(...) MP_LIT_(MP_TYPE_TUPLE, MP_N_(__VA_ARGS__), __VA_ARGS__)
#define MP_SET(...) MP_LIT_(MP_TYPE_SET, MP_N_(__VA_ARGS__), __VA_ARGS__)
#define MP_DICT(...) MP_LIT_(MP_TYPE_DICT, MP_PAIRS_(MP_N_(__VA_ARGS__)), __VA_ARGS__)

#define MP_LIT_(t, n, ...) \
    ((mp_obj){.type = (t), .len = (n), .items = (const mp_obj[]){MP_EACH_(MP, __VA_ARGS__)}})
#define MP_PAIRS_(n)                                                               \
    ((n) / 2 + 0 * sizeof(struct {                                                 \
                   _Static_assert((n) % 2 == 0, "MP_DICT: a key without a value"); \
                   char c_;                                                        \
               }))

/* MP_EACH_(m, a, b, ...) is m(a), m(b), ... for up to 64 arguments, MP_N_ their number. */
#define MP_EACH_(m, ...) MP_EC_(MP_N_(__VA_ARGS__))(m, __VA_ARGS__)
#define MP_EC_(n) MP_EC__(n)
#define MP_EC__(n) MP_E##n##_
#define MP_N_(...)                                                                                 \
    MP_N__(__VA_ARGS__, 64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47,    \
           46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, \
           24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1,  \
           0)
#define MP_N__(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, \
               a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, a33, a34,  \
               a35, a36, a37, a38, a39, a40, a41, a42, a43, a44, a45, a46, a47, a48, a49, a50,  \
               a51, a52, a53, a54, a55, a56, a57, a58, a59, a60, a61, a62, a63, a64, n, ...)    \
    n
#define MP_E1_(m, a) m(a)
#define MP_E2_(m, a, ...) m(a), MP_E1_(m, __VA_ARGS__)
#define MP_E3_(m, a, ...) m(a), MP_E2_(m, __VA_ARGS__)
#define MP_E4_(m, a, ...) m(a), MP_E3_(m, __VA_ARGS__)
#define MP_E5_(m, a, ...) m(a), MP_E4_(m, __VA_ARGS__)
#define MP_E6_(m, a, ...) m(a), MP_E5_(m, __VA_ARGS__)
#define MP_E7_(m, a, ...) m(a), MP_E6_(m, __VA_ARGS__)
#define MP_E8_(m, a, ...) m(a), MP_E7_(m, __VA_ARGS__)
#define MP_E9_(m, a, ...) m(a), MP_E8_(m, __VA_ARGS__)
#define MP_E10_(m, a, ...) m(a), MP_E9_(m, __VA_ARGS__)
#define MP_E11_(m, a, ...) m(a), MP_E10_(m, __VA_ARGS__)
#define MP_E12_(m, a, ...) m(a), MP_E11_(m, __VA_ARGS__)
#define MP_E13_(m, a, ...) m(a), MP_E12_(m, __VA_ARGS__)
#define MP_E14_(m, a, ...) m(a), MP_E13_(m, __VA_ARGS__)
#define MP_E15_(m, a, ...) m(a), MP_E14_(m, __VA_ARGS__)
#define MP_E16_(m, a, ...) m(a), MP_E15_(m, __VA_ARGS__)
#define MP_E17_(m, a, ...) m(a), MP_E16_(m, __VA_ARGS__)
#define MP_E18_(m, a, ...) m(a), MP_E17_(m, __VA_ARGS__)
#define MP_E19_(m, a, ...) m(a), MP_E18_(m, __VA_ARGS__)
#define MP_E20_(m, a, ...) m(a), MP_E19_(m, __VA_ARGS__)
#define MP_E21_(m, a, ...) m(a), MP_E20_(m, __VA_ARGS__)
#define MP_E22_(m, a, ...) m(a), MP_E21_(m, __VA_ARGS__)
#define MP_E23_(m, a, ...) m(a), MP_E22_(m, __VA_ARGS__)
#define MP_E24_(m, a, ...) m(a), MP_E23_(m, __VA_ARGS__)
#define MP_E25_(m, a, ...) m(a), MP_E24_(m, __VA_ARGS__)
#define MP_E26_(m, a, ...) m(a), MP_E25_(m, __VA_ARGS__)
#define MP_E27_(m, a, ...) m(a), MP_E26_(m, __VA_ARGS__)
#define MP_E28_(m, a, ...) m(a), MP_E27_(m, __VA_ARGS__)
#define MP_E29_(m, a, ...) m(a), MP_E28_(m, __VA_ARGS__)
#define MP_E30_(m, a, ...) m(a), MP_E29_(m, __VA_ARGS__)
#define MP_E31_(m, a, ...) m(a), MP_E30_(m, __VA_ARGS__)
#define MP_E32_(m, a, ...) m(a), MP_E31_(m, __VA_ARGS__)
#define MP_E33_(m, a, ...) m(a), MP_E32_(m, __VA_ARGS__)
#define MP_E34_(m, a, ...) m(a), MP_E33_(m, __VA_ARGS__)
#define MP_E35_(m, a, ...) m(a), MP_E34_(m, __VA_ARGS__)
#define MP_E36_(m, a, ...) m(a), MP_E35_(m, __VA_ARGS__)
#define MP_E37_(m, a, ...) m(a), MP_E36_(m, __VA_ARGS__)
#define MP_E38_(m, a, ...) m(a), MP_E37_(m, __VA_ARGS__)
#define MP_E39_(m, a, ...) m(a), MP_E38_(m, __VA_ARGS__)
#define MP_E40_(m, a, ...) m(a), MP_E39_(m, __VA_ARGS__)
#define MP_E41_(m, a, ...) m(a), MP_E40_(m, __VA_ARGS__)
#define MP_E42_(m, a, ...) m(a), MP_E41_(m, __VA_ARGS__)
#define MP_E43_(m, a, ...) m(a), MP_E42_(m, __VA_ARGS__)
#define MP_E44_(m, a, ...) m(a), MP_E43_(m, __VA_ARGS__)
#define MP_E45_(m, a, ...) m(a), MP_E44_(m, __VA_ARGS__)
#define MP_E46_(m, a, ...) m(a), MP_E45_(m, __VA_ARGS__)
#define MP_E47_(m, a, ...) m(a), MP_E46_(m, __VA_ARGS__)
#define MP_E48_(m, a, ...) m(a), MP_E47_(m, __VA_ARGS__)
#define MP_E49_(m, a, ...) m(a), MP_E48_(m, __VA_ARGS__)
#define MP_E50_(m, a, ...) m(a), MP_E49_(m, __VA_ARGS__)
#define MP_E51_(m, a, ...) m(a), MP_E50_(m, __VA_ARGS__)
#define MP_E52_(m, a, ...) m(a), MP_E51_(m, __VA_ARGS__)
#define MP_E53_(m, a, ...) m(a), MP_E52_(m, __VA_ARGS__)
#define MP_E54_(m, a, ...) m(a), MP_E53_(m, __VA_ARGS__)
#define MP_E55_(m, a, ...) m(a), MP_E54_(m, __VA_ARGS__)
#define MP_E56_(m, a, ...) m(a), MP_E55_(m, __VA_ARGS__)
#define MP_E57_(m, a, ...) m(a), MP_E56_(m, __VA_ARGS__)
#define MP_E58_(m, a, ...) m(a), MP_E57_(m, __VA_ARGS__)
#define MP_E59_(m, a, ...) m(a), MP_E58_(m, __VA_ARGS__)
#define MP_E60_(m, a, ...) m(a), MP_E59_(m, __VA_ARGS__)
#define MP_E61_(m, a, ...) m(a), MP_E60_(m, __VA_ARGS__)
#define MP_E62_(m, a, ...) m(a), MP_E61_(m, __VA_ARGS__)
#define MP_E63_(m, a, ...) m(a), MP_E62_(m, __VA_ARGS__)
#define MP_E64_(m, a, ...) m(a), MP_E63_(m, __VA_ARGS__)

#else

#include <type_traits>

/* The same in C++: items that live to the end of the full expression. */
template <size_t N> struct mp_literal_ {
    mp_obj items[N];
    uint8_t type;
    operator mp_obj() const
    {
        mp_obj o = mp_obj();
        o.type = type;
        o.len = type == MP_TYPE_DICT ? N / 2 : N;
        o.items = items;
        return o;
    }
};

template <class T, typename std::enable_if<std::is_integral<T>::value || std::is_enum<T>::value,
                                           int>::type = 0>
inline mp_obj MP(T x)
{
    return std::is_same<T, bool>::value ? mp_obj_bool((bool)x)
           : std::is_unsigned<T>::value ? mp_obj_uint_((uint64_t)x)
                                        : mp_obj_int((int64_t)x);
}
inline mp_obj MP(double x)
{
    return mp_obj_float(x);
}
inline mp_obj MP(float x)
{
    return mp_obj_float((double)x);
}
inline mp_obj MP(const char *x)
{
    return mp_obj_str(x);
}
inline mp_obj MP(mp_obj x)
{
    return x;
}
template <size_t N> inline mp_obj MP(const mp_literal_<N> &x)
{
    return x;
}

template <class... T> inline mp_literal_<sizeof...(T)> MP_LIST(const T &...x)
{
    static_assert(sizeof...(T) <= 64, "MP_LIST: more than 64 items");
    return {{MP(x)...}, MP_TYPE_LIST};
}
template <class... T> inline mp_literal_<sizeof...(T)> MP_TUPLE(const T &...x)
{
    static_assert(sizeof...(T) <= 64, "MP_TUPLE: more than 64 items");
    return {{MP(x)...}, MP_TYPE_TUPLE};
}
template <class... T> inline mp_literal_<sizeof...(T)> MP_SET(const T &...x)
{
    static_assert(sizeof...(T) <= 64, "MP_SET: more than 64 items");
    return {{MP(x)...}, MP_TYPE_SET};
}
template <class... T> inline mp_literal_<sizeof...(T)> MP_DICT(const T &...x)
{
    static_assert(sizeof...(T) <= 64, "MP_DICT: more than 32 pairs");
    static_assert(sizeof...(T) % 2 == 0, "MP_DICT: a key without a value");
    return {{MP(x)...}, MP_TYPE_DICT};
}

#endif

#endif
