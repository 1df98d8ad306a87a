#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What censuses without a pause hold up on a busy machine.

Usage: tests/bench/stall.py build/pymemtop [--rounds 7] [--seconds 3] [--megabytes 300] [--busy 2] [--interpreter SUBSTRING]

Two figures, of rounds with and without us by turns, while --busy other programs compute:

- the longest time between two wake-ups of a target that wakes up every millisecond and maps, writes to and unmaps some memory
  each time (so that it needs the lock of its address space, which a census takes for reading);
- with --busy 0: the share of a core that a target gets which computes all the time, with a census a second.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import interpreters  # noqa: E402
from target import Target  # noqa: E402

# For each line: so many seconds of ticking or of computing; answers the longest gap in ms, and the share of a core.
PROGRAM = """
import mmap, sys, time
kept = [[float(n)] for n in range(int(sys.argv[1]))]

def tick(seconds):
    longest, last = 0.0, time.perf_counter()
    end = last + seconds
    while last < end:
        time.sleep(0.001)
        with mmap.mmap(-1, 1 << 18) as piece:
            for page in range(0, 1 << 18, 4096):
                piece[page] = 1
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest * 1000

def compute(seconds):
    begin, start = time.thread_time(), time.perf_counter()
    while time.perf_counter() < start + seconds:
        sum(range(1000))
    return (time.thread_time() - begin) / (time.perf_counter() - start)

print("ready", flush=True)
for line in sys.stdin:
    what, seconds = line.split()
    print(globals()[what](float(seconds)), flush=True)
"""


def watch(options, target, interval):
    command = [options.program, "record", "--events", "off", "--max-cpu", "100%", "-i", interval, "-f", "-o", "/dev/null"]
    return subprocess.Popen([*command, str(target.pid)])


def ask(options, target, what, interval):
    """One round; interval None: without us."""
    watcher = watch(options, target, interval) if interval else None
    if watcher:
        time.sleep(0.5)  # its start is not what is measured
    answer = float(target.ask(f"{what} {options.seconds}"))
    if watcher:
        assert watcher.poll() is None, "the watcher ended before the round did"
        watcher.terminate()
        watcher.wait()
    return answer


def show(name, without, watched, unit):
    for who, values in (("without us", without), ("with us", watched)):
        print(
            f"{name}, {who:10}: median {statistics.median(values):8.3f} {unit}, least {min(values):.3f}, most {max(values):.3f}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--busy", type=int, default=2)
    parser.add_argument("--interpreter", default="3.11.7")
    options = parser.parse_args()
    interpreter = next(i for i in interpreters.discover() if options.interpreter in i.id)
    what, interval, name, unit = (
        ("tick", "100ms", "longest gap", "ms") if options.busy else ("compute", "1s", "share of a core", "")
    )
    results = {None: [], interval: []}
    with Target(interpreter, PROGRAM, options.megabytes * 1000000 // 136, timeout=300) as target:
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(options.busy)]
        try:
            for _ in range(options.rounds):
                for each in results:
                    results[each].append(ask(options, target, what, each))
        finally:
            for process in busy:
                process.kill()
                process.wait()
    show(name, results[None], results[interval], unit)


main()
