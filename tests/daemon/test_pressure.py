# SPDX-License-Identifier: BSD-2-Clause
"""--on-pressure: a snapshot is on the disk before the OOM killer comes."""

import json
import os
import pathlib
import time

import books
import daemons
import pytest

LIMIT = 96 << 20
GROWS = """
class Fat:
    def __init__(self):
        self.data = bytearray(1 << 20)
kept = []
print("ready")
for line in iter(input, "end"):
    kept += [Fat() for _ in range(int(line))]
    print("grown", flush=True)
"""
VERSIONS = {
    "memory": "memory.limit_in_bytes",
    "unified": "memory.max",
    "": "memory.max",
}


@pytest.fixture
def cgroup():
    """A cgroup of our own with a limit of memory, of whichever version has the controller here."""
    for folder, limit in VERSIONS.items():
        path = pathlib.Path("/sys/fs/cgroup", folder, f"pymemtop-test-{os.getpid()}")
        try:
            path.mkdir()
        except OSError:
            continue
        try:
            (path / limit).write_text(str(LIMIT))
            yield path
            return
        except OSError:
            continue
        finally:
            daemons.wait_for(lambda: not (path / "cgroup.procs").read_text(), what="the cgroup to be empty")
            path.rmdir()
    pytest.skip("no cgroup with a memory controller can be made here")


def test_a_snapshot_is_written_before_the_limit(start_daemon, start_target, system_python, cgroup, directory):
    with_dumps = directory / "dumps"
    with_dumps.mkdir()
    target = start_target(system_python, GROWS)
    (cgroup / "cgroup.procs").write_text(str(target.pid))
    try:
        daemon = start_daemon("-p", target.pid, "--events", "off", "-i", "1h", "--on-pressure", with_dumps)
        daemon.wait_up(target.pid)
        assert target.ask("40") == "grown"
        time.sleep(3)
        assert not list(with_dumps.iterdir()), "far from the limit"

        assert target.ask("50") == "grown"
        [path] = daemons.wait_for(lambda: list(with_dumps.glob("pymemtop-*.json")), what="the snapshot")
        snapshot = json.loads(path.read_text())
        assert snapshot["process"]["pid"] == target.pid
        assert books.named(snapshot, "__main__.Fat")["inuse_objects"] == 90
        assert path.stat().st_mode & 0o777 == 0o600
        time.sleep(3)
        assert len(list(with_dumps.iterdir())) == 1, "once is enough"
        assert "near the memory limit" in daemon.log
    finally:
        target.stop()
