# SPDX-License-Identifier: BSD-2-Clause
"""What an object looks like in memory, read by the process itself without touching the object.

An answer of its own, not a copy of the program's: reading obj.__dict__ would make a dict where there was none.
Offsets: Include/cpython/object.h, Include/internal/pycore_dict.h, Objects/obmalloc.c of 3.8 to 3.15, 64 bit, with GIL.
"""

import ctypes
import functools
import struct
import sys
import sysconfig

VERSION = sys.version_info[:2]
POOL_SIZE = 4096 if VERSION < (3, 10) else 16384
SMALL = 512  # what pymalloc serves at most
CACHED_KEYS = {(3, 8): 872, (3, 9): 864, (3, 10): 872, (3, 11): 872, (3, 15): 888}.get(VERSION, 880)
# Nothing is read raw in a free-threaded build, whose objects are laid out differently; and no sizes of blocks where
# the debug hooks are in between.
READABLE = not sysconfig.get_config_var("Py_GIL_DISABLED")
BLOCKS = READABLE and not hasattr(sys, "gettotalrefcount")

HEAPTYPE = 1 << 9
HAVE_GC = 1 << 14
TYPE_SUBCLASS = 1 << 31
MANAGED_DICT = 1 << 4 if VERSION >= (3, 11) else 0
MANAGED_WEAKREF = 1 << 3 if VERSION >= (3, 12) else 0
INLINE_VALUES = 1 << 2 if VERSION >= (3, 13) else 0

STORAGE = "inline", "split", "combined", "general", "slots", "none"
PARTS = "object", "dict", "dict_keys", "dict_values", "buffer"


def u8(address):
    return ctypes.string_at(address, 1)[0]


def u64(address):
    return struct.unpack("<Q", ctypes.string_at(address, 8))[0]


def i64(address):
    return struct.unpack("<q", ctypes.string_at(address, 8))[0]


def object_at(address):
    return ctypes.cast(address, ctypes.py_object).value


def flags(kind):
    return u64(id(kind) + 168)


def front(kind):
    """Bytes in front of an instance: GC head and pre-header."""
    gc = 16 if flags(kind) & HAVE_GC else 0
    return gc + (16 if flags(kind) & (MANAGED_DICT | MANAGED_WEAKREF) else 0)


@functools.lru_cache(maxsize=None)
def brk_heap():
    """Where malloc's main heap is. Asked once all is made."""
    for line in open("/proc/self/maps"):
        if line.rstrip().endswith("[heap]"):
            return tuple(int(word, 16) for word in line.split()[0].split("-"))
    return 0, 0


def block_bytes(address, request):
    """What the allocator gave for a request whose block starts at address: from its own headers."""
    if not BLOCKS:
        return 0
    start, end = brk_heap()
    # What was large once and was made smaller stays where it is.
    if request > SMALL or start <= address < end:
        return u64(address - 8) & ~7  # glibc: the chunk's size, its header included
    pool = address & ~(POOL_SIZE - 1)
    size = pool_block(address)
    assert request <= size and (address - pool - 48) % size == 0, (request, size)
    return size


class Keys:
    """A PyDictKeysObject."""

    def __init__(self, address):
        self.address = address
        self.refcount = i64(address)
        if VERSION < (3, 11):
            size = u64(address + 8)
            self.general = None  # told by a function pointer: not read here
            self.usable, self.used = i64(address + 24), i64(address + 32)
            self.entries = address + 40 + size * (1 if size <= 0xFF else 2 if size <= 0xFFFF else 4)
            self.entry, self.key = 24, 8
        else:
            size = 1 << u8(address + 8)
            self.general = u8(address + 10) == 0
            self.usable, self.used = i64(address + 16), i64(address + 24)
            self.entries = address + 32 + (1 << u8(address + 9))
            self.entry, self.key = (24, 8) if self.general else (16, 0)
        self.slots = 2 * size // 3
        self.bytes = self.entries - address + self.entry * self.slots
        self.empty = size == 1

    def names(self):
        words = (u64(self.entries + i * self.entry + self.key) for i in range(self.used))
        return [object_at(word) for word in words if word]


class Values:
    """An array of split values; @address as the dict or the instance has it."""

    def __init__(self, address, keys):
        if VERSION < (3, 11):
            self.block, self.bytes, self.set = address, 8 * keys.slots, None
        elif VERSION < (3, 13):
            self.block, self.set = address - u8(address - 1), u8(address - 2)
            self.bytes = None  # its capacity is written nowhere
        else:
            capacity = u8(address)
            self.set, embedded, self.valid = u8(address + 1), u8(address + 2), u8(address + 3)
            self.block = None if embedded else address
            self.bytes = 8 + 8 * capacity + (capacity + 7) // 8 * 8

    def block_bytes(self):
        if self.block is None:
            return 0
        return block_bytes(self.block, 16 if self.bytes is None else self.bytes) if self.bytes else pool_block(self.block)


def pool_block(address):
    if not BLOCKS:
        return 0
    pool = address & ~(POOL_SIZE - 1)
    return 16 * (struct.unpack("<I", ctypes.string_at(pool + 36, 4))[0] + 1)


def dict_pointer(obj):
    """(values without a dict object, dict): addresses or 0."""
    kind, at = type(obj), id(obj)
    if flags(kind) & MANAGED_DICT:
        word = u64(at - 24)
        if VERSION == (3, 11):
            return u64(at - 32), word
        if VERSION == (3, 12):
            return (word + 1, 0) if word & 1 else (0, word)
        inline = at + kind.__basicsize__ if flags(kind) & INLINE_VALUES else 0
        return (0, word) if word else (inline, 0)
    offset = i64(id(kind) + 288)
    if offset < 0:
        items = abs(i64(at + 16)) * kind.__itemsize__
        offset += (kind.__basicsize__ + items + 7) // 8 * 8
    return 0, u64(at + offset) if offset else 0


def has_slots(kind):
    return any(vars(base).get("__slots__") for base in kind.__mro__)


def describe(obj, cached_keys):
    """(storage, parts, shared): shared is the address of keys that others may have too."""
    kind = type(obj)
    values, at = dict_pointer(obj)
    parts = dict.fromkeys(PARTS, 0)
    if not i64(id(kind) + 288):
        return ("slots" if has_slots(kind) else "none"), parts, 0
    if values:
        values = Values(values, None)
        parts["dict_values"] = values.block_bytes()
        return ("inline" if values.set and getattr(values, "valid", 1) else "none"), parts, 0
    if not at:
        return "none", parts, 0

    keys, values, shared = Keys(u64(at + 32)), u64(at + 40), 0
    parts["dict"] = block_bytes(at - 16, 64)
    if keys.empty:
        return "none", parts, 0
    if values:
        parts["dict_values"] = Values(values, keys).block_bytes()
    if values or keys.refcount > 1:
        shared = keys.address
    if keys.refcount == 1:
        parts["dict_keys"] = block_bytes(keys.address, keys.bytes)
        shared = 0
    if values:
        return "split", parts, shared
    general = keys.general
    if general is None:
        general = not all(type(key) is str for key in object_at(at))
    return ("general" if general else "combined"), parts, shared


def object_block(obj):
    kind = type(obj)
    if flags(kind) & TYPE_SUBCLASS:
        return block_bytes(id(obj) - 16, SMALL + 1)  # a class never fits in a pool
    return block_bytes(id(obj) - front(kind), own_request(obj))


def own_request(obj):
    """Bytes asked for the object itself, its buffers left out."""
    kind = type(obj)
    items = 0
    if kind.__itemsize__:
        items = len(obj) if hasattr(kind, "__len__") else abs(int(obj)).bit_length() // 30 + 1
    request = front(kind) + kind.__basicsize__ + items * kind.__itemsize__
    if flags(kind) & INLINE_VALUES:
        request += Values(id(obj) + kind.__basicsize__, None).bytes
    return (request + 7) // 8 * 8 if request <= SMALL else request


def buffer_block(obj):
    """The buffer of a list, dict or str subclass's instance: (part, bytes)."""
    at = id(obj)
    if isinstance(obj, list):
        items = u64(at + 24)
        return "buffer", block_bytes(items, 8 * u64(at + 32)) if items else 0
    if isinstance(obj, dict):
        keys = Keys(u64(at + 32))
        return "dict_keys", 0 if keys.empty else block_bytes(keys.address, keys.bytes)
    if isinstance(obj, str):
        data = u64(at + (72 if VERSION < (3, 12) else 56))
        return "buffer", block_bytes(data, len(obj) + 1) if data else 0
    if isinstance(obj, bytearray) and VERSION < (3, 15):
        data = u64(at + 32)
        return "buffer", block_bytes(data, u64(at + 24)) if data else 0
    if isinstance(obj, bytearray):  # a bytes object that is its own; empty ones share one
        allocated = u64(at + 24)
        return "buffer", block_bytes(u64(at + 56), 33 + allocated) if allocated else 0
    if isinstance(obj, (set, frozenset)):
        table = u64(at + 40)
        return "buffer", block_bytes(table, 16 * (u64(at + 32) + 1)) if table != at + 64 else 0
    return "buffer", 0


def utf8_cache(obj):
    """(address, bytes) of a str's UTF-8 form where it has one besides itself."""
    pointer = u64(id(obj) + (56 if VERSION < (3, 12) else 48))
    length = u64(id(obj) + (48 if VERSION < (3, 12) else 40))
    return (0, 0) if obj.isascii() or not pointer else (pointer, length + 1)


def blocks_of(obj):
    """All that an object of a builtin type has of the allocator: itself and its buffers."""
    kind, at = type(obj), id(obj)
    if not BLOCKS:
        return 0
    if kind is str:
        address, count = utf8_cache(obj)
        cache = block_bytes(address, count) if address else 0
        return block_bytes(at, sys.getsizeof(obj) - count) + cache
    if kind in (list, dict, set, frozenset, bytearray):
        return block_bytes(at - front(kind), front(kind) + kind.__basicsize__) + buffer_block(obj)[1]
    return block_bytes(at - front(kind), sys.getsizeof(obj))


def capacity_of(obj):
    """(used, owned) slots, or None."""
    if not READABLE:
        return None
    at = id(obj)
    if isinstance(obj, list):
        return len(obj), u64(at + 32) if u64(at + 24) else 0
    if isinstance(obj, bytearray):
        return len(obj), u64(at + 24)
    if isinstance(obj, (set, frozenset)):
        return len(obj), u64(at + 32) + 1
    if isinstance(obj, dict):
        return len(obj), Keys(u64(at + 32)).slots
    return None


def dict_layout_of(obj):
    """In the words of a snapshot; of a build that can be read."""
    keys, values = Keys(u64(id(obj) + 32)), u64(id(obj) + 40)
    if keys.empty:
        return "empty"
    if values:
        return "split"
    general = not all(type(key) is str for key in obj) if keys.general is None else keys.general
    return "general" if general else "unicode"


def facts(kind, objects):
    """What a snapshot says about a class whose living instances are exactly these; null where it cannot be told."""
    told = {
        "name": kind.__module__ + "." + kind.__qualname__,
        "address": hex(id(kind)),
        "objects": len(objects),
        "sizeof": sum(map(sys.getsizeof, objects)),
    }
    return {**told, **(raw_facts(kind, objects) if READABLE else {})}


def raw_facts(kind, objects):
    storage, parts = dict.fromkeys(STORAGE, 0), dict.fromkeys(PARTS, 0)
    cached = u64(id(kind) + CACHED_KEYS) if flags(kind) & HEAPTYPE else 0
    shared = {cached} if cached else set()
    for obj in objects:
        kept, more, keys = describe(obj, cached)
        storage[kept] += 1
        for part in PARTS:
            parts[part] += more[part]
        if BLOCKS:
            parts["object"] += object_block(obj)
            part, count = buffer_block(obj)
            parts[part] += count
        shared |= {keys} if keys else set()
    for address in shared:
        keys = Keys(address)
        parts["dict_keys"] += block_bytes(address, keys.bytes)
    keys = Keys(cached) if cached else None
    return {
        "storage": storage,
        "parts": parts if BLOCKS else None,
        "shared_keys": keys and {"names": keys.names(), "used": keys.used, "bytes": keys.bytes},
    }
