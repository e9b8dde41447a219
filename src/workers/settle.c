/* The owner's last look at a crew in which nobody works any more.
 *
 * How it works
 *   A supervisor that ends in order leaves no worker and harvested records. One that died leaves
 *   workers that die at once, being bound to it; the owner waits for that, and harvests. From then
 *   on the crew is over: every work is done, and what was not finished has the crew's last code.
 *   Workers that do not die within a second (stopped in the kernel, or on a system that cannot bind
 *   them) may still write: then nothing of the crew's memory is used again until they are dead.
 */
#include "workers/crew.h"

#include <mp/timeout.h>
#include <signal.h>
#include <sys/wait.h>

#define BURIAL MP__SECOND

static bool worker_is_dead(struct mp__worker *worker)
{
    mp__owner owner = atomic_load(&worker->owner);
    return owner == 0 || mp__dead(owner);
}

static bool workers_are_dead(struct mp__board *board)
{
    for (uint32_t w = 0; w < board->workers; w++)
        if (!worker_is_dead(&board->worker[w]))
            return false;
    return true;
}

static void workers_bury(struct mp__crew *crew)
{
    struct mp__board *board = crew->board;
    mp__moment end = mp__moment_in(BURIAL);
    while (!workers_are_dead(board) && !mp__moment_passed(end))
        mp_sleep(0.001);
    crew->buried = workers_are_dead(board);
    for (uint32_t w = 0; w < board->workers; w++) {
        struct mp__worker *worker = &board->worker[w];
        struct mp__death death = {
            .pid = atomic_load(&worker->pid), .end = -SIGKILL, .is_end = true};
        if (!worker_is_dead(worker))
            continue;
        mp__worker_harvest(crew->object, w, &death);
        if (death.pid > 0) /* its new parent, if this process is what adopts orphans here */
            waitpid(death.pid, NULL, WNOHANG);
    }
    mp__heap_sweep();
}

static int last_code(struct mp__board *board)
{
    if (atomic_load(&board->broken))
        return MP_EBROKENPOOL;
    return atomic_load(&board->end_signal) != 0 ? MP_ECANCELLED : MP_EDIED;
}

void mp__crew_settle(struct mp__crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    if (!atomic_load(&crew->over)) {
        if (mp__board_state(crew->board) == MP__BOARD_ENDED)
            crew->buried = true;
        else
            workers_bury(crew);
        crew->over_code = last_code(crew->board);
        atomic_store(&crew->over, true);
    }
    pthread_mutex_unlock(&crew->lock);
    mp__waiters_wake(crew);
}
