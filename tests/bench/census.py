#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The census against the limit and against what one would do inside the process, as ratios in one run.

Usage: tests/bench/census.py build/tools/census_bench [--megabytes 10 100 1000]
       [--heap plain|lists|instances|classes|mixed] [--interpreter SUBSTRING] [--modules DIR...]
       [--rivals MEGABYTES] [--others objects muppy heapy]

For each heap: the bare copy of its pools, a census with one and two threads, and how much memory ours takes. For the
heap of --rivals also, inside the target, gc.get_objects with sys.getsizeof and, where --modules has
them, pympler's muppy and guppy: how long they take, and the longest stall of a 1 ms ticker meanwhile.
"""

import argparse
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import interpreters  # noqa: E402
from target import Target  # noqa: E402

ROUNDS = 5
# What one round of the loop makes, and about how many bytes that takes in every version: objects that hold nothing
# but references, lists with buffers of their own, instances with attributes, a class for each object, and a bit of
# everything.
HEAPS = {
    "plain": ("(float(n), n + 10**9)", 136),
    "lists": ("[float(n)]", 136),
    "instances": ("Instance(n)", 192),
    "classes": ("type('C%d' % n, (), {'__slots__': ()})()", 1520),
    "mixed": ("Instance(n) if n % 3 == 0 else {'n': str(n)} if n % 3 == 1 else (n, 'text %d' % n)", 208),
}

PROGRAM = """
import gc, sys, threading, time
class Instance:
    def __init__(self, n):
        self.number = n
        self.half = n / 2
gc.disable()
kept = [MADE for n in range(int(sys.argv[1]))]
gc.enable()

def modules():
    for name in ("guppy", "pympler.muppy", "pympler.summary"):
        try:
            __import__(name)
        except ImportError:
            pass

def objects():
    return sum(map(sys.getsizeof, gc.get_objects()))

def muppy():
    from pympler import muppy, summary
    return len(summary.summarize(muppy.get_objects()))

def heapy():
    import guppy
    return guppy.hpy().heap().size

stall = 0.0
def tick():
    global stall
    last = time.perf_counter()
    while True:
        time.sleep(0.001)
        now = time.perf_counter()
        stall = max(stall, now - last - 0.001)
        last = now

threading.Thread(target=tick, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    stall = 0.0
    start = time.perf_counter()
    what = line.strip()
    try:
        if what.startswith("sleep"):
            time.sleep(float(what.split()[1]))
        elif what:
            globals()[what]()
        print(time.perf_counter() - start, stall, flush=True)
    except ImportError as missing:
        print("-", missing, flush=True)
"""


def fields(line):
    return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", line)}


def measure(tool, target):
    done = subprocess.run([tool, str(target.pid), str(ROUNDS)], capture_output=True, text=True, check=True)
    return fields(done.stdout)


def show_heap(megabytes, f):
    print(
        f"{megabytes:>7} MB {f['blocks']:>12,.0f} blocks  copy {f['copy_ms']:8.1f} ms  census, one thread"
        f" {f['census_1_ms']:8.1f} ms ({f['ratio_1']:.2f})  two {f['census_2_ms']:8.1f} ms ({f['ratio_2']:.2f},"
        f" medians {f['median_2']:.2f})"
        f"  CPU time {f['cpu_copy_ms']:.1f} and {f['cpu_1_ms']:.1f} ms ({f['cpu_1_ms'] / f['cpu_copy_ms']:.2f})"
        f"  own RSS {f['own_rss_kib'] / 1024:.1f} MiB",
        flush=True,
    )


OTHERS = {"objects": "gc.get_objects + getsizeof", "muppy": "pympler muppy", "heapy": "guppy heap()"}


def show_rivals(tool, target, others):
    target.ask("modules")  # what an import takes is not theirs
    target.send("sleep 2")
    ours = measure(tool, target)
    _, stall = target.line().split()
    _, alone = target.ask("sleep 2").split()
    print(f"  target's longest stall: alone {float(alone) * 1e3:.1f} ms, during our censuses {float(stall) * 1e3:.1f} ms")
    for what in others:
        answer = target.ask(what, timeout=600).split(maxsplit=1)
        if answer[0] == "-":
            print(f"  {OTHERS[what]:28} not measured: {answer[1]}")
            continue
        seconds, stall = float(answer[0]), float(answer[1])
        print(
            f"  {OTHERS[what]:28} {seconds * 1e3:10.1f} ms, {seconds * 1e3 / ours['census_2_ms']:8.0f} times our census"
            f" of {ours['census_2_ms']:.1f} ms, longest stall {stall * 1e3:.1f} ms",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--heap", choices=HEAPS, default="lists")
    parser.add_argument("--rivals", type=int, default=100)
    parser.add_argument("--others", choices=OTHERS, nargs="*", default=list(OTHERS))
    parser.add_argument("--interpreter", default="3.11.7")
    parser.add_argument("--modules", nargs="*", default=[])
    options = parser.parse_args()
    chosen = [i for i in interpreters.discover() if options.interpreter in i.id]
    if not chosen:
        raise SystemExit(f"no interpreter matches {options.interpreter!r}")
    made, size = HEAPS[options.heap]
    for interpreter in chosen:
        print(interpreter.id, options.heap)
        for megabytes in options.megabytes:
            count = megabytes * 1000000 // size
            env = {"PYTHONPATH": ":".join(options.modules)}
            with Target(interpreter, PROGRAM.replace("MADE", made), count, env=env, timeout=900) as target:
                show_heap(megabytes, measure(options.tool, target))
                if megabytes == options.rivals:
                    show_rivals(options.tool, target, options.others)


main()
