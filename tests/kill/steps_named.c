/* Scenarios: named shared memory, lists in it, sockets' files, and the tracker that removes what the dead left. */
#include "kill/steps.h"
#include "support/trees.h"

#include <mp/connection.h>
#include <mp/shared_memory.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The standard error of the actor and of its tracker: who has it has not ended. */
static struct signal_pipe tree;
static char block_name[64], list_name[64];

static void names_choose(void)
{
    (void)snprintf(block_name, sizeof block_name, "mp_steps.%ld.block", (long)getpid());
    (void)snprintf(list_name, sizeof list_name, "mp_steps.%ld.list", (long)getpid());
    pipe_open(&tree);
}

static void begin_a_tree(void)
{
    check(dup2(tree.write_fd, STDERR_FILENO) == STDERR_FILENO);
    pipe_close(&tree);
}

static void use_a_block(void)
{
    mp_shared_memory *block;
    check(mp_shared_memory_create(&block, block_name, 100000) == 0);
    check(mp_shared_memory_track(block, false) == 0);
    check(mp_shared_memory_track(block, true) == 0);
    check(mp_shared_memory_unlink(block) == 0);
    mp_shared_memory_destroy(block);
}

static void use_a_list(void)
{
    mp_shareable_list *list;
    check(mp_shareable_list_create(&list, MP_LIST("some text", 1), list_name) == 0);
    check(mp_shareable_list_set(list, 0, MP(2)) == 0);
    check(mp_shareable_list_set(list, 1, MP("text")) == 0);
    check(mp_shareable_list_unlink(list) == 0);
    mp_shareable_list_destroy(list);
}

/* Reads until the end of the stream: the tracker has ended. */
static void tracker_await(void)
{
    char text[256];
    struct kill_clock clock;
    struct pollfd item = {.fd = tree.read_fd, .events = POLLIN};
    check(close(tree.write_fd) == 0);
    tree.write_fd = -1;
    kill_clock_start(&clock);
    for (;;) {
        if (poll(&item, 1, 0) == 1 && read(tree.read_fd, text, sizeof text) <= 0)
            break;
        if (!kill_clock_tick(&clock, STEPS_BOUND))
            fail_msg("the tracker did not end");
    }
    pipe_close(&tree);
}

static void nothing_is_left(void)
{
    tracker_await();
    if (segment_exists(block_name) || segment_exists(list_name))
        fail_msg("shared memory was left");
}

/* ---- sockets' files -------------------------------------------------------------------------- */

static char folder[64], socket_path[128], plain_path[128];

/* All that is to go lies in one folder; beside it stands a file that is none of ours. */
static void folder_make(void)
{
    names_choose();
    strcpy(folder, "/tmp/mp_steps.XXXXXX");
    check(mkdtemp(folder) == folder);
    (void)snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    (void)snprintf(plain_path, sizeof plain_path, "%s/plain", folder);
    int fd = open(plain_path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    check(fd >= 0 && close(fd) == 0);
}

static void begin_a_tree_in_the_folder(void)
{
    begin_a_tree();
    check(setenv("TMPDIR", folder, 1) == 0);
}

static void listen_and_close(void)
{
    mp_listener *made, *named, *none;
    check(mp_listener_create(&made, NULL, NULL) == 0);
    check(mp_listener_create(&named, socket_path, NULL) == 0);
    check(mp_listener_create(&none, plain_path, NULL) == -EADDRINUSE);
    mp_listener_destroy(made);
    mp_listener_destroy(named);
}

static void only_the_plain_file_is_left(void)
{
    tracker_await();
    if (unlink(plain_path) != 0)
        fail_msg("a file that is none of ours was removed");
    if (rmdir(folder) != 0)
        fail_msg("a socket's file or folder was left");
}

const struct scenario steps_named[] = {
    {.name = "named, a block",
     .prepare = names_choose,
     .ready = begin_a_tree,
     .actor = use_a_block,
     .finish = nothing_is_left},
    {.name = "named, a list",
     .prepare = names_choose,
     .ready = begin_a_tree,
     .actor = use_a_list,
     .finish = nothing_is_left},
    {.name = "named, sockets' files",
     .prepare = folder_make,
     .ready = begin_a_tree_in_the_folder,
     .actor = listen_and_close,
     .finish = only_the_plain_file_is_left},
};
const size_t steps_named_count = sizeof steps_named / sizeof *steps_named;
