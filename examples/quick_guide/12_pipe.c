/* Receives through a pipe what a child sends. The Python original:

from multiprocessing import Process, Pipe

def send_message(conn):
    conn.send("Hello from child")
    conn.close()

parent_conn, child_conn = Pipe()
p = Process(target=send_message, args=(child_conn,))
p.start()
print(parent_conn.recv()) # Receives data from the child process
p.join()
*/

#include <mp/mp.h>
#include <stdio.h>

static int send_message(void *arg)
{
    mp_connection *conn = arg;

    MP_CHECK(mp_connection_send(conn, MP("Hello from child")));
    MP_CHECK(mp_connection_close(conn));
    return 0;
}

int main(void)
{
    mp_connection *parent_conn;
    mp_connection *child_conn;
    mp_process *p;
    mp_obj message;

    MP_CHECK(mp_pipe(&parent_conn, &child_conn, true));
    MP_CHECK(mp_process_create(&p, send_message, child_conn, 0, NULL));
    MP_CHECK(mp_process_start(p));
    MP_CHECK(mp_connection_recv(parent_conn, &message));
    mp_obj_println(message, stdout); /* received from the child process */
    MP_CHECK(mp_process_join(p, MP_FOREVER));
    mp_obj_free(&message);
    mp_process_destroy(p);
    mp_connection_destroy(parent_conn);
    mp_connection_destroy(child_conn);
    return 0;
}
