/* What programs that test listeners begin with. */
#ifndef MP_TEST_DOORS_H
#define MP_TEST_DOORS_H

#include "support/support.h"

#include <mp/connection.h>
#include <mp/timeout.h>
#include <string.h>
#include <unistd.h>

/* Before the first count: the tracker that the first socket file starts, and its channel, stay. */
static inline void open_the_first_door(void)
{
    mp_listener *first;
    if (mp_listener_create(&first, NULL, NULL) == 0)
        mp_listener_destroy(first);
}

/* A listener's three kinds: by NULL, as Python has it, by name, and TCP. The abstract name is this
 * program's own. */
static inline const char *door_address(int family)
{
    static char name[64];
    snprintf(name, sizeof name, "@libmp.test.%ld", (long)getpid());
    return family == 0 ? NULL : family == 1 ? name : "localhost:0";
}
enum { DOOR_FAMILIES = 3 };

static inline mp_listener *open_listener(const char *address, const char *key)
{
    mp_listener *listener;
    mp_listener_options options = {.authkey = key, .authkey_len = key == NULL ? 0 : strlen(key)};
    assert_mp_result(mp_listener_create(&listener, address, &options), 0);
    return listener;
}

static inline mp_connection *accept_from(mp_listener *listener)
{
    mp_connection *connection;
    assert_mp_result(mp_listener_accept(listener, &connection, MP_FOREVER), 0);
    return connection;
}

static inline mp_connection *connect_to(const char *address, const char *key)
{
    mp_connection *connection;
    mp_client_options options = {.authkey = key, .authkey_len = key == NULL ? 0 : strlen(key)};
    assert_mp_result(mp_client(&connection, address, &options, MP_FOREVER), 0);
    return connection;
}

#endif
