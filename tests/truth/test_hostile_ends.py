# SPDX-License-Identifier: BSD-2-Clause
"""Targets that end, stop or are no process at the worst moment, and users who interrupt: always the contract's answer."""

import json
import os
import pathlib
import random
import signal
import subprocess
import time

import interpreters
import pytest
from target import Target

TARGETS = pathlib.Path(__file__).parent / "targets"
NO_PROCESS, UNSUPPORTED, PARTIAL = 3, 5, 6

few = [i for i in interpreters.discover() if i.version_info[:2] == (3, 11)] or interpreters.discover()[:1]

pytestmark = pytest.mark.usefixtures("can_attach")


@pytest.fixture(scope="module", params=few, ids=lambda i: i.id)
def zygote(request):
    with Target(request.param, TARGETS / "zygote.py") as target:
        yield target


def finish(process, directory, statuses):
    """Waits for a snapshot -o directory/out: the file is whole and says so, or is not there."""
    _, err = process.communicate(timeout=30)
    assert process.returncode in statuses, (process.returncode, err)
    names = os.listdir(directory)
    if process.returncode in (0, PARTIAL):
        assert names == ["out"]
        snapshot = json.loads((directory / "out").read_text())
        assert snapshot["partial"] is (process.returncode == PARTIAL)
        assert bool(snapshot["partial_reasons"]) is snapshot["partial"]
        (directory / "out").unlink()
    else:
        assert names == [] and err.count("\n") == 1, (names, err)
    return process.returncode


def begin(pymemtop, pid, directory, *more):
    # Ctrl-C reaches it as it would in a terminal, whatever the parent of this test ignores.
    return subprocess.Popen(
        [pymemtop.path, "snapshot", str(pid), "-o", directory / "out", *more],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def duration(pymemtop, pid):
    start = time.monotonic()
    pymemtop.json("snapshot", pid)
    return time.monotonic() - start


def test_target_killed_at_a_random_moment(pymemtop, zygote, tmp_path):
    """100 times a build, with two of them: 200."""
    random.seed(2)
    longest = duration(pymemtop, zygote.pid)
    seen = set()
    for _ in range(100):
        child = int(zygote.ask("fork"))
        process = begin(pymemtop, child, tmp_path)
        time.sleep(random.uniform(0, 1.2 * longest))
        os.kill(child, signal.SIGKILL)
        seen.add(finish(process, tmp_path, (0, NO_PROCESS, PARTIAL)))
    assert len(seen) >= 2, seen  # the moments were such as to matter


def test_interrupted_at_a_random_moment(pymemtop, zygote, tmp_path):
    random.seed(3)
    longest = duration(pymemtop, zygote.pid)
    for _ in range(40):
        process = begin(pymemtop, zygote.pid, tmp_path)
        time.sleep(random.uniform(0.01, longest))
        process.send_signal(signal.SIGINT)
        finish(process, tmp_path, (0, PARTIAL, 128 + signal.SIGINT, -signal.SIGINT))


def test_target_killed_while_it_is_watched(pymemtop, zygote, tmp_path, can_use_bpf):
    random.seed(4)
    for mode in ("exact", "budget"):
        for _ in range(4):
            child = int(zygote.ask("fork"))
            process = begin(pymemtop, child, tmp_path, "-d", "30s", "--events", mode)
            time.sleep(random.uniform(0.05, 0.8))
            os.kill(child, signal.SIGKILL)
            start = time.monotonic()
            finish(process, tmp_path, (NO_PROCESS, PARTIAL))
            assert time.monotonic() - start < 15


def test_stopped_target_stays_stopped(pymemtop, zygote):
    child = int(zygote.ask("fork"))
    os.kill(child, signal.SIGSTOP)
    try:
        snapshot = pymemtop.json("snapshot", child)
        assert not snapshot["partial"] and snapshot["census"]["blocks"] > 150000
        status = pathlib.Path(f"/proc/{child}/status").read_text()
        assert "State:\tT (stopped)" in status and "TracerPid:\t0" in status
    finally:
        os.kill(child, signal.SIGKILL)


def assert_one_line(done, status):
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1), done.stderr


def test_zombie(pymemtop):
    process = subprocess.Popen([few[0].path, "-c", "pass"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert "State:\tZ" in pathlib.Path(f"/proc/{process.pid}/status").read_text()
    try:
        assert_one_line(pymemtop.run("snapshot", process.pid), NO_PROCESS)
    finally:
        process.wait()


def test_kernel_thread(pymemtop):
    threads = [p for p in pathlib.Path("/proc").glob("[0-9]*/stat") if " (kthreadd) " in p.read_text()]
    if not threads:
        pytest.skip("no kernel thread can be seen from here")
    assert_one_line(pymemtop.run("snapshot", threads[0].parent.name), UNSUPPORTED)
