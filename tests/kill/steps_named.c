/* Scenarios: named shared memory, lists in it, and the tracker that removes what the dead left. */
#include "kill/steps.h"
#include "support/trees.h"

#include <mp/shared_memory.h>

#include <poll.h>
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
};
const size_t steps_named_count = sizeof steps_named / sizeof *steps_named;
