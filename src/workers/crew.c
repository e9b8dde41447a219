/* A crew: its making, its states as the owner sees them, and its end.
 *
 * How it works
 *   The owner makes the board, then the supervisor, which makes the workers. From then on the owner
 *   only raises the board's state and posts the supervisor's gate. A crew lives on, in the owner's
 *   memory and in the arena, until its handle and all work handed in to it were given back.
 *   The crews of a process are listed with its children, so that a forked child has none; at the
 *   exit of the process daemonic ones are ended, and the others finish what they have.
 */
#include "workers/crew.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOK (50 * MP__MS) /* between looks at the supervisor, or at inputs that others feed */

static void crews_finish(void);

__attribute__((constructor(101))) static void hook_set(void)
{
    mp__crews_finish = crews_finish;
}

/* ---- making --------------------------------------------------------------------------------- */

static int locks_init(struct mp__crew *crew)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc == 0) {
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        rc = pthread_cond_init(&crew->wait_cond, &attr);
        pthread_condattr_destroy(&attr);
    }
    pthread_mutex_init(&crew->lock, NULL);
    pthread_mutex_init(&crew->wait_lock, NULL);
    return -rc;
}

static void crew_enlist(struct mp__crew *crew)
{
    struct mp__registry *registry = mp__registry_lock();
    crew->next = registry->crews;
    registry->crews = crew;
    mp__registry_unlock();
}

static void crew_delist(struct mp__crew *crew)
{
    struct mp__registry *registry = mp__registry_lock();
    struct mp__crew **at = &registry->crews;
    while (*at != NULL && *at != crew)
        at = &(*at)->next;
    if (*at != NULL)
        *at = crew->next;
    mp__registry_unlock();
}

static int supervisor_start(struct mp__crew *crew)
{
    int rc = mp__process_make(&crew->supervisor, mp__supervisor_main, crew, "Supervisor");
    if (rc != 0)
        return mp__fail(rc);
    crew->supervisor->daemonic = false;
    mp__step("crew.starting");
    rc = mp__process_start(crew->supervisor, MP__START_HIDDEN | MP__START_MASKED,
                           &crew->board->supervisor);
    if (rc != 0)
        mp_process_destroy(crew->supervisor);
    return rc;
}

static struct mp__crew *crew_alloc(const struct mp__crew_options *options)
{
    struct mp__crew *crew = malloc(sizeof *crew);
    if (crew == NULL)
        return NULL;
    memset((void *)crew, 0, sizeof *crew);
    crew->options = *options;
    crew->references = 1;
    crew->used = crew->pages = 1; /* the first task is the head of the empty list */
    crew->orphans_end = &crew->orphans;
    crew->watched_end = &crew->watched;
    if (locks_init(crew) == 0)
        return crew;
    free(crew);
    return NULL;
}

int mp__crew_create(struct mp__crew **out, const struct mp__crew_options *options)
{
    uint64_t me;
    int rc = mp__self_word(&me);
    if (rc != 0)
        return mp__fail(rc);
    struct mp__crew *crew = crew_alloc(options);
    if (crew == NULL)
        return mp__fail(-ENOMEM);
    rc = mp__board_make(options->workers, &crew->object);
    if (rc != 0) {
        free(crew);
        return mp__fail(rc);
    }
    crew->creator = mp__owner_of(me);
    crew->board = mp__board_of(crew->object);
    rc = supervisor_start(crew);
    mp__step("crew.started");
    if (rc != 0) {
        mp__object_end(crew->object);
        free(crew);
        return rc;
    }
    crew_enlist(crew);
    *out = crew;
    return 0;
}

/* ---- states --------------------------------------------------------------------------------- */

int mp__crew_check(const struct mp__crew *crew)
{
    if (crew->creator == mp__self_owner())
        return 0;
    return mp__failf(MP_ESTATE, "it belongs to the process that made it");
}

static int broken_report(struct mp__crew *crew)
{
    if (atomic_load(&crew->board->broken))
        return mp__failf(MP_EBROKENPOOL, "%s", crew->board->reason);
    return mp__failf(MP_EBROKENPOOL, "the supervisor died");
}

int mp__crew_check_feed(struct mp__crew *crew, bool is_input)
{
    int rc = mp__crew_check(crew);
    if (rc != 0)
        return rc;
    if (atomic_load(&crew->closed) && !(is_input && atomic_load(&crew->board->inputs) > 0))
        return mp__failf(MP_ESTATE, "it is closed");
    if (atomic_load(&crew->over) || atomic_load(&crew->board->broken))
        return broken_report(crew);
    return 0;
}

/* Who only hands in learns of the supervisor's death as well. */
static void death_look(struct mp__crew *crew)
{
    mp__moment now = mp__now(), looked = atomic_load(&crew->looked);
    if (now - looked < LOOK || !atomic_compare_exchange_strong(&crew->looked, &looked, now))
        return;
    if (!atomic_load(&crew->over) && mp__crew_is_dead(crew))
        mp__crew_settle(crew);
}

int mp__crew_check_open(struct mp__crew *crew)
{
    if (mp__crew_check(crew) == 0)
        death_look(crew);
    return mp__crew_check_feed(crew, false);
}

int mp__crew_check_input(struct mp__crew *crew)
{
    if (mp__crew_check(crew) == 0)
        death_look(crew);
    return mp__crew_check_feed(crew, true);
}

int mp__crew_check_wait(struct mp__crew *crew)
{
    int rc = mp__crew_check_open(crew);
    if (rc == 0 && mp__crew_is_helper(crew))
        rc = mp__failf(MP_ESTATE, "it would wait for itself");
    return rc;
}

uint32_t mp__crew_workers(const struct mp__crew *crew)
{
    return crew->options.workers;
}

bool mp__crew_is_closed(struct mp__crew *crew)
{
    return atomic_load(&crew->closed);
}

void mp__crew_close(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->lock); /* what is being handed in is in the list before */
    atomic_store(&crew->closed, true);
    pthread_mutex_unlock(&crew->lock);
    mp__step("crew.closing");
    mp__board_raise(crew->board, MP__BOARD_CLOSED);
    mp__gate_post(&crew->board->supervise);
}

void mp__crew_end(struct mp__crew *crew, int signal_number)
{
    pthread_mutex_lock(&crew->lock);
    atomic_store(&crew->closed, true);
    atomic_store(&crew->board->end_signal, (uint32_t)signal_number);
    mp__step("crew.ending");
    mp__board_raise(crew->board, MP__BOARD_ENDING);
    atomic_store(&crew->board->inputs, 0); /* the last: a closed crew without any ends by itself */
    pthread_mutex_unlock(&crew->lock);
    mp__gate_post(&crew->board->supervise);
}

int mp__crew_enter(struct mp__crew *crew)
{
    int rc = mp__crew_check_wait(crew);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&crew->lock);
    rc = mp__crew_check_feed(crew, false);
    if (rc == 0) {
        crew->references++;
        atomic_fetch_add(&crew->board->inputs, 1);
    }
    pthread_mutex_unlock(&crew->lock);
    return rc;
}

/* Under the lock; an end of the crew has taken all inputs away. */
static void inputs_drop(struct mp__crew *crew)
{
    if (atomic_load(&crew->board->inputs) > 0)
        atomic_fetch_sub(&crew->board->inputs, 1);
    mp__gate_post(&crew->board->supervise);
}

void mp__crew_leave(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    inputs_drop(crew);
    pthread_mutex_unlock(&crew->lock);
    mp__crew_let_go(crew);
}

/* ---- lazy inputs ---------------------------------------------------------------------------- */

int mp__input_open(struct mp__crew *crew, struct mp__input *input)
{
    pthread_mutex_lock(&crew->lock);
    int rc = mp__crew_check_feed(crew, false);
    if (rc == 0) {
        pthread_cond_init(&input->idle, NULL);
        input->busy = false;
        input->next = crew->inputs;
        crew->inputs = input;
        atomic_fetch_add(&crew->board->inputs, 1);
    }
    pthread_mutex_unlock(&crew->lock);
    return rc;
}

void mp__input_close(struct mp__crew *crew, struct mp__input *input)
{
    pthread_mutex_lock(&crew->lock);
    struct mp__input **at = &crew->inputs;
    while (*at != NULL && *at != input)
        at = &(*at)->next;
    if (*at != NULL) {
        *at = input->next;
        inputs_drop(crew);
    }
    pthread_mutex_unlock(&crew->lock);
}

void mp__input_end(struct mp__crew *crew, struct mp__input *input)
{
    mp__input_close(crew, input);
    pthread_mutex_lock(&crew->lock);
    while (input->busy)
        pthread_cond_wait(&input->idle, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
    pthread_cond_destroy(&input->idle);
}

static struct mp__input *input_borrow(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    struct mp__input *input = crew->inputs;
    while (input != NULL && input->busy) /* another join has it */
        input = input->next;
    if (input != NULL)
        input->busy = true;
    pthread_mutex_unlock(&crew->lock);
    return input;
}

/* Behind the others, so that each gets its turn. */
static void input_give_back(struct mp__crew *crew, struct mp__input *input)
{
    pthread_mutex_lock(&crew->lock);
    struct mp__input **at = &crew->inputs;
    while (*at != NULL && *at != input)
        at = &(*at)->next;
    if (*at == input) { /* it is not at its end */
        *at = input->next;
        input->next = NULL;
        for (at = &crew->inputs; *at != NULL; at = &(*at)->next)
            ;
        *at = input;
    }
    input->busy = false;
    pthread_cond_broadcast(&input->idle);
    pthread_mutex_unlock(&crew->lock);
}

/* ---- the end -------------------------------------------------------------------------------- */

void mp__crew_await_end(struct mp__crew *crew)
{
    mp__process_join(crew->supervisor, MP__NEVER);
    mp__crew_settle(crew);
}

/* Feeds what inputs there are that nobody else feeds: until when there may be nothing to do. */
static mp__moment inputs_feed(struct mp__crew *crew, mp__moment until)
{
    struct mp__input *input;
    for (uint32_t n = atomic_load(&crew->board->inputs);
         n > 0 && mp__board_state(crew->board) == MP__BOARD_CLOSED && !mp__moment_passed(until) &&
         (input = input_borrow(crew)) != NULL;
         n--) {
        input->feed_all(input, until);
        input_give_back(crew, input);
    }
    pthread_mutex_lock(&crew->lock);
    bool others_feed = crew->inputs != NULL;
    pthread_mutex_unlock(&crew->lock);
    mp__moment slice = mp__moment_in(LOOK);
    return others_feed && slice < until ? slice : until;
}

int mp__crew_join(struct mp__crew *crew, mp__moment until)
{
    while (mp__process_join(crew->supervisor, inputs_feed(crew, until)) != 0)
        if (mp__moment_passed(until))
            return MP_ETIMEOUT;
    mp__crew_settle(crew);
    mp__helper_end(crew);
    bool died = mp__board_state(crew->board) != MP__BOARD_ENDED;
    return died || atomic_load(&crew->board->broken) ? broken_report(crew) : 0;
}

void mp__crew_drop(struct mp__crew *crew)
{
    crew->references--;
}

/* The object of a crew whose workers were not all seen dead stays until they are. */
void mp__crew_free(struct mp__crew *crew)
{
    if (crew->buried)
        mp__object_end(crew->object);
    else
        atomic_store(&crew->object->creator, 0);
    mp_process_destroy(crew->supervisor);
    pthread_mutex_destroy(&crew->lock);
    pthread_mutex_destroy(&crew->wait_lock);
    pthread_cond_destroy(&crew->wait_cond);
    free(crew);
}

void mp__crew_keep(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->references++;
    pthread_mutex_unlock(&crew->lock);
}

void mp__crew_let_go(struct mp__crew *crew)
{
    if (crew->creator != mp__self_owner())
        return;
    pthread_mutex_lock(&crew->lock);
    mp__crew_drop(crew);
    bool last = crew->references == 0;
    pthread_mutex_unlock(&crew->lock);
    if (last)
        mp__crew_free(crew);
}

static void crew_give_up(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    mp__orphans_reap(crew, crew->orphan_count);
    if (crew->buffer != NULL)
        mp__heap_give(crew->buffer);
    crew->buffer = NULL;
    pthread_mutex_unlock(&crew->lock);
    mp__crew_let_go(crew);
}

void mp__crew_release(struct mp__crew *crew)
{
    if (crew->creator != mp__self_owner())
        return;
    crew_delist(crew);
    if (mp__crew_is_helper(crew))
        mp__helper_inherit(crew);
    else
        crew_give_up(crew);
}

/* On the helper thread, its last act. */
void mp__crew_give_up_inherited(struct mp__crew *crew)
{
    mp__crew_await_end(crew);
    crew_give_up(crew);
}

/* At the exit of this process: one after the other, as handles may be given back meanwhile. */
static struct mp__crew *crew_borrow(void)
{
    struct mp__registry *registry = mp__registry_lock();
    struct mp__crew *crew = registry->crews;
    if (crew != NULL) {
        registry->crews = crew->next;
        mp__crew_keep(crew);
    }
    mp__registry_unlock();
    return crew;
}

static void crews_finish(void)
{
    struct mp__crew *crew;
    while ((crew = crew_borrow()) != NULL) {
        if (crew->options.daemonic)
            mp__crew_end(crew, SIGTERM);
        else
            mp__crew_close(crew);
        mp__crew_join(crew, MP__NEVER);
        mp__crew_let_go(crew);
    }
}
