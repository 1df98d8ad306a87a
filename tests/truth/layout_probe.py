# SPDX-License-Identifier: BSD-2-Clause
"""
Runs inside the interpreter under test (3.8 and later): a layout table comes in on stdin as JSON, a list of
[what, what the table leads to in raw memory, what the interpreter says] goes out.
"""

import array
import collections
import ctypes
import io
import json
import struct
import sys
import types
import weakref

T = json.load(sys.stdin)
checks = []


def check(what, got, want):
    checks.append([what, got, want])


def read(address, form):
    try:
        return struct.unpack(form, ctypes.string_at(address, struct.calcsize(form)))[0]
    except (OverflowError, ValueError):
        return None


def word(obj, field):
    return read(id(obj) + T[field], "<Q")


def signed(obj, field):
    return read(id(obj) + T[field], "<q")


def preheader(obj):
    """What stands in front of obj and sys.getsizeof() counts."""
    kind = type(obj)
    if not kind.__flags__ & (1 << 14) or isinstance(obj, type) and not obj.__flags__ & (1 << 9):
        gc = 0
    else:
        gc = T["gc_head_size"]
    return gc + (16 if kind.__flags__ & T["flags_preheader"] else 0)


def own_size(obj):
    return sys.getsizeof(obj) - preheader(obj)


class Plain:
    def __init__(self, n):
        self.first = n
        self.second = str(n)


class Slotted:
    __slots__ = ("a", "b", "c")


def generator():
    yield 1


def check_types():
    kinds = [int, str, list, dict, tuple, set, type, object, Plain, Slotted, collections.deque, array.array]
    for kind in kinds + [collections.OrderedDict, Exception, types.FunctionType, memoryview]:
        name = kind.__name__
        check(name + " basicsize", signed(kind, "tp_basicsize"), kind.__basicsize__)
        check(name + " itemsize", signed(kind, "tp_itemsize"), kind.__itemsize__)
        check(name + " flags", word(kind, "tp_flags"), kind.__flags__)
        check(name + " dictoffset", signed(kind, "tp_dictoffset"), kind.__dictoffset__)
        check(name + " weaklistoffset", signed(kind, "tp_weaklistoffset"), kind.__weakrefoffset__)
        check(name + " base", word(kind, "tp_base"), id(kind.__base__) if kind.__base__ else 0)
        check(name + " mro", word(kind, "tp_mro"), id(kind.__mro__))
        check(name + " type", word(kind, "ob_type"), id(type(kind)))
        raw = ctypes.string_at(word(kind, "tp_name"), 64).split(b"\0")[0].decode("ascii", "replace")
        check(name + " name", raw.rpartition(".")[2], name)
    for kind in (Plain, Slotted):
        check("ht_name", word(kind, "ht_name"), id(kind.__name__))
        check("ht_qualname", word(kind, "ht_qualname"), id(kind.__qualname__))
    slots = ctypes.cast(word(Slotted, "ht_slots"), ctypes.py_object).value
    check("ht_slots", list(slots), ["a", "b", "c"])
    # type.__sizeof__() leaves out the members that stand behind the type.
    check("heap type size", T["sizeof_heap_type"], own_size(Slotted))


def keys_bytes(keys):
    if T["dk_size"] is not None:
        size = read(keys + T["dk_size"], "<q")
        width = 1 if size <= 0xFF else 2 if size <= 0xFFFF else 4
        return T["dk_indices"] + size * width + T["sizeof_key_entry"] * (size * 2 // 3)
    size = 1 << read(keys + T["dk_log2_size"], "<B")
    general = read(keys + T["dk_kind"], "<B") == 0
    entry = T["sizeof_key_entry" if general else "sizeof_unicode_entry"]
    return T["dk_indices"] + (1 << read(keys + T["dk_log2_index_bytes"], "<B")) + entry * (size * 2 // 3)


def entries_start(keys):
    if T["dk_size"] is not None:
        size = read(keys + T["dk_size"], "<q")
        return keys + T["dk_indices"] + size * (1 if size <= 0xFF else 2)
    return keys + T["dk_indices"] + (1 << read(keys + T["dk_log2_index_bytes"], "<B"))


def check_dicts():
    # What getsizeof() counts without the keys is the object alone, so the two together are the table's.
    for name, d in (("str", {str(i): i for i in range(100)}), ("int", {i: str(i) for i in range(1000)})):
        keys = word(d, "ma_keys")
        general = T["dk_size"] is not None or name == "int"
        prefix = "key_entry" if general else "unicode_entry"
        second = entries_start(keys) + T["sizeof_" + prefix]
        check(name + " dict used", signed(d, "ma_used"), len(d))
        check(name + " dict values", word(d, "ma_values"), 0)
        check(name + " dict entries", read(keys + T["dk_nentries"], "<q"), len(d))
        check(name + " keys refcount", read(keys + T["dk_refcnt"], "<q"), 1)
        check(name + " dict size", T["sizeof_dict"] + keys_bytes(keys), own_size(d))
        check(name + " dict key", read(second + T[prefix + "_key"], "<Q"), id(list(d)[1]))
        check(name + " dict value", read(second + T[prefix + "_value"], "<Q"), id(list(d.values())[1]))
        usable = read(keys + T["dk_usable"], "<q")
        check(name + " usable", 0 <= usable < 2 * len(d), True)
    instance = Plain(1000)
    attributes = instance.__dict__
    check("instance keys", word(attributes, "ma_keys"), word(Plain, "ht_cached_keys"))
    check("instance values", word(attributes, "ma_values") != 0, True)
    if T["managed_dict_offset"]:
        check("instance dict", read(id(instance) + T["managed_dict_offset"], "<Q"), id(attributes))
    elif Plain.__dictoffset__ > 0:
        check("instance dict", read(id(instance) + Plain.__dictoffset__, "<Q"), id(attributes))


def check_strings():
    heads = {"ascii": T["sizeof_ascii"], "compact": T["sizeof_compact"]}
    for text, kind in (("abc" * 30, 1), ("h\xe9llo" * 9, 1), ("\u0431\u0432" * 9, 2), ("\U0001f600x" * 9, 4)):
        state = read(id(text) + T["str_state"], "<I")
        ascii_only = all(ord(c) < 128 for c in text)
        check(ascii(text) + " length", signed(text, "str_length"), len(text))
        check(ascii(text) + " kind", state >> T["str_kind_shift"] & T["str_kind_mask"], kind)
        check(ascii(text) + " compact", bool(state & T["str_compact_mask"]), True)
        check(ascii(text) + " ascii", bool(state & T["str_ascii_mask"]), ascii_only)
        head = heads["ascii" if ascii_only else "compact"]
        check(ascii(text) + " size", head + (len(text) + 1) * kind, own_size(text))
    data = b"bytes of some length"
    check("bytes size", T["sizeof_bytes"] + len(data), own_size(data))
    check("bytes data", ctypes.string_at(id(data) + T["bytes_data"], len(data)).decode(), data.decode())
    grown = bytearray(b"x" * 100)
    grown.extend(b"y" * 50)
    check("bytearray data", ctypes.string_at(word(grown, "bytearray_start"), 150) == bytes(grown), True)
    check("bytearray basicsize", T["sizeof_bytearray"], bytearray.__basicsize__)
    check("bytearray alloc", signed(grown, "bytearray_alloc") >= 150, True)


def check_numbers():
    for n in (1, 7, -5, 2**30, 2**31 + 5, -(2**100), 3**200):
        digits = (abs(n).bit_length() + 29) // 30
        if T["int_tag"] is None:
            got = abs(signed(n, "ob_size"))
        else:
            got = word(n, "int_tag") >> T["int_tag_shift"]
        check("digits of %d" % n, got, digits)
        value = sum(read(id(n) + T["int_digits"] + 4 * i, "<I") << 30 * i for i in range(digits))
        check("value of %d" % n, str(value), str(abs(n)))
        check("size of %d" % n, T["sizeof_int"] + T["sizeof_digit"] * digits, own_size(n))
    check("float", T["sizeof_float"], own_size(1.5))
    check("complex", T["sizeof_complex"], own_size(2j))


def check_sequences():
    items = []
    for i in range(100):
        items.append(str(i))
    check("list length", signed(items, "ob_size"), 100)
    check("list item", read(word(items, "list_items") + 8, "<Q"), id(items[1]))
    check("list size", T["sizeof_list"] + 8 * signed(items, "list_allocated"), own_size(items))
    pair = tuple(items[:5])
    check("tuple item", read(id(pair) + T["tuple_items"] + 8, "<Q"), id(pair[1]))
    check("tuple size", T["sizeof_tuple"] + 8 * 5, own_size(pair))
    for numbers in ({1, 2}, set(range(100)), frozenset(range(20))):
        inside = word(numbers, "set_table") == id(numbers) + T["set_smalltable"]
        table = 0 if inside else (signed(numbers, "set_mask") + 1) * T["sizeof_set_entry"]
        check("set used", signed(numbers, "set_used"), len(numbers))
        check("set fill", signed(numbers, "set_fill"), len(numbers))
        check("set size", T["sizeof_set"] + table, own_size(numbers))
    view = memoryview(b"abc")
    check("memoryview size", T["memoryview_base_size"] + 8 * signed(view, "ob_size"), own_size(view))


def check_modules():
    queue = collections.deque(range(1000, 2000))
    left = signed(queue, "deque_leftindex")
    blocks = (left + len(queue) + 63) // 64
    check("deque size", T["sizeof_deque"] + T["sizeof_deque_block"] * blocks, own_size(queue))
    block, linked = word(queue, "deque_leftblock"), 0
    check("deque first", read(block + 8 + 8 * left, "<Q"), id(queue[0]))
    while block and linked < 100:
        linked += 1
        block = read(block + T["deque_block_next"], "<Q") if linked < blocks else 0
    check("deque blocks", linked, blocks)
    ordered = collections.OrderedDict((str(i), i) for i in range(20))
    node, linked = word(ordered, "odict_first"), 0
    check("OrderedDict first", read(node, "<Q"), id(next(iter(ordered))))
    while node and linked < 100:
        node, linked = read(node + T["odict_node_next"], "<Q"), linked + 1
    check("OrderedDict nodes", linked, len(ordered))
    size = T["sizeof_odict"] + keys_bytes(word(ordered, "ma_keys"))
    size += 8 * signed(ordered, "odict_fast_nodes_size") + T["sizeof_odict_node"] * len(ordered)
    check("OrderedDict size", size, own_size(ordered))
    numbers = array.array("d", range(10))
    itemsize = read(word(numbers, "array_descr") + T["array_descr_itemsize"], "<i")
    check("array itemsize", itemsize, numbers.itemsize)
    check("array size", T["sizeof_array"] + itemsize * signed(numbers, "array_allocated"), own_size(numbers))
    stream = io.BytesIO()
    stream.write(b"x" * 100)
    buffer = word(stream, "bytesio_buf")
    check("BytesIO size", T["sizeof_bytesio"] + T["sizeof_bytes"] + read(buffer + T["ob_size"], "<q"), own_size(stream))
    check("array items", word(numbers, "array_items"), numbers.buffer_info()[0])


def check_code():
    code = generator.__code__
    size = T["sizeof_code"] + (T["sizeof_code_unit"] * signed(code, "ob_size") if T["sizeof_code_unit"] else 0)
    check("code basicsize", T["sizeof_code"], types.CodeType.__basicsize__)
    check("code size", (size + 7) // 8 * 8 >= own_size(code) >= T["sizeof_code"], True)
    check("code name", word(code, "code_name"), id(code.co_name))
    check("code filename", word(code, "code_filename"), id(code.co_filename))
    check("code stacksize", read(id(code) + T["code_stacksize"], "<i"), code.co_stacksize)
    running = generator()
    check("generator code", word(running, "gen_code_path") & ~3, id(code))
    check("function code", word(generator, "function_code"), id(code))
    check("function qualname", word(generator, "function_qualname"), id(generator.__qualname__))
    check("descriptor type", word(str.__dict__["join"], "descr_type"), id(str))
    check("module dict", word(sys, "module_dict"), id(sys.__dict__))
    check("module size", T["sizeof_module"], types.ModuleType.__basicsize__)
    reference = weakref.ref(Plain)
    check("weakref object", word(reference, "weakref_object"), id(Plain))


for part in (check_types, check_dicts, check_strings, check_numbers, check_sequences, check_modules, check_code):
    part()
json.dump(checks, sys.stdout)
