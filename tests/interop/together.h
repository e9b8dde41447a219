/* What a C program and a Python program do together in one manager, whichever of them serves it. */
#ifndef TESTS_INTEROP_TOGETHER_H
#define TESTS_INTEROP_TOGETHER_H

#include "python_peer.h"

/* The key of all managers and listeners here; libmp's process and Python's have it as their own. */
#define TOGETHER_KEY "the key of interop"

void together_condition(struct peer *peer, mp_manager *manager);
void together_barrier(struct peer *peer, mp_manager *manager);
void together_event(struct peer *peer, mp_manager *manager);
void together_locks(struct peer *peer, mp_manager *manager);
void together_queue(struct peer *peer, mp_manager *manager);
void together_join(struct peer *peer, mp_manager *manager);
void together_counter(struct peer *peer, mp_manager *manager);
void together_nested(struct peer *peer, mp_manager *manager);
void together_nested_queue(struct peer *peer, mp_manager *manager); /* not in Python 3.8's server */
void together_listener(struct peer *peer, mp_manager *manager);

#endif
