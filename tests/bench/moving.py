#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How wrong a census is about objects that come and go while it is taken: a population of constant size, replaced ever faster.

Usage: tests/bench/moving.py build/pymemtop [--population 200000] [--censuses 20] [--interpreter SUBSTRING]

Replaced one by one, or 2000 dropped and then 2000 made. For each rate: what share of the population was replaced during one
census, how far the count of its objects was from what it can have been (all, less one batch), and what share of the bytes in use
found an owner.
"""

import argparse
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import interpreters  # noqa: E402
from target import Target  # noqa: E402

# Each has a dict or values of its own, a list with a buffer, and a str. The oldest goes when a new one comes.
PROGRAM = """
import sys, threading, time

class Moving:
    def __init__(self, n):
        self.items = [n] * 8
        self.text = "text %d" % n

population, rate, batch = map(int, sys.argv[1:])
ring = [Moving(n) for n in range(population)]
turn = 0

def move():
    global turn
    start = time.perf_counter()
    while True:
        places = [(turn + i) * 7919 % population for i in range(batch)]
        if batch > 1:
            for place in places:
                ring[place] = None
        for place in places:
            ring[place] = Moving(turn)
            turn += 1
        if rate:
            time.sleep(max(turn / rate - (time.perf_counter() - start), 0))

if rate >= 0:
    threading.Thread(target=move, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    print(turn, time.perf_counter(), flush=True)
"""

RATES = -1, 1000, 10000, 100000, 0  # replaced each second; -1: none, 0: as fast as it can


def take(options, target):
    command = [options.program, "snapshot", str(target.pid), "--events", "off"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def distance(count, options, batch):
    """From what it can have been; the new one is made before the old one goes where they go one by one."""
    least, most = options.population - (batch if batch > 1 else 0), options.population + (batch == 1)
    return (max(count - most, 0) or min(count - least, 0)) / options.population


def measure(options, interpreter, rate, batch):
    errors, replaced, ratios = [], [], []
    with Target(interpreter, PROGRAM, options.population, rate, batch) as target:
        for _ in range(options.censuses):
            before = [float(x) for x in target.ask("").split()]
            picture = take(options, target)
            after = [float(x) for x in target.ask("").split()]
            speed = (after[0] - before[0]) / (after[1] - before[1])
            count = next(t["inuse_objects"] for t in picture["types"] if t["name"] == "__main__.Moving")
            errors.append(distance(count, options, batch))
            replaced.append(speed * picture["census"]["duration_ms"] / 1e3 / options.population)
            ratios.append(picture["census"]["attributed_ratio"])
    worst = max(errors, key=abs)
    print(
        f"{'none' if rate < 0 else rate or 'full speed':>10} by {batch:4} replaced in a census {100 * sum(replaced) / len(replaced):8.3f}%"
        f"  count off by {100 * sum(map(abs, errors)) / len(errors):7.4f}% mean, {100 * worst:+8.4f}% worst"
        f"  attributed {100 * min(ratios):7.3f}% least",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--population", type=int, default=200000)
    parser.add_argument("--censuses", type=int, default=20)
    parser.add_argument("--interpreter", default="3.11.7")
    options = parser.parse_args()
    for interpreter in interpreters.discover():
        if options.interpreter in interpreter.id:
            print(interpreter.id)
            for batch in (1, 2000):
                for rate in RATES[batch > 1 :]:
                    measure(options, interpreter, rate, batch)


main()
