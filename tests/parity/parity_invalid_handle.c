/* Python's TestInvalidHandle: descriptors that are none. */
#include "parity.h"

#include <errno.h>
#include <mp/connection.h>

static void test_invalid_handles(void **state)
{
    (void)state;
    mp_connection *conn = NULL;
    assert_mp_error(mp_connection_create(&conn, 44977608, true, true), -EBADF);
    assert_mp_error(mp_connection_create(&conn, -1, true, true), MP_EINVAL);
    check(conn == NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        support_test("TestInvalidHandle.test_invalid_handles: an error, no crash",
                     test_invalid_handles),
    };
    return support_run("TestInvalidHandle", tests);
}
