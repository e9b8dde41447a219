/* Clients of a manager under SIGKILL: its server goes on, their locks and references are free, and
 * what the others do stays right. */
#include "kill/harness.h"
#include "managers/managers_kit.h"

#include <mp/mp.h>

#include <string.h>

enum { WORKERS = 6, ITEMS = 1 << 20, UNITS = 2, ROOM = 8, SHELF = 6, LOCKS = 3 };

/* ---- what the workers share ------------------------------------------------------------------ */

/* A lock of some type, and two keys of a managed dict whose values are 0 together. */
struct section {
    const char *type_id, *left, *right;
    mp_proxy *lock;
};

static struct section sections[LOCKS] = {{.type_id = "Lock", .left = "a", .right = "A"},
                                         {.type_id = "RLock", .left = "b", .right = "B"},
                                         {.type_id = "Condition", .left = "c", .right = "C"}};

static mp_dict *dict;     /* the pairs, and a number that only worker i changes under the key i */
static mp_proxy *queue;   /* of numbered items */
static mp_proxy *bounded; /* of UNITS units */
static mp_list *shelf;    /* of dicts */

/* Not known to libmp. What became of item n. */
enum { PUTTING, SENT, REFUSED };
static struct books {
    _Atomic uint32_t inside[LOCKS];
    _Atomic uint32_t has_unit[WORKERS];
    _Atomic uint32_t next;
    _Atomic uint8_t sent[ITEMS], seen[ITEMS];
} * books;

static void count_wrong(struct kill_worker *me, bool wrong)
{
    if (wrong)
        atomic_fetch_add(&me->wrong, 1);
}

static int64_t number_at(mp_obj key)
{
    mp_obj value;
    int64_t i;
    assert_mp_result(mp_dict_get(dict, key, &value), 0);
    assert_mp_result(mp_obj_as_int(value, &i), 0);
    mp_obj_free(&value);
    return i;
}

static void set_number(mp_obj key, int64_t i)
{
    assert_mp_result(mp_dict_set(dict, key, MP(i)), 0);
}

/* ---- locks ----------------------------------------------------------------------------------- */

/* `rc` is what the acquire, or the wait, gave. */
static void change_the_pair(struct kill_worker *me, const struct section *s, int rc)
{
    _Atomic uint32_t *inside = &books->inside[s - sections];
    uint32_t mine = (uint32_t)me->index + 1;
    kill_set_role(me, HOLDER);
    uint32_t before = atomic_exchange(inside, mine);
    if (rc == MP_RECOVERED)
        atomic_fetch_add(&me->recovered, 1);
    else if (before != 0)
        atomic_fetch_add(&me->violations, 1);
    int64_t left = number_at(MP(s->left)), right = number_at(MP(s->right));
    count_wrong(me, rc != MP_RECOVERED && left + right != 0);
    int64_t more = 1 + (int64_t)rng_below(&me->rng, 100);
    set_number(MP(s->left), left + more);
    kill_dawdle(me, 4);
    set_number(MP(s->right), -left - more);
    if (atomic_load(inside) != mine)
        atomic_fetch_add(&me->violations, 1);
    atomic_store(inside, 0);
}

static int acquire(struct kill_worker *me, mp_proxy *lock, mp_obj args)
{
    bool got;
    mp_obj result;
    kill_set_role(me, WAITER);
    int rc = mp_proxy_call(lock, "acquire", args, MP_NONE, &result);
    check(rc == 0 || rc == MP_RECOVERED);
    assert_mp_result(mp_obj_as_bool(result, &got), 0);
    return got ? rc : MP_ETIMEOUT;
}

static void release(struct kill_worker *me, mp_proxy *lock)
{
    kill_set_role(me, WAKER);
    kill_released(me, call(lock, "release", MP_NONE));
}

/* Notifies, and gives the others a chance to. */
static void wait_a_moment(struct kill_worker *me, const struct section *s)
{
    assert_mp_result(call(s->lock, "notify", MP_NONE), 0);
    kill_set_role(me, WAITER);
    int rc = call(s->lock, "wait", MP_TUPLE(0.002));
    check(rc == 0 || rc == MP_RECOVERED);
    change_the_pair(me, s, rc);
}

static void turn_of_locks(struct kill_worker *me)
{
    const struct section *s = &sections[rng_below(&me->rng, LOCKS)];
    change_the_pair(me, s, acquire(me, s->lock, MP_NONE));
    if (s == &sections[2])
        wait_a_moment(me, s);
    release(me, s->lock);
}

/* No more have a unit than there are: as long as nobody was killed meanwhile. */
static void count_units(struct kill_worker *me)
{
    uint64_t changes = atomic_load(&kill_board->changes);
    int units = 0;
    for (int i = 0; i < WORKERS; i++)
        units += atomic_load(&books->has_unit[i]) != 0;
    if (changes % 2 == 0 && changes == atomic_load(&kill_board->changes) && units > UNITS)
        atomic_fetch_add(&me->violations, 1);
}

static void turn_of_units(struct kill_worker *me)
{
    int rc = acquire(me, bounded, MP_TUPLE(MP_TRUE, 0.02));
    if (rc == MP_ETIMEOUT)
        return;
    kill_set_role(me, HOLDER);
    atomic_store(&books->has_unit[me->index], 1);
    count_units(me);
    kill_dawdle(me, 3);
    atomic_store(&books->has_unit[me->index], 0);
    kill_set_role(me, WAKER);
    rc = call(bounded, "release", MP_NONE);
    check(rc == 0 || rc == MP_EINVAL);
    if (rc == MP_EINVAL)
        atomic_fetch_add(&me->false_deaths, 1);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void put_one(struct kill_worker *me)
{
    uint32_t n = atomic_fetch_add(&books->next, 1);
    check(n < ITEMS);
    kill_set_role(me, WAKER);
    int rc = call(queue, "put", MP_TUPLE(n, MP_TRUE, 0.005));
    check(rc == 0 || rc == MP_EFULL);
    atomic_store(&books->sent[n], rc == 0 ? SENT : REFUSED);
}

static bool saw_before(mp_obj *item)
{
    int64_t n;
    assert_mp_result(mp_obj_as_int(*item, &n), 0);
    check(n >= 0 && n < ITEMS);
    mp_obj_free(item);
    return atomic_fetch_add(&books->seen[n], 1) != 0;
}

static void get_one(struct kill_worker *me)
{
    mp_obj item;
    kill_set_role(me, WOKEN);
    int rc = mp_proxy_call(queue, "get", MP_TUPLE(MP_TRUE, 0.005), MP_NONE, &item);
    check(rc == 0 || rc == MP_EEMPTY);
    if (rc != 0)
        return;
    count_wrong(me, saw_before(&item));
    kill_set_role(me, BYSTANDER);
    assert_mp_result(call(queue, "task_done", MP_NONE), 0);
}

static void turn_of_messages(struct kill_worker *me)
{
    if (rng_below(&me->rng, 2) == 0)
        put_one(me);
    else
        get_one(me);
}

/* ---- objects --------------------------------------------------------------------------------- */

static void take_from_shelf(struct kill_worker *me)
{
    mp_obj object, x;
    mp_dict *old;
    int rc = mp_list_pop(shelf, 0, &object);
    check(rc == 0 || rc == MP_EINDEX); /* somebody else was there */
    if (rc != 0)
        return;
    assert_mp_result(mp_dict_from(object, &old), 0);
    mp_obj_free(&object);
    assert_mp_result(mp_dict_get(old, MP("x"), &x), 0);
    count_wrong(me, !mp_obj_equal(x, MP_LIST(1, 2, 3)));
    mp_obj_free(&x);
    mp_dict_destroy(old);
}

static void turn_of_objects(struct kill_worker *me)
{
    mp_dict *new = new_dict(manager, MP_DICT("x", MP_LIST(1, 2, 3)));
    if (assert_mp_ok(mp_list_len(shelf)) < SHELF)
        assert_mp_result(mp_list_append(shelf, mp_obj_proxy(mp_dict_proxy(new))), 0);
    else
        take_from_shelf(me);
    mp_proxy *iterator = call_proxy(mp_dict_proxy(new), "__iter__", MP_NONE);
    assert_call(iterator, "__next__", MP_NONE, MP("x"));
    mp_proxy_destroy(iterator);
    mp_dict_destroy(new);
}

/* ---- its own number -------------------------------------------------------------------------- */

/* What the dead wrote last may have come to the server without being booked. */
static void begin(struct kill_worker *me)
{
    uint64_t there = (uint64_t)number_at(MP(me->index)), booked = atomic_load(&me->sure);
    count_wrong(me, there != booked && there != booked + 1);
    atomic_store(&me->sure, there);
}

static void turn_of_numbers(struct kill_worker *me)
{
    uint64_t mine = atomic_load(&me->sure);
    count_wrong(me, (uint64_t)number_at(MP(me->index)) != mine);
    set_number(MP(me->index), (int64_t)mine + 1);
    atomic_store(&me->sure, mine + 1);
}

/* ---- the stream ------------------------------------------------------------------------------ */

static void turn(struct kill_worker *me)
{
    static void (*const turns[])(struct kill_worker *) = {
        turn_of_locks,    turn_of_locks,   turn_of_units,  turn_of_messages,
        turn_of_messages, turn_of_objects, turn_of_numbers};
    turns[rng_below(&me->rng, sizeof turns / sizeof *turns)](me);
}

static void died(struct kill_worker *w)
{
    atomic_store(&books->has_unit[w->index], 0);
}

static void look(void)
{
    assert_mp_result(mp_process_is_alive(mp_manager_process(manager)), 1);
}

static void objects_make(void)
{
    dict = new_dict(manager, MP_NONE);
    for (int i = 0; i < LOCKS; i++) {
        sections[i].lock = new_proxy(manager, sections[i].type_id, MP_NONE);
        set_number(MP(sections[i].left), 0);
        set_number(MP(sections[i].right), 0);
    }
    for (int i = 0; i < WORKERS; i++)
        set_number(MP(i), 0);
    queue = new_proxy(manager, "JoinableQueue", MP_TUPLE(ROOM));
    bounded = new_proxy(manager, "BoundedSemaphore", MP_TUPLE(UNITS));
    shelf = new_list(manager, MP_NONE);
}

static void objects_end(void)
{
    mp_dict_destroy(dict);
    for (int i = 0; i < LOCKS; i++)
        mp_proxy_destroy(sections[i].lock);
    mp_proxy_destroy(queue);
    mp_proxy_destroy(bounded);
    mp_list_destroy(shelf);
}

/* ---- what is left ---------------------------------------------------------------------------- */

/* Every lock can be had, and holds what it guards. */
static void assert_locks_are_free(void)
{
    for (int i = 0; i < LOCKS; i++) {
        const struct section *s = &sections[i];
        int rc = call(s->lock, "acquire", MP_TUPLE(MP_TRUE, 10));
        assert_true(rc == 0 || rc == MP_RECOVERED);
        if (rc == 0)
            assert_int_equal(number_at(MP(s->left)) + number_at(MP(s->right)), 0);
        assert_mp_result(call(s->lock, "release", MP_NONE), 0);
    }
    for (int i = 0; i < UNITS; i++)
        assert_true(call(bounded, "acquire", MP_TUPLE(MP_TRUE, 10)) >= 0);
    assert_false(call_bool(bounded, "acquire", MP_TUPLE(MP_FALSE)));
    for (int i = 0; i < UNITS; i++)
        assert_mp_result(call(bounded, "release", MP_NONE), 0);
    assert_raises(bounded, "release", MP_NONE, MP_EINVAL);
}

static void drain_queue(void)
{
    mp_obj item;
    while (mp_proxy_call(queue, "get_nowait", MP_NONE, MP_NONE, &item) == 0) {
        assert_false(saw_before(&item));
        assert_mp_result(call(queue, "task_done", MP_NONE), 0);
    }
    assert_mp_result(call(queue, "join", MP_NONE), 0); /* what the dead had taken counts as done */
}

/* Gives how many were sent. */
static uint32_t assert_messages_are_right(const struct kill_result *result)
{
    uint32_t lost = 0, sent = 0, unknown = 0;
    drain_queue();
    for (uint32_t n = 0; n < atomic_load(&books->next); n++) {
        int how = atomic_load(&books->sent[n]), seen = atomic_load(&books->seen[n]);
        assert_true(seen <= 1);
        assert_false(how == REFUSED && seen > 0);
        sent += how == SENT;
        lost += how == SENT && seen == 0;
        unknown += how == PUTTING;
    }
    print_message("| manager           | messages %u, lost with their takers %u, killed in put %u "
                  "|\n",
                  sent, lost, unknown);
    assert_true(lost <= result->by_role[WOKEN]);
    assert_true(unknown <= result->by_role[WAKER] + result->by_role[BYSTANDER]);
    return sent;
}

/* What chance had to bring about. */
struct luck {
    uint64_t holders_killed, recovered, sent;
};

static void torment_once(const char *name, int kills, struct luck *luck)
{
    struct kill_result result;
    const struct kill_plan plan = {.workers = WORKERS,
                                   .kills = kills,
                                   .turn = turn,
                                   .begin = begin,
                                   .died = died,
                                   .look = look,
                                   .wanted = 1 << HOLDER | 1 << WAITER | 1 << WAKER | 1 << WOKEN};
    kill_prepare();
    memset((void *)books, 0, sizeof *books);
    objects_make();
    int before = mp_manager_number_of_objects(manager);
    kill_run(&plan, &result);
    kill_print(name, &result);
    kill_assert_clean(&plan, &result);
    look();
    assert_locks_are_free();
    luck->sent += assert_messages_are_right(&result);
    luck->holders_killed += result.by_role[HOLDER];
    luck->recovered += result.recovered;
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(number_at(MP(i)), atomic_load(&kill_board->worker[i].sure));
    assert_mp_result(mp_list_clear(shelf), 0);
    await_objects(manager, before);
    objects_end();
    await_objects(manager, 0); /* what was lent to children that never began is held for 2 s */
}

/* Few kills may meet no holder, and let no message pass. */
static void torment(const char *name, int kills)
{
    struct luck luck = {0};
    for (int i = 0; i < KILL_RUNS_MOST && (luck.holders_killed < 10 || luck.sent == 0); i++)
        torment_once(name, kills, &luck);
    assert_true(luck.recovered > 0 && luck.sent > 0);
}

static void test_the_server_and_all_others_go_on(void **state)
{
    (void)state;
    torment("manager", kill_count(300));
}

static void test_so_they_do_over_tcp(void **state)
{
    (void)state;
    int kills = (kill_count(300) + 2) / 3;
    manager = new_manager_at("127.0.0.1:0");
    torment("manager over TCP", kills);
    end_empty_manager(manager);
    manager = NULL;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        served_test("the server and all others go on", test_the_server_and_all_others_go_on),
        manager_test("so they do over TCP", test_so_they_do_over_tcp),
    };
    books = kill_shared(sizeof *books);
    return managers_run("manager", tests);
}
