# SPDX-License-Identifier: BSD-2-Clause
"""500 MB of heap. For each line on stdin the same work again, and the CPU time that it took, in s; a line before it."""

import sys
import time

ballast = [(i, i + 1) for i in range(4000000)]


def work():
    begin = time.thread_time()
    for i in range(60):
        sum(a for a, b in ballast[:: 97])
        [{} for _ in range(10000)]
    return time.thread_time() - begin


work()
print("ready", flush=True)
while sys.stdin.readline():
    print("begun", flush=True)
    print(work(), flush=True)
