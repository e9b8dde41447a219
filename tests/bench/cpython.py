"""CPython's side of the benchmarks.

Says its version, then answers each line "name pinned|free seconds" or "name members
spread|together pinned|free seconds" on stdin by the nanoseconds that one operation took, measured
as the C sides measure theirs.
"""

import multiprocessing
import multiprocessing.connection
import os
import pickle
import sys
import time

mp = multiprocessing.get_context("fork")
now = time.monotonic_ns
CHUNK = 100


def alone(batch, seconds, pinning):
    mine = os.sched_getaffinity(0)
    if pinning == "pinned":
        os.sched_setaffinity(0, {min(mine)})
    took = batches_time(batch, seconds)
    os.sched_setaffinity(0, mine)
    return took


def batches_time(batch, seconds):
    span = int(seconds * 1e9)
    n, spent, done = 1, 0, 0
    batch(1)
    while spent < span:
        began = now()
        batch(n)
        took = now() - began
        spent += took
        done += n
        if took < span // 16:
            n *= 2
    return spent / done


def pairs(acquire, release):
    def batch(n):
        for _ in range(n):
            acquire()
            release()

    return batch


class Team:
    """Processes that start together and stop together."""

    def __init__(self, members, place, pinning):
        self.members = members
        self.step = {"spread": 1, "together": 0}[place]
        self.pinned = pinning == "pinned"
        self.over = mp.RawValue("b", 0)
        self.stop_at = mp.RawValue("Q", 2**63)
        self.began = mp.RawArray("Q", members)
        self.ended = mp.RawArray("Q", members)
        self.done = mp.RawArray("Q", members)
        self.ready = mp.Semaphore(0)
        self.go = mp.Semaphore(0)

    def goes_on(self, index, turn):
        if index == 0 and self.over.value and self.stop_at.value == 2**63:
            self.stop_at.value = turn + 1
        return turn < self.stop_at.value

    def member(self, body, index):
        if self.pinned:
            cpus = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cpus[index * self.step % len(cpus)]})
        self.ready.release()
        self.go.acquire()
        self.began[index] = now()
        self.done[index] = body(self, index)
        self.ended[index] = now()

    def time(self, body, seconds):
        processes = [mp.Process(target=self.member, args=(body, i)) for i in range(self.members)]
        for process in processes:
            process.start()
        for _ in processes:
            self.ready.acquire()
        for _ in processes:
            self.go.release()
        time.sleep(seconds)
        self.over.value = 1
        for process in processes:
            process.join()
            if process.exitcode != 0:
                sys.exit("a member failed")
        return (max(self.ended) - min(self.began)) / sum(self.done)


def lock_body():
    lock = mp.Lock()

    def body(team, index):
        done = x = 0
        while not team.over.value:
            for _ in range(CHUNK):
                with lock:
                    x += 1
            done += CHUNK
        return done

    return body


def value_body():
    value = mp.Value("i", 0)

    def body(team, index):
        done = 0
        while not team.over.value:
            for _ in range(CHUNK):
                with value.get_lock():
                    value.value += 1
            done += CHUNK
        return done

    return body


def event_body():
    events = mp.Event(), mp.Event()

    def body(team, index):
        turn = 0
        while team.goes_on(index, turn):
            if index == 0:
                events[0].set()
                events[1].wait()
                events[1].clear()
            else:
                events[0].wait()
                events[0].clear()
                events[1].set()
            turn += 1
        return turn

    return body


def condition_body():
    condition = mp.Condition()
    whose = mp.RawValue("i", 0)

    def body(team, index):
        turn = 0
        while team.goes_on(index, turn):
            with condition:
                while whose.value != index:
                    condition.wait()
                whose.value = 1 - index
                condition.notify()
            turn += 1
        return turn

    return body


def barrier_body(members):
    barrier = mp.Barrier(members)

    def body(team, index):
        turn = 0
        while team.goes_on(index, turn):
            barrier.wait()
            turn += 1
        return turn if index == 0 else 0

    return body


def connection_ends(duplex):
    """Each member's connection to receive on, and to send on."""
    if duplex:
        ends = mp.Pipe()
        return list(zip(ends, ends))
    one, other = mp.Pipe(duplex=False), mp.Pipe(duplex=False)
    return [(one[0], other[1]), (other[0], one[1])]


def connection_trips_body(duplex):
    ends = connection_ends(duplex)

    def body(team, index):
        source, sink = ends[index]
        message = bytes(64)
        buffer = bytearray(64)
        turn = 0
        while team.goes_on(index, turn):
            if index == 0:
                sink.send_bytes(message)
            source.recv_bytes_into(buffer)
            if index == 1:
                sink.send_bytes(message)
            turn += 1
        return turn if index == 0 else 0

    return body


def connection_object_trips_body():
    ends = connection_ends(True)

    def body(team, index):
        source, sink = ends[index]
        turn = 0
        while team.goes_on(index, turn):
            if index == 0:
                sink.send(turn & 0xFFFF)
            source.recv()
            if index == 1:
                sink.send(turn & 0xFFFF)
            turn += 1
        return turn if index == 0 else 0

    return body


def connection_stream_body(size):
    ends = connection_ends(True)

    def body(team, index):
        source, sink = ends[index]
        message = bytes(size)
        buffer = bytearray(size)
        done = 0
        if index == 1:
            while source.recv_bytes_into(buffer):
                done += 1
            return done
        while not team.over.value:
            sink.send_bytes(message)
        sink.send_bytes(b"")
        return 0

    return body


def listener_body(key):
    """Member 0 connects, member 1 accepts; without a key, a byte is what they meet by."""
    connection = multiprocessing.connection
    # Without a file: this process does not live to remove it.
    listener = connection.Listener("\0libmp.bench.%d.%d" % (os.getpid(), now()), authkey=key)

    def body(team, index):
        turn = 0
        while team.goes_on(index, turn):
            c = connection.Client(listener.address, authkey=key) if index == 0 else listener.accept()
            if key is None:
                c.recv_bytes() if index == 0 else c.send_bytes(b"x")
            c.close()
            turn += 1
        return turn if index == 0 else 0

    return body


def queue_body(members, message, maxsize=1024):
    """The first half puts, the other half gets; None ends one who gets."""
    queue = mp.Queue(maxsize)

    def body(team, index):
        if index < members // 2:
            while not team.over.value:
                queue.put(message)
            queue.put(None)
            return 0
        done = 0
        while queue.get() is not None:
            done += 1
        return done

    return body


def queue_alone(n):
    queue = mp.Queue()
    for _ in range(n):
        queue.put(5)
        queue.get()
    queue.close()
    queue.join_thread()


def nothing():
    pass


def start_join(**options):
    def batch(n):
        for _ in range(n):
            process = mp.Process(target=nothing, **options)
            process.start()
            process.join()

    return batch


def create(n):
    for _ in range(n):
        mp.Process(target=nothing)


def start_join_heap(seconds, pinning):
    heap = bytearray(b"\1") * (8 << 20)
    took = alone(start_join(), seconds, pinning)
    del heap
    return took


def measure_team(name, members, place, pinning, seconds):
    team = Team(int(members), place, pinning)
    if name == "lock":
        return team.time(lock_body(), seconds)
    if name == "value":
        return team.time(value_body(), seconds)
    if name == "event":
        return team.time(event_body(), seconds)
    if name == "condition":
        return team.time(condition_body(), seconds)
    if name == "barrier":
        return team.time(barrier_body(team.members), seconds)
    if name == "connection_trips_object":
        return team.time(connection_object_trips_body(), seconds)
    if name.startswith("connection_trips"):
        return team.time(connection_trips_body("simplex" not in name), seconds)
    if name.startswith("connection_stream_"):
        return team.time(connection_stream_body(int(name.rpartition("_")[2])), seconds)
    if name.startswith("listener_"):
        return team.time(listener_body({"key": b"abracadabra", "plain": None}[name[9:]]), seconds)
    if name == "queue_int":
        return team.time(queue_body(team.members, 5), seconds)
    if name == "queue_64_unbounded":
        return team.time(queue_body(team.members, bytes(64), 0), seconds)
    if name == "queue_16_65536":
        return team.time(queue_body(team.members, bytes(65536), 16), seconds)
    if name == "manager_clients":
        return measure_clients(team, seconds)
    if name.startswith("queue_"):
        return team.time(queue_body(team.members, bytes(int(name.partition("_")[2]))), seconds)
    sys.exit(f"cpython.py: what is {name}?")


def pickle_batch(what):
    verb, _, subject = what.partition("_")
    o = {
        "ints": lambda: list(range(100000)),
        "strings": lambda: {"key-%d" % i: "value number %d" % i for i in range(10000)},
        "one": lambda: 7,
    }[subject]()
    data = pickle.dumps(o, 4)

    def dumps(n):
        for _ in range(n):
            pickle.dumps(o, 4)

    def loads(n):
        for _ in range(n):
            pickle.loads(data)

    return {"dumps": dumps, "loads": loads}[verb]


def square(x):
    return x * x


def pool_async(members, count):
    """Nanoseconds per task, of so many in flight at once."""
    with mp.Pool(members) as pool:
        pool.map(square, range(members))
        began = now()
        results = [pool.apply_async(square, (5,)) for _ in range(count)]
        for result in results:
            result.get()
        del results, result
        return (now() - began) / count


def pool_calls(members, call):
    """A batch of calls to a pool that is there already; its processes stay where they are put."""

    def measure(seconds):
        with mp.Pool(members) as pool:
            pool.map(square, range(members))

            def batch(n):
                for _ in range(n):
                    call(pool)

            return alone(batch, seconds, "free")

    return measure


def pool_life(members):
    def batch(n):
        for _ in range(n):
            pool = mp.Pool(members)
            pool.terminate()
            pool.join()

    return batch


def measure_pool(what, pinning, seconds):
    members = len(os.sched_getaffinity(0))
    if what == "map":
        floats = [float(i) for i in range(10**6)]
        return pool_calls(members, lambda pool: pool.map(square, floats))(seconds)
    if what == "map_ints":
        return pool_calls(members, lambda pool: pool.map(square, range(10**5)))(seconds)
    if what == "apply":
        return pool_calls(members, lambda pool: pool.apply(square, (5,)))(seconds)
    if what == "apply_1":
        return pool_calls(1, lambda pool: pool.apply(square, (5,)))(seconds)
    if what.startswith("async_"):
        return pool_async(members, int(what.partition("_")[2]))
    if what.startswith("life_"):
        return alone(pool_life(int(what.partition("_")[2])), seconds, pinning)
    sys.exit(f"cpython.py: what is pool_{what}?")


def pin_server(cpu):
    if cpu is not None:
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cpus[cpu % len(cpus)]})


def a_manager(**options):
    from multiprocessing.managers import SyncManager  # here: it makes every fork dearer

    return SyncManager(ctx=mp, **options)


def start_manager(cpu=None):
    manager = a_manager()
    manager.start(pin_server, (cpu,))
    return manager


def manager_calls(what, manager, answers):
    def get(n):
        for _ in range(n):
            answers["answer"]

    def set_(n):
        for _ in range(n):
            answers["answer"] = 42

    def connect(n):
        for _ in range(n):
            a_manager(address=manager.address).connect()

    def make(n):
        for _ in range(n):
            manager.dict()

    return {"get": get, "set": set_, "connect": connect, "dict": make}[what]


def manager_lives(n):
    for _ in range(n):
        with start_manager():
            pass


def measure_manager(what, pinning, seconds):
    what, _, where = what.partition("_")
    if what == "life":
        return alone(manager_lives, seconds, "free")
    pinned = pinning == "pinned" and where != "free"
    with start_manager({"next": 1, "same": 0}[where] if pinned else None) as manager:
        answers = manager.dict(answer=42)
        return alone(manager_calls(what, manager, answers), seconds, pinning if pinned else "free")


def measure_clients(team, seconds):
    with start_manager() as manager:
        answers = manager.dict(answer=42)

        def body(team, index):
            done = 0
            while not team.over.value:
                answers["answer"]
                answers["answer"] = 42
                done += 2
            return done

        return team.time(body, seconds)


def measure_alone(name, pinning, seconds):
    if name.startswith("manager_"):
        return measure_manager(name[len("manager_"):], pinning, seconds)
    if name.startswith("pool_"):
        return measure_pool(name[len("pool_"):], pinning, seconds)
    if name.startswith("pickle_"):
        return alone(pickle_batch(name[len("pickle_"):]), seconds, pinning)
    if name == "start":
        return alone(start_join(), seconds, pinning)
    if name == "start_daemonic":
        return alone(start_join(daemon=True), seconds, pinning)
    if name == "start_heap":
        return start_join_heap(seconds, pinning)
    if name == "queue_alone":
        return alone(queue_alone, seconds, pinning)
    if name == "create":
        return alone(create, seconds, pinning)
    primitive = getattr(mp, name)()
    return alone(pairs(primitive.acquire, primitive.release), seconds, pinning)


print("CPython", sys.version.split()[0], flush=True)
for line in iter(sys.stdin.readline, ""):
    *request, seconds = line.split()
    measure = measure_team if len(request) == 4 else measure_alone
    print(measure(*request, float(seconds)), flush=True)
