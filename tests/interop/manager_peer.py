"""Python's side of the tests of managers: manager_peer.py CONNECTION_FD.

Does what the other end asks for by messages (name, arguments) and answers (True, result), or
(False, what went wrong). A name is a function of this file, or a case of those it imports.
"""

import faulthandler
import gc
import os
import shutil
import signal
import sys
import threading
from multiprocessing import AuthenticationError, current_process, get_context
from multiprocessing.connection import Client as connect_client
from multiprocessing.connection import Connection, Listener

import client_calls
import client_containers
import client_random
import client_sync
import server_types
from client_sync import HANGS, Thread
from manager_checks import Client, address_of, dispatch, raises, summary, text_of

fork = get_context("fork")
here = {}  # "manager": the client; "server": the manager that was started here
kept = []  # proxies that the other end has not yet made its own
running = []


def version():
    return "%d.%d.%d" % sys.version_info[:3]


# ---- a manager of the other side's, and one of this side's ---------------------------------------

def use(address, key):
    current_process().authkey = key
    here["manager"] = Client(address_of(address), key)
    here["manager"].connect()


def case(name):
    """Runs a case, and drops all that it made."""
    for module in (client_containers, client_random, client_sync, client_calls):
        if hasattr(module, name):
            try:
                return getattr(module, name)(here["manager"])
            finally:
                gc.collect()
    raise LookupError(name)


def keys(address, key):
    client_calls.keys(address_of(address), key)


def serve(address, key):
    """A manager of this side's, until end_server; the one that is there already."""
    if "server" in here:
        return text_of(here["server"].address)
    current_process().authkey = key
    server = server_types.Server(None if address is None else address_of(address), key)
    server.start()
    here["server"] = here["manager"] = server
    return text_of(server.address)


def end_server():
    if "server" in here:
        here.pop("server").shutdown()
    forget()
    here.pop("manager", None)


def kill_server():
    server = here.pop("server")
    os.kill(server._process.pid, signal.SIGKILL)
    server._process.join(HANGS)
    shutil.rmtree(os.path.dirname(server.address))


def shut_down():
    """As a client, which has no method for it."""
    dispatch(here["manager"], "shutdown", ())


def ended():
    """The server whose object is kept here has ended."""
    client_calls.ended(here["manager"], kept[0])


# ---- a partner of the other side's ---------------------------------------------------------------

def keep(result):
    kept.append(result)
    return result


def forget():
    del kept[:]
    gc.collect()


def new(typeid, *args):
    """Makes an object, which stays until it is forgotten."""
    return keep(getattr(here["manager"], typeid)(*args))


def do(proxy, name, *args):
    keep(proxy)  # with the last one Python drops its connection
    return keep(getattr(proxy, name)(*args))


def text(proxy):
    return str(proxy)


def steps(script):
    return [getattr(proxy, name)(*args) for proxy, name, *args in script]


def begin(*script):
    """Does one step after the other in a thread of its own."""
    running.append(Thread(steps, script))


def finish():
    """What the steps of the thread that was begun first gave."""
    try:
        return running.pop(0).result()
    except threading.BrokenBarrierError:
        return "broken"
    except (EOFError, ConnectionError):
        return "server gone"


def hold(lock, items):
    client_calls.killed_holder(here["manager"], lock, items)


def in_process(connection, function, args):
    try:
        connection.send((True, function(*args)))
    except BaseException as e:
        connection.send((False, summary(e)))


def produce(queue, first, count):
    for i in range(first, first + count):
        queue.put(i)


def consume(queue):
    got = []
    while True:
        item = queue.get()
        if item is None:
            return [len(got), sum(got)]
        got.append(item)


def count(lock, d, times):
    for _ in range(times):
        with lock:
            d["count"] = d["count"] + 1


def begin_process(name, *args):
    """A function of this file in a forked child."""
    here_end, there = fork.Pipe()
    process = fork.Process(target=in_process, args=(there, globals()[name], args))
    process.start()
    there.close()
    running.append((process, here_end))


def finish_process(place=0):
    process, connection = running.pop(place)
    good, result = connection.recv()
    process.join(HANGS)
    if not good:
        raise AssertionError(result)
    return result


def send_proxy(address, key, typeid, *args):
    """Makes an object and sends its proxy to a listener, which says when it has its own."""
    proxy = getattr(here["manager"], typeid)(*args)
    with connect_client(address_of(address), authkey=key) as connection:
        connection.send({"proxy": proxy})
        connection.recv()


def receive_proxy(address, key):
    """Gets a list from a listener, and adds to it."""
    with connect_client(address_of(address), authkey=key) as connection:
        items = connection.recv()[0]
        items.append(items[0] * 2)
        connection.send(len(items))


def listen(address, key):
    here["listener"] = Listener(address_of(address), authkey=key)
    return text_of(here["listener"].address)


def accept_proxy():
    """The same as receive_proxy, and this side listens."""
    with here.pop("listener") as listener:
        with listener.accept() as connection:
            items = connection.recv()[0]
            items.append(items[0] * 2)
            connection.send(len(items))


# ---- messages ------------------------------------------------------------------------------------

def receive(connection):
    """A message, or what went wrong with the proxies in it."""
    try:
        return connection.recv()
    except (EOFError, OSError):
        raise
    except Exception as e:
        return "complain", (summary(e),)


def complain(text):
    raise AssertionError(text)


def main():
    connection = Connection(int(sys.argv[1]))
    while True:
        name, arguments = receive(connection)
        if name == "end":
            return
        faulthandler.dump_traceback_later(HANGS * 1.5)
        try:
            answer = (True, globals()[name](*arguments))
        except BaseException as e:
            answer = (False, summary(e))
        del arguments
        faulthandler.cancel_dump_traceback_later()
        connection.send(answer)
        del answer


if __name__ == "__main__":
    main()
