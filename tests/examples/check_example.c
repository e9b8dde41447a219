/* Runs one example program and has its output judged; with --self-check, tests the judge itself.
 *
 *   check_example <id> <program>
 *   check_example --self-check <id of every registered example>...
 */
#include "judge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_SECONDS 50
#define LATE_TRIES 3

static volatile sig_atomic_t deadline_passed;
static volatile pid_t deadline_group;

static void deadline_handle(int signal_number)
{
    (void)signal_number;
    deadline_passed = 1;
    if (deadline_group > 0) {
        (void)kill(-deadline_group, SIGKILL);
    }
}

static void deadline_arm(pid_t group, unsigned seconds)
{
    struct sigaction action = {.sa_handler = deadline_handle, .sa_flags = SA_RESTART};

    deadline_passed = 0;
    deadline_group = group;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)alarm(seconds);
}

static void deadline_disarm(void)
{
    (void)alarm(0);
    deadline_group = 0;
}

static double clock_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool pipe_open(int ends[2])
{
    if (pipe(ends) != 0) {
        return false;
    }
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return true;
}

static void pipe_close(const int ends[2])
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void program_become(char *const argv[], int out, int err)
{
    int null = open("/dev/null", O_RDONLY);

    if (setpgid(0, 0) == 0 && null >= 0 && dup2(null, 0) == 0 && dup2(out, 1) == 1 &&
        dup2(err, 2) == 2) {
        if (null > 2) {
            (void)close(null);
        }
        (void)execv(argv[0], argv);
    }
    _exit(127);
}

static void stamp_lines(struct output *output, size_t from, double seconds)
{
    for (size_t i = from; i < output->len; i++) {
        if (output->text[i] == '\n' && output->lines < LINES_MAX) {
            output->stamps[output->lines++] = seconds;
        }
    }
}

/* Reads once; false at the end of the stream, or when there is no room for more of it. */
static bool stream_read(int fd, char *text, size_t *len)
{
    ssize_t got = read(fd, text + *len, OUTPUT_MAX - *len);

    if (got > 0) {
        *len += (size_t)got;
        return true;
    }
    return got < 0 && errno == EINTR;
}

/* Reads both streams until nobody holds them any more. */
static void streams_read(int out, int err, double start, struct output *output)
{
    struct pollfd fds[2] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (poll(fds, 2, -1) < 0) {
            continue;
        }
        size_t before = output->len;
        if (fds[0].revents && !stream_read(out, output->text, &output->len)) {
            fds[0].fd = -1;
        }
        stamp_lines(output, before, clock_seconds() - start);
        if (fds[1].revents && !stream_read(err, output->noise, &output->noise_len)) {
            fds[1].fd = -1;
        }
    }
}

/* Collects what the started program does until its end. */
static void program_watch(int out, int err, double start, unsigned deadline_seconds,
                          struct output *output)
{
    deadline_arm(output->pid, deadline_seconds);
    streams_read(out, err, start, output);
    while (waitpid(output->pid, &output->status, 0) < 0 && errno == EINTR) {
    }
    output->seconds = clock_seconds() - start;
    deadline_disarm();
    output->ended = !deadline_passed;
    output->text[output->len] = '\0';
    output->noise[output->noise_len] = '\0';
}

bool program_run(char *const argv[], unsigned deadline_seconds, struct output *output)
{
    int out[2];
    int err[2];
    double start = clock_seconds();

    memset(output, 0, sizeof *output);
    if (!pipe_open(out)) {
        return false;
    }
    if (!pipe_open(err)) {
        pipe_close(out);
        return false;
    }
    output->pid = fork();
    if (output->pid < 0) {
        pipe_close(out);
        pipe_close(err);
        return false;
    }
    if (output->pid == 0) {
        program_become(argv, out[1], err[1]);
    }
    (void)setpgid(output->pid, output->pid);
    (void)close(out[1]);
    (void)close(err[1]);
    program_watch(out[0], err[0], start, deadline_seconds, output);
    (void)close(out[0]);
    (void)close(err[0]);
    return true;
}

static void mismatch_print(const struct example *example, const struct output *output, int run,
                           const char *why)
{
    printf("%s, run %d: %s\n", example->id, run + 1, why);
    printf("--- expected (%s order):\n%s", example->rule == RULE_EXACT ? "in this" : "in any",
           example->expected);
    printf("--- got, in %.3f s:\n", output->seconds);
    (void)fwrite(output->text, 1, output->len, stdout);
    if (output->noise_len > 0) {
        printf("--- stderr:\n");
        (void)fwrite(output->noise, 1, output->noise_len, stdout);
    }
    printf("---\n");
}

/* Writes an argument of a row, with numbers in place of @port and @shut. */
static void argument_render(const char *pattern, const struct place *place, char *text, size_t size)
{
    const char *at = strchr(pattern, '@');

    if (at == NULL) {
        (void)snprintf(text, size, "%s", pattern);
    } else {
        long number = strncmp(at, "@port", 5) == 0 ? place->port : place->shut;
        (void)snprintf(text, size, "%.*s%ld%s", (int)(at - pattern), pattern, number, at + 5);
    }
}

static bool is_skip(const struct example *example, const struct output *output)
{
    return example->may_skip && output->ended && WIFEXITED(output->status) &&
           WEXITSTATUS(output->status) == EXIT_SKIPPED;
}

/* Runs the program once with the row's arguments, again where it only took too long, and judges the
   run. */
static bool run_check(const struct example *example, char *program, int run,
                      const struct place *place)
{
    static struct output output;
    static char arguments[ARGUMENTS_MAX][128];
    char *argv[ARGUMENTS_MAX + 2] = {program};
    struct verdict verdict;
    const char *fault = NULL;
    int tries = 0;

    for (size_t i = 0; example->arguments[i] != NULL; i++) {
        argument_render(example->arguments[i], place, arguments[i], sizeof arguments[i]);
        argv[i + 1] = arguments[i];
    }
    do {
        if (!program_run(argv, DEADLINE_SECONDS, &output)) {
            printf("%s cannot be started: %s\n", program, strerror(errno));
            return false;
        }
        if (is_skip(example, &output)) {
            (void)fputs(output.noise, stdout);
            exit(EXIT_SKIPPED);
        }
        output.place = *place;
        verdict = judge(example, &output);
    } while (verdict.is_late && ++tries < LATE_TRIES);
    if (verdict.accepted && example->scene && example->scene->inspect) {
        fault = example->scene->inspect();
    }
    if (!verdict.accepted || fault != NULL) {
        mismatch_print(example, &output, run, fault != NULL ? fault : verdict.why);
        return false;
    }
    return true;
}

/* Removes a directory and the files in it, which is the current one. */
static void directory_leave(const char *path, int back)
{
    DIR *entries = opendir(".");
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        (void)unlink(entry->d_name);
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    if (fchdir(back) == 0) {
        (void)rmdir(path);
    }
    (void)close(back);
}

/* Runs the program in what the row's scene makes, in a new directory. */
static bool scene_check(const struct example *example, char *program, int run)
{
    const struct scene *scene = example->scene;
    char path[] = "scene.XXXXXX";
    struct place place = {0};
    int back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool accepted = false;

    if (back < 0 || mkdtemp(path) == NULL || chdir(path) != 0) {
        printf("no directory for %s: %s\n", example->id, strerror(errno));
        return false;
    }
    if (scene->begin && !scene->begin(&place)) {
        printf("the scene of %s cannot be made: %s\n", example->id, strerror(errno));
    } else {
        accepted = run_check(example, program, run, &place);
    }
    if (scene->end) {
        scene->end();
    }
    directory_leave(path, back);
    return accepted;
}

static int example_check(const char *id, char *program)
{
    const struct example *example = example_find(id);
    const struct place nowhere = {0};

    if (example == NULL) {
        printf("%s has no row in the table\n", id);
        return EXIT_FAILURE;
    }
    int run = 0;
    do {
        if (!(example->scene ? scene_check(example, program, run)
                             : run_check(example, program, run, &nowhere))) {
            return EXIT_FAILURE;
        }
    } while (++run < example->runs);
    return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
    if (argc > 1 && strcmp(argv[1], "--self-check") == 0) {
        return judge_self_check(argv + 2) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (argc != 3) {
        fprintf(stderr, "usage: check_example <id> <program> | --self-check <id>...\n");
        return EXIT_FAILURE;
    }
    return example_check(argv[1], argv[2]);
}
