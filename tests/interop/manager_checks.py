"""What the cases of managers need in Python: checks, and the manager that they use."""

import sys
import traceback
from multiprocessing import managers
from multiprocessing.managers import AutoProxy, SyncManager


class Client(SyncManager):
    """What a program knows of a server: its typeids, without a word of how they are made."""


if not hasattr(SyncManager, "set"):
    Client.register("set", proxytype=AutoProxy)
Client.register("Maths", proxytype=AutoProxy)


def same(got, expected):
    """Alike in value and type, and in order, all the way down."""
    if type(got) is not type(expected) or repr(got) != repr(expected):
        raise AssertionError("got %.300r, not %.300r" % (got, expected))


def true(condition):
    if condition is not True:
        raise AssertionError("got %.200r, not True" % (condition,))


def raises(kind, function, *args, **kwargs):
    """Gives the exception, which must be of exactly this class."""
    try:
        result = function(*args, **kwargs)
    except Exception as e:
        if type(e) is not kind:
            text = "".join(traceback.format_exception_only(type(e), e)).strip()
            raise AssertionError("%.300s in place of %s" % (text[-300:], kind.__name__)) from e
        return e
    raise AssertionError("gave %.200r in place of %s" % (result, kind.__name__))


def dispatch(m, name, args):
    """A command to the server itself."""
    connection = m._Client(m._address, authkey=m._authkey)
    try:
        return managers.dispatch(connection, None, name, args)
    finally:
        connection.close()


def address_of(text):
    """Python's form of an address as libmp writes it."""
    if text.startswith("@"):
        return b"\0" + text[1:].encode()
    if ":" in text:
        host, port = text.rsplit(":", 1)
        return (host, int(port))
    return text


def text_of(address):
    """And the other way round."""
    if isinstance(address, tuple):
        return "%s:%d" % address
    if isinstance(address, bytes):
        address = address.decode()
    return "@" + address[1:] if address.startswith("\0") else address


def summary(e):
    """An exception and where in these files it came up, on a line."""
    where = [f for f in traceback.extract_tb(e.__traceback__) if f.filename.startswith(sys.path[0])]
    last = where[-2 if len(where) > 1 and where[-1].filename == __file__ else -1] if where else None
    place = "%s:%d: " % (last.filename.rsplit("/", 1)[-1], last.lineno) if last else ""
    text = "".join(traceback.format_exception_only(type(e), e)).strip()
    return place + " ".join(text.split())[:300]
