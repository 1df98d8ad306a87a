# SPDX-License-Identifier: BSD-2-Clause
"""Exact and budget mode against a target whose rate is known."""

import os
import pathlib
import signal
import subprocess
import time

import patience
import pytest
from gaps import again_if_taken_off, assert_whole
from probes import breakpoints
from recording import Recording

CHURN = pathlib.Path(__file__).with_name("churn.py")
RATE = 10000 / patience.FACTOR
# Of a machine that is slower: hits and windows cost so much more, the promise is the same.
LIMIT = 0.01 * patience.FACTOR
# By hand, or in a longer run: PYMEMTOP_TEST_SECONDS=30.
SECONDS = float(os.environ.get("PYMEMTOP_TEST_SECONDS", patience.seconds(4)))


class Pace:
    """What the target itself says its rate was, from entering to leaving."""

    def __init__(self, target):
        self.target = target

    def __enter__(self):
        self.before = [float(x) for x in self.target.ask("").split()]
        return self

    def __exit__(self, *exception):
        after = [float(x) for x in self.target.ask("").split()]
        self.rate = (after[0] - self.before[0]) / (after[1] - self.before[1])


def node_of(snapshot):
    return next(t for t in snapshot["types"] if t["name"] == "__main__.Node")


def is_told(rate, node):
    """Narrowly enough to be of use, and truly: an interval of 95%, and what the target says of itself has an error too."""
    found, error = node["alloc_objects_per_second"], node["rate_error"]
    return found is not None and error is not None and 0 < error <= 0.5 and abs(found - rate) < max(1.5 * error * found, 0.1 * rate)


@pytest.fixture
def churn(interpreter, start_target, pymemtop, can_use_bpf, can_attach):
    target = start_target(interpreter, CHURN, RATE)
    probe = pymemtop.run("snapshot", target.pid, "-d", "10ms", "--events", "exact")
    if probe.returncode == 5:
        pytest.skip(probe.stderr.strip())
    return target


@again_if_taken_off
def test_exact_mode_counts_all_and_drifts_nowhere(churn, pymemtop):
    # Its own count begins a little before the snapshot's and ends a little after: where it is held up just there, the
    # two differ, which it is not each time. Nothing else may ever.
    for _ in range(6):
        with Pace(churn) as pace:
            snapshot = pymemtop.json("snapshot", churn.pid, "-d", f"{SECONDS}s", "--events", "exact", status=(0, 6))
        events, node = snapshot["events"], node_of(snapshot)
        assert events["mode"] == "exact"
        assert_whole(snapshot)
        assert events["lost"] == 0
        assert events["drift_objects"] == 0 and events["drift_bytes"] == 0
        assert node["rate_error"] == 0
        assert node["free_objects_per_second"] == pytest.approx(node["alloc_objects_per_second"], rel=0.002)
        print(pace.rate, node["alloc_objects_per_second"], events["coverage"])
        if node["alloc_objects_per_second"] == pytest.approx(pace.rate, rel=0.02):
            break
    assert events["coverage"] > 0
    assert node["alloc_objects_per_second"] == pytest.approx(pace.rate, rel=0.02)


def traced_ms(picture):
    return picture["events"]["coverage"] * picture["events"]["duration_ms"]


STRETCH = patience.seconds(4)


def was_always_on(pictures):
    """For so long at a stretch; what it took until the probes were on is not in it."""
    known = [p for p in pictures if p["events"]["drift_objects"] is not None]
    for i, first in enumerate(known):
        for last in known[i + 1 :]:
            length = last["events"]["duration_ms"] - first["events"]["duration_ms"]
            whole = last["events"]["lost"] == first["events"]["lost"]
            if whole and length >= STRETCH * 1000 and traced_ms(last) - traced_ms(first) > 0.98 * length:
                return first, last
    return None


def test_exact_mode_is_always_on(churn, pymemtop, tmp_path):
    """A machine that gives pymemtop no CPU for most of a second has a gap there, which is told: it does not each time."""
    with Recording(pymemtop, tmp_path / "run.ndjson", churn.pid, "-i", f"{STRETCH / 4}s", "--events", "exact") as recording:
        _, last = was_always_on(recording.wait(was_always_on, "a stretch without a gap", timeout=120))
    assert node_of(last)["rate_error"] == 0


def test_budget_mode_keeps_its_promise(churn, pymemtop, tmp_path):
    # Where the machine stands still at the end of a window, that one costs more: it does not each time.
    interval, limit = f"{patience.seconds(4)}s", f"{100 * LIMIT:g}%"
    with Recording(pymemtop, tmp_path / "run.ndjson", churn.pid, "-i", interval, "--max-overhead", limit) as recording:
        count = len(recording.wait(bool, "a picture"))
        for _ in range(12):
            with Pace(churn) as pace:
                pictures = recording.wait(lambda p: len(p) > count, "another picture")
            count = len(pictures)
            events, node = pictures[-1]["events"], node_of(pictures[-1])
            print(pace.rate, node["alloc_objects_per_second"], node["rate_error"], events["coverage"], events["overhead"])
            if events["overhead"]["estimated"] <= 1.1 * LIMIT and is_told(pace.rate, node):
                break
    assert events["mode"] == "budget"
    assert events["overhead"]["limit"] == pytest.approx(LIMIT)
    # A budget is kept over any 10 s; what one window's end may overdraw is less than a tenth of it.
    assert 0 < events["overhead"]["estimated"] <= 1.1 * LIMIT
    assert 0 < events["coverage"] < 1
    assert events["drift_objects"] is None
    assert is_told(pace.rate, node), (pace.rate, node["alloc_objects_per_second"], node["rate_error"])


def test_events_off_places_no_probe(churn, pymemtop):
    snapshot = pymemtop.json("snapshot", churn.pid)
    assert snapshot["events"]["mode"] == "off"
    assert snapshot["events"]["sites"] == []
    assert node_of(snapshot)["alloc_objects_per_second"] is None


def test_kill_leaves_no_probe_behind(churn, pymemtop):
    watcher = subprocess.Popen(
        [pymemtop.path, "snapshot", str(churn.pid), "-d", "60s", "--events", "exact"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + patience.seconds(20)
    while not breakpoints(churn.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert breakpoints(churn.pid) > 0, "the probes never came"
    watcher.send_signal(signal.SIGKILL)
    watcher.wait()
    deadline = time.monotonic() + patience.seconds(10)
    while breakpoints(churn.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert breakpoints(churn.pid) == 0
    # In one of some half seconds: the machine has other work besides.
    rates = []
    while len(rates) < 20 and rates[-1:] != [pytest.approx(RATE, rel=0.2)]:
        with Pace(churn) as pace:
            time.sleep(0.5)
        rates.append(pace.rate)
    assert rates[-1] == pytest.approx(RATE, rel=0.2), rates
