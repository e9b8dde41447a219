/* Lets a child speak to its parent through the two ends of a pipe. The Python original:

import multiprocessing

def worker(conn):
    conn.send('Hello from worker')
    conn.close()

if __name__ == '__main__':
    parent_conn, child_conn = multiprocessing.Pipe()
    process = multiprocessing.Process(target=worker, args=(child_conn,))
    process.start()
    print(parent_conn.recv())
    process.join()
*/

#include <mp/mp.h>
#include <stdio.h>

static int worker(void *arg)
{
    mp_connection *conn = arg;

    MP_CHECK(mp_connection_send(conn, MP("Hello from worker")));
    MP_CHECK(mp_connection_close(conn));
    return 0;
}

int main(void)
{
    mp_connection *parent_conn;
    mp_connection *child_conn;
    mp_process *process;
    mp_obj message;

    MP_CHECK(mp_pipe(&parent_conn, &child_conn, true));
    MP_CHECK(mp_process_create(&process, worker, child_conn, 0, NULL));
    MP_CHECK(mp_process_start(process));
    MP_CHECK(mp_connection_recv(parent_conn, &message));
    mp_obj_println(message, stdout);
    MP_CHECK(mp_process_join(process, MP_FOREVER));
    mp_obj_free(&message);
    mp_process_destroy(process);
    mp_connection_destroy(parent_conn);
    mp_connection_destroy(child_conn);
    return 0;
}
