#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the tests named on the command line (rules, unit, python) and ends with one plain count line.

Exit status 0 only when nothing failed and something passed.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import signal
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The longest takes 15 s, with sanitizers on.
UNIT_SECONDS = 150
SLOWEST = 12

sys.path[:0] = [str(ROOT / "tests" / "check"), str(ROOT / "tests" / "lib")]
import bounded  # noqa: E402
import matrix  # noqa: E402
import pythontests  # noqa: E402
import rules  # noqa: E402


# A run in the background comes with them ignored, and what it starts would ignore them too.
for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run_rules(options):
    for name, complaints in rules.check(ROOT):
        print(f"  {'FAIL' if complaints else 'ok  '}  {name}")
        for complaint in complaints:
            print(f"        {complaint}")
        yield Count(failed=1) if complaints else Count(passed=1)


def run_unit_program(program, seconds=UNIT_SECONDS):
    """(count, output) of one cmocka program. A crash or a hang is one failure more."""
    with tempfile.TemporaryFile() as file:
        try:
            status = bounded.run([program], seconds, file, ask=signal.SIGABRT, cwd=ROOT)
        except OSError as error:
            file.write(str(error).encode())
            status = -1
        file.seek(0)
        output = file.read().decode(errors="replace")
    if status is None:
        output += f"\nno end after {seconds} s"

    count = Count(
        passed=len(re.findall(r"^\[       OK \] ", output, re.M)),
        # cmocka names each failed test twice, once in its closing list: only that is counted.
        failed=len(set(re.findall(r"^\[  FAILED  \] (\S+)$", output, re.M))),
        skipped=len(set(re.findall(r"^\[  SKIPPED \] (\S+)$", output, re.M))),
    )
    if status != 0 and not count.failed:
        output += f"\nexit status {status}"
        count.failed = 1
    # A program that ends early with status 0 has no closing line.
    if not re.search(r"^\[==========\] [1-9]\d* test\(s\) run\.$", output, re.M) and not count.failed:
        output += "\nit ended before its tests did"
        count.failed = 1
    return count, output


def run_unit(options):
    sources = sorted(ROOT.glob("tests/unit/*.c"))
    programs = [options.build / "unit" / source.stem for source in sources]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for program, (count, output) in zip(programs, pool.map(run_unit_program, programs)):
            # Counted, then told: who interrupts a run hears of all that has ended.
            yield count
            print(f"  {'FAIL' if count.failed else 'ok  '}  {program.name}: {count}", flush=True)
            if count.failed or count.skipped:
                print("        " + output.strip().replace("\n", "\n        "))


def show(result):
    name = f"{result.path.relative_to(ROOT)}{' (alone)' if result.alone else ''}"
    counts = Count(result.passed, result.failed, result.skipped)
    print(f"  {'FAIL' if result.failed else 'ok  '}  {name}: {counts}, {result.seconds:.0f} s")
    if result.failed:
        print("        " + result.output.strip().replace("\n", "\n        "))
    for line in () if result.failed else result.skips:
        print(f"        {line}")
    sys.stdout.flush()


def run_python(options):
    directory = options.build / "tests"
    directory.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, PYMEMTOP=str(options.build / "pymemtop"), PYTHONDONTWRITEBYTECODE="1")
    slowest, seen = [], matrix.Matrix()
    with tempfile.TemporaryDirectory() as said:
        environment["PYMEMTOP_MATRIX"] = said
        for result in pythontests.run(ROOT, directory, environment, options.lanes, options.only):
            yield Count(result.passed, result.failed, result.skipped)
            show(result)
            slowest += [(seconds, f"{result.path.name}: {name}") for seconds, name in result.slowest]
        seen.merge(said)
    print("\n".join(["", *matrix.not_tested(), *seen.lines()]))
    for seconds, name in sorted(slowest, reverse=True)[:SLOWEST]:
        print(f"  {seconds:5.0f} s  {name}")


class Stopped(BaseException):
    pass


def stop(number, frame):
    bounded.stop()
    raise Stopped


STAGES = {"rules": run_rules, "unit": run_unit, "python": run_python}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="build directory")
    parser.add_argument("--only", action="append", default=[], help="Python tests at or under this path")
    # Two: most of them wait for something, and a machine that is full makes those fail that look at a clock.
    parser.add_argument("--lanes", type=int, default=min(os.cpu_count() or 1, 2), help="Python tests side by side")
    parser.add_argument("stages", nargs="+", choices=STAGES)
    options = parser.parse_args()
    options.build = (ROOT / options.build).resolve()

    total = Count()
    for number in signal.SIGTERM, signal.SIGINT:
        signal.signal(number, stop)
    try:
        for name in options.stages:
            print(f"{name}:", flush=True)
            stage = Count()
            for count in STAGES[name](options):
                stage += count
                total += count
            print(f"{name}: {stage}\n", flush=True)
    except Stopped:
        print(f"{name}: FAIL  stopped before its end: {stage}\n")
        total.failed += 1
    print(total, flush=True)
    # Not sys.exit(), which waits for threads, and these for programs that the kernel may hold.
    os._exit(1 if total.failed or not total.passed else 0)


if __name__ == "__main__":
    main()
