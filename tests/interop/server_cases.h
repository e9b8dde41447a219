/* What a C program does in a manager of Python's: every type, every method, every refusal. */
#ifndef TESTS_INTEROP_SERVER_CASES_H
#define TESTS_INTEROP_SERVER_CASES_H

#include "python_peer.h"

void server_values(struct peer *peer, mp_manager *manager);
void server_large(struct peer *peer, mp_manager *manager);
void server_dict(struct peer *peer, mp_manager *manager);
void server_iterators(struct peer *peer, mp_manager *manager);
void server_list(struct peer *peer, mp_manager *manager);
void server_set(struct peer *peer, mp_manager *manager);
void server_namespace(struct peer *peer, mp_manager *manager);
void server_value(struct peer *peer, mp_manager *manager);
void server_print(struct peer *peer, mp_manager *manager);

void server_locks(struct peer *peer, mp_manager *manager);
void server_semaphores(struct peer *peer, mp_manager *manager);
void server_condition(struct peer *peer, mp_manager *manager);
void server_event(struct peer *peer, mp_manager *manager);
void server_barrier(struct peer *peer, mp_manager *manager);
void server_queue(struct peer *peer, mp_manager *manager);
void server_pool(struct peer *peer, mp_manager *manager);

void server_own_types(struct peer *peer, mp_manager *manager);
void server_gives(struct peer *peer, mp_manager *manager);
void server_raises(struct peer *peer, mp_manager *manager);
void server_refuses(struct peer *peer, mp_manager *manager);
void server_references(struct peer *peer, mp_manager *manager);
void server_children(struct peer *peer, mp_manager *manager);

#endif
