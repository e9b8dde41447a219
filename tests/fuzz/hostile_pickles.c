/* Pickles cut short, changed at random, and made up opcode by opcode: each is an object or refused.
 *
 *   hostile_pickles [mutations]
 *
 * The seed is printed; LIBMP_TEST_SEED repeats it.
 */
#include "one_pickle.h"

#include "support/support.h"
#include "wire/random_object.h"

#include <stdlib.h>
#include <string.h>

static unsigned long mutations = 1000000;

/* Pickles as CPython writes them, with framing and memo, in every protocol. */
#define PICKLE(literal)                \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }
static const struct {
    const char *p;
    size_t n;
} seeds[] = {
    PICKLE("(lp0\nI1\naVtwo\np1\na(I3\ntp2\na(dp3\nVk\np4\nF1.5\nsa."),
    PICKLE("c__builtin__\nset\np0\n((lp1\nI1\natp2\nRp3\n."),
    PICKLE("c_codecs\nencode\np0\n(V\xffx\np1\nVlatin1\np2\ntp3\nRp4\n."),
    PICKLE("\x80\2]q\0(K\1X\3\0\0\0twoq\1K\3\x85q\2}q\3X\1\0\0\0kq\4G?\xf8\0\0\0\0\0\0se."),
    PICKLE("\x80\3cbuiltins\nset\nq\0]q\1K\1a\x85q\2Rq\3."),
    PICKLE(
        "\x80\4\x95\x26\0\0\0\0\0\0\0]\x94(K\1\x8c\3two\x94K\3\x85\x94}\x94\x8c\1k\x94G?\xf8\0\0\0"
        "\0\0\0s(K\1K\2\x91\x94\x8f\x94(h\1\x90"
        "e."),
    PICKLE("\x80\4\x95\x1f\0\0\0\0\0\0\0\x8c\x06#ERROR\x94\x8c\x08"
           "builtins\x94\x8c\x08KeyError\x94\x93"
           "\x94\x8c\1k\x94\x85\x94R\x94\x86\x94."),
    PICKLE("\x80\4\x8c\x18multiprocessing.managers\x94\x8c\x05Token\x94\x93\x94)"
           "\x81\x94\x8c\4list\x8c\1"
           "a\x8c\2id\x87\x94"
           "b."),
    PICKLE("\x80\5\x96\3\0\0\0\0\0\0\0abc\x94h\0\x86\x94\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"
           "\x86\x94."),
};

/* A copy of just that size, so that a sanitizer sees every byte too far. */
static bool try_bytes(const char *p, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);
    check(copy != NULL);
    memcpy(copy, p, n);
    bool is_object = one_pickle(copy, n);
    free(copy);
    return is_object;
}

/* ---- valid pickles to start from ---------------------------------------------------------- */

static size_t any_pickle(struct rng *rng, char **pickle)
{
    size_t known = sizeof seeds / sizeof seeds[0], n;
    uint64_t i = rng_below(rng, 2 * known);
    void *bytes;
    if (i < known) {
        n = seeds[i].n;
        bytes = malloc(n);
        check(bytes != NULL);
        memcpy(bytes, seeds[i].p, n);
    } else {
        struct random_object *random = random_object_make(rng, 3);
        assert_mp_ok(
            mp_obj_dumps(random_object_get(random), 2 + (int)rng_below(rng, 4), &bytes, &n));
        random_object_free(random);
    }
    *pickle = bytes;
    return n;
}

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    support_time_limit(300);
    struct rng rng = rng_start(rng_seed());
    for (int i = 0; i < 300; i++) {
        char *pickle;
        size_t n = any_pickle(&rng, &pickle);
        for (size_t cut = 0; cut < n; cut++) {
            mp_obj o;
            bool whole = memchr(pickle, '.', cut) != NULL;
            if (!whole)
                assert_mp_error(mp_obj_loads(&o, pickle, cut), MP_EPICKLE);
            (void)try_bytes(pickle, cut);
        }
        free(pickle);
    }
}

/* ---- changes ------------------------------------------------------------------------------ */

enum { ROOM = 1 << 14 };

static size_t change_once(struct rng *rng, char *p, size_t n)
{
    static const char edges[] = "\x00\x01\x7f\x80\xff(.0h\x94Re]}\x85\x93";
    size_t at = rng_below(rng, n), length = 1 + rng_below(rng, 8);
    switch (rng_below(rng, 6)) {
    case 0:
        p[at] = (char)rng_next(rng);
        return n;
    case 1:
        p[at] = edges[rng_below(rng, sizeof edges - 1)];
        return n;
    case 2:
        p[at] = (char)(p[at] ^ (1 << rng_below(rng, 8)));
        return n;
    case 3: /* a part goes */
        length = length < n - at ? length : n - at - (n - at == n);
        memmove(p + at, p + at + length, n - at - length);
        return n - length;
    case 4: /* a part comes twice */
        length = length < n - at ? length : n - at;
        if (n + length > ROOM)
            return n;
        memmove(p + at + length, p + at, n - at);
        return n + length;
    default: /* a byte comes in */
        if (n == ROOM)
            return n;
        memmove(p + at + 1, p + at, n - at);
        p[at] = edges[rng_below(rng, sizeof edges - 1)];
        return n + 1;
    }
}

static void test_changed_pickles_are_objects_or_refused(void **state)
{
    (void)state;
    struct rng rng = rng_start(rng_seed());
    static char changed[ROOM];
    unsigned long objects = 0, tried = 0;
    support_time_limit(3000);
    while (tried < mutations) {
        char *pickle;
        size_t n = any_pickle(&rng, &pickle);
        for (int i = 0; i < 100 && n > 0 && n < ROOM / 2; i++, tried++) {
            size_t size = n;
            memcpy(changed, pickle, n);
            for (uint64_t k = 1 + rng_below(&rng, 4); k > 0 && size > 0; k--)
                size = change_once(&rng, changed, size);
            objects += try_bytes(changed, size);
        }
        free(pickle);
    }
    print_message("%lu changed pickles, %lu of them objects\n", tried, objects);
    check(objects > tried / 100 && objects < tried);
}

/* ---- grammar ------------------------------------------------------------------------------ */

/* A pickle in the making, and how far it is known to be right. */
struct grammar {
    struct rng *rng;
    char *p;
    size_t n, values, marks, at_mark[64], memo;
};

static void emit(struct grammar *g, const char *bytes, size_t n)
{
    if (g->n + n <= ROOM) {
        memcpy(g->p + g->n, bytes, n);
        g->n += n;
    }
}

static void emit_op(struct grammar *g, char op)
{
    emit(g, &op, 1);
}

static void emit_value(struct grammar *g)
{
    static const struct {
        const char *p;
        size_t n;
    } values[] = {PICKLE("N"),
                  PICKLE("\x88"),
                  PICKLE("K\1"),
                  PICKLE("M\0\1"),
                  PICKLE("J\xff\xff\xff\xff"),
                  PICKLE("\x8a\2\0\1"),
                  PICKLE("G\x3f\xf0\0\0\0\0\0\0"),
                  PICKLE("\x8c\1a"),
                  PICKLE("X\2\0\0\0bc"),
                  PICKLE("C\1\xff"),
                  PICKLE("\x96\1\0\0\0\0\0\0\0b"),
                  PICKLE("]"),
                  PICKLE(")"),
                  PICKLE("}"),
                  PICKLE("\x8f"),
                  PICKLE("I01\n"),
                  PICKLE("L-5L\n"),
                  PICKLE("F1.5\n"),
                  PICKLE("V\\u00e4\xe4\n"),
                  PICKLE("cbuiltins\nset\n"),
                  PICKLE("cbuiltins\nlist\n"),
                  PICKLE("c_codecs\nencode\n"),
                  PICKLE("\x8c\6latin1"),
                  PICKLE("c_queue\nEmpty\n")};
    uint64_t i = rng_below(g->rng, sizeof values / sizeof values[0]);
    emit(g, values[i].p, values[i].n);
    g->values++;
}

static size_t above_mark(const struct grammar *g)
{
    return g->values - (g->marks > 0 ? g->at_mark[g->marks - 1] : 0);
}

static void emit_tuple(struct grammar *g)
{
    size_t n = above_mark(g) > 3 ? 3 : above_mark(g);
    if (n > 0) {
        n = 1 + rng_below(g->rng, n);
        emit_op(g, (char)(0x84 + (int)n));
        g->values -= n - 1;
    }
}

static void emit_marked(struct grammar *g)
{
    static const char makes[] = "tld\x91", fills[] = "eu\x90";
    if (g->marks == 0)
        return;
    bool fill = rng_below(g->rng, 2) == 0 && g->at_mark[g->marks - 1] > 0;
    emit_op(g, fill ? fills[rng_below(g->rng, 3)] : makes[rng_below(g->rng, 4)]);
    g->values = g->at_mark[--g->marks] + !fill;
}

static void emit_memo(struct grammar *g)
{
    if (above_mark(g) > 0 && rng_below(g->rng, 2) == 0) {
        emit_op(g, '\x94');
        g->memo++;
    } else if (g->memo > 0 && g->memo < 256) {
        char get[2] = {'h', (char)rng_below(g->rng, g->memo)};
        emit(g, get, 2);
        g->values++;
    }
}

static void emit_two(struct grammar *g)
{
    static const char ops[] = "aRb\x81\x93";
    if (above_mark(g) >= 2) {
        emit_op(g, ops[rng_below(g->rng, sizeof ops - 1)]);
        g->values--;
    } else if (above_mark(g) == 1) {
        emit_op(g, '2');
        g->values++;
    }
}

static void emit_any(struct grammar *g)
{
    switch (rng_below(g->rng, 10)) {
    case 0:
        if (g->marks < 64) {
            emit_op(g, '(');
            g->at_mark[g->marks++] = g->values;
        }
        break;
    case 1:
    case 2:
        emit_marked(g);
        break;
    case 3:
        emit_memo(g);
        break;
    case 4:
        emit_two(g);
        break;
    case 5:
        emit_tuple(g);
        break;
    case 6:
        if (above_mark(g) >= 3) {
            emit_op(g, 's');
            g->values -= 2;
        }
        break;
    default:
        emit_value(g);
    }
}

static void test_made_up_pickles_are_objects_or_refused(void **state)
{
    (void)state;
    struct rng rng = rng_start(rng_seed());
    static char pickle[ROOM + 1];
    unsigned long objects = 0, tried = 0;
    support_time_limit(3000);
    for (; tried < mutations; tried++) {
        struct grammar g = {.rng = &rng, .p = pickle};
        for (uint64_t k = 1 + rng_below(&rng, 40); k > 0; k--)
            emit_any(&g);
        while (g.marks > 0) {
            emit_op(&g, 't');
            g.values = g.at_mark[--g.marks] + 1;
        }
        emit_op(&g, '.');
        objects += try_bytes(pickle, g.n);
    }
    print_message("%lu made up pickles, %lu of them objects\n", tried, objects);
    check(objects > tried / 100 && objects < tried);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        support_test("hostile: every truncation is refused", test_every_truncation_is_refused),
        support_test("hostile: changed pickles are objects or refused",
                     test_changed_pickles_are_objects_or_refused),
        support_test("hostile: made up pickles are objects or refused",
                     test_made_up_pickles_are_objects_or_refused),
    };
    if (argc > 1)
        mutations = strtoul(argv[1], NULL, 10);
    return support_run("hostile pickles", tests);
}
