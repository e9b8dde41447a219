"""A Python client's pools, own types, failures, references, children. Each case gets a manager."""

import concurrent.futures
import gc
import multiprocessing
import os
import queue
import signal
import tempfile
import threading
import time
from multiprocessing.managers import AutoProxy, BaseManager, ListProxy, RemoteError, Token

from client_sync import HANGS, Thread, until
from manager_checks import Client, dispatch, raises, same, true

fork = multiprocessing.get_context("fork")


# ---- tasks: the server knows some of this name, of its own ---------------------------------------

def named(name):
    def function(*args):
        raise AssertionError("called in Python")

    function.__qualname__ = function.__name__ = name
    return function


square, add, fail, until_gone, nobody_knows_this = map(
    named, ["square", "add", "fail", "until_gone", "nobody_knows_this"])


def pools(m):
    with m.Pool(2) as pool:
        same(pool.apply(square, (7,)), 49)
        same(pool.apply(add, (3, 4)), 7)
        same(pool.map(square, range(10)), [i * i for i in range(10)])
        same(pool.map(square, [1, 2, 3], 2), [1, 4, 9])
        same(pool.map(square, []), [])
        same(pool.starmap(add, [(1, 2), (3, 4)]), [3, 7])
        same(list(pool.imap(square, [1, 2, 3])), [1, 4, 9])
        same(list(pool.imap(square, [1, 2, 3], 2)), [1, 4, 9])
        same(sorted(pool.imap_unordered(square, [3, 2, 1])), [1, 4, 9])
        results = pool.imap(square, [5])
        same(next(results), 25)
        raises(StopIteration, next, results)
        result = pool.apply_async(square, (8,))
        same((result.get(HANGS), result.ready(), result.successful()), (64, True, True))
        same(result.get(), 64)
        result = pool.map_async(square, [1, 2])
        result.wait()
        same(result.get(timeout=HANGS), [1, 4])
        same(pool.starmap_async(add, [(5, 6)]).get(), [11])
        del result, results


def slow_tasks(m):
    pool = m.Pool(1)
    handle, path = tempfile.mkstemp()
    os.close(handle)
    result = pool.apply_async(until_gone, (path,))
    raises(multiprocessing.TimeoutError, result.get, 0.01)
    raises(multiprocessing.TimeoutError, result.get, timeout=0)
    result.wait(0.01)
    same(result.ready(), False)
    raises(ValueError, result.successful)
    later = pool.apply_async(square, (3,))
    same(later.ready(), False)
    os.unlink(path)
    same(result.get(HANGS), "gone")
    same(later.get(), 9)
    pool.close()
    raises(ValueError, pool.apply, square, (1,))
    pool.join()


def failing_tasks(m):
    pool = m.Pool(1)
    same(type(raises(Exception, pool.apply, fail, (7,))), Exception)
    result = pool.apply_async(fail, (7,))
    raises(Exception, result.get)
    same((result.ready(), result.successful()), (True, False))
    raises(Exception, pool.map, fail, [1, 2])
    for unknown in (nobody_knows_this, print, os.getpid):
        try:
            pool.apply(unknown, (1,))
        except Exception as e:
            true("called in Python" not in str(e))
        else:
            raise AssertionError("%r ran" % unknown)
    same(pool.apply(square, (2,)), 4)
    raises(ValueError, pool.join)
    pool.terminate()
    pool.join()


# ---- failures ------------------------------------------------------------------------------------

def failures(m):
    """What the server itself objects to is a RemoteError with its text, and costs nobody else."""
    d = m.dict(a=1)
    for name in ("nothing", "__class__", "__reduce__", "", "fromkeys2"):
        raises(RemoteError, d._callmethod, name)
    true("nothing" in str(raises(RemoteError, d._callmethod, "nothing")))
    raises(RemoteError, m._create, "no such type")
    gone = Token("list", d._token.address, "7f00dead")
    raises(RemoteError, ListProxy, gone, "pickle", authkey=m._authkey)
    items = m.list([1])
    raises(RemoteError, dispatch, m, "decref", ("7f00dead",))
    raises(RemoteError, dispatch, m, "nonsense", ())
    raises(RemoteError, dispatch, m, "create", ())
    for request in (None, 5, "text", (), (1, 2), ("a", "b", "c"), [None] * 4):
        connection = m._Client(m._address, authkey=m._authkey)
        connection.send(request)
        same(connection.recv()[0], "#TRACEBACK")
        connection.close()
    same((d["a"], items[:]), (1, [1]))


# ---- types of the server's own -------------------------------------------------------------------

CODES = {"MP_EEMPTY": queue.Empty, "MP_EFULL": queue.Full,
         "MP_ETIMEOUT": multiprocessing.TimeoutError, "MP_EEOF": EOFError, "MP_ECLOSED": ValueError,
         "MP_EINVAL": ValueError, "MP_ETYPE": TypeError, "MP_EKEY": KeyError,
         "MP_EINDEX": IndexError, "MP_EATTR": AttributeError, "MP_EOVERFLOW": OverflowError,
         "MP_ESTATE": AssertionError, "MP_EBROKEN": threading.BrokenBarrierError,
         "MP_ETASK": Exception, "MP_EAUTH": multiprocessing.AuthenticationError,
         "MP_ETOOSHORT": multiprocessing.BufferTooShort, "ENOENT": FileNotFoundError,
         "EACCES": PermissionError, "ENOSPC": OSError, "ENOMEM": MemoryError,
         "EPIPE": BrokenPipeError, "MP_ECANCELLED": concurrent.futures.CancelledError}


def own_types(m):
    maths = m.Maths()
    same((maths.add(2, 3), maths.add(2), maths.add(2, y=0.5), maths.add(x=1, y=1)), (5, 2, 2.5, 2))
    same(maths.mul(3, 4), 12)
    same(maths.echo(1, (2,), k=[3]), ((1, (2,)), {"k": [3]}))
    same(maths.echo(), ((), {}))
    raises(TypeError, maths.add)
    raises(TypeError, maths.add, 1, "2")
    raises(TypeError, maths.add, 1, z=2)
    true("str where" in str(raises(TypeError, maths.add, "1")))
    wrong = []
    for name, kind in CODES.items():
        try:
            maths.fail(name)
        except Exception as e:
            if type(e) is not kind or isinstance(e, OSError) and not isinstance(e.errno, int):
                wrong.append((name, kind.__name__, type(e).__name__))
    same(wrong, [])
    raises(RemoteError, maths._callmethod, "nothing")
    same(str(maths), "Maths of 0")
    raises(AttributeError, lambda: maths.nothing)
    maths.keep(5)
    same((str(m.Maths(4)), str(maths), maths.kept()), ("Maths of 4", "Maths of 5", 5))
    another = maths.another(8)  # a proxy, made by the server
    same(type(another).__name__, "AutoProxy[Maths]")
    same((str(another), another.add(1)), ("Maths of 8", 1))
    raises(RemoteError, m.Maths, "text")


class Remote(BaseManager):
    """As the documentation has it: typeids, and nothing of how they are made."""


Remote.register("Maths")
Remote.register("get_total")


def recipe(m):
    remote = Remote(m._address, m._authkey)
    remote.connect()
    maths = remote.Maths(1)
    same((maths.add(20, y=22), maths.kept()), (42, 1))
    raises(KeyError, maths.fail, "MP_EKEY")
    asked = AutoProxy(maths._token, "pickle", authkey=m._authkey)  # asks for the methods
    same(sorted(set(asked._exposed_)), sorted(set(maths._exposed_)))
    same((asked.add(x=1), asked.kept()), (1, 1))
    one, another = remote.get_total(), remote.get_total()
    before = one.add(0)
    same((one.add(2), another.add(3), one.add(0)), (before + 2, before + 5, before + 5))


# ---- references ----------------------------------------------------------------------------------

def count(m):
    gc.collect()  # an exception that came from the server refers to itself, and to the proxy
    return m._number_of_objects()


def references(m):
    before = count(m)
    items = m.list()
    same(count(m), before + 1)
    d, lock = m.dict(), m.Lock()
    same(count(m), before + 3)
    text = m._debug_info()
    for proxy in (items, d, lock):
        true(proxy._id in text)
    true("refcount=" in text)
    del d, proxy
    same(count(m), before + 2)
    items.append(m.dict(a=1))
    same(count(m), before + 3)
    inner = items[0]
    same(inner["a"], 1)
    items.append(inner)
    same(count(m), before + 3)
    del inner
    same(items[1]["a"], 1)
    items.pop()
    same(items[0]["a"], 1)
    del items[0]
    same(count(m), before + 2)
    q = m.Queue()
    q.put(m.list([1]))
    same(count(m), before + 4)
    got = q.get()
    same(got[:], [1])
    del got
    same(count(m), before + 3)
    iterator = iter(m.dict(a=1, b=2))
    same(next(iterator), "a")
    same(list(iterator), ["b"])
    del q, items, lock, iterator
    same(count(m), before)


def nested(m):
    outer = m.dict()
    outer["inner"] = m.dict(x=1)
    outer["inner"]["x"] += 1
    outer["inner"]["list"] = m.list([m.Namespace(a=1), m.Queue()])
    inner = outer["inner"]
    same(inner["x"], 2)
    inner["list"][0].a = [5]
    same(outer["inner"]["list"][0].a, [5])
    outer["inner"]["list"][1].put("through")
    same(inner["list"][1].get(), "through")
    true("DictProxy object, typeid 'dict'" in str(outer))
    lock = m.Lock()
    outer["lock"] = lock
    with outer["lock"]:
        same(lock.acquire(False), False)
    maths = m.Maths(3)
    outer["maths"] = maths
    same(outer["maths"].kept(), 3)
    row = m.list([m.list([1, 2]), m.list([3])])
    same([len(each) for each in row], [2, 1])
    same(row[0][:] + row[1][:], [1, 2, 3])
    row[0].append(row[1])
    same(row[0][2][0], 3)
    same(outer.pop("inner")["x"], 2)
    same(len(outer), 2)


# ---- processes -----------------------------------------------------------------------------------

def work(items, d, lock, i):
    with lock:
        d["sum"] += i
    items.append(i)


def one_argument(arguments):
    work(*arguments)
    return arguments[3]


def inherit(*proxies):
    globals()["inherited"] = proxies


def inherited_work(i):
    work(*globals()["inherited"], i)


def children(m):
    items, d, lock = m.list(), m.dict(sum=0), m.Lock()
    alive = [fork.Process(target=work, args=(items, d, lock, i)) for i in range(3)]
    for p in alive:
        p.start()
    with fork.Pool(2, inherit, (items, d, lock)) as pool:
        same(pool.map(one_argument, [(items, d, lock, i) for i in range(10, 30)]),
             list(range(10, 30)))
        pool.map(inherited_work, range(30, 40))
    for p in alive:
        p.join(HANGS)
        same(p.exitcode, 0)
    same(sorted(items[:]), list(range(3)) + list(range(10, 40)))
    same(d["sum"], sum(items[:]))
    until(lambda: count(m) == 3)  # what the workers had, who were killed


def spawned_child(m):
    items, d, lock = m.list(), m.dict(sum=0), m.Lock()
    p = multiprocessing.get_context("spawn").Process(target=work, args=(items, d, lock, 5))
    p.start()
    p.join(HANGS)
    same(p.exitcode, 0)
    same((items[:], d["sum"]), ([5], 5))


def hold(m, lock, items, told):
    lock.acquire()
    own = [m.list() for _ in range(5)] + [items, m.Queue()]
    items.append(own[0])
    told.send(len(own))
    while True:
        signal.pause()


def killed_holder(m, lock, items):
    """A process that is killed while it holds the lock."""
    here, there = fork.Pipe()
    p = fork.Process(target=hold, args=(m, lock, items, there))
    p.start()
    same(here.recv(), 7)
    same(lock.acquire(False), False)
    os.kill(p.pid, signal.SIGKILL)
    p.join(HANGS)
    same(p.exitcode, -signal.SIGKILL)


def threads(m):
    """Each thread has a connection of its own."""
    q, d = m.Queue(3), m.dict()

    def put(first):
        for i in range(first, first + 30):
            q.put(i)
            d[i] = i

    running = [Thread(put, 100 * i) for i in range(3)]
    got = sorted(q.get() for _ in range(90))
    for thread in running:
        thread.result()
    same(got, [100 * i + j for i in range(3) for j in range(30)])
    until(lambda: len(d) == 90)
    same(sorted(d.keys()), got)


# ---- ends ----------------------------------------------------------------------------------------

def keys(address, key):
    """Who has another key is told so, as often as he comes."""
    for wrong in (b"", key + b"!", b"x" * 200, key[:-1]):
        raises(multiprocessing.AuthenticationError, Client(address, wrong).connect)
    m = Client(address, key)
    m.connect()
    same(m.list([1])[:], [1])
    m._authkey = b"another"
    raises(multiprocessing.AuthenticationError, m.list)


def ended(m, proxy):
    """The server has ended: every call says so, soon."""
    begin = time.monotonic()
    for call in (len, len, lambda _: m.list()):
        try:
            call(proxy)
        except (EOFError, OSError):
            pass
        else:
            raise AssertionError("a call without a server")
    true(time.monotonic() - begin < HANGS)
