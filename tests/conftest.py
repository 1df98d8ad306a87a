# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures for every Python test: the program, the interpreters of this machine, targets, capabilities."""

import json
import os
import pathlib
import signal
import subprocess

import capability
import interpreters
import limits
import matrix
import patience
import pytest
from matrix import Matrix
from target import Target

ROOT = pathlib.Path(__file__).resolve().parents[1]
# A run in the background or under nohup comes with them ignored, and what it starts would ignore them too.
for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

seen = Matrix()


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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """
    File by file, and in each all of one interpreter together: so what a file sets up is set up once for each. Where
    tests have another parameter besides, pytest's own order goes to and fro.
    """
    places = {i: number for number, i in enumerate(interpreters.discover())}

    def place(item):
        interpreter = getattr(getattr(item, "callspec", None), "params", {}).get("interpreter")
        return str(item.path), places.get(interpreter, -1)

    items.sort(key=place)


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
            timeout=patience.seconds(timeout),
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
def pytest_runtest_setup(item):
    with limits.limit(item, "set-up"):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    with limits.limit(item, "call"):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    with limits.limit(item, "tear-down"):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    seen.add(item, (yield).get_result())


def pytest_terminal_summary(terminalreporter):
    """Of a run in several processes (tests/run.py) all together, at its end."""
    directory = os.environ.get("PYMEMTOP_MATRIX")
    if directory:
        seen.save(directory)
        return
    terminalreporter.section("interpreters")
    for line in seen.lines():
        terminalreporter.write_line(line)
    for line in matrix.not_tested():
        terminalreporter.write_line(line, red=True, bold=True)
