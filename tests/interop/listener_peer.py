"""Python's side of the test of listeners and clients.

listener_peer.py client ADDRESS KEY
    connects, and does what the messages say until the one that says "end"
listener_peer.py listener unix|abstract|inet KEY
    prints its address, and serves as above whoever it accepts until one of them says "end"

Addresses are libmp's texts; a KEY of "-" is none. A client that is refused exits with 3.
"""

import sys
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener


def address_of(text):
    if text.startswith("@"):
        return "\0" + text[1:]
    if "/" in text:
        return text
    host, port = text.split(":")
    return host, int(port)


def text_of(address):
    if isinstance(address, tuple):
        return "%s:%d" % address
    if isinstance(address, bytes):
        return "@" + address[1:].decode()
    return address


def serve(c):
    """Each message is a pair: what to do, and with what."""
    while True:
        verb, what = c.recv()
        if verb == "echo":
            c.send((what, repr(what)))
        elif verb == "bytes":
            message = c.recv_bytes()
            if message != bytes(i * i >> 9 & 255 for i in range(what)):
                sys.exit("%d bytes came as %d others" % (what, len(message)))
            c.send_bytes(message)
        else:
            return verb


def be_client(address, key):
    try:
        c = Client(address_of(address), authkey=key)
    except AuthenticationError:
        sys.exit(3)
    serve(c)
    c.close()


def be_listener(family, key):
    address = {
        "unix": None,
        "abstract": "\0libmp.interop.%s" % sys.argv[4],
        "inet": ("localhost", 0),
    }[family]
    with Listener(address, authkey=key) as listener:
        print(text_of(listener.address), flush=True)
        verb = ""
        while verb != "end":
            try:
                c = listener.accept()
            except AuthenticationError:
                print("refused", flush=True)
                continue
            verb = serve(c)
            c.close()


key = None if sys.argv[3] == "-" else sys.argv[3].encode()
if sys.argv[1] == "client":
    be_client(sys.argv[2], key)
else:
    be_listener(sys.argv[2], key)
