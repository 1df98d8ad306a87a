# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures for every Python test: the program, the interpreters of this machine, targets, capabilities."""

import collections
import json
import os
import pathlib
import signal
import subprocess

import capability
import interpreters
import pytest
from target import Target

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUTCOMES = "passed", "failed", "skipped"

# A run in the background or under nohup comes with them ignored, and what it starts would ignore them too.
for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

# What the matrix at the end of a run says of each interpreter, and which tests say it.
EXACT = {"test_census.py": "census", "test_layouts.py": "layouts", "test_dict_layouts.py": "layouts"}

matrix = collections.defaultdict(collections.Counter)
exact = collections.defaultdict(lambda: collections.defaultdict(set))
measured = {}


def pytest_addoption(parser):
    parser.addoption("--interpreter", default="", help="only interpreters whose id contains this")


def pytest_generate_tests(metafunc):
    """A test that takes `interpreter` runs once with each interpreter of this machine."""
    if "interpreter" not in metafunc.fixturenames:
        return
    wanted = metafunc.config.getoption("--interpreter")
    found = [i for i in interpreters.discover() if wanted in i.id]
    if not found:
        raise pytest.UsageError(f"no interpreter matches {wanted!r}")
    metafunc.parametrize("interpreter", found, ids=lambda i: i.id, scope="session")


@pytest.fixture(scope="session")
def can_use_bpf():
    capability.require(capability.why_no_bpf(), "BPF")


@pytest.fixture(scope="session")
def can_attach():
    capability.require(capability.why_no_attach(), "reading another process")


class Pymemtop:
    """The program under test. run() returns a CompletedProcess with text output; json() insists on success."""

    def __init__(self, path):
        self.path = path

    def run(self, *arguments, timeout=120, **options):
        return subprocess.run(
            [self.path, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            **options,
        )

    def json(self, *arguments, status=(0,), **options):
        done = self.run(*arguments, **options)
        assert done.returncode in status, f"exit status {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)


@pytest.fixture(scope="session")
def pymemtop():
    path = pathlib.Path(os.environ.get("PYMEMTOP", ROOT / "build" / "pymemtop"))
    if not os.access(path, os.X_OK):
        pytest.fail(f"{path} is not there: run make first")
    return Pymemtop(str(path))


@pytest.fixture(scope="session")
def tools(pymemtop):
    """The directory of what tests/tools/*.c was built into."""
    return pathlib.Path(pymemtop.path).parent / "tools"


@pytest.fixture
def start_target():
    """start_target(interpreter, program, *arguments) -> Target; all are ended after the test."""
    targets = []

    def start(*arguments, **options):
        targets.append(Target(*arguments, **options))
        return targets[-1]

    yield start
    for target in targets:
        target.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    # Teardown counts only when it breaks; setup when it does anything but pass.
    if "interpreter" in parameters and (report.when == "call" or report.outcome != "passed"):
        interpreter = parameters["interpreter"]
        matrix[interpreter][report.outcome] += 1
        if item.path.name in EXACT:
            exact[interpreter][EXACT[item.path.name]].add(report.outcome)
        for name, value in report.user_properties:
            if name == "events coverage":
                measured[interpreter] = value


def verdict(outcomes):
    if "failed" in outcomes:
        return "WRONG"
    if "passed" not in outcomes:
        return "-"
    return "partly" if "skipped" in outcomes else "exact"


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("interpreters")
    for interpreter in interpreters.discover():
        counts = matrix[interpreter]
        text = ", ".join(f"{counts[o]} {o}" for o in OUTCOMES) if counts else "not run"
        terminalreporter.write_line(
            f"{interpreter.id:24} {text:36} census {verdict(exact[interpreter]['census']):6} "
            f"layouts {verdict(exact[interpreter]['layouts']):6} events {measured.get(interpreter, '-'):8} {interpreter.path}"
        )
    for what, reason in (
        ("BPF", capability.why_no_bpf()),
        ("reading another process", capability.why_no_attach()),
    ):
        if reason:
            terminalreporter.write_line(f"!! NOT TESTED: {what}: {reason}", red=True, bold=True)
