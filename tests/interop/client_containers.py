"""A Python client's dicts, lists, sets, Namespaces, Values and Arrays. Each case gets a manager."""

import array
import collections
import copy
import datetime
import decimal
import math
from multiprocessing.managers import RemoteError

from manager_checks import raises, same, true

INT64 = [0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1,
         -(2**63)]
FLOATS = [0.0, -0.0, 0.1, 1e300, 5e-324, math.inf, -math.inf]
TEXTS = ["", "a", "\0", "quote ' and \" and \\", "\u00e9\u0100\u2028", "\U0001f600",
         "\ud800 alone \udfff", "x" * 255, "x" * 256, "\u00e9" * 40000]


def values(m):
    """What goes through a list comes back as it was."""
    keep = m.list()
    everything = [None, True, False] + INT64 + FLOATS + TEXTS + [
        b"", b"\0\xff", bytes(range(256)) * 300, [], (), {}, set(), frozenset(), [1, (2, [3])],
        (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {"a": {"b": [1, {"c": ()}]}}, {1: 2, (3, 4): None},
        {5}, frozenset([6]), {(1, frozenset([2]))}, [[]] * 3]
    for value in everything:
        keep.append(value)
        same(keep.pop(), value)
    keep.extend(everything)
    same(keep[:], everything)
    keep[:] = [math.nan, bytearray(b"bytes \0"), bytearray()]
    true(math.isnan(keep[0]))
    same(bytes(keep[1]), b"bytes \0")
    same(bytes(keep[2]), b"")
    deep = []
    for _ in range(100):
        deep = [deep]
    keep.append(deep)
    same(keep[-1], deep)


def large_values(m):
    text = "0123456789abcdef" * (1 << 16)
    numbers = list(range(100000))
    d = m.dict({"text": text})
    d["bytes"] = text.encode()
    d["numbers"] = numbers
    d["pairs"] = dict(zip(map(str, range(20000)), range(20000)))
    true(d["text"] == text and d["bytes"] == text.encode() and d["numbers"] == numbers)
    same(list(d["pairs"].items())[::7000], [("0", 0), ("7000", 7000), ("14000", 14000)])
    items = m.list(numbers)
    same(len(items), 100000)
    true(items[:] == numbers and items[-1] == 99999 and items[::-50000] == [99999, 49999])


class Stranger:
    def __init__(self):
        self.attribute = [1]

    def __repr__(self):
        return "a stranger with %r" % (self.attribute,)


def unreadable_values(m):
    """What libmp has no place for is refused, and nothing else suffers."""
    keep = m.list([1])
    for value in [2**63, -(2**63) - 1, 1 << 5000, [[2**64]]]:
        try:
            keep.append(value)
        except Exception as e:
            true(isinstance(e, (RemoteError, OverflowError)))
        else:
            raise AssertionError("%.50r was taken" % (value,))
        same(keep[:], [1])
    raises(RemoteError, m.dict, {"a": 2**64})
    same(m.dict({"a": 2**62})["a"], 2**62)


def strange_values(m):
    """A few are kept as they are; names, and whatever else Python would call, are refused."""
    keep = m.list([1])
    for value in [range(5), slice(1, None, 2), array.array("d", [0.5])]:
        d = m.dict(k=value)
        same(d["k"], value)
        same(m.list([[value], (value,)])[:], [[value], (value,)])
        d["again"] = {"deep": d["k"]}
        same(d["again"], {"deep": value})
        q = m.Queue()
        q.put(value)
        same(q.get(), value)
    for value in [Stranger, len, ..., Stranger(), 1j, datetime.datetime(2024, 2, 29, 12, 30), decimal.Decimal("0.10"),
                  collections.OrderedDict([("b", 1), ("a", 2)]), collections.deque([1, 2], 5),
                  collections.Counter("aab"), ValueError("text", 5)]:
        for refused in (lambda: keep.append(value), lambda: keep.__setitem__(0, [(value,)]),
                        lambda: m.dict(k={"deep": value})):
            raises(RemoteError, refused)
        same(keep[:], [1])
    true("Decimal" in str(raises(RemoteError, keep.append, decimal.Decimal(1))))


def dict_methods(m):
    d = m.dict()
    same(len(d), 0)
    d["a"] = 1
    d[2] = "two"
    d[(1, "x")] = [3]
    d[None] = None
    d[1.5] = {"deep": ()}
    d[b"b"] = True
    d[frozenset([1])] = 0
    whole = {"a": 1, 2: "two", (1, "x"): [3], None: None, 1.5: {"deep": ()}, b"b": True,
             frozenset([1]): 0}
    same(d.copy(), whole)
    same(len(d), 7)
    same(d[2.0], "two")
    same("a" in d, True)
    same("b" in d, False)
    same(raises(KeyError, lambda: d["b"]).args, ("b",))
    same(raises(KeyError, lambda: d[(1, 2)]).args, ((1, 2),))
    for unhashable in ([], {}, set(), ([],)):
        raises(TypeError, lambda: d[unhashable])
        raises(TypeError, d.__setitem__, unhashable, 1)
        raises(TypeError, d.get, unhashable)
    same(d.get("a"), 1)
    same(d.get("b"), None)
    same(d.get("b", (1,)), (1,))
    same(list(d.keys()), list(whole))
    same(list(d.values()), list(whole.values()))
    same(list(d.items()), list(whole.items()))
    same(copy.deepcopy(d), whole)


def dict_changes(m):
    d = m.dict({"a": 1, "b": 2, "c": 3})
    same(d.pop("b"), 2)
    same(d.pop("b", 9), 9)
    same(raises(KeyError, d.pop, "b").args, ("b",))
    same(d.popitem(), ("c", 3))
    same(d.setdefault("a", 5), 1)
    same(d.setdefault("n"), None)
    same(d.setdefault("s", [1]), [1])
    d.update({"a": 7, "u": 8})
    d.update([("p", 1), ("q", 2)])
    d.update(k=3, a=4)
    d.update({"z": 0}, y=1)
    d.update()
    same(d.copy(), {"a": 4, "n": None, "s": [1], "u": 8, "p": 1, "q": 2, "k": 3, "z": 0, "y": 1})
    raises(TypeError, d.update, 5)
    del d["n"]
    same(raises(KeyError, d.__delitem__, "n").args, ("n",))
    d["a"] += 10
    same(d["a"], 14)
    inside = d["s"]
    inside.append(2)
    same(d["s"], [1])
    d.clear()
    same(d.copy(), {})
    raises(KeyError, d.popitem)
    raises(TypeError, d._callmethod, "get", ())
    raises(TypeError, d._callmethod, "__getitem__", (1, 2))
    same(m.dict(x=1, y=2).copy(), {"x": 1, "y": 2})
    same(m.dict({"x": 1}, y=2).copy(), {"x": 1, "y": 2})
    same(m.dict([("x", 1), (2, 3)]).copy(), {"x": 1, 2: 3})
    raises(RemoteError, m.dict, 5)


def dict_iterators(m):
    whole = {str(i): i for i in range(50)}
    d = m.dict(whole)
    same([key for key in d], list(whole))
    same(dict(d), whole)
    same(sorted(d), sorted(whole))
    first, second = iter(d), iter(d)
    same((next(first), next(first), next(second)), ("0", "1", "0"))
    same(list(second), list(whole)[1:])
    raises(StopIteration, next, second)
    for no_generator in (lambda: first.send(None), first.close):
        try:
            no_generator()
        except (RemoteError, AttributeError):
            pass
        else:
            raise AssertionError("an iterator of a dict is no generator")
    same(next(first), "2")
    d["new"] = 1
    raises(RuntimeError, next, first)
    same(list(iter(m.dict())), [])


def list_methods(m):
    items = m.list([1, 2, 3, 4, 5])
    same((items[0], items[-1], items[4]), (1, 5, 5))
    for wrong in (5, -6, 2**62):
        raises(IndexError, lambda: items[wrong])
    raises(TypeError, lambda: items["0"])
    same(items[1:3], [2, 3])
    same(items[:], [1, 2, 3, 4, 5])
    same(items[::2], [1, 3, 5])
    same(items[::-1], [5, 4, 3, 2, 1])
    same(items[-2:], [4, 5])
    same(items[3:1], [])
    same(items[-100:100], [1, 2, 3, 4, 5])
    same(items[4:0:-2], [5, 3])
    raises(ValueError, lambda: items[::0])
    raises(TypeError, lambda: items["a":])
    same((len(items), 3 in items, 3.0 in items, 9 in items), (5, True, True, False))
    same((items.count(3), items.count(9), items.index(3), items.index(3, 1, 4)), (1, 0, 2, 2))
    raises(ValueError, items.index, 9)
    raises(ValueError, items.index, 3, 3)
    same(items + [6], [1, 2, 3, 4, 5, 6])
    same(items * 2, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5])
    same(2 * items, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5])
    raises(TypeError, lambda: items + (1,))
    same(list(items), [1, 2, 3, 4, 5])
    same(list(reversed(items)), [5, 4, 3, 2, 1])
    same(copy.deepcopy(items), [1, 2, 3, 4, 5])
    same(m.list()[:], [])
    same(m.list("abc")[:], ["a", "b", "c"])
    same(m.list((1, 2))[:], [1, 2])
    same(m.list({"k": 1, "l": 2})[:], ["k", "l"])
    same(m.list({5})[:], [5])
    same(m.list(range(5))[:], [0, 1, 2, 3, 4])
    same(m.list(b"ab")[:], [97, 98])
    raises(RemoteError, m.list, 5)


def list_changes(m):
    items = m.list([3, 1])
    whole = [3, 1]
    for each in (items, whole):
        each.append((2,))
        each[2] = 2
        each.extend((5, 4))
        each.extend("ab")
        each.extend([])
        each.insert(0, "first")
        each.insert(-1, "before the last")
        each.insert(100, "last")
        each.insert(-100, None)
        each[-1] = "the end"
        each[1:2] = [7, 8, 9]
        each[4:4] = "xy"
        each[::5] = [0.5] * len(each[::5])
        each[2:4] = []
        each *= 2
        each += [True, None]
        each += ("tuple",)
        del each[3]
        del each[-1]
        del each[0:2]
        del each[::4]
        each.reverse()
    same(items[:], whole)
    same(type(items).__name__, "ListProxy")
    same((items.pop(), items.pop(0), items.pop(-2)), (whole.pop(), whole.pop(0), whole.pop(-2)))
    raises(IndexError, items.pop, 99)
    raises(IndexError, items.__setitem__, 99, 1)
    raises(IndexError, items.__delitem__, 99)
    raises(ValueError, items.__setitem__, slice(None, None, 2), [1])
    raises(TypeError, items.__setitem__, slice(0, 1), 5)
    raises(TypeError, items.extend, 5)
    raises(TypeError, items.insert, "0", 1)
    raises(TypeError, items.append)
    items.remove("b")
    whole.remove("b")
    raises(ValueError, items.remove, "not there")
    same(items[:], whole)
    items *= 0
    same(items[:], [])
    raises(IndexError, items.pop)
    items += [3, 1, 2]
    items.sort()
    same(items[:], [1, 2, 3])
    items.sort(reverse=True)
    same(items[:], [3, 2, 1])
    items[:] = ["b", "a"]
    items.sort()
    same(items[:], ["a", "b"])
    items.append(1)
    raises(TypeError, items.sort)
    items[:] = [(1, "b"), (1, "a"), (0, "z")]
    items.sort()
    same(items[:], [(0, "z"), (1, "a"), (1, "b")])
    del items[:]
    same(len(items), 0)


def newer_methods(m):
    """What only Python 3.14's proxies have as methods; by name they work with all."""
    d = m.dict({"a": 1})
    same(d._callmethod("__or__", ({"b": 2},)), {"a": 1, "b": 2})
    same(d._callmethod("__ror__", ({"b": 2},)), {"b": 2, "a": 1})
    d._callmethod("update", ({"c": 3},))
    same(d.copy(), {"a": 1, "c": 3})
    items = m.list([1, 2])
    same(items._callmethod("copy"), [1, 2])
    items._callmethod("clear")
    same(items[:], [])
    same(m.Lock()._callmethod("locked"), False)


def set_methods(m):
    s = m.set([1, 2])
    same((len(s), 1 in s, 5 in s), (2, True, False))
    s.add(3)
    s.add(3)
    raises(TypeError, s.add, [])
    same(sorted(s.copy()), [1, 2, 3])
    same(type(s.copy()), set)
    s.discard(3)
    s.discard(3)
    s.remove(2)
    same(raises(KeyError, s.remove, 2).args, (2,))
    s.update([4, 5], (6,))
    same(s.union({9}, [10]), {1, 4, 5, 6, 9, 10})
    same(s.intersection({4, 5, 7}), {4, 5})
    same(s.difference({1}, {4}), {5, 6})
    same(s.symmetric_difference({1, 2}), {2, 4, 5, 6})
    same((s.isdisjoint({7}), s.isdisjoint({4})), (True, False))
    same((s.issubset(list(range(10))), s.issuperset({4}), s.issubset({1})), (True, True, False))
    s.difference_update({4})
    s.intersection_update({1, 5, 7})
    s.symmetric_difference_update({5, 8})
    same(sorted(s.copy()), [1, 8])
    true(s.pop() in (1, 8))
    s.clear()
    raises(KeyError, s.pop)
    s.update({1, 2, 3})
    same(s._callmethod("__and__", ({2, 3, 4},)), {2, 3})
    same(s._callmethod("__or__", ({4},)), {1, 2, 3, 4})
    same(s._callmethod("__sub__", ({1},)), {2, 3})
    same(s._callmethod("__xor__", ({1, 4},)), {2, 3, 4})
    same((s._callmethod("__le__", ({1, 2, 3, 4},)), s._callmethod("__gt__", ({1, 2, 3},))),
         (True, False))
    same(len(m.set()), 0)
    same(m.set("aab").copy() == {"a", "b"}, True)
    raises(RemoteError, m.set, [[]])
    if "__iter__" in s._exposed_:
        same(sorted(s), [1, 2, 3])


def namespaces(m):
    n = m.Namespace(x=1, name="Bob")
    same((n.x, n.name), (1, "Bob"))
    n.x += 1
    n.items = [1, (2,)]
    n._private = "stays here"
    same((n.x, n.items, n._private), (2, [1, (2,)], "stays here"))
    raises(AttributeError, lambda: n.missing)
    del n.name
    raises(AttributeError, lambda: n.name)
    raises(AttributeError, n.__delattr__, "name")
    same(str(n), "Namespace(items=[1, (2,)], x=2)")
    same(str(m.Namespace()), "Namespace()")
    raises(RemoteError, m.Namespace, 1)


def plain_values(m):
    v = m.Value("i", 7)
    same((v.value, v.get()), (7, 7))
    v.value = "of any type"
    same(v.get(), "of any type")
    v.set([1])
    v.value += [2]
    same(v.value, [1, 2])
    same(str(m.Value("d", 0.5)), "Value('d', 0.5)")
    raises(RemoteError, m.Value)
    for code, items in [("b", [1, -128]), ("B", [255]), ("h", [-32768]), ("H", [65535]),
                        ("i", [1, 2, 3]), ("I", [2**32 - 1]), ("l", [-(2**63)]), ("L", [2**62]),
                        ("q", [2**63 - 1]), ("Q", [1]), ("f", [0.5]), ("d", [0.1, -1e300])]:
        a = m.Array(code, items)
        same((len(a), a[0], a[-1]), (len(items), items[0], items[-1]))
        a[0] = items[-1]
        same(a[0], items[-1])
    a = m.Array("i", range(6))
    same(list(a), [0, 1, 2, 3, 4, 5])
    same(list(a[1:4]), [1, 2, 3])
    same(list(a[::-2]), [5, 3, 1])
    same(a[1:3], array.array("i", [1, 2]))
    a[1:3] = array.array("i", [8, 9])
    same(str(a), "array('i', [0, 8, 9, 3, 4, 5])")
    for wrong in (6, -7):
        raises(IndexError, lambda: a[wrong])
        raises(IndexError, a.__setitem__, wrong, 1)
    raises(TypeError, a.__setitem__, 0, "text")
    raises(TypeError, a.__setitem__, 0, 0.5)
    raises(OverflowError, a.__setitem__, 0, 2**31)
    raises(TypeError, lambda: a["0"])
    same(a[0], 0)
    raises(RemoteError, m.Array, "?", [1])
    raises(RemoteError, m.Array, "i", ["text"])


def texts(m):
    """str() is the object's own, repr() the proxy's."""
    for proxy, text, name in [(m.dict({"a": [1]}), "{'a': [1]}", "DictProxy"),
                              (m.list(["x", 1.0, None]), "['x', 1.0, None]", "ListProxy"),
                              (m.list(["\u00e9\ud800\n"]), "['\u00e9\\ud800\\n']", "ListProxy"),
                              (m.Namespace(a=1), "Namespace(a=1)", "NamespaceProxy"),
                              (m.Value("i", 5), "Value('i', 5)", "ValueProxy"),
                              (m.Array("i", [1]), "array('i', [1])", "ArrayProxy")]:
        same(str(proxy), text)
        same(repr(proxy).split(" object, typeid '")[0], "<" + name)
    for typeid in ("Lock", "RLock", "Semaphore", "Condition", "Event", "Queue"):
        text = str(getattr(m, typeid)())
        true(len(text) > 2)
        true("failed" not in text)
