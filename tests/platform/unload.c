/* A thread that used the library and a fork outlive its dlclose. */
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void *library;
static sem_t used, closed;

static void *use(void *result)
{
    int (*create)(void **) = NULL;
    void *lock;
    *(void **)&create = dlsym(library, "mp_lock_create");
    *(int *)result = create != NULL ? create(&lock) : 1;
    (void)sem_post(&used);
    while (sem_wait(&closed) != 0)
        ;
    return NULL;
}

static int fork_and_wait(void)
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : 1;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int result = 1;
    library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (library == NULL || sem_init(&used, 0, 0) != 0 || sem_init(&closed, 0, 0) != 0 ||
        pthread_create(&thread, NULL, use, &result) != 0)
        return 2;
    while (sem_wait(&used) != 0)
        ;
    if (dlclose(library) != 0 || sem_post(&closed) != 0 || pthread_join(thread, NULL) != 0)
        return 3;
    (void)puts("closed");
    return result != 0 || fork_and_wait() != 0;
}
