# SPDX-License-Identifier: BSD-2-Clause
"""What the interpreter itself says of its whole heap: the allocator's statistics, and all objects that gc knows.

"stats" on stdin: sys._debugmallocstats() on stderr, then a line, then it waits without allocating a block. SIGUSR1
ends the wait. "gc": counts by type, as JSON. Python 3.8 to 3.15.
"""

import collections
import gc
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
    counts = collections.Counter()
    for obj in gc.get_objects():
        counts[hex(id(type(obj)))] += 1
    return counts


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
