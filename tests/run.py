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
import subprocess
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
UNIT_TIMEOUT = 300
PYTHON_TIMEOUT = 3600

sys.path.insert(0, str(ROOT / "tests" / "check"))
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


def run_rules(build):
    total = Count()
    for name, complaints in rules.check(ROOT):
        print(f"  {'FAIL' if complaints else 'ok  '}  {name}")
        for complaint in complaints:
            print(f"        {complaint}")
        total += Count(failed=1) if complaints else Count(passed=1)
    return total


def run_unit_program(program):
    """(count, output) of one cmocka program. A crash or a hang is one failure more."""
    try:
        done = subprocess.run(
            [program],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=UNIT_TIMEOUT,
        )
        output, status = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b"").decode(errors="replace")
        output += f"\nno end after {UNIT_TIMEOUT} s"
        status = None
    except OSError as error:
        output, status = str(error), None

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


def run_unit(build):
    sources = sorted(ROOT.glob("tests/unit/*.c"))
    programs = [build / "unit" / source.stem for source in sources]
    total = Count()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for program, (count, output) in zip(programs, pool.map(run_unit_program, programs)):
            print(f"  {'FAIL' if count.failed else 'ok  '}  {program.name}: {count}")
            if count.failed or count.skipped:
                print("        " + output.strip().replace("\n", "\n        "))
            total += count
    return total


def run_python(build):
    report = build / "tests" / "pytest.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    environment = dict(os.environ, PYMEMTOP=str(build / "pymemtop"), PYTHONDONTWRITEBYTECODE="1")
    command = [sys.executable, "-m", "pytest", "-c", "tests/pytest.ini", f"--junitxml={report}", "tests"]
    try:
        status = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, timeout=PYTHON_TIMEOUT
        ).returncode
    except subprocess.TimeoutExpired:
        print(f"  FAIL  no end after {PYTHON_TIMEOUT} s")
        return Count(failed=1)

    # 5: pytest found no tests.
    if status == 5:
        print("  FAIL  no test was found")
        return Count(failed=1)
    try:
        suites = list(xml.etree.ElementTree.parse(report).getroot().iter("testsuite"))
    except (OSError, xml.etree.ElementTree.ParseError):
        print(f"  FAIL  pytest ended with status {status} and no report")
        return Count(failed=1)
    total = Count()
    for suite in suites:
        number = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        total += Count(number["tests"] - failed - number["skipped"], failed, number["skipped"])
    if status and not total.failed:
        print(f"  FAIL  pytest ended with status {status}")
        total.failed = 1
    return total


STAGES = {"rules": run_rules, "unit": run_unit, "python": run_python}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="build directory")
    parser.add_argument("stages", nargs="+", choices=STAGES)
    args = parser.parse_args()

    total = Count()
    for name in args.stages:
        print(f"{name}:", flush=True)
        count = STAGES[name]((ROOT / args.build).resolve())
        print(f"{name}: {count}\n", flush=True)
        total += count
    print(total, flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
