/* Requests and answers, made by hand. */
#include "managers/raw_client.h"

#include <mp/process.h>
#include <string.h>

mp_connection *raw_connect(const char *address)
{
    mp_client_options options;
    mp_connection *connection;
    options.authkey = mp_process_authkey(mp_current_process(), &options.authkey_len);
    assert_mp_result(mp_client(&connection, address, &options, MP_FOREVER), 0);
    return connection;
}

void raw_ask(mp_connection *connection, const char *ident, const char *method, mp_obj args)
{
    assert_mp_result(
        mp_connection_send(connection, MP_TUPLE(mp_obj_str(ident), method, args, MP_EMPTY_DICT)),
        0);
}

void raw_answer(mp_connection *connection, const char *kind, mp_obj *value)
{
    mp_obj answer;
    assert_mp_result(mp_connection_recv(connection, &answer), 0);
    check(answer.type == MP_TYPE_TUPLE && answer.len == 2);
    if (!mp_obj_equal(*mp_obj_item(answer, 0), MP(kind)))
        support_fail(__FILE__, __LINE__, "the answer is %.200s, not %s", mp_obj_repr(answer), kind);
    if (value != NULL)
        assert_mp_result(mp_obj_copy(*mp_obj_item(answer, 1), value), 0);
    mp_obj_free(&answer);
}

mp_connection *raw_session(const char *address)
{
    mp_connection *connection = raw_connect(address);
    raw_ask(connection, NULL, "accept_connection", MP_TUPLE("somebody"));
    raw_answer(connection, "#RETURN", NULL);
    return connection;
}

void raw_command(const char *address, const char *method, mp_obj args, mp_obj *value)
{
    mp_connection *connection = raw_connect(address);
    raw_ask(connection, NULL, method, args);
    raw_answer(connection, "#RETURN", value);
    mp_connection_destroy(connection);
}

void raw_create(const char *address, const char *type_id, char ident[RAW_IDENT])
{
    mp_obj made;
    const char *text;
    size_t n;
    raw_command(address, "create", MP_TUPLE(type_id), &made);
    check(made.type == MP_TYPE_TUPLE && made.len == 2);
    assert_mp_result(mp_obj_as_str(*mp_obj_item(made, 0), &text, &n), 0);
    check(n > 0 && n < RAW_IDENT);
    memcpy(ident, text, n);
    ident[n] = '\0';
    mp_obj_free(&made);
}

void raw_shutdown(const char *address)
{
    raw_command(address, "shutdown", MP_EMPTY_TUPLE, NULL);
}
