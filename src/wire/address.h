/* Addresses of listeners, in the three forms they have: text, the system's, and Python's. */
#ifndef MP__ADDRESS_H
#define MP__ADDRESS_H

#include "wire/objects.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* "host:65535" with the longest host name, or a path. */
enum { MP__ADDRESS_ROOM = 272 };

struct mp__address {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un un;
    };
    socklen_t size;
    char text[MP__ADDRESS_ROOM]; /* as mp_client takes it */
};

/* From the text; a host's name is looked up here. A code, reported. */
int mp__address_parse(struct mp__address *address, const char *text);
/* From what getsockname and its fellows give. */
void mp__address_from_system(struct mp__address *address, const struct sockaddr *from,
                             socklen_t size);

/* As Python has it: str, bytes (abstract) or tuple. The object borrows from the address, and the
   tuple's items are put into `pair`. */
mp_obj mp__address_to_obj(const struct mp__address *address, mp_obj pair[2]);
/* The text of such an object; MP_EINVAL, reported. */
int mp__address_obj_text(const mp_obj *o, char text[MP__ADDRESS_ROOM]);

/* A socket that listens. The file and its folder, where it made them, are noted with the tracker
   and removed by mp__door_close in the process that opened it. */
struct mp__door {
    int fd; /* non-blocking; -1: closed */
    struct mp__address address;
    char *file;                    /* that it made, absolute; NULL: none */
    char folder[MP__ADDRESS_ROOM]; /* likewise; "": none */
    uint64_t device, inode;        /* of the file */
    pid_t owner;
};
/* NULL as the address: any. Reported; a door that did not open is closed. */
int mp__door_open(struct mp__door *door, const char *address, int backlog);
void mp__door_close(struct mp__door *door);
/* Takes one connection if there is one: a descriptor, close-on-exec, none of 0 to 2; -EAGAIN: none
   now (what went away meanwhile included); another code. `peer` (may be NULL): where it is. */
int mp__door_take(const struct mp__door *door, struct mp__address *peer);

/* Of a TCP connection: a message goes out at once. Each is one write, so there is nothing to gain
   by waiting for more, and 40 ms to lose where two follow each other. */
void mp__fd_hurry(int fd);

/* Connects: a blocking descriptor or a code, not reported; MP_ETIMEOUT. */
int mp__address_connect(const struct mp__address *address, mp__moment until);
/* The same in two steps: a socket, and its way there, after which it blocks; the caller closes
   it. */
int mp__address_socket(const struct mp__address *address);
int mp__address_join(int fd, const struct mp__address *address, mp__moment until);

#endif
