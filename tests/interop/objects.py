"""Python's side of the comparison of objects: objects.py PEER SEED COUNT.

PEER is the program that speaks libmp. What one side pickles the other must read, and both must
print the same. Everything on the pipe is a length in 4 bytes and then so many bytes.
"""

import math
import pickle
import random
import re
import struct
import subprocess
import sys
import unicodedata

INTERESTING = [0, 1, -1, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31),
               -(2**31) - 1, 2**39, -(2**39), 2**62, 2**63 - 1, -(2**63)]
FLOATS = [0.0, -0.0, 1.0, 0.1, 1e16, 1e-5, 123456789.123, 5e-324, math.pi, math.inf, -math.inf,
          math.nan, 1.7976931348623157e308, 2.0**53]
CHARACTERS = "aZ09 _'\"\\\n\r\t\0\x1b\x7f\x80\xa0\xad\xff\u0100\u2028\ud800\udfff\ufffd\U0001f600"


def any_character(rnd):
    if rnd.random() < 0.7:
        return rnd.choice(CHARACTERS)
    while True:
        c = chr(rnd.randrange(rnd.choice([0x80, 0x800, 0x10000, 0x110000])))
        if unicodedata.category(c) != "Cn":  # what is not assigned yet may be one day
            return c


def any_str(rnd):
    n = rnd.choice([0, 1, 3, 10, 30, 300])
    if rnd.random() < 0.5:
        return "".join(rnd.choice("abc xyz'") for _ in range(n))
    return "".join(any_character(rnd) for _ in range(n))


def any_scalar(rnd):
    kind = rnd.randrange(7)
    if kind == 0:
        return rnd.choice([None, True, False])
    if kind == 1:
        return rnd.choice(INTERESTING)
    if kind == 2:
        return rnd.randrange(-(2**rnd.randrange(1, 64)), 2**rnd.randrange(1, 64))
    if kind == 3:
        return rnd.choice(FLOATS)
    if kind == 4:
        return struct.unpack("d", struct.pack("Q", rnd.getrandbits(64)))[0]
    if kind == 5:
        return any_str(rnd)
    return bytes(rnd.randrange(256) for _ in range(rnd.choice([0, 1, 5, 40, 300])))


def any_key(rnd, depth):
    kind = rnd.randrange(8)
    if kind == 0 and depth > 0:
        return tuple(any_key(rnd, depth - 1) for _ in range(rnd.randrange(5)))
    if kind == 1 and depth > 0:
        return frozenset(any_key(rnd, depth - 1) for _ in range(rnd.randrange(5)))
    return any_scalar(rnd)


def any_object(rnd, depth, seen):
    """An object, and what libmp has to make of it: a bytearray reads as bytes."""
    kind = rnd.randrange(10)
    if seen and kind == 0:
        return rnd.choice(seen)
    n = rnd.choice([0, 1, 2, 3, 4, 10])
    if depth == 1 and rnd.random() < 0.005:
        n = rnd.choice([999, 1000, 1001, 2500])  # around what is one batch
    if depth == 0 or kind < 4:
        o = any_scalar(rnd)
        result = (o, o)
    elif kind == 4:
        o = bytearray(any_str(rnd).encode("utf8", "surrogatepass"))
        result = (o, bytes(o))
    elif kind == 5:
        items = [any_object(rnd, depth - 1, seen) for _ in range(n)]
        result = ([i[0] for i in items], [i[1] for i in items])
    elif kind == 6:
        items = [any_object(rnd, depth - 1, seen) for _ in range(n)]
        result = (tuple(i[0] for i in items), tuple(i[1] for i in items))
    elif kind == 7:
        items = [(any_key(rnd, 2), any_object(rnd, depth - 1, seen)) for _ in range(n)]
        result = ({k: v[0] for k, v in items}, {k: v[1] for k, v in items})
    elif kind == 8:
        o = set(any_key(rnd, 2) for _ in range(n))
        result = (o, o)
    else:
        o = frozenset(any_key(rnd, 2) for _ in range(n))
        result = (o, o)
    seen.append(result)
    return result


class Peer:
    def __init__(self, program, *args):
        self.process = subprocess.Popen([program, *map(str, args)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, data):
        self.process.stdin.write(struct.pack("<I", len(data)) + data)
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        head = self.process.stdout.read(4)
        if len(head) < 4:
            sys.exit("the peer ended with %s" % self.process.wait())
        (n,) = struct.unpack("<I", head)
        return self.process.stdout.read(n)

    def end(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit("the peer ended with %s" % self.process.returncode)


def fail(what, protocol, ours, theirs, data):
    sys.exit("%s, protocol %s\nPython: %.2000s\nlibmp:  %.2000s\nbytes:  %.2000r"
             % (what, protocol, ours, theirs, data))


def python_writes(program, seed, count):
    rnd = random.Random(seed)
    peer = Peer(program, "read")
    compared = 0
    for _ in range(count):
        o, mirror = any_object(rnd, 4, [])
        expected = repr(mirror)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            for dumps in (pickle.dumps, pickle._dumps):
                data = dumps(o, protocol)
                printed = peer.ask(data).decode("utf8")
                if printed != expected:
                    fail("read differs", protocol, expected, printed, data)
                compared += 1
    peer.end()
    return compared


def same(a, b):
    """Equal, of one type, in one order; floats bit by bit but for NaNs."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a != a and b != b or struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, (set, frozenset)):
        if len(a) != len(b):
            return False
        rest = list(b)
        for x in a:
            for i, y in enumerate(rest):
                if same(x, y):
                    del rest[i]
                    break
            else:
                return False
        return True
    return a == b


LITERAL_OR_NAN = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\bnan\b""", re.S)


def nan_anew(match):
    """Of a literal nothing is touched: b"\\nan" is a newline and two letters."""
    return "float('nan')" if match.group() == "nan" else match.group()


def libmp_writes(program, seed, count):
    peer = Peer(program, "write", seed, count)
    names = {"inf": math.inf, "set": set, "frozenset": frozenset}
    for _ in range(count):
        printed = peer.answer().decode("utf8")
        # each NaN an object of its own, as in what is loaded: a set holds two of them
        expected = eval(LITERAL_OR_NAN.sub(nan_anew, printed), names)
        for protocol in range(2, 6):
            data = peer.answer()
            if protocol > pickle.HIGHEST_PROTOCOL:
                continue
            for loads in (pickle.loads, pickle._loads):
                o = loads(data)
                if not same(o, expected):
                    fail("written differs", protocol, repr(o), printed, data)
    peer.end()
    return count * 4


def every_character(program):
    """Which characters are printed as they are depends on the version of Unicode."""
    peer = Peer(program, "read")
    for plane in range(17):
        text = "".join(map(chr, range(plane << 16, (plane + 1) << 16)))
        printed = peer.ask(pickle.dumps(text, 4)).decode("utf8")
        if printed != repr(text):
            at = next(i for i in range(len(printed)) if printed[i] != repr(text)[i])
            fail("characters differ", 4, repr(text)[at - 20:at + 20], printed[at - 20:at + 20], b"")
    peer.end()


def main():
    program, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    read = python_writes(program, seed, count)
    written = libmp_writes(program, seed, count)
    characters = "not compared"
    if unicodedata.unidata_version == "15.1.0":
        every_character(program)
        characters = "all alike"
    print("CPython %s: %d pickles read alike, %d written alike, characters of Unicode %s %s"
          % (sys.version.split()[0], read, written, unicodedata.unidata_version, characters))


main()
