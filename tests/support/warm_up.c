/* The group setup of programs that start libmp processes. */
#include "support/support.h"

#include <mp/process.h>
#include <mp/timeout.h>

static int return_at_once(void *arg)
{
    (void)arg;
    return 0;
}

int support_group_setup_processes(void **state)
{
    mp_process *process;
    (void)support_group_setup(state);
    assert_mp_ok(mp_process_create(&process, return_at_once, NULL, 0, NULL));
    assert_mp_ok(mp_process_start(process));
    assert_mp_result(mp_process_join(process, MP_FOREVER), 0);
    mp_process_destroy(process);
    return 0;
}
