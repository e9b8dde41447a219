/* Processes, threads, patterns and memory for the tests of Python's behaviours. */
#include "parity.h"

#include <regex.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CHILDREN = 256 };

mp_process *start_named_process(const char *name, mp_target *target, const void *arg, size_t size)
{
    mp_process *process;
    const mp_process_options options = {.name = name, .daemon = MP_DAEMON_YES};
    assert_mp_ok(mp_process_create(&process, target, arg, size, &options));
    assert_mp_result(mp_process_start(process), 0);
    return process;
}

mp_process *start_process(mp_target *target, const void *arg, size_t size)
{
    return start_named_process(NULL, target, arg, size);
}

int exit_code(mp_process *process)
{
    int code = MP_EXIT_UNKNOWN - 1;
    assert_mp_result(mp_process_exitcode(process, &code), 1);
    return code;
}

int finish_process(mp_process *process)
{
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    int code = exit_code(process);
    mp_process_destroy(process);
    return code;
}

bool is_active_child(pid_t pid)
{
    mp_process *children[MOST_CHILDREN];
    bool found = false;
    int n = assert_mp_ok(mp_active_children(children, MOST_CHILDREN));
    check(n <= MOST_CHILDREN);
    for (int i = 0; i < n; i++) {
        found = found || mp_process_pid(children[i]) == pid;
        mp_process_destroy(children[i]);
    }
    return found;
}

static void *run_target(void *arg)
{
    struct target_thread *thread = arg;
    thread->result = thread->target(thread->arg);
    return NULL;
}

void start_thread(struct target_thread *thread, mp_target *target, void *arg)
{
    *thread = (struct target_thread){.target = target, .arg = arg, .result = -1};
    check(pthread_create(&thread->thread, NULL, run_target, thread) == 0);
}

void finish_thread(struct target_thread *thread)
{
    check(pthread_join(thread->thread, NULL) == 0);
    check(thread->result == 0);
}

void check_text_at(const char *text, const char *pattern, const char *file, int line)
{
    char whole[512];
    regex_t expression;
    (void)snprintf(whole, sizeof whole, "^(%s)$", pattern);
    check(regcomp(&expression, whole, REG_EXTENDED | REG_NOSUB) == 0);
    int mismatch = regexec(&expression, text, 0, NULL, 0);
    regfree(&expression);
    if (mismatch)
        support_fail(file, line, "'%s' is not '%s'", text, pattern);
}

void *shared_memory(size_t size)
{
    void *memory;
    assert_mp_result(mp_raw_alloc(&memory, size), 0);
    return memory;
}

mp_event *new_event(void)
{
    mp_event *event;
    assert_mp_result(mp_event_create(&event), 0);
    return event;
}

mp_semaphore *new_semaphore(void)
{
    mp_semaphore *semaphore;
    assert_mp_result(mp_semaphore_create(&semaphore, 0, NULL), 0);
    return semaphore;
}

void take(mp_semaphore *semaphore)
{
    assert_mp_result(mp_semaphore_acquire(semaphore, MP_FOREVER), 0);
}

void nobody_releases(mp_semaphore *semaphore)
{
    assert_mp_error(mp_semaphore_acquire(semaphore, 0.1), MP_ETIMEOUT);
}

FILE *nameless_file(void)
{
    FILE *file = tmpfile();
    check(file != NULL);
    return file;
}

void read_file(FILE *file, char *text, size_t size)
{
    ssize_t n = pread(fileno(file), text, size - 1, 0);
    check(n >= 0);
    text[n] = '\0';
}
