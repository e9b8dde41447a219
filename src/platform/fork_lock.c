/* Fork locks: locks of this process that every fork takes, so that a child finds whole what they
 * guard.
 *
 * How it works
 *   The first taking of a lock lists it. Before a fork the forking thread takes the list's own
 *   lock, then all listed ones; after it the parent frees them, and the child, which has this one
 *   thread, makes them new and then runs what each lock has for it, with all of them free.
 *   The order: who holds a fork lock takes no other one, and does not fork. So it does not matter
 *   in which order a fork takes them; the list's own lock is held for a moment at a first taking,
 *   with no fork lock held.
 *
 *   Globals: the list with its lock.
 */
#include "platform/platform.h"

static struct mp__fork_lock *listed;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

static void fork_prepare(void)
{
    pthread_mutex_lock(&list_lock);
    for (struct mp__fork_lock *lock = listed; lock != NULL; lock = lock->next)
        pthread_mutex_lock(&lock->mutex);
}

static void fork_parent(void)
{
    for (struct mp__fork_lock *lock = listed; lock != NULL; lock = lock->next)
        pthread_mutex_unlock(&lock->mutex);
    pthread_mutex_unlock(&list_lock);
}

static void fork_child(void)
{
    for (struct mp__fork_lock *lock = listed; lock != NULL; lock = lock->next)
        pthread_mutex_init(&lock->mutex, NULL);
    pthread_mutex_init(&list_lock, NULL);
    for (struct mp__fork_lock *lock = listed; lock != NULL; lock = lock->next)
        if (lock->inherited != NULL)
            lock->inherited();
}

static void forks_follow(void)
{
    pthread_atfork(fork_prepare, fork_parent, fork_child);
}

static void lock_list(struct mp__fork_lock *lock)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, forks_follow);
    pthread_mutex_lock(&list_lock);
    if (!atomic_load(&lock->is_listed)) {
        lock->next = listed;
        listed = lock;
        atomic_store(&lock->is_listed, true);
    }
    pthread_mutex_unlock(&list_lock);
}

void mp__fork_lock_take(struct mp__fork_lock *lock)
{
    if (!atomic_load(&lock->is_listed))
        lock_list(lock);
    pthread_mutex_lock(&lock->mutex);
}

void mp__fork_lock_give(struct mp__fork_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}
