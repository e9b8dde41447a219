/* libmp's side of the comparison of objects with Python's: objects.py says what is on the pipe.
 *
 *   read                  answers each pickle by the repr of what it holds
 *   write <seed> <count>  writes the repr of random objects, and their pickles, protocols 2 to 5
 */
#include "support/support.h"
#include "wire/random_object.h"

#include <mp/object.h>

#include <stdlib.h>
#include <string.h>

static void leave(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, mp_error_detail());
    exit(1);
}

static void put(const void *bytes, size_t n)
{
    uint8_t head[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
    if (fwrite(head, 1, sizeof head, stdout) != sizeof head || fwrite(bytes, 1, n, stdout) != n)
        leave("stdout");
}

static void put_repr(mp_obj o)
{
    char *text = mp_obj_repr(o);
    if (text == NULL)
        leave("repr");
    put(text, strlen(text));
    free(text);
}

static int read_pickles(void)
{
    uint8_t head[4];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        char *bytes = malloc(n + 1);
        mp_obj o;
        if (bytes == NULL || fread(bytes, 1, n, stdin) != n)
            leave("stdin");
        if (mp_obj_loads(&o, bytes, n) != 0)
            leave("loads");
        free(bytes);
        put_repr(o);
        mp_obj_free(&o);
        (void)fflush(stdout);
    }
    return 0;
}

static int write_pickles(uint64_t seed, unsigned long count)
{
    struct rng rng = rng_start(seed);
    for (unsigned long i = 0; i < count; i++) {
        struct random_object *random = random_object_make(&rng, 4);
        mp_obj o = random_object_get(random);
        put_repr(o);
        for (int protocol = 2; protocol <= 5; protocol++) {
            void *bytes;
            size_t n;
            if (mp_obj_dumps(o, protocol, &bytes, &n) != 0)
                leave("dumps");
            put(bytes, n);
            free(bytes);
        }
        random_object_free(random);
    }
    return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "read") == 0)
        return read_pickles();
    if (argc == 4 && strcmp(argv[1], "write") == 0)
        return write_pickles(strtoull(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
    (void)fprintf(stderr, "usage: %s read | write SEED COUNT\n", argv[0]);
    return 2;
}
