#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What budget mode costs a program, on a machine whose speed changes from second to second: two copies of it run at the same time,
each on a CPU of its own, and first the one is watched, then the other.

Usage: tests/bench/pairs.py build/pymemtop --pyperformance DIR [--limit 2%] [--seconds 6] [--only NAME]...
What makes the machine slower makes both slower; what makes one copy or one CPU slower is there before and after the swap. The
CPU time an iteration of A by that of B is taken with nobody watched, A watched, B watched, nobody watched: the cost is the
root of the second by the third, and the noise that of the last by the first. Prints both, as ratios, and what pymemtop said.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import overhead  # noqa: E402


class Pair:
    def __init__(self, args, name):
        path = f"{args.pyperformance}/pyperformance/data-files/benchmarks/bm_{name}/run_benchmark.py"
        self.args = args
        self.both = [overhead.Workload(args.interpreter, name if name in overhead.OWN else path) for _ in range(2)]
        self.ready = all(w.ready for w in self.both)
        for cpu, workload in enumerate(self.both):
            os.sched_setaffinity(workload.pid, {sorted(os.sched_getaffinity(0))[cpu]})

    def run(self, seconds):
        """CPU seconds an iteration of the one by that of the other, at the same time."""
        for workload in self.both:
            workload.process.stdin.write(f"run {seconds}\n")
            workload.process.stdin.flush()
        found = [workload.process.stdout.readline().split() for workload in self.both]
        (n, cpu), (m, other) = ((int(count), float(cpu)) for count, cpu in found)
        return cpu / n / (other / m)

    def watched(self, which, settle):
        with tempfile.TemporaryFile("w+") as output:
            watcher = subprocess.Popen(
                [self.args.program, "record", "-i", "2s", "-d", "1h", "--max-overhead", self.args.limit, str(self.both[which].pid)],
                stdout=output
            )
            self.run(settle)
            ratio = self.run(self.args.seconds)
            watcher.terminate()
            watcher.wait()
            output.seek(0)
            return ratio, json.loads(output.read().splitlines()[-1])["events"]

    def end(self):
        for workload in self.both:
            workload.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--pyperformance", required=True)
    parser.add_argument("--interpreter", default="/usr/bin/python3")
    parser.add_argument("--limit", default="2%")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--settle", type=float, default=3)
    parser.add_argument("--only", action="append")
    args = parser.parse_args()
    costs, noises = [], []
    print("| workload | cost | noise | said | coverage |\n|---|---:|---:|---:|---:|")
    for name in args.only or overhead.OWN + overhead.PYPERFORMANCE:
        pair = Pair(args, name)
        if pair.ready:
            pair.run(1)
            before = pair.run(args.seconds)
            first, events = pair.watched(0, args.settle)
            second, others = pair.watched(1, args.settle)
            after = pair.run(args.seconds)
            costs.append((first / second) ** 0.5)
            noises.append((after / before) ** 0.5)
            said = (events["overhead"]["estimated"] + others["overhead"]["estimated"]) / 2
            print(f"| {name} | {costs[-1]:.4f} | {noises[-1]:.4f} | {said:.4f} | {(events['coverage'] + others['coverage']) / 2:.4f} |", flush=True)
        pair.end()
    spread = statistics.pstdev(noises, 1)
    print(f"\nlimit {args.limit}: median {statistics.median(costs):.4f}, highest {max(costs):.4f}; noise: median "
          f"{statistics.median(noises):.4f}, {min(noises):.4f} to {max(noises):.4f}, about {spread:.4f}")


if __name__ == "__main__":
    main()
