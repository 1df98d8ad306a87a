# SPDX-License-Identifier: BSD-2-Clause
"""All of the RSS is explained, and the verdict names what it is made of: five programs that know what they did."""

import os
import re
import subprocess

import pytest
from target import Target

pytestmark = pytest.mark.usefixtures("can_attach")

MIB = 1 << 20
PARTS = "python_live_bytes", "python_free_bytes", "native_live_bytes", "malloc_free_bytes"
# What an interpreter takes before a program has done anything.
INTERPRETER = 8 * MIB

END = """
print("ready", *told, flush=True)
sys.stdin.readline()
"""

PURE = """
import sys
kept = [[float(n)] for n in range(600000)]
told = [sys.getsizeof(kept) + sum(map(sys.getsizeof, kept)) + 600000 * sys.getsizeof(1.0)]
"""

NUMPY = """
import sys
import numpy
kept = [numpy.ones(1 << 24) for n in range(8)]
told = [sum(a.nbytes for a in kept)]
"""

NATIVE = """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.memset.argtypes = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
for n in range(100000):
    libc.memset(libc.malloc(1000), 1, 1000)
told = [100000 * 1008]
"""

FRAGMENTED = """
import sys
class Point:
    __slots__ = "a", "b", "c", "d"
kept = [Point() for n in range(1000000)]
kept = kept[::50]
told = [980000 * 64]
"""

# A child of a parent with much, that has a little of its own.
FORKED = """
import gc, os, sys
gc.disable()
kept = [[float(n)] for n in range(600000)]
pids = []
for worker in range(2):
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        own = [float(n) for n in range(100000)]
        os.write(theirs, b"x")
        sys.stdin.readline()
        os._exit(0)
    os.read(ours, 1)
    pids.append(pid)
told = pids
"""


# Buffers for which huge pages are wanted (as numpy does), written at the start and read in the middle: there the
# kernel maps its huge zero page, which is no memory.
HUGE = """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.memset.argtypes = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
libc.madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
size = 192 << 20
kept = [libc.malloc(size) for n in range(2)]
for at in kept:
    libc.madvise(at + 4095 & ~4095, size - 8192, 14)
    libc.memset(at, 1, 1 << 20)
    ctypes.string_at(at + (160 << 20), 1)
told = [2 << 20]
"""


def status(pid, key):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(rf"^{key}:\s+(\d+) kB", file.read(), re.M)[1]) * 1024


def rollup(pid):
    """{what: bytes} of /proc/PID/smaps_rollup: counted page by page, where VmRSS may lag behind by what each CPU has not added yet."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return {key: int(kib) * 1024 for key, kib in re.findall(r"^(\w+): +(\d+) kB", file.read(), re.M)}


def test_rss_is_that_of_smaps_rollup(pymemtop, interpreter, can_attach):
    with Target(interpreter, "kept = [str(n) for n in range(100_000)]\nprint('ready', flush=True)\ninput()\n") as target:
        pymemtop.json("snapshot", target.pid, status=(0, 6 * interpreter.musl))
        before = rollup(target.pid)
        memory = pymemtop.json("snapshot", target.pid, status=(0, 6 * interpreter.musl))["memory"]
        after = rollup(target.pid)
    assert before["Rss"] <= memory["rss_bytes"] <= after["Rss"]
    assert after["Rss"] - before["Rss"] <= MIB
    # Who else maps the same files may come and go meanwhile.
    private = [r["Private_Clean"] + r["Private_Dirty"] for r in (before, after)]
    assert min(private) - MIB <= memory["private_bytes"] <= max(private) + MIB
    assert memory["swap_bytes"] == after["Swap"]


def look(pymemtop, pid):
    """The memory section, of which all parts add up to what the kernel says, and little is left over."""
    memory = pymemtop.json("snapshot", pid)["memory"]
    rss = memory["rss_bytes"]
    known = sum(memory["resident"][part] for part in PARTS) + memory["mapped_file_bytes"] + memory["stack_bytes"]
    assert known + memory["other_bytes"] == rss
    assert abs(rss - status(pid, "VmRSS")) < 0.01 * rss
    assert memory["other_bytes"] < 0.01 * rss + MIB
    return memory


def snapshot_of(pymemtop, interpreter, program):
    with Target(interpreter, program + END, timeout=120) as target:
        memory = look(pymemtop, target.pid)
        return memory, int(target.ready)


def skip_unless_told_apart(interpreter):
    if not interpreter.gil:
        pytest.skip("what of mimalloc's segments is resident is not looked up")
    if interpreter.musl:
        pytest.skip("what musl's malloc holds is not told apart from what else is mapped")


def test_a_pure_python_heap(pymemtop, interpreter):
    skip_unless_told_apart(interpreter)
    memory, told = snapshot_of(pymemtop, interpreter, PURE)
    # Whole blocks: of 16 bytes the next multiple, and a word more in malloc.
    # A debug build puts 32 bytes around each.
    most = 2.5 if interpreter.debug else 1.3
    assert told <= memory["resident"]["python_live_bytes"] < most * told + INTERPRETER
    assert memory["verdict"]["kind"] == "live"
    assert "live Python objects; the largest type is list" in memory["verdict"]["text"]


def test_arrays_of_numpy(pymemtop, interpreter):
    if subprocess.run([*interpreter.command, "-c", "import numpy"], capture_output=True).returncode:
        pytest.skip("no numpy for this interpreter")
    skip_unless_told_apart(interpreter)
    memory, told = snapshot_of(pymemtop, interpreter, NUMPY)
    assert abs(memory["resident"]["python_live_bytes"] - told) < 0.01 * told + INTERPRETER
    assert memory["verdict"]["kind"] == "live"
    assert "the largest type is numpy.ndarray with 1.0 GiB" in memory["verdict"]["text"]


def test_a_native_leak(pymemtop, interpreter):
    skip_unless_told_apart(interpreter)
    memory, told = snapshot_of(pymemtop, interpreter, NATIVE)
    assert told <= memory["resident"]["native_live_bytes"] < 1.01 * told + INTERPRETER
    assert memory["verdict"]["kind"] == "native"


@pytest.mark.skipif(os.geteuid() != 0, reason="frame numbers, by which the zero page is told, are root's")
def test_huge_pages_that_were_only_read(pymemtop, interpreter):
    skip_unless_told_apart(interpreter)
    memory, _ = snapshot_of(pymemtop, interpreter, HUGE)
    assert 2 * MIB <= memory["resident"]["native_live_bytes"] < 16 * MIB


def test_a_fragmented_heap(pymemtop, interpreter):
    skip_unless_told_apart(interpreter)
    memory, told = snapshot_of(pymemtop, interpreter, FRAGMENTED)
    # Where a pool held no 50th, it is free as a whole, and of some arenas given back.
    told *= 1.5 if interpreter.debug else 1
    assert 0.9 * told < memory["resident"]["python_free_bytes"] < 1.1 * told + INTERPRETER
    assert memory["verdict"]["kind"] == "fragmentation"
    assert re.search(r"in pools of (48|64|80|96)-byte blocks, where [23]% in use", memory["verdict"]["text"])


def test_forked_workers(pymemtop, interpreter):
    skip_unless_told_apart(interpreter)
    with Target(interpreter, FORKED + END, timeout=120) as target:
        for pid in map(int, target.ready.split()):
            memory = look(pymemtop, pid)
            heap = memory["resident"]["python_live_bytes"]
            assert heap > 60 * MIB and memory["verdict"]["kind"] == "live"
            # Its own: what it made, its stack, and pages that both have written to since.
            assert 3 * MIB < memory["private_bytes"] < 0.25 * memory["rss_bytes"]
            assert "shared with other processes" in memory["verdict"]["text"]
