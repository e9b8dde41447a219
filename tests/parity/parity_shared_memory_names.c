/* Python's TestSharedMemoryNames: names that messages to the tracker could stumble over. */
#include "parity.h"
#include "support/trees.h"

#include <mp/shared_memory.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"a:b:c", "two\nlines", ":", "\n", "FORGET:x:shared_memory\n"};
enum { NAMES = sizeof names / sizeof *names };

static const char *full_name(int i)
{
    static char name[64];
    (void)snprintf(name, sizeof name, "mp%ld%s", (long)getppid(), names[i]);
    return name;
}

/* One is left behind: it, and no other, is what the tracker finds. */
static int make_all(void)
{
    for (int i = 0; i < NAMES; i++) {
        mp_shared_memory *block;
        assert_mp_ok(mp_shared_memory_create(&block, full_name(i), 1));
        if (i > 1)
            assert_mp_result(mp_shared_memory_unlink(block), 0);
        mp_shared_memory_destroy(block);
    }
    mp_shared_memory *first;
    assert_mp_ok(mp_shared_memory_attach(&first, full_name(0)));
    assert_mp_result(mp_shared_memory_unlink(first), 0);
    mp_shared_memory_destroy(first);
    return segment_exists(full_name(1)) ? 0 : 1;
}

static void test_that_shared_memory_name_with_colons_has_no_resource_tracker_errors(void **state)
{
    (void)state;
    check(tree_run(make_all) == 0);
    check(strcmp(tree_printed(), "resource_tracker: There appear to be 1 leaked shared_memory "
                                 "objects to clean up at shutdown\n") == 0);
    check(census_shared_names() == 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestSharedMemoryNames: "
                     "that_shared_memory_name_with_colons_has_no_resource_tracker_errors",
                     test_that_shared_memory_name_with_colons_has_no_resource_tracker_errors),
    };
    return support_run("TestSharedMemoryNames", tests);
}
