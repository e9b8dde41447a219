"""The manager that a C client uses: SyncManager, and types that do what C has to understand."""

import queue
import threading
from multiprocessing.managers import AutoProxy, BaseProxy, SyncManager


class Odd(Exception):
    """One that nobody else knows."""


class Maths:
    def __init__(self, start=0):
        self.start = start

    def add(self, x, y=0):
        return x + y

    def mul(self, x, y):
        return x * y

    def echo(self, *args, **kwargs):
        return args, kwargs

    def keep(self, x):
        self.start = x

    def kept(self):
        return self.start

    def another(self, x):
        return x

    def numbers(self, n):
        return (i * i for i in range(n))

    def _hidden(self):
        return "hidden"

    def __repr__(self):
        return "Maths of %r" % (self.start,)


class Sender:
    """Gives and raises what C may not have a place for."""

    def raises(self, name, *args):
        if name == "Odd":
            raise Odd(*args)
        if name == "Empty":
            raise queue.Empty
        if name == "Full":
            raise queue.Full
        if name == "BrokenBarrierError":
            raise threading.BrokenBarrierError
        kind = getattr(__builtins__, name, None) or __builtins__[name]
        if name == "UnicodeDecodeError":
            raise kind("utf-8", b"\xff", 0, 1, "invalid start byte")
        raise kind(*args)

    def noted(self):
        e = KeyError("k")
        e.__notes__ = ["a note"]
        e.more = 1
        raise e

    def chained(self):
        try:
            raise ValueError("first")
        except ValueError as e:
            raise LookupError("second") from e

    def gives(self, name):
        return {
            "int64": 2**63 - 1, "beyond": 2**63, "below": -(2**63) - 1, "huge": 1 << 9999,
            "bytearray": bytearray(b"ab\0"), "lone": "\ud800x", "nan": float("nan"),
            "range": range(3), "complex": 1j, "class": Maths, "function": len, "object": Maths(5),
            "lambda": lambda: 1, "lock": threading.Lock(), "text": "0123456789abcdef" * (1 << 16),
            "numbers": list(range(100000)), "keys": {"a": 1}.keys(), "slice": slice(1, 2),
            "ellipsis": ..., "exception": ValueError("by value"), "shared": [[1]] * 3,
            "negative zero": -0.0, "frozen": frozenset([1]), "tuple": (1, (2, [3])),
        }[name]

    def itself(self):
        items = []
        items.append(items)
        return items


class MathsProxy(BaseProxy):
    _exposed_ = ("add", "kept", "_hidden")


class Server(SyncManager):
    pass


SETS = ("__and__ __contains__ __iand__ __ior__ __isub__ __ixor__ __len__ __or__ __rand__ "
        "__ror__ __rsub__ __rxor__ __sub__ __xor__ __ge__ __gt__ __le__ __lt__ __eq__ __ne__ "
        "add clear copy difference difference_update discard intersection intersection_update "
        "isdisjoint issubset issuperset pop remove symmetric_difference "
        "symmetric_difference_update union update")

Server.register("Maths", Maths, method_to_typeid={"another": "Maths", "numbers": "Iterator"})
Server.register("FewMaths", Maths, MathsProxy)
Server.register("OnlyMul", Maths, exposed=("mul",))
Server.register("Sender", Sender)
if not hasattr(SyncManager, "set"):
    Server.register("set", set, AutoProxy, exposed=tuple(SETS.split()))
