/* Exchanges messages with a worker through a pipe, until it is told to close. The Python original:

import multiprocessing

def worker(conn):
    """A function that runs in a separate process."""
    while True:
        message = conn.recv()
        if message == "close":
            break
        print(f"Worker received message: {message}")
        conn.send(f"Processed: {message}")
    print("Worker closing")

parent_conn, child_conn = multiprocessing.Pipe()

# Start the worker process
process = multiprocessing.Process(target=worker, args=(child_conn,))
process.start()

# Send messages to the worker process
for message in ["hello", "world", "close"]:
    parent_conn.send(message)
    if message != "close":
        response = parent_conn.recv()
        print(f"Parent received response: {response}")

# Wait for the worker process to finish
process.join()
*/

#include <mp/mp.h>
#include <stdio.h>
#include <string.h>

/* Runs in a separate process. */
static int worker(void *arg)
{
    mp_connection *conn = arg;
    mp_obj message;
    mp_obj answer;

    for (;;) {
        MP_CHECK(mp_connection_recv(conn, &message));
        if (mp_obj_equal(message, MP("close"))) {
            break;
        }
        printf("Worker received message: %s\n", message.s);
        MP_CHECK(mp_obj_format(&answer, "Processed: %s", message.s));
        MP_CHECK(mp_connection_send(conn, answer));
        mp_obj_free(&answer);
        mp_obj_free(&message);
    }
    mp_obj_free(&message);
    printf("Worker closing\n");
    return 0;
}

int main(void)
{
    static const char *const messages[] = {"hello", "world", "close"};
    mp_connection *parent_conn;
    mp_connection *child_conn;
    mp_process *process;
    mp_obj response;

    setvbuf(stdout, NULL, _IOLBF, 0); /* each line is seen when it is printed */
    MP_CHECK(mp_pipe(&parent_conn, &child_conn, true));
    MP_CHECK(mp_process_create(&process, worker, child_conn, 0, NULL));
    MP_CHECK(mp_process_start(process));
    for (int i = 0; i < 3; i++) {
        MP_CHECK(mp_connection_send(parent_conn, MP(messages[i])));
        if (strcmp(messages[i], "close") != 0) {
            MP_CHECK(mp_connection_recv(parent_conn, &response));
            printf("Parent received response: %s\n", response.s);
            mp_obj_free(&response);
        }
    }
    MP_CHECK(mp_process_join(process, MP_FOREVER));
    mp_process_destroy(process);
    mp_connection_destroy(parent_conn);
    mp_connection_destroy(child_conn);
    return 0;
}
