#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How often the 95% interval of budget mode holds the true rate of a live target that knows it.

Usage: tests/bench/interval.py build/pymemtop [--pictures 100] [--limit 2%] [--rate 20000]
"""

import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))
from target import Target  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--interpreter", default="/usr/bin/python3")
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--limit", default="2%")
    parser.add_argument("--rate", type=float, default=20000)
    args = parser.parse_args()

    with Target(args.interpreter, ROOT / "e2e" / "churn.py", args.rate) as target:
        command = [args.program, "record", str(target.pid), "-i", "2s", "-d", f"{2 * args.pictures + 1}s"]
        before = [float(x) for x in target.ask("").split()]
        done = subprocess.run([*command, "--max-overhead", args.limit], stdout=subprocess.PIPE, text=True)
        after = [float(x) for x in target.ask("").split()]
    truth = (after[0] - before[0]) / (after[1] - before[1])
    inside, seen, widths, errors, shares = 0, 0, [], [], []
    for line in done.stdout.splitlines():
        picture = json.loads(line)
        node = next((t for t in picture["types"] if t["name"] == "__main__.Node"), None)
        if not node or node["rate_error"] is None:
            continue
        rate, half = node["alloc_objects_per_second"], node["rate_error"] * node["alloc_objects_per_second"]
        seen += 1
        inside += abs(rate - truth) <= half
        widths.append(node["rate_error"])
        errors.append((rate - truth) / truth)
        shares.append(picture["events"]["coverage"])
    if not seen:
        raise SystemExit("no picture had an interval")
    print(f"true rate {truth:.0f}/s, limit {args.limit}: in the interval in {inside} of {seen} pictures; half-width "
          f"median {sorted(widths)[seen // 2]:.3f}, error median {sorted(errors)[seen // 2]:+.4f}, coverage {shares[-1]:.3f}, "
          f"overhead {picture['events']['overhead']['estimated']:.4f}")


if __name__ == "__main__":
    main()
