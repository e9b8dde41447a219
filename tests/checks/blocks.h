/* What the C blocks of the README and of the headers' comments use and do not declare. */
#include <mp/mp.h>

#include <stdio.h>
#include <string.h>

extern mp_connection *connection;
extern mp_executor *executor;
extern mp_future *future, *futures[2];
extern mp_lock *lock;
extern mp_manager *manager;
extern mp_pool *pool;
extern mp_process *process;
extern mp_proxy *pool_proxy;

extern mp_condition *c;
struct state {
    int ready;
};
extern struct state *state;
int is_ready(void *state);

struct counter {
    int value;
};
extern struct counter *counter;
void append_under_the_same_lock(mp_rlock *rlock);
void use_one_of_three(void);

extern mp_obj arg, args, items, numbers, object, result, results;
extern mp_dict *dict;
extern mp_task *task;
extern const char *name;
extern double seconds;
extern const void *bytes;
extern size_t size;
