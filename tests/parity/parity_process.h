/* The two halves of Python's TestProcess: what a process is, and how it ends. */
#ifndef TESTS_PARITY_PROCESS_H
#define TESTS_PARITY_PROCESS_H

#include "parity.h"

/* A target that is ready to be ended by any signal, says so, and stays. */
struct stay {
    mp_event *ready;
};
int stay_until_ended(void *arg);

/* Targets. */
int stay_at_once(void *arg);
int return_its_argument(void *arg);
int wait_for_event(void *arg);

void test_interrupt_no_handler(void **state);
void test_terminate(void **state);
void test_kill(void **state);
void test_sentinel(void **state);
void test_close(void **state);
void test_many_processes(void **state);
void test_error_on_stdio_flush_1(void **state);
void test_error_on_stdio_flush_2(void **state);
void test_reaped_by_others(void **state);
void test_ignored_sigchld(void **state);
void test_states_and_repr(void **state);
void test_belongs_to_its_creator(void **state);
void test_calls_that_do_not_fit(void **state);

#endif
