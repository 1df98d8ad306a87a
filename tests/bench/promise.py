#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does budget mode keep its promise over any 10 s, on a machine whose speed changes from second to second?

Usage: tests/bench/promise.py build/pymemtop --pyperformance DIR [--limit 2%] [--seconds 12] [--only NAME]...
A window is seen as pieces of 10 ms that cost far more than those around them. Each piece is held against the median of
the 2 s around it, so that what is slow for seconds cancels out; what interrupts for shorter, with or without us, is
shown by the same figure of the same process unwatched. A cost that is there all the time would not be seen: overhead.py
is for that. Prints the loss with nobody watching, the mean loss, that of the worst 10 s, and what pymemtop said itself.
"""

import argparse
import bisect
import json
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import overhead  # noqa: E402

AROUND = 1.0  # seconds to either side
SPAN = 10.0


def pieces(text):
    return [(float(t), int(n), float(cpu)) for t, n, cpu in (p.split(",") for p in text.split())]


def losses(found):
    """[(when, CPU seconds of the piece, of them more than usual)]"""
    times = [t for t, _, _ in found]
    out = []
    for t, n, cpu in found:
        near = found[bisect.bisect_left(times, t - AROUND):bisect.bisect_right(times, t + AROUND)]
        # By time as it should have been: a window has many pieces of few iterations.
        costs = sorted((c / k, k) for _, k, c in near)
        half, usual = sum(k for _, k in costs) / 2, costs[0][0]
        for cost, k in costs:
            half -= k
            if half <= 0:
                usual = cost
                break
        out.append((t, cpu, cpu - n * usual))
    return out


def share(lost):
    return sum(m for _, _, m in lost) / sum(c - m for _, c, m in lost)


def worst(lost):
    times = [t for t, _, _ in lost]
    starts = [t for t in times if t + SPAN <= times[-1]] or times[:1]
    return max(share(lost[bisect.bisect_left(times, s):bisect.bisect_right(times, s + SPAN)]) for s in starts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--pyperformance", required=True)
    parser.add_argument("--interpreter", default="/usr/bin/python3")
    parser.add_argument("--limit", default="2%")
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--only", action="append")
    args = parser.parse_args()

    seen = []
    print("| workload | unwatched | watched | worst 10 s | said | coverage |\n|---|---:|---:|---:|---:|---:|")
    for name in args.only or overhead.OWN + overhead.PYPERFORMANCE:
        path = f"{args.pyperformance}/pyperformance/data-files/benchmarks/bm_{name}/run_benchmark.py"
        target = overhead.Workload(args.interpreter, name if name in overhead.OWN else path)
        if not target.ready:
            print(f"{name}: does not run with {args.interpreter}", file=sys.stderr)
            continue
        target.ask("run 0.5")
        alone = losses(pieces(target.ask(f"steps {args.seconds / 2}")))
        watcher = subprocess.Popen(
            [args.program, "record", "-i", "2s", "-d", f"{args.seconds}s", "--max-overhead", args.limit, str(target.pid)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        watched = losses(pieces(target.ask(f"steps {args.seconds}")))
        target.process.stdin.write("run 4\n")
        target.process.stdin.flush()
        events = json.loads(watcher.communicate()[0].splitlines()[-1])["events"]
        target.end()
        seen.append(share(watched))
        print(f"| {name} | {share(alone):+.4f} | {share(watched):+.4f} | {worst(watched):+.4f} | "
              f"{events['overhead']['estimated']:.4f} | {events['coverage']:.4f} |", flush=True)
    print(f"\nlimit {args.limit}: median {statistics.median(seen):+.4f}, highest {max(seen):+.4f}")


if __name__ == "__main__":
    main()
