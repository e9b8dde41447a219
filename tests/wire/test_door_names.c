/* Whatever way a tree of processes ends, its sockets' files and folders go. */
#include "support/trees.h"
#include "wire/doors.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

static char folder[64], named[128];
static char *made;

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

/* Says on standard error where it listens: one line. */
static mp_listener *say_listener(const char *address)
{
    mp_listener *listener = open_listener(address, NULL);
    check(exists(mp_listener_address(listener)));
    check(fprintf(stderr, "%s\n", mp_listener_address(listener)) > 0);
    return listener;
}

static int listen_and_be_killed(void)
{
    say_listener(NULL);
    say_listener(named);
    return raise(SIGKILL);
}

static int listen_and_return(void)
{
    say_listener(NULL);
    say_listener(named);
    return 0;
}

static int listen_close_and_be_killed(void)
{
    mp_listener_destroy(say_listener(NULL));
    mp_listener_destroy(say_listener(named));
    int left = open_listener(NULL, NULL) == NULL;
    return left + raise(SIGKILL);
}

static int stay(void *arg)
{
    (void)arg;
    check(exists(made));
    return raise(SIGKILL);
}

static int outlive_the_listener(void)
{
    mp_listener *listener = say_listener(NULL);
    made = strdup(mp_listener_address(listener));
    pid_t child = child_fork(stay, NULL);
    return child_wait(child) == -SIGKILL && exists(made) ? raise(SIGKILL) : 1;
}

/* No line that the tree said names a file that is, nor a folder of ours. */
static void nothing_is_left(int lines)
{
    char text[4096], *line, *rest = text;
    int found = 0;
    strcpy(text, tree_printed());
    while ((line = strtok_r(rest, "\n", &rest)) != NULL) {
        char *slash = strrchr(line, '/');
        if (*line != '/' || slash == line)
            continue; /* the tracker's own words */
        check(!exists(line));
        *slash = '\0';
        check(strcmp(line, folder) == 0 || !exists(line));
        found++;
    }
    check(found == lines);
}

static void check_tree(int (*body)(void), int status, int lines)
{
    strcpy(folder, "/tmp/libmp-test-XXXXXX");
    check(mkdtemp(folder) == folder);
    snprintf(named, sizeof named, "%s/socket", folder);
    int got = tree_run(body);
    if (got != status)
        support_fail(__FILE__, __LINE__, "%d: %s", got, tree_printed());
    nothing_is_left(lines);
    check(rmdir(folder) == 0);
}

static void test_a_killed_process_leaves_no_names(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        check_tree(listen_and_be_killed, -SIGKILL, 2);
}

static void test_who_ends_without_closing_leaves_no_names(void **state)
{
    (void)state;
    check_tree(listen_and_return, 0, 2);
}

static void test_what_was_closed_is_gone_before(void **state)
{
    (void)state;
    check_tree(listen_close_and_be_killed, -SIGKILL, 2);
}

static void test_a_killed_child_takes_no_names_along(void **state)
{
    (void)state;
    check_tree(outlive_the_listener, -SIGKILL, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("door: a killed process leaves no names",
                     test_a_killed_process_leaves_no_names),
        support_test("door: who ends without closing leaves no names",
                     test_who_ends_without_closing_leaves_no_names),
        support_test("door: what was closed is gone before", test_what_was_closed_is_gone_before),
        support_test("door: a killed child takes no names along",
                     test_a_killed_child_takes_no_names_along),
    };
    return support_run("door names", tests);
}
