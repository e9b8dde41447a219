/* Digests: the vectors of RFC 2202 and RFC 4231, those of Python's handshake, and every length. */
#include "support/support.h"

#include "wire/handshake.h"

#include <stdlib.h>
#include <string.h>

static void check_mac(enum mp__digest digest, const void *key, size_t key_size, const void *p,
                      size_t n, const char *hex)
{
    unsigned char mac[32];
    char text[65] = "";
    size_t size = mp__hmac(digest, key, key_size, p, n, mac);
    check(size == (digest == MP__MD5 ? 16 : 32));
    for (size_t i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", mac[i]);
    if (strcmp(text, hex) != 0)
        support_fail(__FILE__, __LINE__, "%s is not %s", text, hex);
}

static void *repeated(int byte, size_t n)
{
    static unsigned char room[200];
    return memset(room, byte, n);
}

static const unsigned char counted_key[25] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
                                              14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25};

static void test_hmac_md5_gives_what_rfc_2202_says(void **state)
{
    (void)state;
    char key[80];
    check_mac(MP__MD5, memset(key, 0x0b, 16), 16, "Hi There", 8,
              "9294727a3638bb1c13f48ef8158bfc9d");
    check_mac(MP__MD5, "Jefe", 4, "what do ya want for nothing?", 28,
              "750c783e6ab0b503eaa86e310a5db738");
    check_mac(MP__MD5, memset(key, 0xaa, 16), 16, repeated(0xdd, 50), 50,
              "56be34521d144c88dbb8c733f0e8b3f6");
    check_mac(MP__MD5, counted_key, 25, repeated(0xcd, 50), 50, "697eaf0aca3a3aea3a75164746ffaa79");
    memset(key, 0xaa, 80);
    check_mac(MP__MD5, key, 80, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
              "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    check_mac(MP__MD5, key, 80,
              "Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data", 73,
              "6f630fad67cda0ee1fb1f562db3aa53e");
}

static void test_hmac_sha256_gives_what_rfc_4231_says(void **state)
{
    (void)state;
    char key[131];
    check_mac(MP__SHA256, memset(key, 0x0b, 20), 20, "Hi There", 8,
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_mac(MP__SHA256, "Jefe", 4, "what do ya want for nothing?", 28,
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    check_mac(MP__SHA256, key, 20, repeated(0xdd, 50), 50,
              "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    check_mac(MP__SHA256, counted_key, 25, repeated(0xcd, 50), 50,
              "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    check_mac(MP__SHA256, key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    check_mac(MP__SHA256, key, 131,
              "This is a test using a larger than block-size key and a larger than block-size "
              "data. The key needs to be hashed before being used by the HMAC algorithm.",
              152, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void test_challenges_are_answered_as_python_answers_them(void **state)
{
    (void)state;
    unsigned char md5_challenge[20], challenge[48] = "{sha256}";
    for (unsigned char i = 0; i < 20; i++)
        md5_challenge[i] = i;
    for (unsigned char i = 0; i < 40; i++)
        challenge[8 + i] = i;
    check_mac(MP__MD5, "abracadabra", 11, md5_challenge, 20, "ff63d69f0d1055b99f32d588bd840b74");
    check_mac(MP__SHA256, "abracadabra", 11, challenge, 48,
              "536016a8c32ca9231522a6e91ddbbd637ba292f333e6fd43599971f107db3002");
    check_mac(MP__MD5, "abracadabra", 11, challenge, 48, "7690e2569f3bc902fa21a77cf545d7f6");
    check_mac(MP__MD5, NULL, 0, md5_challenge, 20, "eee7e8c8fa6d98a59d76c44ce7018548");
    check_mac(MP__SHA256, NULL, 0, challenge, 48,
              "d18b190a737f779d3125c4a2dfddcebf933e2f2713bc92fbe386ca25df9fd7af");
    check_mac(MP__SHA256, repeated('k', 100), 100, challenge, 48,
              "92a28f957d705592e88ca4ee0f82e4b409c0458d65e1d7d224d9e27f259b7007");
}

/* A chain over all lengths of key and text around the blocks; its end was computed by Python. */
static void check_chain(enum mp__digest digest, const char *last)
{
    unsigned char text[300], key[32 + 150], mac[32];
    size_t size = 0;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)(i * 7 + 3);
    for (size_t n = 0; n < 300; n++) {
        memcpy(key, mac, size);
        memcpy(key + size, text, n / 2);
        size = mp__hmac(digest, key, size + n / 2, text, n, mac);
    }
    memcpy(key, mac, size);
    memcpy(key + size, text, 150);
    check_mac(digest, key, size + 150, text, 300, last);
}

static void test_keys_and_texts_of_every_length_are_digested(void **state)
{
    (void)state;
    check_chain(MP__MD5, "2afe6e617d8248ff1b4d7e9d3e37c5e5");
    check_chain(MP__SHA256, "99128ba3f0dd948461a0247056cfba8e7da76b114b1d0aba6138d9a85bc93122");
}

static void test_bytes_are_equal_only_if_all_of_them_are(void **state)
{
    (void)state;
    unsigned char a[33] = {0}, b[33] = {0};
    check(mp__bytes_equal(a, b, 0));
    check(mp__bytes_equal(a, b, 33));
    for (size_t i = 0; i < 33; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            b[i] = (unsigned char)(1 << bit);
            check(!mp__bytes_equal(a, b, 33));
            check(mp__bytes_equal(a, b, i));
        }
        b[i] = 0;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("digest: HMAC-MD5 gives what RFC 2202 says",
                     test_hmac_md5_gives_what_rfc_2202_says),
        support_test("digest: HMAC-SHA256 gives what RFC 4231 says",
                     test_hmac_sha256_gives_what_rfc_4231_says),
        support_test("digest: challenges are answered as Python answers them",
                     test_challenges_are_answered_as_python_answers_them),
        support_test("digest: keys and texts of every length are digested",
                     test_keys_and_texts_of_every_length_are_digested),
        support_test("digest: bytes are equal only if all of them are",
                     test_bytes_are_equal_only_if_all_of_them_are),
    };
    return support_run("digest", tests);
}
