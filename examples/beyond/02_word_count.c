/* Counts the words of files in a pool, as `wc -w` does, although a worker gets killed. In Python:

from multiprocessing import Array, Pool

counted_by = Array('i', 2)

def get_killed_once():
    with counted_by:
        first = counted_by[0] == 0
        counted_by[0 if first else 1] = os.getpid()
    if first:
        os.kill(os.getpid(), signal.SIGKILL)

def count_words(name):
    words = len(open(name).read().split())
    if name == victim:
        get_killed_once()
    return words

if __name__ == '__main__':
    names = sys.argv[1:]
    victim = names[len(names) // 2]
    with Pool() as pool:
        counts = pool.map(count_words, names)

There the map never returns. Here the file that the killed worker had in hand, and no other, is
counted again by the worker that takes its place: `retries` asks for that.
*/

#define _POSIX_C_SOURCE 200809L

#include <mp/mp.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *victim;   /* the file whose worker gets killed */
static mp_array *counted_by; /* the pids of the two workers that counted it */

static void get_killed_once(void)
{
    int *pids = MP_ARRAY(int, counted_by);
    bool first = false;

    MP_WITH_ARRAY(counted_by) {
        first = pids[0] == 0;
        pids[first ? 0 : 1] = (int)getpid();
    }
    if (first) {
        raise(SIGKILL);
    }
}

/* Counts what stands between white space; -1 if the file cannot be read. */
static int64_t words_in(FILE *file)
{
    int64_t words = 0;
    bool after_space = true;

    for (int c = getc(file); c != EOF; c = getc(file)) {
        bool space = isspace(c) != 0;
        words += after_space && !space;
        after_space = space;
    }
    return ferror(file) ? -1 : words;
}

static int count_words(mp_obj arg, mp_obj *result)
{
    const char *name;

    if (mp_obj_unpack(arg, "s", &name) != 0) {
        return mp_task_fail(1, "not a name");
    }
    FILE *file = fopen(name, "r");
    int64_t words = file != NULL ? words_in(file) : -1;
    int error = errno;
    if (file != NULL) {
        fclose(file);
    }
    if (words < 0) {
        return mp_task_fail(error, "%s", strerror(error));
    }
    if (strcmp(name, victim) == 0) {
        get_killed_once();
    }
    *result = MP(words);
    return 0;
}

/* Prints a line for each file and the total; gives how many files could not be counted. */
static int print_counts(char *const *names, mp_obj counts, mp_obj errors)
{
    int failed = 0;
    int64_t total = 0;

    for (size_t i = 0; i < counts.len; i++) {
        int64_t words;
        const char *why;
        if (mp_obj_as_int(counts.items[i], &words) == 0) {
            printf("%8" PRId64 " %s\n", words, names[i]);
            total += words;
        } else {
            MP_CHECK(mp_obj_unpack(errors.items[i], "is", NULL, &why));
            printf("%8s %s: %s\n", "-", names[i], why);
            failed++;
        }
    }
    printf("%8" PRId64 " total\n", total);
    return failed;
}

static int count_all(char *const *names, size_t count)
{
    mp_obj *list = malloc(count * sizeof *list);
    mp_pool *pool;
    mp_obj counts;
    mp_obj errors;
    mp_map_options options = {.retries = 1, .errors = &errors};

    if (list == NULL) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = MP(names[i]);
    }
    MP_CHECK(mp_pool_create(&pool, 0, NULL));
    int rc = mp_pool_map(pool, count_words, mp_obj_list(list, count), &counts, &options);
    if (counts.type == MP_TYPE_NONE) {
        MP_CHECK(rc); /* nothing ran; what else fails is told in `errors` */
    }
    mp_pool_destroy(pool);

    const int *pids = MP_ARRAY(int, counted_by);
    if (pids[1] != 0) {
        printf("process %d was killed while it counted %s, process %d counted it again\n", pids[0],
               victim, pids[1]);
    }
    int failed = print_counts(names, counts, errors);
    mp_obj_free(&counts);
    mp_obj_free(&errors);
    free(list);
    return failed;
}

int main(int argc, char *argv[])
{
    size_t count = argc > 1 ? (size_t)argc - 1 : 0;

    if (count == 0) {
        fprintf(stderr, "usage: %s file...\n", argv[0]);
        return 2;
    }
    victim = argv[1 + count / 2];
    MP_CHECK(mp_array_create(&counted_by, 'i', 2, NULL));
    int failed = count_all(argv + 1, count);
    mp_array_destroy(counted_by);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
