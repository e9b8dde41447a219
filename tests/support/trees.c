/* Trees of processes with trackers of their own, known by the standard error that they share. */
#include "support/trees.h"

#include "memory/tracker.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char printed[4096];

void trees_begin(void)
{
    if (mp__tracker_note(MP__TRACKED_SEGMENT, "nothing") == 0)
        mp__tracker_forget(MP__TRACKED_SEGMENT, "nothing");
}

struct tree {
    int (*body)(void);
    struct signal_pipe output;
};

/* What the test's own tracker is reached by is the one socket of this type. */
static void trackers_channel_close(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        int type = 0;
        socklen_t size = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET)
            (void)close(fd);
    }
}

static int tree_main(void *arg)
{
    const struct tree *tree = arg;
    trackers_channel_close();
    check(dup2(tree->output.write_fd, STDERR_FILENO) == STDERR_FILENO);
    check(close(tree->output.write_fd) == 0 && close(tree->output.read_fd) == 0);
    return tree->body();
}

int tree_run(int (*body)(void))
{
    struct tree tree = {.body = body};
    char rest[256];
    size_t used = 0;
    ssize_t n;
    pipe_open(&tree.output);
    pid_t pid = child_fork(tree_main, &tree);
    check(close(tree.output.write_fd) == 0);
    tree.output.write_fd = -1;
    while (used < sizeof printed - 1 &&
           (n = read(tree.output.read_fd, printed + used, sizeof printed - 1 - used)) > 0)
        used += (size_t)n;
    printed[used] = '\0';
    while (read(tree.output.read_fd, rest, sizeof rest) > 0)
        ;
    pipe_close(&tree.output);
    return child_wait(pid);
}

const char *tree_printed(void)
{
    return printed;
}

static bool is_tracker(const char *pid_text)
{
    char path[64], text[256];
    struct stat mine, its;
    (void)snprintf(path, sizeof path, "/proc/%.20s/stat", pid_text);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (strstr(text, "(mp-tracker)") == NULL || strstr(text, ") Z ") != NULL)
        return false;
    (void)snprintf(path, sizeof path, "/proc/%.20s/fd/2", pid_text);
    return fstat(STDERR_FILENO, &mine) == 0 && stat(path, &its) == 0 && mine.st_dev == its.st_dev &&
           mine.st_ino == its.st_ino;
}

pid_t tree_tracker(void)
{
    pid_t found = 0;
    DIR *processes = opendir("/proc");
    check(processes != NULL);
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;)
        if (isdigit((unsigned char)entry->d_name[0]) && is_tracker(entry->d_name))
            found = (pid_t)atol(entry->d_name);
    (void)closedir(processes);
    return found;
}

void tree_kill_tracker(void)
{
    pid_t pid = tree_tracker();
    check(pid > 0);
    check(kill(pid, SIGKILL) == 0);
    child_await_corpse(pid); /* by then its end of the channel is closed, too */
}

bool segment_exists(const char *name)
{
    char path[300];
    (void)snprintf(path, sizeof path, "/%s", name);
    int fd = shm_open(path, O_RDONLY, 0);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}
