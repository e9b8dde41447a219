/* Peers: other programs, CPython for one, that measure one side of the rows and answer by lines. */
#include "kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct bench_peer {
    pid_t pid;
    FILE *to, *from;
    char line[80]; /* the last one read */
    char name[80];
};

static _Noreturn void peer_exec(const char *program, const char *script, const int in[2],
                                const int out[2])
{
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    close(in[0]);
    close(in[1]);
    close(out[0]);
    close(out[1]);
    execlp(program, program, script, (char *)NULL);
    _exit(127);
}

static bool line_read(struct bench_peer *peer)
{
    if (fgets(peer->line, sizeof peer->line, peer->from) == NULL)
        return false;
    peer->line[strcspn(peer->line, "\n")] = '\0';
    return true;
}

struct bench_peer *bench_peer_open(const char *program, const char *script)
{
    int in[2], out[2];
    struct bench_peer *peer = calloc(1, sizeof *peer);
    bench_check(peer != NULL && pipe(in) == 0 && pipe(out) == 0);
    signal(SIGPIPE, SIG_IGN);
    peer->pid = fork();
    bench_check(peer->pid >= 0);
    if (peer->pid == 0)
        peer_exec(program, script, in, out);
    close(in[0]);
    close(out[1]);
    peer->to = fdopen(in[1], "w");
    peer->from = fdopen(out[0], "r");
    bench_check(peer->to != NULL && peer->from != NULL);
    if (line_read(peer)) {
        memcpy(peer->name, peer->line, sizeof peer->name);
        return peer;
    }
    bench_peer_close(peer);
    return NULL;
}

const char *bench_peer_name(const struct bench_peer *peer)
{
    return peer->name;
}

double bench_peer_ask(struct bench_peer *peer, const char *request, double seconds)
{
    const char *pinning = bench_is_placed_freely() ? "free" : "pinned";
    fprintf(peer->to, "%s %s %g\n", request, pinning, seconds);
    fflush(peer->to);
    if (!line_read(peer))
        bench_fail(__FILE__, __LINE__, "a peer ended before its time");
    return atof(peer->line);
}

void bench_peer_close(struct bench_peer *peer)
{
    if (peer == NULL)
        return;
    fclose(peer->to);
    fclose(peer->from);
    waitpid(peer->pid, NULL, 0);
    free(peer);
}

double bench_peer_ask_once(const char *program, const char *script, const char *request,
                           double seconds)
{
    struct bench_peer *peer = bench_peer_open(program, script);
    bench_check(peer != NULL);
    double took = bench_peer_ask(peer, request, seconds);
    bench_peer_close(peer);
    return took;
}

void bench_peer_serve(const char *name, double (*answer)(const char *request, double seconds))
{
    char request[40], pinning[40];
    double seconds;
    puts(name);
    fflush(stdout);
    while (scanf("%39s %39s %lf", request, pinning, &seconds) == 3) {
        if (strcmp(pinning, "free") == 0)
            bench_place_freely();
        printf("%.1f\n", answer(request, seconds));
        fflush(stdout);
    }
}
