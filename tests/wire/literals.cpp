// The literals of object.h in C++17: prints what literals.txt says.
#include <mp/object.h>

#include <cstdint>
#include <cstdio>
#include <string>

enum color { RED, GREEN };

static mp_obj through_a_call(mp_obj o)
{
    mp_obj_println(o, stdout);
    return o;
}

int main()
{
    const std::string name = "name";
    const char *text = "text";
    char array[] = "array";
    bool yes = true;
    through_a_call(MP_LIST(1, "two", MP_LIST(3), MP_TUPLE(4.5, 'a', 2.5f)));
    through_a_call(MP_DICT("k", MP_SET(1, 2), name.c_str(), text, array, yes));
    through_a_call(MP_LIST(MP_NONE, MP_TRUE, false, GREEN, INT64_MIN, UINT64_C(5), MP(MP(7))));
    through_a_call(MP_LIST(MP_EMPTY_LIST, MP_EMPTY_TUPLE, MP_EMPTY_DICT, MP_EMPTY_SET));
    through_a_call(MP_TUPLE(MP_BYTES("\0x", 2), MP_STRN("abc", 2)));
    mp_obj copy;
    if (mp_obj_copy(MP_DICT(1, MP_LIST(2, 3)), &copy) != 0 || !copy.owned)
        return 1;
    through_a_call(copy);
    int first = 0, second = 0;
    if (mp_obj_unpack(copy.items[1], "ii", &first, &second) != 0 || first + second != 5)
        return 1;
    mp_obj_free(&copy);
    void *bytes;
    size_t n;
    if (mp_obj_dumps(MP(UINT64_MAX), 4, &bytes, &n) != MP_EOVERFLOW)
        return 1;
    return 0;
}
