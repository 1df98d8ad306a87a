# SPDX-License-Identifier: BSD-2-Clause
"""Whatever hangs costs a test, or a file of tests, and never the run."""

import os
import pathlib
import subprocess
import sys
import time

import bounded
import pythontests

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Starts a child that holds its output open, and waits for ever.
HANGS = "import subprocess, time\nsubprocess.Popen(['sleep', '1000'])\nprint('begun', flush=True)\ntime.sleep(1000)\n"


def alive(pid):
    """A zombie is not: whoever adopted it may be slow to look."""
    try:
        return " Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_what_hangs_is_ended_with_what_it_started(tmp_path):
    program = "import os, subprocess, time\nprint(os.getpid(), subprocess.Popen(['sleep', '1000']).pid, flush=True)\ntime.sleep(1000)\n"
    with open(tmp_path / "out", "wb") as output:
        assert bounded.run([sys.executable, "-c", program], 1, output) is None
    pids = (tmp_path / "out").read_text().split()
    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, pids))


def test_status_and_output_of_what_ends(tmp_path):
    with open(tmp_path / "out", "wb") as output:
        assert bounded.run(["sh", "-c", "echo said; exit 7"], 20, output) == 7
    assert (tmp_path / "out").read_text() == "said\n"


TESTS = """
import subprocess, time, pytest
def test_before(): pass
def test_hangs():
    try:
        subprocess.run(["sleep", "1000"])
    finally:
        time.sleep(1000)
@pytest.fixture
def endless():
    yield
    time.sleep(1000)
def test_cleans_up_for_ever(endless): pass
@pytest.mark.limit(0.5)
def test_has_its_own(): time.sleep(1000)
def test_after(): pass
"""


def tree(directory, **files):
    """A project of its own with these tests and our conftest.py."""
    tests = directory / "tests"
    (tests / "some").mkdir(parents=True)
    for name in "conftest.py", "pytest.ini", "lib":
        (tests / name).symlink_to(ROOT / "tests" / name)
    for name, text in files.items():
        (tests / "some" / f"{name}.py").write_text(text)
    (directory / "reports").mkdir()
    return directory


def run(directory, monkeypatch, **seconds):
    for name, value in seconds.items():
        monkeypatch.setattr(pythontests, name, value)
    environment = dict(os.environ, PYMEMTOP_TEST_LIMIT="2", PYTHONDONTWRITEBYTECODE="1")
    results = pythontests.run(directory, directory / "reports", environment, 2)
    return {(r.path.stem, r.alone): (r.passed, r.failed, r.skipped) for r in results}


def test_a_test_that_hangs_fails_and_the_next_runs(tmp_path, monkeypatch):
    found = run(tree(tmp_path, test_it=TESTS), monkeypatch)
    # What passed and then hung in its tear-down has passed and failed.
    assert found == {("test_it", False): (3, 3, 0)}


def test_a_file_that_hangs_fails_and_the_others_run(tmp_path, monkeypatch):
    files = {"test_hangs": HANGS, "test_good": "def test_it(): pass\n", "test_dies": "import os\ndef test_it(): os._exit(0)\n"}
    found = run(tree(tmp_path, **files), monkeypatch, FILE_SECONDS=5)
    good, bad = (1, 0, 0), (0, 1, 0)
    assert found == {("test_hangs", False): bad, ("test_good", False): good, ("test_dies", False): bad}


def test_what_measures_runs_alone(tmp_path, monkeypatch):
    mixed = "import pytest\ndef test_one(): pass\n@pytest.mark.alone\ndef test_two(): pass\n"
    only = "import pytest\npytestmark = pytest.mark.alone\ndef test_it(): pass\n"
    found = run(tree(tmp_path, test_mixed=mixed, test_only=only, test_none=""), monkeypatch)
    good, bad = (1, 0, 0), (0, 1, 0)
    assert found == {
        ("test_mixed", False): good,
        ("test_mixed", True): good,
        ("test_only", True): good,
        ("test_none", False): bad,
    }


def test_without_time_left_nothing_begins(tmp_path, monkeypatch):
    assert run(tree(tmp_path, test_it="def test_it(): pass\n"), monkeypatch, TOTAL_SECONDS=0) == {("test_it", False): (0, 1, 0)}


def test_a_run_that_is_stopped_says_what_it_had(tmp_path):
    """As .ci/run does when time is over: the first program is not there, and the second does not end."""
    second = sorted(path.stem for path in (ROOT / "tests" / "unit").glob("*.c"))[1]
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit" / second).write_text("#!/bin/sh\nsleep 1000\n")
    (tmp_path / "unit" / second).chmod(0o755)
    command = [sys.executable, ROOT / "tests" / "run.py", "--build", tmp_path, "unit"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        lines = [process.stdout.readline()]
        while "0 passed, 1 failed" not in lines[-1]:
            assert lines[-1], lines
            lines.append(process.stdout.readline())
        process.terminate()
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1
    assert out.splitlines()[-1] == "0 passed, 2 failed, 0 skipped"
