/* The making of a board, its state, and its end. */
#include "workers/board.h"

#include <errno.h>

static int gates_init(struct mp__board *board)
{
    int rc = mp__gate_init(&board->done);
    if (rc == 0)
        rc = mp__gate_init(&board->supervise);
    for (uint32_t i = 0; i < board->workers && rc == 0; i++)
        rc = mp__gate_init(&board->worker[i].gate);
    return rc;
}

/* The first page of tasks, whose first is the head of the empty list. */
static int page_first(struct mp__object *object, struct mp__board *board)
{
    void *page;
    int rc = mp__heap_take((MP__TASKS_FIRST + 1) * sizeof(struct mp__task), &page);
    if (rc != 0)
        return rc;
    atomic_store(&board->pages[0], mp__piece_ref(page));
    atomic_store(&mp__task_at(board, 0)->word, mp__task_word(0, 0, MP__TASK_DONE));
    mp__pool_join(page, object);
    return 0;
}

int mp__board_make(uint32_t workers, struct mp__object **out)
{
    struct mp__board *board;
    struct mp__object *object;
    int rc = mp__object_make(MP__KIND_POOL, sizeof *object, &object);
    if (rc != 0)
        return rc;
    mp__step("crew.object");
    rc = mp__heap_attach(object, sizeof *board + workers * sizeof board->worker[0], &board);
    if (rc == 0) {
        board->workers = workers;
        atomic_store(&board->next_look, MP__NEVER);
        rc = gates_init(board);
    }
    if (rc == 0)
        rc = page_first(object, board);
    if (rc != 0) {
        mp__object_discard(object);
        return rc;
    }
    mp__step("crew.board");
    mp__object_publish(object, MP__KIND_POOL);
    *out = object;
    return 0;
}

bool mp__board_raise(struct mp__board *board, enum mp__board_state to)
{
    uint32_t seen = atomic_load(&board->state);
    while (seen < (uint32_t)to)
        if (atomic_compare_exchange_weak(&board->state, &seen, (uint32_t)to))
            return true;
    return false;
}

/* Asked in any process: the owner is dead or has let go of it, and nobody works there. */
static bool board_is_abandoned(struct mp__object *object)
{
    mp__owner creator = atomic_load(&object->creator);
    struct mp__board *board = mp__board_of(object);
    if (!mp__dead(creator))
        return false;
    mp__owner supervisor = atomic_load(&board->supervisor);
    if (supervisor != 0 && !mp__dead(supervisor))
        return false;
    for (uint32_t w = 0; w < board->workers; w++) {
        mp__owner owner = atomic_load(&board->worker[w].owner);
        if (owner != 0 && !mp__dead(owner))
            return false;
    }
    return true;
}

__attribute__((constructor(101))) static void hook_set(void)
{
    mp__pool_is_abandoned = board_is_abandoned;
}
