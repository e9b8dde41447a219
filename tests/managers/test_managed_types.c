/* Types of one's own: several clients inside them at once, what their methods return, and servers that
 * hang in one. */
#include "managers/managers_kit.h"

#include <errno.h>
#include <mp/mp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
    atomic_int inside, most, made, ended;
} * counted;

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool is_open;
};

static int gate_create(void **self, mp_obj args, mp_obj kwargs)
{
    struct gate *gate = calloc(1, sizeof *gate);
    (void)kwargs;
    if (gate == NULL)
        return -ENOMEM;
    (void)pthread_mutex_init(&gate->lock, NULL);
    (void)pthread_cond_init(&gate->opened, NULL);
    if (mp_obj_unpack(args, "b", &gate->is_open) != 0) {
        free(gate);
        return MP_ETYPE;
    }
    *self = gate;
    atomic_fetch_add(&counted->made, 1);
    return 0;
}

static void gate_destroy(void *self)
{
    free(self);
    atomic_fetch_add(&counted->ended, 1);
}

static int gate_repr(void *self, mp_obj *text)
{
    const struct gate *gate = self;
    return mp_obj_format(text, "Gate(%s)", gate->is_open ? "open" : "closed");
}

static int gate_wait(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    struct gate *gate = self;
    (void)kwargs;
    int now = atomic_fetch_add(&counted->inside, 1) + 1, most = atomic_load(&counted->most);
    while (now > most && !atomic_compare_exchange_weak(&counted->most, &most, now))
        ;
    (void)pthread_mutex_lock(&gate->lock);
    while (!gate->is_open)
        (void)pthread_cond_wait(&gate->opened, &gate->lock);
    (void)pthread_mutex_unlock(&gate->lock);
    atomic_fetch_sub(&counted->inside, 1);
    return mp_obj_copy(args, result);
}

static int gate_open(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    struct gate *gate = self;
    (void)args;
    const mp_obj *who = mp_obj_lookup(kwargs, MP("who"));
    (void)pthread_mutex_lock(&gate->lock);
    gate->is_open = true;
    (void)pthread_cond_broadcast(&gate->opened);
    (void)pthread_mutex_unlock(&gate->lock);
    return who != NULL ? mp_obj_copy(*who, result) : 0;
}

/* Never returns; nor does the server heed what it is told, unless it is killed. */
static int gate_stop_the_server(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    (void)args;
    (void)kwargs;
    (void)result;
    (void)kill(getpid(), SIGSTOP);
    return 0;
}

static int gate_ignore_and_stay(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    (void)args;
    (void)kwargs;
    (void)result;
    (void)signal(SIGTERM, SIG_IGN);
    while (pause() < 0)
        ;
    return 0;
}

static int gate_fail(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    int code;
    (void)self;
    (void)kwargs;
    (void)result;
    return mp_obj_unpack(args, "i", &code) == 0 ? code : MP_ETYPE;
}

static const mp_managed_method gate_methods[] = {{"wait", gate_wait, NULL},
                                                 {"open", gate_open, NULL},
                                                 {"fail", gate_fail, NULL},
                                                 {"stop_the_server", gate_stop_the_server, NULL},
                                                 {"ignore_and_stay", gate_ignore_and_stay, NULL},
                                                 {0}};
static const mp_managed_type gate_type = {
    .create = gate_create, .destroy = gate_destroy, .repr = gate_repr, .methods = gate_methods};

static mp_manager *new_gate_keeper(double shutdown_timeout)
{
    mp_manager *m;
    const mp_manager_options options = {.shutdown_timeout = shutdown_timeout};
    memset((void *)counted, 0, sizeof *counted);
    assert_mp_result(mp_manager_register("Gate", &gate_type), 0);
    assert_mp_result(mp_manager_create(&m, &options), 0);
    return m;
}

/* Objects are destroyed in a thread of their own. */
static void await_ended(int n)
{
    double end = clock_seconds() + 20;
    while (atomic_load(&counted->ended) < n && clock_seconds() < end)
        mp_sleep(0.001);
    check(atomic_load(&counted->ended) == n);
}

struct visitor {
    mp_proxy *gate;
    int number;
};

static void *wait_at_gate(void *arg)
{
    const struct visitor *visitor = arg;
    assert_call(visitor->gate, "wait", MP_TUPLE(visitor->number), MP_TUPLE(visitor->number));
    return NULL;
}

static void test_calls_that_wait_hold_up_nobody(void **state)
{
    (void)state;
    enum { VISITORS = 6 };
    struct visitor visitor[VISITORS];
    pthread_t thread[VISITORS];
    mp_obj got;
    mp_manager *m = new_gate_keeper(20);
    mp_proxy *gate = new_proxy(m, "Gate", MP_TUPLE(MP_FALSE));
    for (int i = 0; i < VISITORS; i++) {
        visitor[i] = (struct visitor){gate, i};
        check(pthread_create(&thread[i], NULL, wait_at_gate, &visitor[i]) == 0);
    }
    while (atomic_load(&counted->inside) < VISITORS)
        mp_sleep(0.001);
    mp_dict *dict = new_dict(m, MP_NONE);
    for (int i = 0; i < 50; i++)
        assert_mp_result(mp_dict_set(dict, MP(i), MP(i)), 0);
    mp_dict_destroy(dict);
    assert_mp_result(mp_proxy_call(gate, "open", MP_NONE, MP_DICT("who", "me"), &got), 0);
    assert_owned_is(&got, MP("me"));
    for (int i = 0; i < VISITORS; i++)
        check(pthread_join(thread[i], NULL) == 0);
    check(atomic_load(&counted->most) == VISITORS);
    mp_proxy_destroy(gate);
    await_ended(1);
    end_empty_manager(m);
    check(atomic_load(&counted->made) == 1);
}

static int wait_for_ever(void *gate)
{
    (void)call(gate, "wait", MP_NONE);
    return 1;
}

/* Its object stays until the method that is inside it has returned. */
static void test_a_client_killed_inside_a_method_takes_nothing_along(void **state)
{
    (void)state;
    mp_manager *m = new_gate_keeper(20);
    mp_proxy *gate = new_proxy(m, "Gate", MP_TUPLE(MP_FALSE));
    pid_t pid = child_fork(wait_for_ever, gate);
    while (atomic_load(&counted->inside) == 0)
        mp_sleep(0.001);
    check(kill(pid, SIGKILL) == 0 && child_wait(pid) == -SIGKILL);
    assert_call(gate, "open", MP_NONE, MP_NONE);
    while (atomic_load(&counted->inside) > 0)
        mp_sleep(0.001);
    assert_call(gate, "wait", MP_TUPLE("again"), MP_TUPLE("again"));
    mp_proxy_destroy(gate);
    await_objects(m, 0);
    await_ended(1);
    end_manager(m);
}

static void test_what_a_method_returns_is_raised_here(void **state)
{
    (void)state;
    static const int codes[] = {
        MP_EKEY,    MP_EINDEX, MP_EEMPTY,   MP_EFULL,  MP_EINVAL, MP_ETYPE, MP_EATTR, MP_EOVERFLOW,
        MP_EBROKEN, MP_EEOF,   MP_ETIMEOUT, MP_ESTATE, MP_ETASK,  -ENOENT,  -EACCES,  -ENOSPC};
    char text[64] = "";
    mp_manager *m = new_gate_keeper(20);
    mp_proxy *gate = new_proxy(m, "Gate", MP_TUPLE(MP_TRUE)), *none;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        assert_raises(gate, "fail", MP_TUPLE(codes[i]), codes[i]);
    assert_mp_error(mp_manager_proxy(m, "Gate", MP_TUPLE("open"), MP_NONE, &none), MP_EREMOTE);
    FILE *file = fmemopen(text, sizeof text, "w");
    assert_mp_result(mp_proxy_print(gate, file), 0);
    check(fclose(file) == 0 && strcmp(text, "Gate(open)") == 0);
    mp_proxy_destroy(gate);
    end_empty_manager(m);
}

/* Only what was registered before is known; the newest of a name counts. */
static int other_open(void *self, mp_obj args, mp_obj kwargs, mp_obj *result)
{
    (void)self;
    (void)args;
    (void)kwargs;
    *result = MP("another");
    return 0;
}

static void test_a_server_knows_what_was_registered_before_it(void **state)
{
    (void)state;
    static const mp_managed_method other_methods[] = {{"open", other_open, NULL}, {0}};
    static const mp_managed_type other_type = {.create = gate_create, .methods = other_methods};
    mp_manager *before = new_gate_keeper(20);
    assert_mp_result(mp_manager_register("Gate", &other_type), 0);
    mp_manager *after = new_manager();
    mp_proxy *old = new_proxy(before, "Gate", MP_TUPLE(MP_TRUE));
    mp_proxy *new = new_proxy(after, "Gate", MP_TUPLE(MP_TRUE));
    assert_call(old, "open", MP_NONE, MP_NONE);
    assert_call(new, "open", MP_NONE, MP("another"));
    assert_raises(new, "wait", MP_NONE, MP_EREMOTE);
    mp_proxy_destroy(old);
    mp_proxy_destroy(new);
    end_manager(before);
    end_manager(after);
}

/* ---- servers that hang ------------------------------------------------------------------------- */

static void *call_and_lose_the_server(void *arg)
{
    const struct visitor *visitor = arg;
    const char *method = visitor->number == 0 ? "stop_the_server" : "ignore_and_stay";
    int rc = call(visitor->gate, method, MP_NONE);
    check(rc == MP_EDIED || rc == MP_ECLOSED);
    return NULL;
}

static bool is_stopped(pid_t pid)
{
    char path[64], line[256];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "r");
    check(file != NULL && fgets(line, sizeof line, file) != NULL);
    (void)fclose(file);
    return strrchr(line, ')')[2] == 'T';
}

static void test_a_server_that_hangs_is_killed(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        pthread_t thread;
        int code;
        mp_manager *m = new_gate_keeper(0.3);
        struct visitor visitor = {new_proxy(m, "Gate", MP_TUPLE(MP_TRUE)), way};
        check(pthread_create(&thread, NULL, call_and_lose_the_server, &visitor) == 0);
        while (way == 0 && !is_stopped(server_pid(m)))
            mp_sleep(0.001);
        check(seconds_of(mp_manager_shutdown(m), 0) < 20);
        assert_mp_result(mp_process_exitcode(mp_manager_process(m), &code), 1);
        check(way == 0 ? code == -SIGKILL : code == 0 || code == -SIGKILL);
        check(pthread_join(thread, NULL) == 0);
        check(managers_names() == 0);
        mp_proxy_destroy(visitor.gate);
        mp_manager_destroy(m);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        manager_test("calls that wait hold up nobody", test_calls_that_wait_hold_up_nobody),
        manager_test("a client killed inside a method takes nothing along",
                     test_a_client_killed_inside_a_method_takes_nothing_along),
        manager_test("what a method returns is raised here",
                     test_what_a_method_returns_is_raised_here),
        manager_test("a server knows what was registered before it",
                     test_a_server_knows_what_was_registered_before_it),
        manager_test("a server that hangs is killed", test_a_server_that_hangs_is_killed),
    };
    counted =
        mmap(NULL, sizeof *counted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return counted == MAP_FAILED || managers_run("Managed types", tests);
}
