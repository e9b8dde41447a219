/* The scene of the web scraping: a server on the loopback, and a port at which nobody listens.
 *
 * The first three requests are answered when all three have come: a client that asks for one page
 * at a time gets none. What is no well-formed request gets status 400.
 */
#include "judge.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TOGETHER = 3, LIFE_SECONDS = 60 };

static int listener = -1;
static int shut = -1;
static pid_t server;

/* A socket bound to some free port of the loopback. */
static int bound_socket(long *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        (void)close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

/* Reads up to the blank line that ends a request without a body. */
static bool request_read(int fd, char *text, size_t size)
{
    size_t len = 0;

    text[0] = '\0';
    while (strstr(text, "\r\n\r\n") == NULL) {
        ssize_t got = len < size - 1 ? recv(fd, text + len, size - 1 - len, 0) : 0;
        if (got <= 0) {
            return false;
        }
        len += (size_t)got;
        text[len] = '\0';
    }
    return true;
}

static const char *response_to(const char *request, long port)
{
    static const struct {
        const char *line;
        const char *response;
    } pages[] = {
        {"GET / HTTP/1.0\r\n", "HTTP/1.0 200 OK\r\n\r\nthe first page"},
        {"GET /missing HTTP/1.0\r\n", "HTTP/1.1 404 Not Found\r\n\r\n"},
        {"GET /page?q=1 HTTP/1.0\r\n", "HTTP/1.0 200\r\n\r\nthe second page"},
        {"GET /noise HTTP/1.0\r\n", "220 ready\r\n"},
        {"GET /silence HTTP/1.0\r\n", ""},
    };
    char host[64];

    (void)snprintf(host, sizeof host, "\r\nHost: 127.0.0.1:%ld\r\n", port);
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strncmp(request, pages[i].line, strlen(pages[i].line)) == 0 && strstr(request, host)) {
            return pages[i].response;
        }
    }
    return "HTTP/1.0 400 Bad Request\r\n\r\n";
}

static void request_answer(int fd, long port)
{
    char request[4096];
    const char *response = "";

    if (request_read(fd, request, sizeof request)) {
        response = response_to(request, port);
    }
    (void)send(fd, response, strlen(response), MSG_NOSIGNAL);
    (void)close(fd);
}

_Noreturn static void serve(long port)
{
    int first[TOGETHER];

    (void)signal(SIGALRM, SIG_DFL);
    (void)alarm(LIFE_SECONDS);
    for (size_t i = 0; i < TOGETHER; i++) {
        first[i] = accept(listener, NULL, NULL);
    }
    for (size_t i = 0; i < TOGETHER; i++) {
        request_answer(first[i], port);
    }
    for (;;) {
        request_answer(accept(listener, NULL, NULL), port);
    }
}

static bool web_begin(struct place *place)
{
    listener = bound_socket(&place->port);
    shut = bound_socket(&place->shut);
    if (listener < 0 || shut < 0 || listen(listener, 16) != 0) {
        return false;
    }
    server = fork();
    if (server == 0) {
        serve(place->port);
    }
    return server > 0;
}

static void web_end(void)
{
    if (server > 0) {
        (void)kill(server, SIGKILL);
        (void)waitpid(server, NULL, 0);
    }
    (void)close(listener);
    (void)close(shut);
    server = 0;
}

const struct scene scene_web = {.begin = web_begin, .end = web_end};
