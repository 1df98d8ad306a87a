# SPDX-License-Identifier: BSD-2-Clause
"""Runs Python tests in one pytest a file, some at a time: what one breaks or holds up is that file's matter alone."""

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import signal
import sys
import time
import xml.etree.ElementTree

import bounded
import patience

# A file's tests have limits of their own (limits.py): this one is for a pytest that hangs itself.
FILE_SECONDS = 900 * patience.FACTOR
# Of all; what has not begun by then fails.
TOTAL_SECONDS = 2400 * patience.FACTOR
# What takes long begins first, so that it does not run alone at the end.
LONG = "test_events", "test_observe", "test_record", "test_builds", "test_leak", "test_census", "test_hostile_ends", "test_age", "test_probes"
ALONE = "alone"

# The exit status of a pytest in which no test was chosen.
NO_TESTS = 5


@dataclasses.dataclass
class Result:
    path: pathlib.Path
    alone: bool
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0
    slowest: list = dataclasses.field(default_factory=list)  # (seconds, test)
    output: str = ""
    skips: list = dataclasses.field(default_factory=list)

    def fail(self, why):
        self.failed += 1
        self.output += f"\n{why}\n"


def read_report(result, path):
    """Counts from pytest's own report; False where there is none."""
    try:
        suites = list(xml.etree.ElementTree.parse(path).getroot().iter("testsuite"))
    except (OSError, xml.etree.ElementTree.ParseError):
        return False
    for suite in suites:
        number = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        result.failed += failed
        result.skipped += number["skipped"]
        result.passed += number["tests"] - failed - number["skipped"]
        result.slowest += [(float(c.get("time", 0)), c.get("name")) for c in suite.iter("testcase")]
    return True


def run_file(root, path, alone, directory, environment, seconds):
    result = Result(path, alone)
    name = f"{path.parent.name}-{path.stem}" + ("-alone" if alone else "")
    report, log = directory / f"{name}.xml", directory / f"{name}.log"
    command = [sys.executable, "-m", "pytest", "-c", "tests/pytest.ini", f"--junitxml={report}"]
    command += ["-m", ALONE if alone else f"not {ALONE}", path]
    begin = time.monotonic()
    with open(log, "wb") as output:
        # SIGABRT: faulthandler says where it hangs.
        status = bounded.run(command, seconds, output, ask=signal.SIGABRT, cwd=root, env=environment)
    result.seconds = time.monotonic() - begin
    result.output = log.read_text(errors="replace")
    result.skips = re.findall(r"^SKIPPED .*$", result.output, re.M)
    read = read_report(result, report)
    if status is None:
        result.fail(f"no end after {seconds:.0f} s")
    elif not read or status and not result.failed and status != NO_TESTS:
        result.fail(f"pytest ended with status {status}" + ("" if read else " and no report"))
    elif not result.passed + result.failed + result.skipped:
        result.fail("no test was found")
    return result


def jobs_of(root, only=()):
    """([files], [files with tests that want the machine for themselves]). @only: those at or under these paths."""
    together, alone = [], []
    found = (root / "tests").glob("*/test_*.py")
    if only:
        found = [path for path in found if {path, *path.parents} & {root / name for name in only}]
    for path in sorted(found, key=lambda p: (p.stem not in LONG, str(p))):
        marks = set(re.findall(rf"^(@|pytestmark = .*)pytest\.mark\.{ALONE}\b", path.read_text(), re.M))
        if marks <= {"@"}:
            together.append(path)
        if marks:
            alone.append(path)
    return together, alone


def run(root, directory, environment, lanes, only=()):
    """A Result for each, as they end: first side by side, then those that measure, one by one."""
    for old in directory.glob("*-test_*.*"):
        old.unlink()
    begin = time.monotonic()

    def one(path, alone):
        left = begin + TOTAL_SECONDS - time.monotonic()
        if left <= 0:
            result = Result(path, alone)
            result.fail(f"not run: {TOTAL_SECONDS} s are over")
            return result
        return run_file(root, path, alone, directory, environment, min(left, FILE_SECONDS))

    together, alone = jobs_of(root, only)
    with concurrent.futures.ThreadPoolExecutor(max_workers=lanes) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, path, False) for path in together]):
            yield done.result()
    for path in alone:
        yield one(path, True)
