#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What being watched costs a program: its CPU time an iteration, as a ratio to the same process unwatched just before.

Usage: tests/bench/overhead.py build/pymemtop --pyperformance DIR [--rounds 3] [--limit 2%] [--interpreter PATH] [--memray DIR]
                              [--only NAME]...
DIR is a copy of https://github.com/python/pyperformance (its benchmarks that need nothing but the standard library
are taken). That of --memray has memray built for the interpreter; it traces Python's allocators, as `memray attach` does
with that option: from inside, by the same tracker. Modes follow each other within one process, so that a slow moment of the machine meets them all. "again" is
unwatched once more: what differs from 1 there is noise. Prints a table in Markdown.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from probes import breakpoints  # noqa: E402

WORKLOAD = pathlib.Path(__file__).with_name("workload.py")
OWN = ["object_churn", "json_service", "http_server", "pandas_groups"]
# Those whose iteration is short, whose result needs no package, and which differ in what they allocate.
PYPERFORMANCE = (
    "chaos deepcopy deltablue float generators go hexiom logging nbody raytrace regex_compile richards telco"
).split()
MODES = ["again", "budget", "exact", "tracemalloc", "memray", "memleak"]
SETTLE = 2.5  # until a watcher has planned and attached


class Workload:
    def __init__(self, interpreter, name, path=None):
        self.process = subprocess.Popen(
            [interpreter, WORKLOAD, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONPATH": path or ""}
        )
        self.ready = self.process.stdout.readline() == "ready\n"
        self.pid = self.process.pid

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def cpu(self, seconds):
        """CPU seconds an iteration."""
        count, cpu = self.ask(f"run {seconds}").split()
        return float(cpu) / int(count)

    def end(self):
        self.process.kill()
        self.process.wait()


class Bench:
    def __init__(self, args):
        self.args = args
        self.program = os.path.abspath(args.program)
        self.memleak = next(filter(None, map(shutil.which, ("memleak-bpfcc", "memleak-libbpf", "memleak"))), None)

    def watched(self, target, mode, seconds):
        """(CPU an iteration, the snapshot) while pymemtop watches."""
        with tempfile.NamedTemporaryFile() as output:
            options = ["--events", mode, "-d", f"{SETTLE + 1 + seconds}s"]
            options += ["--max-overhead", self.args.limit] if mode == "budget" else []
            watcher = subprocess.Popen(
                [self.program, "snapshot", "-f", "-o", output.name, *options, str(target.pid)],
                stderr=subprocess.DEVNULL,
            )
            target.ask(f"run {SETTLE}")
            deadline = time.monotonic() + 30
            while mode == "exact" and not breakpoints(target.pid) and time.monotonic() < deadline:
                target.ask("run 0.2")  # a busy machine: measured too early is measured without events
            target.ask("run 1")  # those that are hit most come last
            cpu = target.cpu(seconds)
            while watcher.poll() is None:
                target.ask("run 0.2")
            if watcher.returncode not in (0, 6):
                return None, None
            return cpu, json.load(open(output.name))["events"]

    def mode(self, target, mode, seconds):
        if mode == "again":
            return target.cpu(seconds), None
        if mode in ("budget", "exact"):
            return self.watched(target, mode, seconds)
        if mode == "tracemalloc":
            target.ask("trace 1")
            cpu = target.cpu(seconds)
            target.ask("untrace")
            return cpu, None
        if mode == "memray":
            return (self.memray(target, seconds) if self.args.memray else None), None
        if not self.memleak:
            return None, None
        watcher = subprocess.Popen(
            [self.memleak, "-p", str(target.pid), "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        target.ask("run 8")
        cpu = target.cpu(seconds) if watcher.poll() is None else None
        watcher.terminate()
        watcher.wait()
        return cpu, None

    def memray(self, target, seconds):
        with tempfile.TemporaryDirectory() as directory:
            target.ask(f"memray {directory}/records")
            cpu = target.cpu(seconds)
            target.ask("unmemray")
        return cpu

    def workload(self, name):
        """{mode: [ratio...]}, {mode: [events...]}"""
        path = f"{self.args.pyperformance}/pyperformance/data-files/benchmarks/bm_{name}/run_benchmark.py"
        target = Workload(self.args.interpreter, name if name in OWN else path, self.args.memray)
        ratios, events = {mode: [] for mode in MODES}, {"budget": [], "exact": []}
        if not target.ready:
            target.end()
            return None, None
        for round_ in range(self.args.rounds):
            for mode in MODES:
                if mode not in self.args.modes.split() or (mode == "memleak" and round_):
                    continue
                seconds = self.args.seconds * (5 if mode == "budget" else 1)
                before = target.cpu(self.args.seconds)
                cpu, seen = self.mode(target, mode, seconds)
                after = target.cpu(self.args.seconds)
                if cpu:
                    ratios[mode].append(2 * cpu / (before + after))
                if seen:
                    events[mode].append(seen)
        target.end()
        return ratios, events


def cell(values, digits=3):
    return f"{statistics.median(values):.{digits}f}" if values else "–"


def row(name, ratios, events):
    seen = events["exact"][-1] if events["exact"] else None
    rate = f"{seen['records'] / seen['duration_ms'] / 1000:.2f}" if seen else "–"
    lost = str(sum(e["lost"] for e in events["exact"] + events["budget"]))
    drift = " ".join(f"{e['drift_objects']}/{e['drift_bytes']}" for e in events["exact"] if e["drift_objects"]) or "0"
    cover = cell([e["coverage"] * 100 for e in events["budget"]], 0)
    cells = [cell(ratios[m], 2 if m in ("exact", "tracemalloc", "memray") else 3) for m in MODES]
    return "| " + " | ".join([name, *cells, rate, cover, lost, drift]) + " |"


def mean(rows, mode):
    values = [statistics.median(r[mode]) for r in rows if r[mode]]
    return math.exp(statistics.mean(map(math.log, values))) if values else float("nan")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--pyperformance", required=True)
    parser.add_argument("--interpreter", default="/usr/bin/python3")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--modes", default=" ".join(MODES))
    parser.add_argument("--limit", default="2%", help="of the budget")
    parser.add_argument("--memray", help="a directory in which Python finds memray")
    parser.add_argument("--only", action="append")
    args = parser.parse_args()
    bench, rows = Bench(args), []

    print("| workload | " + " | ".join(MODES) + " | exact: M records/s | budget: coverage % | lost | drift |")
    print("|---|" + "---:|" * (len(MODES) + 4))
    start = time.monotonic()
    for name in args.only or OWN + PYPERFORMANCE:
        ratios, events = bench.workload(name)
        if ratios is None:
            print(f"{name}: does not run with {args.interpreter}", file=sys.stderr)
            continue
        rows.append(ratios)
        print(row(name, ratios, events), flush=True)
    print("| geometric mean | " + " | ".join(f"{mean(rows, m):.3f}" for m in MODES) + " | | | | |")
    budget = [statistics.median(r["budget"]) for r in rows if r["budget"]] or [float("nan")]
    print(f"\nbudget: median {statistics.median(budget):.3f}, worst {max(budget):.3f}", end="; ")
    again = [statistics.median(r["again"]) for r in rows if r["again"]] or [float("nan")]
    print(f"noise (again): median {statistics.median(again):.3f}, {min(again):.3f} to {max(again):.3f}", end="; ")
    print(f"{len(rows)} workloads, {args.rounds} rounds, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
