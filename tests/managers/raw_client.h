/* A client that knows the protocol and nothing else: it keeps no references, notices no fork, and
 * its socket stays open wherever it was inherited. For servers of the same key as this process. */
#ifndef TESTS_MANAGERS_RAW_CLIENT_H
#define TESTS_MANAGERS_RAW_CLIENT_H

#include "managers/managers_kit.h"

#include <mp/connection.h>

enum { RAW_IDENT = 64 };

/* Connected and authenticated. */
mp_connection *raw_connect(const char *address);
/* The same, and ready for calls of methods. */
mp_connection *raw_session(const char *address);

/* Sends a request; NULL as `ident` asks the server itself. */
void raw_ask(mp_connection *connection, const char *ident, const char *method, mp_obj args);
/* Receives an answer, which must be of this kind: "#RETURN", "#ERROR", ...; `value` may be NULL. */
void raw_answer(mp_connection *connection, const char *kind, mp_obj *value);
/* Both, on a connection of its own, for what the server does itself. */
void raw_command(const char *address, const char *method, mp_obj args, mp_obj *value);

/* Creates an object, with one reference that nobody has. */
void raw_create(const char *address, const char *type_id, char ident[RAW_IDENT]);

/* Asks the server to end. */
void raw_shutdown(const char *address);

#endif
