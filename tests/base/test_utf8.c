/* UTF-8 with surrogates, and which characters are printable. */
#include "support/support.h"

#include "base/base.h"

#include <string.h>

static void test_every_character_comes_back(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        char text[4];
        uint32_t back = 0;
        size_t n = mp__utf8_put(point, text);
        if (mp__utf8_next(text, n, &back) != n || back != point)
            support_fail(__FILE__, __LINE__, "U+%04x came back as U+%04x", point, back);
        for (size_t cut = 0; cut < n; cut++)
            check(mp__utf8_next(text, cut, &back) == 0);
        check(mp__utf8_is_valid(text, n));
    }
}

static void test_what_is_no_utf8_is_seen(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\x80",
                                        "\xbf",
                                        "\xc0\x80",
                                        "\xc1\xbf",
                                        "\xe0\x9f\xbf",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xc3(",
                                        "\xe2\x82(",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xff",
                                        "eight chars and \xfe"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check(!mp__utf8_is_valid(wrong[i], strlen(wrong[i])));
    check(mp__utf8_is_valid("", 0));
    check(mp__utf8_is_valid("more than eight of them \xc3\xa4 and more", 36));
}

static void test_ascii_ends_at_the_first_high_byte(void **state)
{
    (void)state;
    char text[40];
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'a', sizeof text);
        text[at] = '\x80';
        check(mp__ascii_span(text, sizeof text) == at);
        check(mp__ascii_span(text, at) == at);
    }
}

static void test_printable_is_what_python_prints(void **state)
{
    (void)state;
    static const uint32_t yes[] = {' ', '~', 0xa1, 0xe4, 0x20ac, 0x4e2d, 0xfffd, 0x1f600, 0x20000};
    static const uint32_t no[] = {0,      0x1f,    0x7f,   0x80,    0xa0,    0xad,
                                  0x378,  0x2028,  0xd800, 0xdfff,  0xe000,  0xfeff,
                                  0xfffe, 0xe0001, 0x3000, 0xf0000, 0x10ffff};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        check(mp__is_printable(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        check(!mp__is_printable(no[i]));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("UTF-8: every character comes back", test_every_character_comes_back),
        support_test("UTF-8: what is none is seen", test_what_is_no_utf8_is_seen),
        support_test("UTF-8: ASCII ends at the first high byte",
                     test_ascii_ends_at_the_first_high_byte),
        support_test("UTF-8: printable is what Python prints",
                     test_printable_is_what_python_prints),
    };
    return support_run("UTF-8", tests);
}
