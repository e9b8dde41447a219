/* What a test may leave behind, counted: descriptors, processes, names of shared memory. */
#include "support/support.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int census_open_descriptors(void)
{
    int open_ones = 0;
    for (int fd = 0; fd < 1024; fd++)
        open_ones += fcntl(fd, F_GETFD) >= 0;
    return open_ones;
}

/* A zombie counts for the process that has to reap it; what init is slow to reap is no leak. */
static bool is_group_process(const char *pid_text)
{
    char path[64], line[512], state;
    int parent, group;
    (void)snprintf(path, sizeof path, "/proc/%.20s/stat", pid_text);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    size_t n = fread(line, 1, sizeof line - 1, file);
    (void)fclose(file);
    line[n] = '\0';
    const char *name_end = strrchr(line, ')');
    if (!name_end || sscanf(name_end + 1, " %c %d %d", &state, &parent, &group) != 3)
        return false;
    return group == getpgrp() && ((state != 'Z' && state != 'X') || parent == getpid());
}

/* Counts the group's processes but this one, and sends each the signal (0: none). */
static int visit_group(int signal_number)
{
    int count = 0;
    DIR *processes = opendir("/proc");
    if (!processes)
        return 0;
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !is_group_process(entry->d_name))
            continue;
        pid_t pid = (pid_t)atol(entry->d_name);
        if (pid == getpid())
            continue;
        (void)kill(pid, signal_number);
        count++;
    }
    (void)closedir(processes);
    return count;
}

int census_group_processes(void)
{
    return visit_group(0);
}

void census_end_group_processes(void)
{
    (void)visit_group(SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

static bool holds_number(const char *name, const char *digits)
{
    size_t n = strlen(digits);
    for (const char *at = name; (at = strstr(at, digits)) != NULL; at++) {
        bool starts = at == name || !isdigit((unsigned char)at[-1]);
        if (starts && !isdigit((unsigned char)at[n]))
            return true;
    }
    return false;
}

int census_shared_names(void)
{
    int count = 0;
    char pid[32];
    DIR *names = opendir("/dev/shm");
    if (!names)
        return 0;
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    for (struct dirent *entry; (entry = readdir(names)) != NULL;)
        count += holds_number(entry->d_name, pid);
    (void)closedir(names);
    return count;
}
