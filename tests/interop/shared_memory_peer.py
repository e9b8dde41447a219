"""Python's side of the test of named memory: shared_memory_peer.py ACTION NAME [ARGUMENT].

Does one thing with a block or list of that name, and leaves with 0 if all was as it should be.
"""

import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import ShareableList, SharedMemory

ITEMS = ["howdy", b"HoWdY", -273.154, 100, None, True, 2**62, "\u00e9", "", b"",
         "a longer text, 24 bytes.", -1, False]
CHANGED = ["HOWDY", b"12345678", 1e300, None, "text", "bool", -(2**62), 7, "12345678", b"\xff",
           b"other", 0.5, True]
LONG = "\u00e9" * 7


def pattern(size, seed):
    return bytes((i * i + seed) % 251 for i in range(size))


def expect(got, wanted):
    if got != wanted or type(got) is not type(wanted):
        sys.exit("%r is not %r" % (got, wanted))


def leave(block):
    """Up to 3.12 whoever has attached unlinks the block when it ends (bpo-38119)."""
    resource_tracker.unregister(block._name, "shared_memory")


def read_and_write(name, size):
    block = SharedMemory(name)
    expect(block.size, int(size))
    expect(bytes(block.buf), pattern(int(size), 1))
    block.buf[:] = pattern(int(size), 2)
    leave(block)
    block.close()


def make(name, size):
    block = SharedMemory(name, create=True, size=int(size))
    block.buf[:] = pattern(int(size), 3)
    leave(block)
    block.close()


def refuse(name):
    try:
        SharedMemory(name, create=True, size=8)
    except FileExistsError:
        return
    sys.exit("the name is free")


def unlink(name):
    block = SharedMemory(name)
    block.unlink()
    block.close()


def absent(name):
    try:
        SharedMemory(name)
    except FileNotFoundError:
        return
    sys.exit("there is such a block")


def list_make(name):
    items = ShareableList(ITEMS, name=name)
    leave(items.shm)
    items.shm.close()


def list_change(name):
    """A list of the other side, which has an item more than Python's."""
    items = ShareableList(name=name)
    leave(items.shm)
    expect(list(items), ITEMS + [LONG])
    expect(items.index(100), 3)
    for i, item in enumerate(CHANGED):
        items[i] = item
    try:
        items[len(ITEMS)] = LONG + "\u00e9\u00e9"
    except ValueError:
        pass
    else:
        sys.exit("a slot of 16 bytes took 18")
    items.shm.close()


def list_changed(name):
    items = ShareableList(name=name)
    leave(items.shm)
    expect(list(items), CHANGED)
    items.shm.close()


globals()[sys.argv[1]](*sys.argv[2:])
