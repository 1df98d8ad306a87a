# SPDX-License-Identifier: BSD-2-Clause
"""What the interpreter itself says of its whole heap: the allocator's statistics, and all objects that gc knows.

"stats" on stdin: sys._debugmallocstats() on stderr, then a line, then it waits without allocating a block. SIGUSR1
ends the wait. "gc": count and sizes by type, as JSON. Python 3.8 to 3.15.
"""

import gc
import io
import json
import os
import signal
import sys

signal.signal(signal.SIGUSR1, lambda number, frame: None)
gc.unfreeze()  # 3.12 freezes what it starts with, and get_objects() leaves that out


def stats():
    """From the statistics to the end of the wait no block is taken or given back."""
    sys._debugmallocstats()
    os.write(1, b"stats\n")
    signal.pause()


def tracked():
    rows = {}
    for obj in gc.get_objects():
        row = rows.setdefault(hex(id(type(obj))), [0, 0])
        row[0] += 1
        row[1] += sys.getsizeof(obj)
    return rows


streams = [io.BytesIO(b"shared") for _ in range(100)] + [io.BytesIO() for _ in range(100)]
for number, stream in enumerate(streams[50:]):
    stream.write(b"x" * (10 * number))


def fail(depth):
    wide = [depth] * depth
    return fail(depth - 1) if depth else wide[0]


failures = []
for depth in range(100):
    try:
        fail(depth % 10)
    except IndexError as error:
        failures.append(error)  # and all of its frames
tracked()
os.kill(os.getpid(), signal.SIGUSR1)
garbage = [[float(i), (i, i), {i: i}, [i]] for i in range(200)]
del garbage  # something for the free lists
sys.stdout.write("ready\n")
sys.stdout.flush()
for line in sys.stdin:
    if line == "stats\n":
        stats()
        print(json.dumps({"allocated": sys.getallocatedblocks()}), flush=True)
    elif line == "gc\n":
        print(json.dumps(tracked()), flush=True)
