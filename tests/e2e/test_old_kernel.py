# SPDX-License-Identifier: BSD-2-Clause
"""The whole way with perf-event links, as on a kernel that has no uprobe_multi (6.1), and no cookies either (5.10)."""

import json
import os
import pathlib
import subprocess
import time

import interpreters
import pytest
from probes import breakpoints
from target import Target

CHURN = pathlib.Path(__file__).with_name("churn.py")
RATE = 10000


@pytest.fixture(scope="session")
def python_of_few_sites():
    """Links of this kind are closed one after another: a build without inlined copies of the allocator has few."""
    for found in interpreters.discover():
        if found.gil and not found.debug and not found.root and (3, 9, 0) <= found.version_info < (3, 10, 0):
            return found
    pytest.skip("no Python 3.9")


@pytest.fixture(params=["6.1", "5.10"])
def kernel(request):
    release = tuple(int(n) for n in os.uname().release.split(".")[:2])
    if request.param == "6.1" and release < (5, 15):
        pytest.skip(f"Linux {os.uname().release} has no cookies: it cannot be made to look like 6.1")
    return request.param


def exact_snapshot(kernel, tools, pymemtop, target, neighbour, path):
    """The snapshot, and the most breakpoints seen meanwhile in the target and beside it."""
    command = [pymemtop.path, "snapshot", str(target.pid), "--events", "exact", "-d", "2s", "-o", path]
    watcher = subprocess.Popen([tools / "old_kernel", kernel, *command])
    seen = [0, 0]
    while watcher.poll() is None:
        seen = [max(before, breakpoints(p.pid)) for before, p in zip(seen, (target, neighbour))]
        time.sleep(0.1)
    assert watcher.returncode == 0
    return json.loads(path.read_text()), *seen


def test_exact_mode_for_one_address_space_and_all_its_threads(
    kernel, python_of_few_sites, tools, pymemtop, can_use_bpf, can_attach, tmp_path
):
    with Target(python_of_few_sites, CHURN, RATE) as target, Target(python_of_few_sites, CHURN, RATE) as neighbour:
        snapshot, own, others = exact_snapshot(kernel, tools, pymemtop, target, neighbour, tmp_path / "out.json")
        assert breakpoints(target.pid) == 0
    events = snapshot["events"]
    node = next(t for t in snapshot["types"] if t["name"] == "__main__.Node")
    assert own > 0
    assert others == 0
    assert events["records"] > RATE
    assert (events["lost"], events["drift_objects"], events["drift_bytes"]) == (0, 0, 0)
    assert node["alloc_objects_per_second"] > RATE / 3
    assert node["rate_error"] == 0


def test_the_way_is_taken(kernel, tools, pymemtop, can_use_bpf, can_attach):
    """Else the test above would prove nothing."""
    done = subprocess.run([tools / "old_kernel", kernel, pymemtop.path, "doctor"], capture_output=True, text=True)
    # A kernel that is as old has trace events for windows.
    assert "perf events, one for each site" in done.stdout or "trace events, one for each site" in done.stdout
    assert ("by address" in done.stdout) == (kernel == "5.10")
