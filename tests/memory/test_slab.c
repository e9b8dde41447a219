/* Slabs: blocks of every class, taken and given back without a lock, and counted again. */
#include "support/support.h"

#include "memory/arena.h"

#include <mp/sharedctypes.h>
#include <string.h>

static void *take(unsigned class_index)
{
    void *block = NULL;
    assert_mp_result(mp__slab_take(class_index, &block), 0);
    return block;
}

static struct mp__slab *slab_of(void *block)
{
    return mp__slab_at(mp__granule_of(block));
}

static void test_classes_of_plain_blocks_double(void **state)
{
    (void)state;
    for (unsigned c = 0; c < MP__PLAIN_CLASSES; c++) {
        check(mp__class_size(c) == 64u << c);
        check(!mp__class_is_object(c));
    }
    for (unsigned c = MP__PLAIN_CLASSES; c < MP__CLASSES; c++)
        check(mp__class_is_object(c) && mp__class_size(c) >= sizeof(struct mp__object));
}

static void test_an_object_gets_the_least_class_that_holds_it(void **state)
{
    (void)state;
    int least = mp__object_class(MP__KIND_BARRIER, sizeof(struct mp__object));
    for (size_t size = sizeof(struct mp__object); size <= 49152; size += 37) {
        int c = mp__object_class(MP__KIND_BARRIER, size);
        check(c >= MP__PLAIN_CLASSES && mp__class_size((unsigned)c) >= size);
        check(c == least || mp__class_size((unsigned)c - 1) < size);
    }
}

/* A late call on what has ended finds words there that mean what it takes them for. */
static void test_only_kinds_whose_words_mean_the_same_share_a_class(void **state)
{
    (void)state;
    static const enum mp__kind kinds[] = {MP__KIND_LOCK,      MP__KIND_SEMAPHORE, MP__KIND_BOUNDED,
                                          MP__KIND_CONDITION, MP__KIND_EVENT,     MP__KIND_BARRIER,
                                          MP__KIND_QUEUE};
    enum { KINDS = sizeof kinds / sizeof *kinds };
    for (size_t size = sizeof(struct mp__object); size <= 1024; size *= 2)
        for (int i = 0; i < KINDS; i++)
            for (int j = 0; j < i; j++)
                check(mp__object_class(kinds[i], size) != mp__object_class(kinds[j], size));
    check(mp__object_class(MP__KIND_LOCK, 128) == mp__object_class(MP__KIND_RLOCK, 128));
}

static void test_a_slab_has_as_many_blocks_as_fit(void **state)
{
    (void)state;
    for (unsigned c = 0; c < MP__CLASSES; c++) {
        struct mp__heap_count count = {0};
        void *block = take(c);
        struct mp__slab *slab = slab_of(block);
        size_t size = mp__class_size(c);
        check(slab->class_index == c && slab->block_size == size);
        check(mp__slab_is_valid(slab, &count));
        size_t end = slab->first + slab->count * size;
        size_t with_one_more = slab->first + sizeof(uint64_t) + 64 + (slab->count + 1) * size;
        check(slab->count > 0 && end <= MP__GRANULE && with_one_more > MP__GRANULE);
        check(((uintptr_t)block) % 64 == 0);
        mp__heap_give(block);
    }
}

static void test_the_blocks_of_a_slab_are_apart(void **state)
{
    (void)state;
    struct mp__slab *slab = slab_of(take(3));
    for (uint32_t i = 0; i < slab->count; i++) {
        char *block = mp__slab_block(slab, i);
        check(block >= (char *)&slab->state[slab->count]);
        check(block + slab->block_size <= (char *)slab + MP__GRANULE);
        check(i == 0 || block == (char *)mp__slab_block(slab, i - 1) + slab->block_size);
        check(mp__slab_state_of(block) == &slab->state[i]);
        check(mp__slab_state_of(block + 1) == NULL);
        check(mp__slab_state_of(block + slab->block_size / 2) == NULL);
    }
    check(mp__slab_state_of(slab) == NULL);
    mp__heap_give(mp__slab_block(slab, 0));
}

enum { MOST = 3000 };

static void *blocks[MOST];

static void test_a_full_slab_is_followed_by_another_and_used_again(void **state)
{
    (void)state;
    size_t n = 2 * slab_of(take(0))->count + 10;
    check(n <= MOST);
    struct mp__heap_count before, after;
    for (size_t i = 0; i < n; i++) {
        blocks[i] = take(0);
        memset(blocks[i], (int)(i % 251), 64);
        mp__heap_publish(blocks[i]);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < 64; j++)
            check(((unsigned char *)blocks[i])[j] == i % 251);
    check(mp__heap_is_valid(&before));
    for (size_t i = 0; i < n; i++)
        mp__heap_give(blocks[(i * 7) % n]);
    for (size_t i = 0; i < n; i++)
        mp__heap_give(blocks[i]);
    for (size_t i = 0; i < n; i++) {
        assert_mp_result(mp__heap_take(64, &blocks[i]), 0);
        for (size_t j = 0; j < 64; j++)
            check(((unsigned char *)blocks[i])[j] == 0);
    }
    check(mp__heap_is_valid(&after));
    check(after.slabs == before.slabs);
    for (size_t i = 0; i < n; i++)
        mp__heap_give(blocks[i]);
}

static void test_a_block_names_its_builder_until_it_is_handed_over(void **state)
{
    (void)state;
    void *block = take(1);
    _Atomic uint64_t *word = mp__slab_state_of(block);
    check(atomic_load(word) == mp__entry(MP__TRANSIT, 1, mp__self_owner()));
    mp__heap_publish(block);
    check(atomic_load(word) == mp__entry(MP__OBJECT, 1, 0));
    mp__heap_give(block);
    check(atomic_load(word) == mp__entry(MP__FREE, 1, 0));
}

/* Deaths leave the hint of the room wrong, either way. */
static void test_a_wrong_hint_of_room_costs_nothing_but_time(void **state)
{
    (void)state;
    void *block = take(2);
    struct mp__slab *slab = slab_of(block);
    atomic_store(&slab->room, 0);
    void *other = take(2);
    check(other != block);
    atomic_store(&slab->room, 1000000);
    atomic_store(&slab->next, slab->count - 1);
    void *third = take(2);
    check(third != block && third != other);
    mp__heap_give(block);
    mp__heap_give(other);
    mp__heap_give(third);
    mp__slab_recount(slab);
    int32_t room = 0;
    for (uint32_t i = 0; i < slab->count; i++)
        room += atomic_load(&slab->state[i]) == 0;
    check(atomic_load(&slab->room) == room);
}

static void test_a_broken_slab_is_seen(void **state)
{
    (void)state;
    struct mp__heap_count count = {0};
    void *block = take(4);
    struct mp__slab *slab = slab_of(block);
    uint32_t size = slab->block_size;
    slab->block_size++;
    check(!mp__slab_is_valid(slab, &count));
    slab->block_size = size;
    uint32_t blocks_before = slab->count;
    slab->count += 2;
    check(!mp__slab_is_valid(slab, &count));
    slab->count = blocks_before;
    slab->class_index = MP__CLASSES;
    check(!mp__slab_is_valid(slab, &count));
    slab->class_index = 4;
    uint64_t good = atomic_exchange(mp__slab_state_of(block), mp__entry(MP__SLAB, 1, 0));
    check(!mp__slab_is_valid(slab, &count));
    atomic_store(mp__slab_state_of(block), good);
    check(mp__slab_is_valid(slab, &count));
    mp__heap_give(block);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("slab: classes of plain blocks double", test_classes_of_plain_blocks_double),
        support_test("slab: an object gets the least class that holds it",
                     test_an_object_gets_the_least_class_that_holds_it),
        support_test("slab: only kinds whose words mean the same share a class",
                     test_only_kinds_whose_words_mean_the_same_share_a_class),
        support_test("slab: has as many blocks as fit", test_a_slab_has_as_many_blocks_as_fit),
        support_test("slab: its blocks are apart", test_the_blocks_of_a_slab_are_apart),
        support_test("slab: a full one is followed by another and used again",
                     test_a_full_slab_is_followed_by_another_and_used_again),
        support_test("slab: a block names its builder until it is handed over",
                     test_a_block_names_its_builder_until_it_is_handed_over),
        support_test("slab: a wrong hint of room costs nothing but time",
                     test_a_wrong_hint_of_room_costs_nothing_but_time),
        support_test("slab: a broken one is seen", test_a_broken_slab_is_seen),
    };
    return support_run("slab", tests);
}
