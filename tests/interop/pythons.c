/* Which Pythons there are: the shell finds them, each says its own version. */
#include "pythons.h"

#include "support/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char finder[] =
    "{ command -v python3; IFS=:; for d in $PATH; do ls \"$d\"/python3.[0-9] "
    "\"$d\"/python3.[0-9][0-9]; done;"
    " ls \"$HOME\"/.pyenv/versions/*/bin/python3; } 2>/dev/null | while read -r p; do"
    " v=$(\"$p\" -c 'import sys; print(*sys.version_info[:2]) if sys.version_info >= (3, 8) else 0'"
    " 2>/dev/null) && [ \"$v\" != '' ] && [ \"$v\" != 0 ] && echo \"$v $p\"; done |"
    " sort -k1,1n -k2,2n -u | cut -d' ' -f3-";

static void pythons_find(struct pythons *pythons)
{
    char line[PYTHON_PATH];
    pythons->count = 0;
    FILE *found = popen(finder, "r");
    check(found != NULL);
    while (fgets(line, sizeof line, found) != NULL && pythons->count < PYTHONS_MOST) {
        line[strcspn(line, "\n")] = '\0';
        memcpy(pythons->path[pythons->count++], line, sizeof line);
    }
    (void)pclose(found);
}

const char *pythons_begin(struct pythons *pythons, int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s SCRIPT [ARGUMENT...]\n", argv[0]);
        exit(2);
    }
    pythons_find(pythons);
    if (pythons->count == 0) {
        puts("SKIPPED: no python3 from 3.8 on here to be the other side");
        exit(SUPPORT_SKIPPED);
    }
    return argv[1];
}

int python_run(const char *python, const char *const *args)
{
    const char *argv[16] = {python};
    for (size_t i = 0; args[i] != NULL && i < 14; i++)
        argv[i + 1] = args[i];
    pid_t pid = fork();
    if (pid == 0) {
        execv(python, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}
