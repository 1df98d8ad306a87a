# SPDX-License-Identifier: BSD-2-Clause
"""Objects of builtin types, small and far over 512 bytes. Told to go, makes known numbers; told to tell, says them.

All that is kept lies in slots that exist before "ready", and holds nothing but what existed before: what is
made between the two censuses is what is counted. Python 3.8 to 3.15.
"""

import array
import collections
import ctypes
import datetime
import decimal
import gc
import json
import sys
import xml.etree.ElementTree

import rawmem

N = 6000
LARGE = 10 * 1000 * 1000  # bytes
KEYS = ["key%d" % i for i in range(200000)]
NUMBERS = list(range(1000, 201000))


as_utf8 = ctypes.pythonapi.PyUnicode_AsUTF8
as_utf8.argtypes, as_utf8.restype = [ctypes.py_object], ctypes.c_void_p


def cached(text):
    as_utf8(text)
    return text


def appended(count):
    made = []
    for _ in range(count):
        made.append(None)
    return made


def shrunk(count, left):
    made = [None] * count
    del made[left:]
    return made


def emptied(made):
    made.clear()
    return made


def grown(made, text):
    for _ in range(5):
        made += text
    return made


class Small(ctypes.Structure):
    _fields_ = [("number", ctypes.c_int)]


class Large(ctypes.Structure):
    _fields_ = [("text", ctypes.c_char * 2000)]


def element(children):
    made = xml.etree.ElementTree.Element("row")
    made.extend([CHILD] * children)
    return made


CHILD = xml.etree.ElementTree.Element("child")


MAKERS = {
    "ascii": lambda i: "ascii %d" % i,
    "latin-1": lambda i: "caf\xe9 %d" % i,
    "ucs2": lambda i: "\u20ac %d" % i,
    "ucs4": lambda i: "\U0001f40d %d" % i,
    "utf8 cache": lambda i: cached("\u20ac cached %d" % i),
    "utf8 cache, latin-1": lambda i: cached("caf\xe9 cached %d" % i),
    "bytes": lambda i: b"bytes %d" % i,
    "int, small": lambda i: (1 << 20) + i,
    "int, two digits": lambda i: (1 << 40) + i,
    "int, negative": lambda i: -(1 << 90) - i,
    "float": lambda i: i + 0.5,
    "complex": lambda i: complex(i, 0.5),
    "tuple": lambda i: (None, True) * (2 + i % 4),
    "list": lambda i: [None] * (i % 8),
    "list, appended": lambda i: appended(i % 30),
    "list, emptied": lambda i: emptied([None] * 20),
    "list, shrunk": lambda i: shrunk(60, i % 30),
    "dict, empty": lambda i: {},
    "dict": lambda i: {"a": None, "b": i % 2},
    "dict, from keys": lambda i: dict.fromkeys(KEYS[: i % 12]),
    "dict, general": lambda i: {1: None, "b": None},
    "dict, emptied": lambda i: emptied({"a": None}),
    "set": lambda i: {None, True},
    "set, table": lambda i: set(KEYS[: i % 30]),
    "set, emptied": lambda i: emptied(set(KEYS[:30])),
    "frozenset": lambda i: frozenset(KEYS[: 1 + i % 8]),
    "bytearray": lambda i: bytearray(i % 60),
    "bytearray, grown": lambda i: grown(bytearray(), b"some bytes"),
    "bytearray, empty": lambda i: bytearray(),
    "time": lambda i: datetime.time(1, i % 60),
    "time, aware": lambda i: datetime.time(1, i % 60, tzinfo=datetime.timezone.utc),
    "datetime": lambda i: datetime.datetime(2000, 1, 1, 1, i % 60),
    "datetime, aware": lambda i: datetime.datetime(2000, 1, 1, 1, i % 60, tzinfo=datetime.timezone.utc),
    "date": lambda i: datetime.date(2000, 1, 1 + i % 28),
    "timedelta": lambda i: datetime.timedelta(1 + i),
    "decimal": lambda i: decimal.Decimal(i),
    "element": lambda i: element(i % 20),
    "packed": lambda i: Small(i),
}
MEDIUM = {  # over 512 bytes each, so malloc's
    "deque": lambda i: collections.deque([None] * (i % 200)),
    "deque, bounded": lambda i: collections.deque([None] * 100, maxlen=10),
    "array": lambda i: array.array("d", bytes(8 * (i % 300))),
    "ordered": lambda i: collections.OrderedDict.fromkeys(KEYS[: i % 50]),
    "default": lambda i: collections.defaultdict(list, dict.fromkeys(KEYS[: i % 50])),
    "str": lambda i: "x" * 1000 + str(i),
    "str, ucs2": lambda i: cached("\u20ac" * 1000 + str(i)),
    "bytes": lambda i: b"x" * (600 + i),
    "int, huge": lambda i: 1 << (6000 + i),
    "tuple": lambda i: (None,) * (100 + i % 50),
    "list": lambda i: [None] * (100 + i),
    "list, shrunk from large": lambda i: shrunk(1000, i % 20),
    "dict": lambda i: dict.fromkeys(KEYS[: 50 + i % 50]),
    "dict, general": lambda i: dict.fromkeys(NUMBERS[: 50 + i % 50]),
    "set": lambda i: set(KEYS[: 100 + i % 50]),
    "frozenset": lambda i: frozenset(NUMBERS[: 100 + i % 50]),
    "bytearray": lambda i: bytearray(600 + i),
    "decimal, long": lambda i: decimal.Decimal((0, (7,) * (1 + i * 10), 0)),
    "packed": lambda i: Large(),
}
HUGE = {
    "str": lambda i: "x" * LARGE,
    "str, ucs4": lambda i: "\U0001f40d" * (LARGE // 4),
    "bytes": lambda i: b"x" * LARGE,
    "int": lambda i: 1 << (LARGE // 4 * 30),
    "list": lambda i: [None] * (LARGE // 8),
    "tuple": lambda i: (None,) * (LARGE // 8),
    "dict": lambda i: dict.fromkeys(KEYS),
    "dict, general": lambda i: dict.fromkeys(NUMBERS),
    "set": lambda i: set(KEYS),
    "frozenset": lambda i: frozenset(NUMBERS),
    "bytearray": lambda i: bytearray(LARGE),
    "array": lambda i: array.array("q", bytes(8)) * (LARGE // 8),
    "deque": lambda i: collections.deque(KEYS) * 6,
    "ordered": lambda i: collections.OrderedDict.fromkeys(KEYS[:50000]),
}

slots = [[None] * N for _ in MAKERS] + [[None] * 500 for _ in MEDIUM] + [[None] for _ in HUGE]
makers = [*MAKERS.values(), *MEDIUM.values(), *HUGE.values()]


def make():
    for kept, maker in zip(slots, makers):
        for i in range(len(kept)):
            kept[i] = maker(i)


def tell():
    """By type: the count, what getsizeof says, whole blocks where they can be told, capacity; dicts by layout."""
    types, layouts = {}, dict.fromkeys(("split", "unicode", "general", "empty"), 0)
    for obj in (obj for kept in slots for obj in kept):
        kind = type(obj)
        name = kind.__qualname__ if kind.__module__ == "builtins" else kind.__module__ + "." + kind.__qualname__
        row = types.setdefault(name, {"objects": 0, "sizeof": 0, "inuse": 0, "used": 0, "owned": 0})
        row["objects"] += 1
        row["sizeof"] += sys.getsizeof(obj)
        row["inuse"] += rawmem.blocks_of(obj) if kind.__module__ == "builtins" else 0
        capacity = rawmem.capacity_of(obj)
        if capacity:
            row["used"] += capacity[0]
            row["owned"] += capacity[1]
        if isinstance(obj, dict) and rawmem.READABLE:
            layouts[rawmem.dict_layout_of(obj)] += 1
    return {"types": types, "layouts": layouts}


for maker in makers:  # nothing is met for the first time later
    maker(1)
del maker
gc.collect()  # what the start left behind would otherwise go between the two
print("ready", flush=True)
sys.stdin.readline()
make()
print("made", flush=True)
sys.stdin.readline()
print(json.dumps(tell()), flush=True)
sys.stdin.readline()
