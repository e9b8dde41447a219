/* Tasks that are accounted for, and their killer; chores.h tells how. */
#include "kill/chores.h"

#include <mp/mp.h>

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

enum outcome { OPEN, RIGHT, DIED, WRONG, STRANGE };

struct entry {
    _Atomic uint16_t begun, ended; /* by workers */
    _Atomic uint16_t called, to_be_called;
    uint16_t resolved, retries; /* by the owner alone */
    uint32_t outcome;
};

struct books {
    uint32_t most;
    _Atomic uint32_t next;
    _Atomic uint32_t runs; /* begun, of all */
    _Atomic uint32_t kills, by_state[ROSTER_STATES];
    atomic_int over;
    struct entry entry[];
};

static struct books *books;

void chores_prepare(uint32_t most)
{
    if (books != NULL)
        assert_int_equal(munmap(books, sizeof *books + books->most * sizeof books->entry[0]), 0);
    books = kill_shared(sizeof *books + most * sizeof books->entry[0]);
    books->most = most;
}

uint32_t chore_new(unsigned retries)
{
    uint32_t number = atomic_fetch_add(&books->next, 1);
    check(number < books->most);
    books->entry[number].retries = (uint16_t)retries;
    return number;
}

uint32_t chores_so_far(void)
{
    return atomic_load(&books->next);
}

/* ---- what a chore is ------------------------------------------------------------------------- */

static uint64_t hash(uint64_t x)
{
    x = (x + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 32;
}

static bool is_large(uint32_t number)
{
    return number % 8 == 3;
}

static bool is_failure(uint32_t number)
{
    return number % 16 == 5;
}

static uint64_t value_of(uint32_t number)
{
    return (uint64_t)number << 20 | (hash(number) & 0xfffff);
}

static int failure_of(uint32_t number)
{
    return (int)number + 1;
}

static uint64_t large_word(uint32_t number, size_t i)
{
    return i == 0 ? number : hash((uint64_t)number << 32 | i);
}

static mp_obj large_make(uint32_t number)
{
    static uint64_t words[CHORE_LARGE / 8];
    for (size_t i = 0; i < CHORE_LARGE / 8; i++)
        words[i] = large_word(number, i);
    return MP_BYTES(words, sizeof words);
}

static bool is_large_right(uint32_t number, const mp_obj *value)
{
    if (value->type != MP_TYPE_BYTES || value->len != CHORE_LARGE)
        return false;
    for (size_t i = 0; i < CHORE_LARGE / 8; i++) {
        uint64_t word;
        memcpy(&word, value->bytes + 8 * i, 8);
        if (word != large_word(number, i))
            return false;
    }
    return true;
}

/* ---- in workers ------------------------------------------------------------------------------ */

static void chore_work(uint32_t number)
{
    struct entry *e = &books->entry[number];
    roster_set(ROSTER_AT_WORK);
    struct rng rng = rng_start(hash(number) + atomic_fetch_add(&e->begun, 1));
    atomic_fetch_add(&books->runs, 1);
    kill_pause(&rng, 400);
    atomic_fetch_add(&e->ended, 1);
    roster_set(ROSTER_IDLE);
}

int chore_do(mp_obj arg, mp_obj *result)
{
    int64_t n;
    if (mp_obj_as_int(arg, &n) != 0 || n < 0 || n >= (int64_t)books->most)
        return mp_task_fail(-1, "no chore has this number");
    uint32_t number = (uint32_t)n;
    chore_work(number);
    if (is_failure(number))
        return mp_task_fail(failure_of(number), "chore %u fails", number);
    if (is_large(number))
        return mp_task_return(result, large_make(number));
    *result = MP(value_of(number));
    return 0;
}

int chore_do_item(const void *item, void *result, void *context)
{
    uint32_t number;
    (void)context;
    memcpy(&number, item, sizeof number);
    chore_work(number);
    if (is_failure(number))
        return mp_task_fail(failure_of(number), "chore %u fails", number);
    const uint64_t value = value_of(number);
    memcpy(result, &value, sizeof value);
    return 0;
}

/* ---- in the owner ---------------------------------------------------------------------------- */

/* What came instead of what should have come. */
static void complain(uint32_t number, int code, const char *what)
{
    const struct entry *e = &books->entry[number];
    print_error("chore %u (%s, %u retries, begun %u times, ended %u times) came to %s (%s): %s\n",
                number, is_large(number) ? "large" : "small", (unsigned)e->retries,
                (unsigned)atomic_load(&e->begun), (unsigned)atomic_load(&e->ended),
                mp_error_name(code), code < 0 ? mp_error_detail() : "", what);
}

/* `wrong`: what is wrong with the value, or NULL. */
static void resolve(uint32_t number, int code, const char *wrong, int task_code)
{
    check(number < chores_so_far());
    struct entry *e = &books->entry[number];
    bool failed_well = code == MP_ETASK && is_failure(number) &&
                       (task_code == 0 || task_code == failure_of(number));
    e->resolved++;
    if (code == MP_EDIED)
        e->outcome = DIED;
    else if (code == 0 && !is_failure(number))
        e->outcome = wrong == NULL ? RIGHT : WRONG;
    else
        e->outcome = failed_well ? RIGHT : STRANGE;
    if (e->outcome == WRONG || e->outcome == STRANGE)
        complain(number, code, wrong != NULL ? wrong : "nothing like it was expected");
}

static bool is_right(uint32_t number, const mp_obj *value)
{
    int64_t i;
    if (is_large(number))
        return is_large_right(number, value);
    return mp_obj_as_int(*value, &i) == 0 && value_of(number) == (uint64_t)i;
}

void chore_resolve(uint32_t number, int code, const mp_obj *value, int task_code)
{
    static char text[80];
    if (code == 0 && !is_right(number, value))
        (void)snprintf(text, sizeof text, "type %d, %zu long, %" PRIi64, value->type, value->len,
                       value->type == MP_TYPE_INT ? value->i : 0);
    else
        text[0] = '\0';
    resolve(number, code, text[0] != '\0' ? text : NULL, task_code);
}

void chore_resolve_item(uint32_t number, int code, uint64_t value)
{
    static char text[80];
    (void)snprintf(text, sizeof text, "%" PRIu64 ", not %" PRIu64, value, value_of(number));
    resolve(number, code, value == value_of(number) ? NULL : text, 0);
}

bool chore_number_of(int code, const mp_obj *value, int task_code, uint32_t *number)
{
    int64_t i = -1;
    uint64_t word;
    if (code == MP_ETASK)
        i = task_code - 1;
    else if (code == 0 && value->type == MP_TYPE_BYTES && value->len >= sizeof word) {
        memcpy(&word, value->bytes, sizeof word);
        i = (int64_t)word;
    } else if (code == 0 && mp_obj_as_int(*value, &i) == 0)
        i >>= 20;
    *number = (uint32_t)i;
    return i >= 0 && i < chores_so_far();
}

void chore_called(uint32_t number)
{
    atomic_fetch_add(&books->entry[number].called, 1);
}

void chore_expect_call(uint32_t number)
{
    atomic_store(&books->entry[number].to_be_called, 1);
}

/* ---- the sum --------------------------------------------------------------------------------- */

static void entry_count(uint32_t number, struct chores_sum *sum)
{
    const struct entry *e = &books->entry[number];
    unsigned begun = atomic_load(&e->begun), ended = atomic_load(&e->ended);
    bool right = e->outcome == RIGHT;
    sum->values += right && !is_failure(number);
    sum->failures += right && is_failure(number);
    sum->died += e->outcome == DIED;
    sum->saved += right && begun > 1;
    sum->lost_runs += begun > right ? begun - right : 0;
    sum->unresolved += e->resolved == 0;
    sum->doubled += e->resolved > 1;
    sum->rerun += begun > 1u + e->retries;
    sum->wrong += e->outcome == WRONG;
    sum->strange += e->outcome == STRANGE;
    sum->invented += right && ended == 0;
    sum->miscalled += atomic_load(&e->called) != atomic_load(&e->to_be_called);
}

void chores_count(struct chores_sum *sum)
{
    *sum = (struct chores_sum){.chores = chores_so_far()};
    for (uint32_t i = 0; i < sum->chores; i++)
        entry_count(i, sum);
}

void chores_print(const char *name, const struct chores_sum *s)
{
    print_message(
        "| %-17s | tasks %" PRIu32 ": values %" PRIu32 ", failures %" PRIu32 ", MP_EDIED %" PRIu32
        ", saved by retries %" PRIu32 " | lost runs %" PRIu32 " | unresolved %" PRIu32
        ", resolved twice %" PRIu32 ", run too often %" PRIu32 ", wrong %" PRIu32
        ", strange %" PRIu32 ", invented %" PRIu32 ", called wrongly %" PRIu32 " |\n",
        name, s->chores, s->values, s->failures, s->died, s->saved, s->lost_runs, s->unresolved,
        s->doubled, s->rerun, s->wrong, s->strange, s->invented, s->miscalled);
}

void chores_assert_clean(const struct chores_sum *sum, uint32_t kills)
{
    assert_int_equal(sum->unresolved, 0);
    assert_int_equal(sum->doubled, 0);
    assert_int_equal(sum->rerun, 0);
    assert_int_equal(sum->wrong, 0);
    assert_int_equal(sum->strange, 0);
    assert_int_equal(sum->invented, 0);
    assert_int_equal(sum->miscalled, 0);
    assert_true(sum->died <= kills);
    assert_true(sum->lost_runs <= kills);
    assert_true(sum->values > 0);
}

/* ---- the killer ------------------------------------------------------------------------------ */

struct assignment {
    int kills;
    uint32_t chores;
};

/* Until enough has begun, and something since the last kill; false: it is over. */
static bool await_turn(uint32_t enough, uint32_t last)
{
    for (;;) {
        uint32_t runs = atomic_load(&books->runs);
        if (atomic_load(&books->over))
            return false;
        if (runs >= enough && runs != last)
            return true;
        kill_nap(100);
    }
}

static int killer_main(void *arg)
{
    const struct assignment *a = arg;
    struct rng rng = rng_start(kill_seed() + 1);
    uint32_t last = UINT32_MAX;
    for (uint64_t k = 0; k < (uint64_t)a->kills;) {
        if (!await_turn((uint32_t)(a->chores * k / (uint64_t)a->kills), last))
            break;
        kill_pause(&rng, 500);
        last = atomic_load(&books->runs);
        int state = roster_kill_one(&rng);
        if (state < 0)
            continue;
        atomic_fetch_add(&books->by_state[state], 1);
        atomic_fetch_add(&books->kills, 1);
        k++;
    }
    return 0;
}

pid_t killer_start(int kills, uint32_t chores)
{
    struct assignment a = {kills, chores};
    return child_fork(killer_main, &a);
}

uint32_t killer_kills(void)
{
    return atomic_load(&books->kills);
}

void killer_stop(pid_t killer)
{
    atomic_store(&books->over, 1);
    assert_int_equal(child_wait(killer), 0);
}

void killer_print(const char *name)
{
    print_message("| %-17s | seed %" PRIu64 " | kills %" PRIu32 ": at work %" PRIu32
                  ", at a marked step %" PRIu32 ", else %" PRIu32 " | workers born %d |\n",
                  name, kill_seed(), killer_kills(), atomic_load(&books->by_state[ROSTER_AT_WORK]),
                  atomic_load(&books->by_state[ROSTER_AT_STEP]),
                  atomic_load(&books->by_state[ROSTER_IDLE]), roster_births());
}
