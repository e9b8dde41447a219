"""A Python client's locks and their kin, barriers and queues. Each case gets a manager."""

import queue
import threading
from multiprocessing.managers import RemoteError

from manager_checks import raises, same, true

HANGS = 30  # a limit for what must come


def in_thread(function, *args):
    """What it gives or raises in another thread, which is another connection."""
    thread = Thread(function, *args)
    return thread.result()


class Thread(threading.Thread):
    def __init__(self, function, *args):
        super().__init__(daemon=True)
        self.function, self.args, self.answer, self.error = function, args, None, None
        self.start()

    def run(self):
        try:
            self.answer = self.function(*self.args)
        except BaseException as e:
            self.error = e

    def result(self):
        self.join(HANGS)
        true(not self.is_alive())
        if self.error is not None:
            raise self.error
        return self.answer


def until(condition):
    """Another thread gets there: asks the server until then."""
    while not condition():
        pass


def locks(m):
    for lock in (m.Lock(), m.Semaphore(), m.BoundedSemaphore(1)):
        same(lock.acquire(), True)
        same(lock.acquire(False), False)
        same(lock.acquire(True, 0.01), False)
        same(lock.acquire(timeout=0.01), False)
        same(in_thread(lock.acquire, False), False)
        waiting = Thread(lock.acquire)
        lock.release()
        same(waiting.result(), True)
        lock.release()  # not by who acquired
        with lock as got:
            same(got, True)
            same(lock.acquire(False), False)
        same(lock.acquire(True, -1 if lock._token.typeid == "Lock" else 5), True)
        lock.release()
        raises(ValueError, lock.acquire, False, 1)
    lock = m.Lock()
    raises(RuntimeError, lock.release)
    raises(ValueError, lock.acquire, True, -5)
    raises(TypeError, lock.acquire, True, "soon")
    same(lock.acquire(False), True)
    same(lock._callmethod("acquire", (), {"blocking": False}), False)
    same(lock._callmethod("acquire", (), {"timeout": 0.01}), False)
    lock.release()


def held(m):
    """A lock is its process's as long as that lives, whatever becomes of the connection."""
    for lock in (m.Lock(), m.BoundedSemaphore(1)):
        again = m.list([lock])[0]
        lock.acquire()
        del again  # the last id that Python's client knows of goes, and the connection with it
        same(in_thread(lock.acquire, False), False)
        lock.release()
        same(in_thread(lock.acquire), True)
        same(lock.acquire(False), False)
        lock.release()


def semaphores(m):
    s = m.Semaphore(2)
    same((s.acquire(), s.acquire(), s.acquire(False)), (True, True, False))
    for _ in range(3):
        s.release()
    same([s.acquire(False) for _ in range(4)], [True, True, True, False])
    waiting = [Thread(s.acquire, True, HANGS) for _ in range(3)]
    for _ in range(3):
        s.release()
    same([w.result() for w in waiting], [True] * 3)
    b = m.BoundedSemaphore(2)
    raises(ValueError, b.release)
    same((b.acquire(), b.acquire(), b.acquire(False)), (True, True, False))
    b.release()
    b.release()
    raises(ValueError, b.release)
    same(m.Semaphore(value=0).acquire(False), False)
    raises(RemoteError, m.Semaphore, -1)
    raises(RemoteError, m.BoundedSemaphore, -1)


def recursive_locks(m):
    r = m.RLock()
    same((r.acquire(), r.acquire(), r.acquire(False)), (True, True, True))
    same(in_thread(r.acquire, False), False)
    raises(RuntimeError, in_thread, r.release)
    r.release()
    r.release()
    over = threading.Event()

    def take():
        got = r.acquire(True, HANGS)
        over.wait(HANGS)  # whose thread has ended anybody may release
        return got

    def both():
        got = r.acquire(False)
        r.release()
        return got

    waiting = Thread(take)
    r.release()
    raises(RuntimeError, r.release)
    over.set()
    same(waiting.result(), True)
    r = m.RLock()
    same(in_thread(both), True)
    with r:
        with r:
            same(in_thread(r.acquire, False), False)
    same(in_thread(both), True)


def conditions(m):
    c = m.Condition()
    raises(RuntimeError, c.notify)
    raises(RuntimeError, c.notify_all)
    raises(RuntimeError, c.wait, 0.01)
    raises(RuntimeError, c.release)
    ready, woken = m.Semaphore(0), m.list()

    def wait(name, timeout):
        with c:
            ready.release()
            result = c.wait(timeout)
            woken.append(name)
        return result

    threads = [Thread(wait, i, HANGS if i else None) for i in range(4)]
    for _ in threads:
        ready.acquire()
    with c:  # all are waiting: they had it
        c.notify()
    until(lambda: len(woken) == 1)
    with c:
        c.notify(2)
    until(lambda: len(woken) == 3)
    with c:
        c.notify_all()
        same(len(woken), 3)
    same([t.result() for t in threads], [True] * 4)
    same(sorted(woken[:]), [0, 1, 2, 3])
    with c:
        same(c.wait(0.01), False)
        same(c.wait(0), False)
        raises(RuntimeError, in_thread, c.notify)
        c.notify()  # nobody
        same(c.acquire(False), True)  # an RLock
        c.release()
        same(c.wait_for(lambda: len(woken) == 4), True)
        same(c.wait_for(lambda: len(woken) == 5, 0.02), False)

    def say():
        with c:
            woken.append("said")
            c.notify()

    with c:
        thread = Thread(say)
        same(c.wait_for(lambda: "said" in woken, HANGS), True)
    thread.result()


def events(m):
    e = m.Event()
    same((e.is_set(), e.wait(0), e.wait(0.01)), (False, False, False))
    threads = [Thread(e.wait, HANGS if i else None) for i in range(3)]
    e.set()
    same([t.result() for t in threads], [True] * 3)
    same((e.is_set(), e.wait(), e.wait(0)), (True, True, True))
    e.clear()
    same((e.is_set(), e.wait(0)), (False, False))
    e.set()
    e.set()
    same(e.is_set(), True)


def barriers(m):
    b = m.Barrier(3)
    same((b.parties, b.n_waiting, b.broken), (3, 0, False))
    for _ in range(3):
        threads = [Thread(b.wait, HANGS), Thread(b.wait)]
        same(sorted([b.wait()] + [t.result() for t in threads]), [0, 1, 2])
    thread = Thread(b.wait)
    until(lambda: b.n_waiting == 1)
    b.abort()
    raises(threading.BrokenBarrierError, thread.result)
    same(b.broken, True)
    raises(threading.BrokenBarrierError, b.wait)
    b.reset()
    same((b.broken, b.n_waiting), (False, 0))
    thread = Thread(b.wait)
    until(lambda: b.n_waiting == 1)
    b.reset()
    raises(threading.BrokenBarrierError, thread.result)
    same(b.broken, False)
    raises(threading.BrokenBarrierError, b.wait, 0.01)
    same(b.broken, True)
    raises(threading.BrokenBarrierError, m.Barrier(2, timeout=0.01).wait)
    same(m.Barrier(1).wait(), 0)
    raises(AttributeError, b._callmethod, "__getattribute__", ("nothing",))
    raises(RemoteError, m.Barrier, 0)


def queues(m):
    q = m.Queue(2)
    same((q.empty(), q.full(), q.qsize()), (True, False, 0))
    raises(queue.Empty, q.get_nowait)
    raises(queue.Empty, q.get, False)
    raises(queue.Empty, q.get, True, 0.01)
    raises(queue.Empty, q.get, timeout=0.01)
    raises(queue.Empty, q.get, block=False)
    raises(ValueError, q.get, True, -1)
    raises(ValueError, q.put, 1, True, -1)
    q.put("a")
    q.put({"b": (None,)}, block=True, timeout=5)
    same((q.empty(), q.full(), q.qsize()), (False, True, 2))
    raises(queue.Full, q.put_nowait, 1)
    raises(queue.Full, q.put, 1, False)
    raises(queue.Full, q.put, 1, timeout=0.01)
    raises(queue.Full, q.put, item=1, block=False)
    same(q.get(), "a")
    same(q.get(timeout=5), {"b": (None,)})
    waiting = Thread(q.get)
    q.put(7)
    same(waiting.result(), 7)
    q.put(1)
    q.put(2)
    waiting = Thread(q.put, 3)
    same((q.get(), q.get(), q.get()), (1, 2, 3))
    waiting.result()
    raises(TypeError, q.put)
    endless = m.Queue()
    for i in range(200):
        endless.put_nowait(i)
    same([endless.get_nowait() for _ in range(200)], list(range(200)))
    same(m.Queue(maxsize=1).full(), False)
    same(m.Queue(-1).full(), False)


def joinable_queues(m):
    for q in (m.JoinableQueue(), m.Queue()):
        q.join()
        raises(ValueError, q.task_done)
        for i in range(3):
            q.put(i)
        joining = Thread(q.join)
        for i in range(3):
            true(joining.is_alive())
            same(q.get(), i)
            q.task_done()
        joining.result()
        raises(ValueError, q.task_done)


# What a Python before 3.13 makes of an exception that it does not know.
SHUT_DOWN = getattr(queue, "ShutDown", AttributeError)


def queue_shutdown(m):
    full, empty = m.Queue(2), m.Queue()
    full.put(1)
    full.put(2)
    putting, getting = Thread(full.put, 3), Thread(empty.get)
    for q in (full, empty):
        q.shutdown()
    raises(SHUT_DOWN, putting.result)
    raises(SHUT_DOWN, getting.result)
    raises(SHUT_DOWN, full.put, 4)
    same((full.get(), full.get()), (1, 2))
    raises(SHUT_DOWN, full.get)
    raises(SHUT_DOWN, full.get_nowait)
    at_once = m.JoinableQueue()
    at_once.put(1)
    at_once.shutdown(immediate=True)
    raises(SHUT_DOWN, at_once.get)
    at_once.join()
