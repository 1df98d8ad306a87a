# SPDX-License-Identifier: BSD-2-Clause
"""The whole heap against what the interpreter says of it: its allocator's statistics and its garbage collector."""

import json
import os
import pathlib
import re
import signal

import books
import pytest
from target import Target

TARGETS = pathlib.Path(__file__).parent / "targets"

pytestmark = pytest.mark.usefixtures("can_attach")


@pytest.fixture
def target(interpreter, tmp_path):
    if not interpreter.gil:
        pytest.skip("no pymalloc to ask in a free-threaded build")
    if interpreter.musl:
        pytest.skip("no truth: what is over 512 bytes is not seen")
    with Target(interpreter, TARGETS / "whole_heap.py", stderr=open(tmp_path / "stats", "w")) as running:
        yield running


def statistics(text):
    """({size: (pools, blocks in use, free blocks)}, {name: bytes}, dead objects) of sys._debugmallocstats()."""
    row = re.compile(r"^ +\d+ +(\d+) +(\d+) +(\d+) +(\d+)$", re.M)
    classes = {int(size): (int(p), int(u), int(f)) for size, p, u, f in row.findall(text)}
    totals = {}
    for name, number in re.findall(r"^(.*?) += +([\d,]+)$", text, re.M):
        totals.setdefault(name.strip(), int(number.replace(",", "")))  # what follows is not about arenas
    dead = sum(int(n) for n in re.findall(r"^ *(\d+) free (?:\d+-sized )?Py\w+ \* ", text, re.M))
    return classes, totals, dead


def test_every_block_is_as_the_allocator_says(pymemtop, target, tmp_path):
    """Class by class, to the block; what the interpreter keeps for reuse it calls in use, and a snapshot free."""
    assert target.ask("stats") == "stats"
    snapshot = pymemtop.json("snapshot", target.pid)
    os.kill(target.pid, signal.SIGUSR1)
    allocated = json.loads(target.line())["allocated"]
    classes, totals, dead = statistics((tmp_path / "stats").read_text())
    heap = snapshot["memory"]["pymalloc"]
    books.check_still(snapshot)

    rows = {c["size_bytes"]: c for c in heap["size_classes"]}
    assert {size: row["pools_count"] for size, row in rows.items()} == {s: c[0] for s, c in classes.items()}
    got = {size: row["inuse_blocks"] + row["free_blocks"] for size, row in rows.items()}
    assert got == {size: used + free for size, (_, used, free) in classes.items()}
    kept = {size: used - rows[size]["inuse_blocks"] for size, (_, used, _) in classes.items()}
    assert min(kept.values()) >= 0, kept
    assert sum(kept.values()) == heap["freelist_blocks"] >= dead > 0
    assert sum(size * count for size, count in kept.items()) == heap["freelist_bytes"]

    assert heap["arenas_count"] == totals["# arenas allocated current"]
    assert heap["arena_bytes"] == totals["Total"]
    assert heap["inuse_bytes"] + heap["freelist_bytes"] == totals["# bytes in allocated blocks"]
    assert heap["free_block_bytes"] - heap["freelist_bytes"] == totals["# bytes in available blocks"]
    lost = "pool headers", "quantization", "arena alignment"
    assert heap["overhead_bytes"] == sum(totals["# bytes lost to " + what] for what in lost)

    # sys.getallocatedblocks() counts pymalloc's blocks and those of malloc that were asked of it (> 512 bytes).
    in_pools = sum(used for _, used, _ in classes.values())
    large = allocated - in_pools
    assert 0 < large < 0.2 * in_pools


# Types whose instances are all tracked by the garbage collector from their birth, and never live in static data.
TRACKED = """function module type set cell property staticmethod classmethod method_descriptor wrapper_descriptor
    getset_descriptor member_descriptor classmethod_descriptor _io.BytesIO""".split()


def test_objects_are_those_that_the_collector_knows(pymemtop, target):
    target.ask("gc")
    snapshot = pymemtop.json("snapshot", target.pid)
    truth = json.loads(target.ask("gc"))
    rows = [row for row in snapshot["types"] if row["name"] in TRACKED or row["name"] == "abc.ABCMeta"]
    assert len(rows) > 8
    got = {row["name"]: [row["inuse_objects"], row["sizeof_bytes"]] for row in rows}
    assert got == {row["name"]: truth[row["address"]] for row in rows}
    # The collector does not know those that run.
    frame = books.named(snapshot, "frame")
    count, size = truth[frame["address"]]
    assert count > 500 and 0 <= frame["inuse_objects"] - count <= 2
    assert 0 <= frame["sizeof_bytes"] - size <= 2000


ELEMENTS = """
import xml.etree.ElementTree as tree
kept = [tree.Element("row", key="value") for _ in range(50_000)]
print("ready", flush=True)
input()
"""


def test_what_c_code_keeps_beside_its_objects_is_theirs(pymemtop, interpreter, start_target):
    """An Element with attributes has a second block of its own, which only its C code knows of."""
    target = start_target(interpreter, ELEMENTS)
    snapshot = pymemtop.json("snapshot", target.pid, status=(6,) if interpreter.musl else (0,))
    (row,) = [r for r in snapshot["types"] if r["name"] == "xml.etree.ElementTree.Element" and r["inuse_objects"]]
    assert row["inuse_objects"] == 50_000
    assert row["inuse_bytes"] > 50_000 * (48 + 56)
    assert snapshot["census"]["attributed_ratio"] > 0.99
    books.check_still(snapshot)


# Buffers of C objects, over 512 bytes, so malloc's: structures of ctypes, texts that are written, open files.
BUFFERS = """
import ctypes, io, os, sys
class Packed(ctypes.Structure):
    _fields_ = [("text", ctypes.c_char * 1000)]
kept = [Packed() for _ in range(1000)], [io.StringIO("x" * 1000) for _ in range(1000)]
files = [open(os.devnull, "rb") for _ in range(100)]
print("ready", sum(map(sys.getsizeof, files)), flush=True)
input()
"""


def test_buffers_of_c_objects_are_theirs(pymemtop, interpreter, start_target):
    if interpreter.musl:
        pytest.skip("no truth: what is over 512 bytes is not seen")
    target = start_target(interpreter, BUFFERS)
    snapshot = pymemtop.json("snapshot", target.pid)
    packed, text = books.named(snapshot, "__main__.Packed"), books.named(snapshot, "_io.StringIO")
    assert (packed["inuse_objects"], text["inuse_objects"]) == (1000, 1000)
    assert 1000 * 1000 <= packed["bytes"]["buffer"] < 1.1 * 1000 * 1000
    assert 4 * 1000 * 1000 <= text["bytes"]["buffer"] < 1.1 * 4 * 1000 * 1000
    # stdin's and stdout's are there too.
    row = books.named(snapshot, "_io.BufferedReader")
    each = int(target.ready) // 100
    assert row["inuse_objects"] >= 100 and row["sizeof_bytes"] == row["inuse_objects"] * each
    assert row["bytes"]["buffer"] >= (each - 500) * row["inuse_objects"]
    books.check_still(snapshot)


CACHE = """
import functools
@functools.lru_cache(20_000)
def double(n):
    return 2 * n
for n in range(20_000):
    double(n)
print("ready", flush=True)
input()
"""


def test_types_that_are_not_ready_are_known(pymemtop, interpreter, start_target):
    """Up to 3.9 nobody calls PyType_Ready() for the elements of a functools.lru_cache."""
    target = start_target(interpreter, CACHE)
    snapshot = pymemtop.json("snapshot", target.pid, status=(6,) if interpreter.musl else (0,))
    assert 20_000 <= books.named(snapshot, "functools._lru_list_elem")["inuse_objects"] < 20_100
    books.check_still(snapshot)
