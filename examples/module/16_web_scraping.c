/* Fetches web pages in parallel: those of the document, or the URLs it is given. The Python original:

import multiprocessing
import requests

urls = [
    'http://example.com',
    'http://example.org',
    'http://example.net',
]

def fetch(url):
    response = requests.get(url)
    return url, response.status_code

if __name__ == '__main__':
    with multiprocessing.Pool(processes=3) as pool:
        results = pool.map(fetch, urls)
        for url, status in results:
            print(f'Fetched {url} with status {status}')

There a host that does not answer ends the program; here it has a line of its own among the others.
*/

#define _POSIX_C_SOURCE 200809L

#include <mp/mp.h>

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct url {
    char host[256];
    char port[6];
    const char *host_and_port; /* as they were written, up to the path */
    const char *path;
};

/* Cuts http://host[:port][/path] into its parts. */
static bool parse(const char *text, struct url *url)
{
    int length = 0;

    if (sscanf(text, "http://%255[A-Za-z0-9.-]%n", url->host, &length) != 1) {
        return false;
    }
    url->host_and_port = text + strlen("http://");
    text += length;
    strcpy(url->port, "80");
    if (*text == ':') {
        if (sscanf(text, ":%5[0-9]%n", url->port, &length) != 1) {
            return false;
        }
        text += length;
    }
    url->path = text;
    return (*text == '/' || *text == '\0') && strpbrk(text, " \t\r\n") == NULL;
}

/* Gives a descriptor, or a negative number if the task has failed. */
static int connect_to(const struct url *url)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    int error = getaddrinfo(url->host, url->port, &hints, &addresses);

    if (error != 0) {
        return mp_task_fail(-1, "%s", gai_strerror(error));
    }
    for (struct addrinfo *a = addresses; a != NULL; a = a->ai_next) {
        int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
            freeaddrinfo(addresses);
            return fd;
        }
        error = errno;
        if (fd >= 0) {
            close(fd);
        }
    }
    freeaddrinfo(addresses);
    return mp_task_fail(-1, "%s", strerror(error));
}

/* Asks for the page and reads all of it; redirections are not followed. */
static int get(const struct url *url, int *status)
{
    char body[4096];
    int fd = connect_to(url);
    int rc = 0;

    if (fd < 0) {
        return fd;
    }
    dprintf(fd, "GET %s HTTP/1.0\r\nHost: %.*s\r\n\r\n", *url->path ? url->path : "/",
            (int)(url->path - url->host_and_port), url->host_and_port);
    FILE *response = fdopen(fd, "r");
    if (response == NULL) {
        rc = mp_task_fail(-1, "%s", strerror(errno));
        close(fd);
        return rc;
    }
    if (fscanf(response, "HTTP/%*d.%*d %3d", status) != 1) {
        rc = mp_task_fail(-1, "no HTTP response");
    }
    while (fread(body, 1, sizeof body, response) > 0) {
    }
    if (rc == 0 && ferror(response)) {
        rc = mp_task_fail(-1, "%s", strerror(errno));
    }
    fclose(response);
    return rc;
}

static int fetch(mp_obj arg, mp_obj *result)
{
    const char *text;
    struct url url;
    int status = 0;

    if (mp_obj_unpack(arg, "s", &text) != 0 || !parse(text, &url)) {
        return mp_task_fail(-1, "not a URL that begins with http://");
    }
    int rc = get(&url, &status);
    return rc != 0 ? rc : mp_task_return(result, MP_TUPLE(text, status));
}

static void print_results(mp_obj urls, mp_obj results, mp_obj errors)
{
    const char *url;
    const char *why;
    int status;

    for (size_t i = 0; i < results.len; i++) {
        if (mp_obj_unpack(results.items[i], "si", &url, &status) == 0) {
            printf("Fetched %s with status %d\n", url, status);
        } else {
            MP_CHECK(mp_obj_unpack(errors.items[i], "is", NULL, &why));
            printf("Cannot fetch %s: %s\n", urls.items[i].s, why);
        }
    }
}

/* Makes the items of a list of URLs; the strings stay where they are. */
static mp_obj *items_of(const char *const *texts, size_t count)
{
    mp_obj *items = malloc(count * sizeof *items);

    if (items == NULL) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = MP(texts[i]);
    }
    return items;
}

int main(int argc, char *argv[])
{
    static const char *const default_urls[] = {
        "http://example.com",
        "http://example.org",
        "http://example.net",
    };
    size_t count = argc > 1 ? (size_t)argc - 1 : 3;
    mp_obj *items = items_of(argc > 1 ? (const char *const *)argv + 1 : default_urls, count);
    mp_obj urls = mp_obj_list(items, count);
    mp_pool *pool;
    mp_obj results;
    mp_obj errors;
    /* a server that keeps silent for half a minute is given up */
    mp_map_options options = {.task_timeout = 30, .errors = &errors};

    signal(SIGPIPE, SIG_IGN);
    MP_CHECK(mp_pool_create(&pool, 3, NULL));
    MP_WITH_POOL(pool) {
        int rc = mp_pool_map(pool, fetch, urls, &results, &options);
        if (results.type == MP_TYPE_NONE) {
            MP_CHECK(rc); /* nothing ran; what else fails is told in `errors` */
        }
        print_results(urls, results, errors);
        mp_obj_free(&results);
        mp_obj_free(&errors);
    }
    mp_pool_destroy(pool);
    free(items);
    return 0;
}
