/* Calls each of the commonly used functions and prints a line for it. The document's table:

pipe()            The pipe() function returns a pair of connection objects.
run()             The run() method is used to represent the process activities.
start()           The start()method is used to start the process.
join([timeout])   The join() method is used to block the process until the process whose join()
                  method is called terminates. The timeout is optional argument.
is_alive()        It returns if process is alive.
terminate()       As the name suggests, it is used to terminate the process.
kill()            This method is similar to the terminate() but using the SIGKILL signal on Unix.
close()           This method is used to close the Process object and releases all resources
                  associated with it.
qsize()           It returns the approximate size of the queue.
empty()           If queue is empty, it returns True.
full()            It returns True, if queue is full.
get_await()       This method is equivalent get(False).
get()             This method is used to get elements from the queue. It removes and returns an
                  element from queue.
put()             This method is used to insert an element into the queue.
cpu_count()       It returns the number of working CPU within the system.
current_process() It returns the Process object corresponding to the current process.
parent_process()  It returns the parent Process object corresponding to the current process.
task_done()       This function is used indicate that an enqueued task is completed.
join_thread()     This method is used to join the background thread

What the table calls get_await() is get_nowait().
*/

#include <mp/mp.h>
#include <stdio.h>

/* ---- what the processes do ---- */

static int send_greeting(void *arg)
{
    mp_connection *conn = arg;

    MP_CHECK(mp_connection_send(conn, MP("hello")));
    return 0;
}

static int write_answer(void *arg)
{
    mp_value *answer = arg;

    MP_VALUE(int, answer) = 42;
    return 0;
}

static int exit_with_7(void *arg)
{
    (void)arg;
    return 7;
}

static int wait_for_event(void *arg)
{
    mp_event *event = arg;

    MP_CHECK(mp_event_wait(event, MP_FOREVER));
    return 0;
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    mp_sleep(MP_FOREVER);
    return 0;
}

static int print_parent(void *arg)
{
    mp_process *parent = mp_parent_process();

    (void)arg;
    printf("parent_process(): %s, pid %d, seen by its child\n", mp_process_name(parent),
           (int)mp_process_pid(parent));
    return 0;
}

static int do_tasks(void *arg)
{
    mp_queue *queue = arg;
    mp_obj task;

    for (int i = 0; i < 3; i++) {
        MP_CHECK(mp_queue_get(queue, &task, MP_FOREVER));
        mp_obj_free(&task);
        MP_CHECK(mp_queue_task_done(queue));
    }
    return 0;
}

/* ---- help for what follows ---- */

static const char *python_bool(int truth)
{
    return MP_CHECK(truth) ? "True" : "False";
}

static mp_process *start(mp_target *target, void *arg)
{
    mp_process *process;

    MP_CHECK(mp_process_create(&process, target, arg, 0, NULL));
    MP_CHECK(mp_process_start(process));
    return process;
}

/* Waits for the end of the process and gives its exit code. */
static int finish(mp_process *process)
{
    int exitcode = 0;

    MP_CHECK(mp_process_join(process, MP_FOREVER));
    MP_CHECK(mp_process_exitcode(process, &exitcode));
    mp_process_destroy(process);
    return exitcode;
}

static mp_queue *queue_of(int items, size_t maxsize)
{
    mp_queue *queue;

    MP_CHECK(mp_queue_create(&queue, maxsize));
    for (int i = 1; i <= items; i++) {
        MP_CHECK(mp_queue_put(queue, MP(i), MP_FOREVER));
    }
    return queue;
}

/* ---- one function for each row of the table ---- */

static void call_pipe(void)
{
    mp_connection *parent_conn;
    mp_connection *child_conn;
    mp_obj message;

    MP_CHECK(mp_pipe(&parent_conn, &child_conn, true));
    mp_process *process = start(send_greeting, child_conn);
    MP_CHECK(mp_connection_recv(parent_conn, &message));
    printf("pipe(): the child sent %s\n", message.s);
    mp_obj_free(&message);
    (void)finish(process);
    mp_connection_destroy(parent_conn);
    mp_connection_destroy(child_conn);
}

static void call_run(void)
{
    mp_process *process;

    MP_CHECK(mp_process_create(&process, exit_with_7, NULL, 0, NULL));
    printf("run(): the activity gave %d, in this process\n", mp_process_run(process));
    mp_process_destroy(process);
}

static void call_start(void)
{
    mp_value *answer;

    MP_CHECK(mp_value_create(&answer, 'i', NULL));
    (void)finish(start(write_answer, answer));
    printf("start(): the child wrote %d\n", MP_VALUE(int, answer));
    mp_value_destroy(answer);
}

static void call_join(void)
{
    mp_event *event;

    MP_CHECK(mp_event_create(&event));
    mp_process *process = start(wait_for_event, event);
    bool timed_out = mp_process_join(process, 0.1) == MP_ETIMEOUT;
    MP_CHECK(mp_event_set(event));
    MP_CHECK(mp_process_join(process, MP_FOREVER));
    printf("join(0.1): timed out: %s; join(): exit code %d\n", python_bool(timed_out),
           finish(process));
    mp_event_destroy(event);
}

static void call_is_alive(void)
{
    mp_event *event;

    MP_CHECK(mp_event_create(&event));
    mp_process *process = start(wait_for_event, event);
    const char *before = python_bool(mp_process_is_alive(process));
    MP_CHECK(mp_event_set(event));
    MP_CHECK(mp_process_join(process, MP_FOREVER));
    const char *after = python_bool(mp_process_is_alive(process));
    printf("is_alive(): %s, after its end %s\n", before, after);
    mp_process_destroy(process);
    mp_event_destroy(event);
}

static void call_terminate(void)
{
    mp_process *process = start(sleep_for_ever, NULL);

    MP_CHECK(mp_process_terminate(process));
    printf("terminate(): exit code %d\n", finish(process));
}

static void call_kill(void)
{
    mp_process *process = start(sleep_for_ever, NULL);

    MP_CHECK(mp_process_kill(process));
    printf("kill(): exit code %d\n", finish(process));
}

static void call_close(void)
{
    mp_process *process = start(exit_with_7, NULL);

    MP_CHECK(mp_process_join(process, MP_FOREVER));
    MP_CHECK(mp_process_close(process));
    printf("close(): is_alive() now raises %s\n", mp_error_exception(mp_process_is_alive(process)));
    mp_process_destroy(process);
}

static void call_qsize(void)
{
    mp_queue *queue = queue_of(3, 0);

    printf("qsize(): %d\n", MP_CHECK(mp_queue_qsize(queue)));
    mp_queue_destroy(queue);
}

static void call_empty(void)
{
    mp_queue *queue = queue_of(0, 0);

    printf("empty(): %s", python_bool(mp_queue_empty(queue)));
    MP_CHECK(mp_queue_put(queue, MP(1), MP_FOREVER));
    printf(", with an item in it %s\n", python_bool(mp_queue_empty(queue)));
    mp_queue_destroy(queue);
}

static void call_full(void)
{
    mp_queue *queue = queue_of(1, 2);

    printf("full(): %s", python_bool(mp_queue_full(queue)));
    MP_CHECK(mp_queue_put(queue, MP(2), MP_FOREVER));
    printf(", with two items of two %s\n", python_bool(mp_queue_full(queue)));
    mp_queue_destroy(queue);
}

static void call_get_nowait(void)
{
    mp_queue *queue = queue_of(0, 0);
    mp_obj item;

    printf("get_nowait(): raises %s\n", mp_error_exception(mp_queue_get_nowait(queue, &item)));
    mp_queue_destroy(queue);
}

static void call_get(void)
{
    mp_queue *queue = queue_of(3, 0);
    mp_obj item;

    MP_CHECK(mp_queue_get(queue, &item, MP_FOREVER));
    printf("get(): the first of three items was ");
    mp_obj_println(item, stdout);
    mp_obj_free(&item);
    mp_queue_destroy(queue);
}

static void call_put(void)
{
    mp_queue *queue = queue_of(0, 0);

    MP_CHECK(mp_queue_put(queue, MP_LIST(1, "two", 3.0), MP_FOREVER));
    printf("put(): items in the queue: %d\n", MP_CHECK(mp_queue_qsize(queue)));
    mp_queue_destroy(queue);
}

static void call_cpu_count(void)
{
    printf("cpu_count(): %d\n", MP_CHECK(mp_cpu_count()));
}

static void call_current_process(void)
{
    printf("current_process(): %s\n", mp_process_name(mp_current_process()));
}

static void call_parent_process(void)
{
    (void)finish(start(print_parent, NULL));
}

static void call_task_done(void)
{
    mp_queue *tasks = queue_of(3, 0);
    mp_process *process = start(do_tasks, tasks);

    MP_CHECK(mp_queue_join(tasks, MP_FOREVER));
    printf("task_done(): called for each of three tasks, so join() returned\n");
    (void)finish(process);
    mp_queue_destroy(tasks);
}

static void call_join_thread(void)
{
    mp_queue *queue = queue_of(3, 0);

    MP_CHECK(mp_queue_close(queue));
    MP_CHECK(mp_queue_join_thread(queue));
    printf("join_thread(): after close(), %d items can be read by others\n",
           MP_CHECK(mp_queue_qsize(queue)));
    mp_queue_destroy(queue);
}

int main(void)
{
    /* a row each, in the order of the table */
    static void (*const calls[])(void) = {
        call_pipe,
        call_run,
        call_start,
        call_join,
        call_is_alive,
        call_terminate,
        call_kill,
        call_close,
        call_qsize,
        call_empty,
        call_full,
        call_get_nowait,
        call_get,
        call_put,
        call_cpu_count,
        call_current_process,
        call_parent_process,
        call_task_done,
        call_join_thread,
    };

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        calls[i]();
    }
    return 0;
}
