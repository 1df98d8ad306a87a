# SPDX-License-Identifier: BSD-2-Clause
"""Wakes up every millisecond. For each line on stdin: the longest time between two wake-ups since the last one, in ms."""

import select
import sys
import time

ballast = [[i] for i in range(500000)]
longest, last = 0.0, time.perf_counter()
print("ready", flush=True)
while True:
    if select.select([sys.stdin], [], [], 0)[0]:
        if not sys.stdin.readline():
            break
        print(longest * 1000, flush=True)
        longest, last = 0.0, time.perf_counter()
    time.sleep(0.001)
    now = time.perf_counter()
    longest, last = max(longest, now - last), now
