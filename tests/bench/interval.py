#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How often the 95% interval of budget mode holds the true rate of a live target that keeps a log of it.

Usage: tests/bench/interval.py build/pymemtop [--pace steady] [--pictures 100] [--limit 2%] [--rate 20000] [--seed 1]

Two truths: what the rate was from one picture to the next, and, where the pace never changes, over the whole run. The first is how
many the target made between the moments at which the rates of either picture were taken, which is when its census ended.
"""

import argparse
import bisect
import datetime
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import paces  # noqa: E402
from target import Target  # noqa: E402


def made_at(log, when):
    """How many were made by then, between two entries in proportion."""
    i = bisect.bisect(log, [when])
    if not 0 < i < len(log):
        return log[-1][1] if i else 0
    (t0, n0), (t1, n1) = log[i - 1], log[i]
    return n0 + (n1 - n0) * (when - t0) / (t1 - t0)


def seconds(picture):
    taken = datetime.datetime.fromisoformat(picture["taken_at"].replace("Z", "+00:00")).timestamp()
    return taken + picture["census"]["duration_ms"] / 1000


def record(args):
    """(pictures, log)"""
    with Target(args.interpreter, paces.__file__, args.pace, args.rate, args.seed, timeout=120) as target:
        command = [args.program, "record", str(target.pid), "-i", "2s", "-d", f"{2 * args.pictures + 1}s"]
        done = subprocess.run([*command, "--max-overhead", args.limit], stdout=subprocess.PIPE, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()], json.loads(target.ask(""))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--interpreter", default="/usr/bin/python3")
    parser.add_argument("--pace", default="steady", choices=list(paces.PACES))
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--limit", default="2%")
    parser.add_argument("--rate", type=float, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()

    pictures, log = record(args)
    begin, end = seconds(pictures[0]), seconds(pictures[-1])
    whole = (made_at(log, end) - made_at(log, begin)) / (end - begin)
    held, held_whole, widths, errors = [], [], [], []
    for before, picture in zip(pictures, pictures[1:]):
        node = next((t for t in picture["types"] if t["name"] == "__main__.Node"), None)
        since, until = seconds(before), seconds(picture)
        truth = (made_at(log, until) - made_at(log, since)) / (until - since)
        if args.v:
            print(f"{truth:9.0f}", node and (node["alloc_objects_per_second"], node["rate_error"]), f"{picture['events']['coverage']:.4f}", flush=True)
        if not node or node["rate_error"] is None:
            continue
        rate, half = node["alloc_objects_per_second"], node["rate_error"] * node["alloc_objects_per_second"]
        held.append(abs(rate - truth) <= half)
        held_whole.append(abs(rate - whole) <= half)
        widths.append(node["rate_error"])
        errors.append((rate - whole) / whole)
    if not held:
        raise SystemExit("no picture had an interval")
    events = pictures[-1]["events"]
    print(f"{args.pace} {args.rate:.0f}/s, seed {args.seed}, limit {args.limit}: true rate since the picture before held in {sum(held)} of {len(held)}, "
          f"of the whole run in {sum(held_whole)}; {len(pictures) - 1 - len(held)} without an interval; half-width median "
          f"{statistics.median(widths):.3f}, error median {statistics.median(errors):+.4f}, coverage {events['coverage']:.3f}, "
          f"overhead {events['overhead']['estimated']:.4f}")


if __name__ == "__main__":
    main()
