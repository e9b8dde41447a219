/* Takes from a queue what a Python process puts into it: one managed queue, a consumer in C, a
producer in Python. The queue lives in a manager of this program. The proxy of it is sent through a
connection, as any object is; what arrives in Python is a proxy of Python's own, and works there as
if a manager in Python had made it. Nothing has to be registered on either side.

    04_shared_queue

The producer keeps account of what it puts. Its last item but one is that account, which has to be
equal to the one that was kept here. Where there is no python3 the program ends with 77.
*/

#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A proxy knows its server's address; the key it takes from the process that it arrives in. */
#define KEY "abracadabra"
static const char producer_script[] =
    "import multiprocessing, sys\n"
    "from multiprocessing.connection import Client\n"
    "\n"
    "multiprocessing.current_process().authkey = b'" KEY "'\n"
    "with Client(sys.argv[1], authkey=b'" KEY "') as conn:\n"
    "    queue = conn.recv()\n"
    "\n"
    "numbers = range(1, 101)\n"
    "words = ['bread', 'cheese', 'wine']\n"
    "prices = {'bread': 2, 'cheese': 4.5, 'wine': 8.25}\n"
    "for number in numbers:\n"
    "    queue.put(number)\n"
    "for word in words:\n"
    "    queue.put(word)\n"
    "queue.put(prices)\n"
    "queue.put(('account', sum(numbers), ' '.join(words), sum(prices.values())))\n"
    "queue.put(None)\n";

/* ---- the producer ---------------------------------------------------------------------------- */

static int become_producer(void *arg)
{
    char *address = arg;

    (void)execlp("python3", "python3", "-c", producer_script, address, (char *)NULL);
    return 127;
}

/* Gives what this program is to end with, where the producer has ended before its time. */
static int producer_failed(mp_process *producer)
{
    int exitcode = 0;

    MP_CHECK(mp_process_join(producer, MP_FOREVER));
    MP_CHECK(mp_process_exitcode(producer, &exitcode));
    if (exitcode == 127) {
        fprintf(stderr, "SKIPPED: there is no python3\n");
        return 77;
    }
    fprintf(stderr, "the producer ended with %d\n", exitcode);
    return EXIT_FAILURE;
}

/* False if the producer ended first. */
static bool hand_over(mp_listener *listener, mp_process *producer, mp_proxy *queue)
{
    mp_waitable events[] = {MP_WAITABLE(listener), MP_WAITABLE(producer)};
    mp_connection *conn;

    MP_CHECK(mp_wait(events, 2, MP_FOREVER));
    if (events[1].ready) {
        return false;
    }
    MP_CHECK(mp_listener_accept(listener, &conn, 30.0));
    MP_CHECK(mp_connection_send(conn, mp_obj_proxy(queue)));
    mp_connection_destroy(conn);
    return true;
}

/* ---- the consumer ---------------------------------------------------------------------------- */

struct account {
    int items;
    int64_t sum;
    char words[80];
    double prices;
    bool checked; /* it is the producer's too */
};

/* Gets the next item. None is put last: a queue that stays empty once the producer has ended will
   never have it. */
static bool get(mp_proxy *queue, mp_process *producer, mp_obj *item)
{
    int alive;
    int rc;

    do {
        alive = MP_CHECK(mp_process_is_alive(producer));
        rc = mp_proxy_call(queue, "get", MP_NONE, MP_DICT("timeout", 0.5), item);
    } while (rc == MP_EEMPTY && alive);
    if (rc != MP_EEMPTY) {
        MP_CHECK(rc);
    }
    return rc != MP_EEMPTY;
}

static void add_prices(struct account *account, mp_obj prices)
{
    for (size_t i = 0; i < prices.len; i++) {
        double price;
        MP_CHECK(mp_obj_as_float(prices.items[2 * i + 1], &price));
        account->prices += price;
    }
}

static void check_account(struct account *account, mp_obj theirs)
{
    const char *words = account->words;

    account->checked =
        mp_obj_equal(theirs, MP_TUPLE("account", account->sum, words, account->prices));
    printf("The producer's account is %s: ", account->checked ? "the same" : "another");
    mp_obj_println(theirs, stdout);
}

static void consume(struct account *account, mp_obj item)
{
    size_t used = strlen(account->words);

    account->items++;
    switch (item.type) {
    case MP_TYPE_INT:
        account->sum += item.i;
        break;
    case MP_TYPE_STR:
        snprintf(account->words + used, sizeof account->words - used, "%s%s", used > 0 ? " " : "",
                 item.s);
        break;
    case MP_TYPE_DICT:
        add_prices(account, item);
        break;
    default:
        check_account(account, item);
    }
}

static int consume_all(mp_proxy *queue, mp_process *producer)
{
    struct account account = {.items = 0};
    mp_obj item;

    while (get(queue, producer, &item)) {
        if (item.type == MP_TYPE_NONE) {
            printf("%d items came through the queue\n", account.items);
            MP_CHECK(mp_process_join(producer, MP_FOREVER));
            return account.checked ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        consume(&account, item);
        mp_obj_free(&item);
    }
    return producer_failed(producer);
}

int main(void)
{
    mp_manager *manager;
    mp_manager_options options = {.authkey = KEY, .authkey_len = strlen(KEY)};
    mp_listener_options listening = {.authkey = KEY, .authkey_len = strlen(KEY)};
    mp_proxy *queue;
    mp_listener *listener;
    mp_process *producer;

    MP_CHECK(mp_manager_create(&manager, &options));
    MP_CHECK(mp_manager_proxy(manager, "Queue", MP_TUPLE(10), MP_NONE, &queue));
    MP_CHECK(mp_listener_create(&listener, NULL, &listening));
    const char *address = mp_listener_address(listener);
    MP_CHECK(mp_process_create(&producer, become_producer, address, strlen(address) + 1, NULL));
    MP_CHECK(mp_process_start(producer));

    int status = hand_over(listener, producer, queue) ? consume_all(queue, producer)
                                                      : producer_failed(producer);

    mp_process_destroy(producer);
    mp_listener_destroy(listener);
    mp_proxy_destroy(queue);
    mp_manager_destroy(manager);
    return status;
}
