"""Python's side of the test of connections: connection_peer.py DUPLEX_FD ONE_WAY_FD SEED.

Does what the other end asks for by messages (name, argument), over CPython's own Connection.
"""

import os
import random
import sys
import tempfile
from multiprocessing import reduction
from multiprocessing.connection import Connection

CHARACTERS = "aZ09 _'\"\\\n\t\0\x7f\x80\xff\u0100\u2028\U0001f600"


def any_object(rnd, depth):
    kind = rnd.randrange(11 if depth else 6)
    if kind == 0:
        return rnd.choice([None, True, False])
    if kind == 1:
        return rnd.randrange(-(2 ** rnd.randrange(1, 64)), 2 ** rnd.randrange(1, 64))
    if kind == 2:
        return rnd.choice([rnd.random(), 1e300 * rnd.random(), -0.0, float("inf"), 5e-324])
    if kind == 3:
        return "".join(rnd.choice(CHARACTERS) for _ in range(rnd.choice([0, 3, 300])))
    if kind in (4, 5):
        return bytes(rnd.getrandbits(8) for _ in range(rnd.choice([0, 5, 300])))
    items = [any_object(rnd, depth - 1) for _ in range(rnd.randrange(6))]
    if kind in (6, 7):
        return items
    if kind in (8, 9):
        return tuple(items)
    return {str(i): item for i, item in enumerate(items)}


def echo(c, argument):
    """Each object comes back with its repr."""
    for _ in range(argument):
        o = c.recv()
        c.send((o, repr(o)))


def objects(c, argument):
    """Each object must come back as it was."""
    rnd = random.Random(argument)
    for _ in range(500):
        o = any_object(rnd, 3)
        c.send(o)
        got = c.recv()
        if repr(got) != repr(o):
            sys.exit("sent %r, got %r" % (o, got))
    c.send_bytes(b"")


def echo_bytes(c, argument):
    for i in range(argument):
        if i % 2:
            message = c.recv_bytes()
        else:
            message = bytearray(c.recv_bytes())
        c.send_bytes(message)


def one_way(c, argument):
    """Numbers, and then the end, on the other connection."""
    other = Connection(int(sys.argv[2]), readable=False)
    for i in range(argument):
        other.send(i)
        other.send_bytes(b"x" * i * 100)
    other.close()


def receive_fd(c, argument):
    fd = reduction.recv_handle(c)
    os.write(fd, argument.encode())
    os.close(fd)
    c.send("written")


def send_fd(c, argument):
    with tempfile.TemporaryFile() as file:
        file.write(argument.encode())
        file.flush()
        reduction.send_handle(c, file.fileno(), None)


def handshake(c, argument):
    c.send(sys.version_info[:3])


def end_inside(c, argument):
    """A frame that says more than comes."""
    os.write(c.fileno(), b"\0\0\0\x10only a part")
    os._exit(0)


def expect_end(c, argument):
    try:
        c.recv()
    except EOFError:
        os._exit(7)


def expect_end_inside(c, argument):
    try:
        c.recv()
    except EOFError:
        os._exit(1)
    except OSError:
        os._exit(8)


def main():
    c = Connection(int(sys.argv[1]))
    while True:
        name, argument = c.recv()
        if name == "end":
            return
        globals()[name](c, argument)


main()
