# SPDX-License-Identifier: BSD-2-Clause
"""followed.py [SEED]: a Python whose heap is overwritten while it is watched: arenas, headers of pools, types, dicts, lists, and
the interpreter's own variables, with noise, with numbers that overflow, and with pointers that make cycles.

The child is a Python with a heap, and waits in C; nothing of it ever runs on what is ruined. Its parent writes into it
through /proc/PID/mem, and takes back the oldest of so many strokes, so that there is always something to be misled by.
"""

import collections
import ctypes
import json
import os
import random
import re
import signal
import sys
import time

PAGE, POOL, STROKES = 4096, 16384, 1000
ODD = [0, 1, 2**64 - 1, 2**63 - 1, 2**63, 2**32, 2**47, 0x7FFFFFFF]


class Node:
    def __init__(self, n):
        self.n, self.text, self.more = n, str(n), {n: [n]}


def writable():
    """What Python has in memory: its heap, and the variables of the interpreter."""
    for line in open("/proc/self/maps"):
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ \d+ *(.*)", line)
        if match and (match[3] in ("", "[heap]") or "python" in match[3]):
            yield int(match[1], 16), int(match[2], 16), match[3]


def wait_to_be_ruined(ready):
    kept = [Node(n) for n in range(3000)]
    os.write(ready, json.dumps(list(writable())).encode())
    os.close(ready)
    # It runs, or nobody would look again: a handler in C each 10 ms, amid a read that is begun anew after it.
    libc = ctypes.PyDLL(None)
    libc.signal.argtypes = ctypes.c_int, ctypes.c_void_p
    libc.signal(signal.SIGALRM, ctypes.cast(libc.abs, ctypes.c_void_p))
    libc.setitimer(0, (ctypes.c_long * 4)(0, 10000, 0, 10000), None)
    libc.read(os.pipe()[0], ctypes.create_string_buffer(1), 1)
    os._exit(len(kept))


def stroke(rng, heap, variables):
    # Most of it at what Python has allocated: without the interpreter's own variables there is little to be misled by.
    start, end, _ = rng.choice(variables if not rng.randrange(100) else heap)
    at = rng.randrange(start, end) & ~7
    kind = rng.randrange(6)
    if kind == 0:
        return at, rng.randbytes(rng.choice((8, 64, PAGE)))
    if kind == 1:
        return at, rng.choice(ODD).to_bytes(8, "little")
    low, high, _ = rng.choice(heap)
    # One of several pages is the first of a pool, or of an arena.
    at = at & ~(rng.choice((POOL, PAGE)) - 1) if kind == 2 else at
    pointer = (rng.randrange(low, high) & ~15).to_bytes(8, "little")
    return max(at, start), pointer * rng.choice((1, 1, 2, 6))


def ruin(memory, places, rng):
    # By size: a page here, a page there.
    heap = [place for place in places if "python" not in place[2] for _ in range((place[1] - place[0]) // PAGE)]
    variables = [place for place in places if "python" in place[2]]
    done = collections.deque()
    while True:
        at, data = stroke(rng, heap, variables)
        try:
            before = os.pread(memory, len(data), at)
            done.append((at, before))
            os.pwrite(memory, data, at)
            if len(done) > STROKES:
                at, before = done.popleft()
                os.pwrite(memory, before, at)
        except OSError:
            pass
        if not rng.randrange(50):
            time.sleep(0.001)


def main():
    # The kernel ends a thread whose restartable sequences are ruined (rseq(2)): it is to have none.
    if "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = "glibc.pthread.rseq=0"
        os.execv(sys.executable, [sys.executable, "-u", *sys.argv])
    rng = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        # It ends with its parent: PR_SET_PDEATHSIG, SIGKILL.
        ctypes.CDLL(None).prctl(1, 9)
        wait_to_be_ruined(write)
    os.close(write)
    with open(read) as said:
        places = json.load(said)
    memory = os.open(f"/proc/{child}/mem", os.O_RDWR)
    print("ready", child, flush=True)
    # Whoever watches it has seen it whole.
    sys.stdin.readline()
    print("goes on", flush=True)
    ruin(memory, places, rng)


main()
