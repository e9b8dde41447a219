/* Connections under SIGKILL: one end is killed, over and over, while messages stream through, and
 * the other must get whole messages in order, then the end. */
#include "kill/harness.h"

#include <mp/mp.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGE ((size_t)256 * 1024)
#define SMALL ((size_t)96)

/* A message begins with its number, and every further word is made of number and place. */
static uint64_t word_of(uint64_t number, size_t place)
{
    return (number + 1) * UINT64_C(0x9e3779b97f4a7c15) + place;
}

static size_t size_of(uint64_t number, size_t most)
{
    return 8 * (1 + (size_t)(word_of(number, 99) >> 20) % (most / 8));
}

static void message_make(uint64_t *message, uint64_t number, size_t size)
{
    message[0] = number;
    for (size_t i = 1; i < size / 8; i++)
        message[i] = word_of(number, i);
}

static bool message_is_whole(const uint64_t *message, uint64_t number, size_t size)
{
    if (message[0] != number)
        return false;
    for (size_t i = 1; i < size / 8; i++)
        if (message[i] != word_of(number, i))
            return false;
    return true;
}

struct stream {
    const char *name;
    bool duplex;
    size_t most; /* bytes in a message */
    mp_connection *in, *out;
};

struct outcome {
    uint64_t kills, messages, inside, between, torn, wrong_ends;
    double worst; /* seconds from the kill until the survivor knew */
};

/* ---- the killer: a thread beside the survivor -------------------------------------------------- */

struct killer {
    pid_t victim;
    struct rng rng;
    double when;
};

static void *kill_soon(void *arg)
{
    struct killer *killer = arg;
    kill_pause(&killer->rng, 1500);
    check(kill(killer->victim, SIGKILL) == 0);
    killer->when = clock_seconds();
    return NULL;
}

static void outcome_end(struct outcome *outcome, const struct killer *killer, double known)
{
    double took = known - killer->when;
    if (took > outcome->worst)
        outcome->worst = took;
    outcome->kills++;
}

/* ---- who sends is killed ------------------------------------------------------------------------ */

static int send_for_ever(void *arg)
{
    struct stream *s = arg;
    static uint64_t message[LARGE / 8];
    mp_connection_destroy(s->in);
    for (uint64_t number = 0;; number++) {
        size_t size = size_of(number, s->most);
        message_make(message, number, size);
        if (mp_connection_send_bytes(s->out, message, size) != 0)
            return 1;
    }
}

/* Receives in all the ways there are, in turn. */
static int receive(struct stream *s, uint64_t turn, uint64_t **message, size_t *size)
{
    static uint64_t room[LARGE / 8];
    *message = room;
    if (turn % 3 == 0)
        return mp_connection_recv_bytes_into(s->in, room, sizeof room, size);
    if (turn % 3 == 1) {
        mp_waitable item = MP_WAITABLE(s->in);
        check(mp_wait(&item, 1, MP_FOREVER) == 1);
        int rc = mp_connection_recv_bytes_into(s->in, NULL, 0, size);
        if (rc != MP_ETOOSHORT)
            return rc;
    }
    return mp_connection_recv_bytes(s->in, (void **)message, size);
}

static void sender_round(struct stream *s, struct outcome *outcome)
{
    struct killer killer = {.rng = rng_start(rng_next(kill_rng()))};
    pthread_t thread;
    int rc;
    assert_mp_result(mp_pipe(&s->in, &s->out, s->duplex), 0);
    killer.victim = child_fork(send_for_ever, s);
    mp_connection_destroy(s->out);
    check(pthread_create(&thread, NULL, kill_soon, &killer) == 0);
    for (uint64_t number = 0;; number++) {
        uint64_t *message;
        size_t size = 0;
        rc = receive(s, number, &message, &size);
        if (rc != 0)
            break;
        outcome->messages++;
        if (size != size_of(number, s->most) || !message_is_whole(message, number, size))
            outcome->torn++;
        if (number % 3 != 0)
            free(message);
    }
    double known = clock_seconds();
    bool inside = strlen(mp_error_detail()) > 0;
    outcome->wrong_ends += rc != MP_EEOF;
    outcome->inside += inside;
    outcome->between += !inside;
    assert_mp_error(mp_connection_recv_bytes(s->in, NULL, NULL), MP_EEOF);
    check(pthread_join(thread, NULL) == 0);
    outcome_end(outcome, &killer, known);
    check(child_wait(killer.victim) == -SIGKILL);
    mp_connection_destroy(s->in);
}

/* ---- who receives is killed --------------------------------------------------------------------- */

static int receive_for_ever(void *arg)
{
    struct stream *s = arg;
    uint64_t *message;
    size_t size;
    mp_connection_destroy(s->out);
    for (uint64_t number = 1; mp_connection_recv_bytes(s->in, (void **)&message, &size) == 0;
         number++)
        free(message);
    return 1;
}

static void receiver_round(struct stream *s, struct outcome *outcome)
{
    static uint64_t message[LARGE / 8];
    struct killer killer = {.rng = rng_start(rng_next(kill_rng()))};
    pthread_t thread;
    int rc;
    assert_mp_result(mp_pipe(&s->in, &s->out, s->duplex), 0);
    killer.victim = child_fork(receive_for_ever, s);
    mp_connection_destroy(s->in);
    check(pthread_create(&thread, NULL, kill_soon, &killer) == 0);
    for (uint64_t number = 0;; number++) {
        size_t size = size_of(number, s->most);
        message_make(message, number, size);
        rc = mp_connection_send_bytes(s->out, message, size);
        if (rc != 0)
            break;
        outcome->messages++;
    }
    double known = clock_seconds();
    outcome->wrong_ends += rc != -EPIPE;
    assert_mp_error(mp_connection_send_bytes(s->out, message, 8), -EPIPE);
    check(pthread_join(thread, NULL) == 0);
    outcome_end(outcome, &killer, known);
    check(child_wait(killer.victim) == -SIGKILL);
    mp_connection_destroy(s->out);
}

/* ---- the table ------------------------------------------------------------------------------------ */

static void outcome_print(const char *victim, const struct stream *s, const struct outcome *o)
{
    printf("%-8s %-18s kills %6" PRIu64 "  messages %9" PRIu64 "  ends inside a message %6" PRIu64
           "  between %6" PRIu64 "  torn %" PRIu64 "  other ends %" PRIu64 "  worst %.1f ms\n",
           victim, s->name, o->kills, o->messages, o->inside, o->between, o->torn, o->wrong_ends,
           o->worst * 1e3);
}

static struct stream streams[] = {
    {.name = "socket, 256 KiB", .duplex = true, .most = LARGE},
    {.name = "socket, 96 bytes", .duplex = true, .most = SMALL},
    {.name = "pipe, 256 KiB", .duplex = false, .most = LARGE},
    {.name = "pipe, 96 bytes", .duplex = false, .most = SMALL},
};
enum { STREAMS = sizeof streams / sizeof *streams };

static void kill_ends(const char *victim, void (*round)(struct stream *, struct outcome *),
                      bool must_tear)
{
    kill_prepare();
    uint64_t kills = ((uint64_t)kill_count(300) + STREAMS - 1) / STREAMS;
    for (int i = 0; i < STREAMS; i++) {
        struct outcome outcome = {0};
        bool tears = must_tear && streams[i].most == LARGE;
        /* to be killed inside a message is chance: of few it may have met none */
        while (outcome.kills < kills ||
               (tears && outcome.inside == 0 && outcome.kills < kills + 1000))
            round(&streams[i], &outcome);
        outcome_print(victim, &streams[i], &outcome);
        check(outcome.torn == 0 && outcome.wrong_ends == 0);
        check(outcome.worst < KILL_HANG_SECONDS);
        check(!tears || outcome.inside > 0);
    }
}

static void test_who_receives_gets_whole_messages_and_the_end(void **state)
{
    (void)state;
    kill_ends("sender", sender_round, true);
}

static void test_who_sends_is_told_and_not_killed(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = SIG_DFL}, old;
    check(sigaction(SIGPIPE, &action, &old) == 0);
    kill_ends("receiver", receiver_round, false);
    check(sigaction(SIGPIPE, &old, NULL) == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("who receives gets whole messages, then the end",
                     test_who_receives_gets_whole_messages_and_the_end),
        support_test("who sends is told, and not killed", test_who_sends_is_told_and_not_killed),
    };
    return support_run_processes("connection", tests);
}
