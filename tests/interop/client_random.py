"""Random calls of a Python client, wrong ones among them, beside the same calls of Python's own
objects: results, exceptions and contents must be alike."""

import array
import os
import random

from manager_checks import same

PLAIN = [None, True, False, 0, 1, 2, -1, 7, 300, 2**40, 0.0, 1.0, 0.5, -2.5, "", "a", "b", "ab",
         "\u00e9", b"", b"a", (), (1,), (1, "a")]
NESTED = PLAIN + [[], [1], [1, [2.0]], {}, {"a": 1}, {1}, frozenset([1]), (1, [2])]
DISTINCT = [x for x in PLAIN if not isinstance(x, (bool, float))] + [0.5, -2.5]
INDICES = [0, 1, 2, -1, -2, 3, 5, -6, 100, -100, True, 2**62]
NO_INDICES = ["a", 0.5, None, (1,), []]
SEED = int(os.environ.get("LIBMP_TEST_SEED", 0)) or random.SystemRandom().getrandbits(32)


def outcome(function, args):
    try:
        return "gave", function(*args)
    except Exception as e:
        return "raised", type(e).__name__


def any_index(rnd):
    return rnd.choice(INDICES if rnd.random() < 0.9 else NO_INDICES)


def any_place(rnd):
    """An index or a slice."""
    if rnd.random() < 0.5:
        return any_index(rnd)
    ends = [None] + INDICES[:10] + ([] if rnd.random() < 0.95 else NO_INDICES)
    steps = [None, None, 1, 2, -1, -2, 3] + ([0] if rnd.random() < 0.2 else [])
    return slice(rnd.choice(ends), rnd.choice(ends), rnd.choice(steps))


def some(rnd, values, most=4):
    return [rnd.choice(values) for _ in range(rnd.randrange(most + 1))]


def any_iterable(rnd, values=NESTED):
    items = some(rnd, values)
    return rnd.choice([items, items, tuple(items), "ab\u00e9", b"ab", {"x": 1, 2: 3}, {1}, range(3),
                       5, None] + ([] if rnd.random() < 0.9 else [0.5, True]))


def list_call(rnd):
    value = rnd.choice(NESTED)
    return rnd.choice([
        ("append", value), ("append", value), ("extend", any_iterable(rnd)),
        ("insert", any_index(rnd), value), ("insert", any_index(rnd), value), ("pop",),
        ("pop", any_index(rnd)), ("remove", value), ("reverse",), ("sort",), ("index", value),
        ("index", value, any_index(rnd)), ("index", value, any_index(rnd), any_index(rnd)),
        ("count", value), ("__contains__", value), ("__len__",), ("__getitem__", any_place(rnd)),
        ("__getitem__", any_place(rnd)), ("__setitem__", any_place(rnd), value),
        ("__setitem__", any_place(rnd), any_iterable(rnd)), ("__delitem__", any_place(rnd)),
        ("__add__", any_iterable(rnd)), ("__mul__", any_index(rnd) if rnd.random() < 0.2 else 2),
        ("__rmul__", 3), ("__imul__", rnd.choice([2, 2, 1, 0, -1, "a", 0.5])), ("append",),
        ("pop", 1, 2), ("reverse", 1)])


def lists(m, rnd, times):
    plain, proxy = [], m.list()
    for i in range(times):
        name, *args = list_call(rnd)
        if name in ("__mul__", "__rmul__") and args[0] in (100, 2**62):
            continue
        compare(plain, proxy, name, args)
        if name == "sort" or len(plain) > 30:
            plain = some(rnd, NESTED, 10)
            if rnd.random() < 0.5:
                plain = sorted(some(rnd, [1, 2.5, 7, True, -3], 10), reverse=True)
            proxy[:] = plain
        if i % 5 == 0:
            same((name, args, proxy[:]), (name, args, plain))


def any_key(rnd):
    return rnd.choice(PLAIN + ["k", "l"] * 4 if rnd.random() < 0.95 else NESTED)


def dict_call(rnd):
    key, value = any_key(rnd), rnd.choice(NESTED)
    pairs = rnd.choice([{any_hashable(rnd): value}, [(any_key(rnd), 1), ("l", 2)], [1], ["ab"], 5,
                        None, {}, [], "ab", [(1, 2, 3)]])
    return rnd.choice([
        ("__getitem__", key), ("__setitem__", key, value), ("__setitem__", key, value),
        ("__setitem__", key, value), ("__delitem__", key), ("get", key), ("get", key, value),
        ("pop", key), ("pop", key, value), ("popitem",), ("setdefault", key),
        ("setdefault", key, value), ("update", pairs), ("update",), ("__contains__", key),
        ("__len__",), ("copy",), ("get",), ("pop",), ("popitem", 1), ("update", 1, 2)])


def any_hashable(rnd):
    return rnd.choice(PLAIN)


def dicts(m, rnd, times):
    plain, proxy = {}, m.dict()
    for i in range(times):
        name, *args = dict_call(rnd)
        compare(plain, proxy, name, args)
        if i % 5 == 0:
            same((name, args, list(proxy.items())), (name, args, list(plain.items())))
            same((proxy.keys(), proxy.values()), (list(plain), list(plain.values())))
        if len(plain) > 15:
            plain.clear()
            proxy.clear()


def set_call(rnd):
    value = rnd.choice(DISTINCT if rnd.random() < 0.95 else NESTED[len(PLAIN):])
    other = rnd.choice([{rnd.choice(DISTINCT), 1}, set(some(rnd, DISTINCT)), set(),
                        frozenset([1, "a"]), [1], "ab", 5])
    iterable = any_iterable(rnd, DISTINCT)
    operators = ("__and__", "__or__", "__sub__", "__xor__", "__rand__", "__ror__", "__rsub__",
                 "__rxor__", "__le__", "__lt__", "__ge__", "__gt__")
    methods = ("union", "intersection", "difference", "symmetric_difference", "update",
               "intersection_update", "difference_update", "symmetric_difference_update",
               "isdisjoint", "issubset", "issuperset")
    return rnd.choice([
        ("add", value), ("add", value), ("add", value), ("discard", value), ("remove", value),
        ("__contains__", value), ("__len__",), ("copy",), (rnd.choice(operators), other),
        (rnd.choice(operators), other), (rnd.choice(methods), iterable),
        (rnd.choice(methods[:3]), iterable, other), (rnd.choice(methods),), ("add",)])


def in_order(o):
    return sorted(map(repr, o)) if isinstance(o, (set, frozenset)) else o


def sets(m, rnd, times):
    plain, proxy = set(), m.set()
    for i in range(times):
        name, *args = set_call(rnd)
        expected, got = outcome(getattr(plain, name), args), outcome(
            lambda *args: proxy._callmethod(name, args), args)
        if expected[1] is NotImplemented and got in (expected, ("raised", "TypeError")):
            continue
        same((name, args, got[0], in_order(got[1])), (name, args, expected[0],
                                                      in_order(expected[1])))
        same((name, args, in_order(proxy.copy())), (name, args, in_order(plain)))


def array_call(rnd):
    value = rnd.choice([0, 1, -5, 2**31 - 1, -(2**31), 2**31, 2**40, 0.5, "a", None, True])
    values = rnd.choice([array.array("i", some(rnd, [1, 2, 3])), array.array("d", [1.5]), 5])
    return rnd.choice([("__getitem__", any_place(rnd)), ("__setitem__", any_place(rnd), value),
                       ("__setitem__", any_place(rnd), values), ("__len__",)])


def arrays(m, rnd, times):
    plain, proxy = array.array("i", range(6)), m.Array("i", range(6))
    for _ in range(times):
        name, *args = array_call(rnd)
        compare(plain, proxy, name, args)
        if len(plain) > 30 or len(plain) < 2:
            plain, proxy = array.array("i", range(6)), m.Array("i", range(6))
        same((name, args, list(proxy)), (name, args, plain.tolist()))


def compare(plain, proxy, name, args):
    before = repr(plain)
    expected = outcome(getattr(plain, name), args)
    got = outcome(lambda *args: proxy._callmethod(name, args), args)
    same((before, name, args, got), (before, name, args, expected))


def random_calls(m, times=150):
    rnd = random.Random(SEED)
    try:
        for kind in (lists, dicts, sets, arrays):
            kind(m, rnd, times)
    except AssertionError as e:
        raise AssertionError("seed %d: %s" % (SEED, e)) from None
