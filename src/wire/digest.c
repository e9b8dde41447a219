/* Digests for the authentication: MD5 (RFC 1321), SHA-256 (FIPS 180-4), HMAC over them (RFC 2104).
 *
 * How it works
 *   Both digests eat blocks of 64 bytes, and end the same way: a bit, zeros, the number of bits in
 *   the last eight bytes. So one sink serves both; they differ in how a block is mixed into the
 *   state, in how many words of it there are, and in the order of bytes in a word.
 *   A HMAC is two digests, each of which begins with a block made of the key. Nothing here waits,
 *   allocates, or branches on the key.
 */
#include "wire/handshake.h"

#include <string.h>

enum { BLOCK = 64 };

struct sink {
    enum mp__digest digest;
    uint32_t state[8];
    uint64_t size; /* of all that was put in */
    unsigned char block[BLOCK];
};

static uint32_t word_at(const unsigned char *p, bool big_endian)
{
    uint32_t first = p[0], second = p[1], third = p[2], last = p[3];
    if (big_endian)
        return first << 24 | second << 16 | third << 8 | last;
    return last << 24 | third << 16 | second << 8 | first;
}

static void put_number(unsigned char *p, size_t size, uint64_t number, bool big_endian)
{
    for (size_t i = 0; i < size; i++)
        p[i] = (unsigned char)(number >> 8 * (big_endian ? size - 1 - i : i));
}

static uint32_t rotate_left(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

static uint32_t rotate_right(uint32_t word, unsigned bits)
{
    return word >> bits | word << (32 - bits);
}

/* ---- MD5 ------------------------------------------------------------------------------------ */

/* The integer part of 2^32 * |sin(i + 1)|. */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static uint32_t md5_mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
    switch (round) {
    case 0:
        return (b & c) | (~b & d);
    case 1:
        return (b & d) | (c & ~d);
    case 2:
        return b ^ c ^ d;
    default:
        return c ^ (b | ~d);
    }
}

static void md5_eat(uint32_t state[8], const unsigned char block[BLOCK])
{
    static const unsigned char shifts[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    static const unsigned char steps[4] = {1, 5, 3, 7}, starts[4] = {0, 1, 5, 0};
    uint32_t words[16], a = state[0], b = state[1], c = state[2], d = state[3];
    for (size_t i = 0; i < 16; i++)
        words[i] = word_at(block + 4 * i, false);
    for (unsigned i = 0; i < 64; i++) {
        unsigned round = i / 16, at = (starts[round] + steps[round] * i) % 16;
        uint32_t sum = a + md5_mix(round, b, c, d) + words[at] + sines[i];
        a = d;
        d = c;
        c = b;
        b += rotate_left(sum, shifts[round][i % 4]);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

/* ---- SHA-256 -------------------------------------------------------------------------------- */

/* The first 32 bits of the fractions of the cube roots of the first 64 primes. */
static const uint32_t cube_roots[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static void sha256_expand(uint32_t words[64], const unsigned char block[BLOCK])
{
    for (size_t i = 0; i < 16; i++)
        words[i] = word_at(block + 4 * i, true);
    for (unsigned i = 16; i < 64; i++) {
        uint32_t x = words[i - 15], y = words[i - 2];
        uint32_t small_0 = rotate_right(x, 7) ^ rotate_right(x, 18) ^ x >> 3;
        uint32_t small_1 = rotate_right(y, 17) ^ rotate_right(y, 19) ^ y >> 10;
        words[i] = words[i - 16] + small_0 + words[i - 7] + small_1;
    }
}

/* One round; the words that it does not change are given by value, and the two that it changes take
   the next places in turn: nothing is moved. */
/* NOLINTNEXTLINE(readability-function-size): so many words there are */
static inline void sha256_turn(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e,
                               uint32_t f, uint32_t g, uint32_t *h, uint32_t added)
{
    uint32_t big_1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
    uint32_t big_0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
    uint32_t choice = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
    *h += big_1 + choice + added;
    *d += *h;
    *h += big_0 + majority;
}

static void sha256_eat(uint32_t state[8], const unsigned char block[BLOCK])
{
    uint32_t words[64];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    sha256_expand(words, block);
    for (unsigned i = 0; i < 64; i += 8) {
        sha256_turn(a, b, c, &d, e, f, g, &h, cube_roots[i] + words[i]);
        sha256_turn(h, a, b, &c, d, e, f, &g, cube_roots[i + 1] + words[i + 1]);
        sha256_turn(g, h, a, &b, c, d, e, &f, cube_roots[i + 2] + words[i + 2]);
        sha256_turn(f, g, h, &a, b, c, d, &e, cube_roots[i + 3] + words[i + 3]);
        sha256_turn(e, f, g, &h, a, b, c, &d, cube_roots[i + 4] + words[i + 4]);
        sha256_turn(d, e, f, &g, h, a, b, &c, cube_roots[i + 5] + words[i + 5]);
        sha256_turn(c, d, e, &f, g, h, a, &b, cube_roots[i + 6] + words[i + 6]);
        sha256_turn(b, c, d, &e, f, g, h, &a, cube_roots[i + 7] + words[i + 7]);
    }
    const uint32_t end[8] = {a, b, c, d, e, f, g, h};
    for (unsigned i = 0; i < 8; i++)
        state[i] += end[i];
}

/* ---- what both share ------------------------------------------------------------------------ */

static struct sink sink_begin(enum mp__digest digest)
{
    struct sink sink = {.digest = digest,
                        .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                  0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
    if (digest == MP__MD5)
        memcpy(sink.state, (uint32_t[]){0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}, 16);
    return sink;
}

static void sink_put(struct sink *sink, const void *p, size_t n)
{
    const unsigned char *from = p;
    while (n > 0) {
        size_t at = sink->size % BLOCK, some = BLOCK - at < n ? BLOCK - at : n;
        memcpy(sink->block + at, from, some);
        sink->size += some;
        from += some;
        n -= some;
        if (sink->size % BLOCK != 0)
            return;
        if (sink->digest == MP__MD5)
            md5_eat(sink->state, sink->block);
        else
            sha256_eat(sink->state, sink->block);
    }
}

static size_t sink_end(struct sink *sink, unsigned char out[32])
{
    static const unsigned char padding[BLOCK] = {0x80};
    bool big_endian = sink->digest == MP__SHA256;
    size_t words = sink->digest == MP__SHA256 ? 8 : 4;
    unsigned char bits[8];
    put_number(bits, sizeof bits, sink->size * 8, big_endian);
    size_t at = sink->size % BLOCK, end = at < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    sink_put(sink, padding, end - 8 - at);
    sink_put(sink, bits, sizeof bits);
    for (size_t i = 0; i < words; i++)
        put_number(out + 4 * i, 4, sink->state[i], big_endian);
    return 4 * words;
}

/* ---- HMAC ----------------------------------------------------------------------------------- */

static struct sink keyed_begin(enum mp__digest digest, const unsigned char key[BLOCK],
                               unsigned char pad)
{
    struct sink sink = sink_begin(digest);
    unsigned char block[BLOCK];
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = key[i] ^ pad;
    sink_put(&sink, block, BLOCK);
    return sink;
}

size_t mp__hmac(enum mp__digest digest, const void *key, size_t key_size, const void *p, size_t n,
                unsigned char mac[32])
{
    unsigned char block[BLOCK] = {0};
    if (key_size > BLOCK) {
        struct sink long_key = sink_begin(digest);
        sink_put(&long_key, key, key_size);
        sink_end(&long_key, block);
    } else if (key_size > 0) {
        memcpy(block, key, key_size);
    }
    struct sink inner = keyed_begin(digest, block, 0x36), outer = keyed_begin(digest, block, 0x5c);
    sink_put(&inner, p, n);
    size_t size = sink_end(&inner, mac);
    sink_put(&outer, mac, size);
    return sink_end(&outer, mac);
}

bool mp__bytes_equal(const void *a, const void *b, size_t n)
{
    const volatile unsigned char *x = a, *y = b; /* volatile: nobody shortens the loop */
    unsigned char difference = 0;
    for (size_t i = 0; i < n; i++)
        difference |= x[i] ^ y[i];
    return difference == 0;
}
