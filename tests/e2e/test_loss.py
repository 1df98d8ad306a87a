# SPDX-License-Identifier: BSD-2-Clause
"""A loss that is forced: counted by its cause, shown, healed by the next census, never silently wrong."""

import json
import re
import signal
import subprocess
import sys
import time

import patience
import pytest
from daemons import Daemon, wait_for
from recording import Recording
from target import Target
from terminal import Terminal

# Some objects a second all the time, and as many more at once as a line says.
PROGRAM = """
import os, select
class Node:
    __slots__ = ("a", "b")
kept = [Node() for _ in range(50)]
print("ready", flush=True)
step = 0
while True:
    if select.select([0], [], [], 0.005)[0]:
        words = os.read(0, 100).split()
        if not words:
            break
        kept = [Node() for _ in range(int(words[0]))]
        kept = kept[:50]
        print("done", flush=True)
    step += 1
    kept[step % 50] = Node()
"""
BURST = 100000
# Rings that hold less than a burst: the smallest there is; one that is only too small while nobody reads it.
TINY, SMALL = "32KiB", "1MiB"
# A machine that gives pymemtop no CPU for most of a second makes a gap, which counts as one: of those there are fewer than that.
# How many a burst loses depends on who of the two gets more of the machine.
GAPS = 100
LOST = re.compile(r"\blost ([\d,]+)|\b([\d,]+) lost\b")


@pytest.fixture
def target(can_use_bpf, can_attach):
    with Target(sys.executable, PROGRAM) as running:
        yield running


def drift_of(picture):
    return picture["events"]["drift_objects"] or picture["events"]["drift_bytes"]


def tells_of_a_full_ring(picture):
    return any("event records were lost" in r and "ring full" in r for r in picture["partial_reasons"])


def is_whole(picture):
    return not picture["partial"] and picture["events"]["drift_objects"] is not None


def lost_of(lines):
    """The number in the first of the lines that has one."""
    for match in map(LOST.search, lines):
        if match:
            return int((match[1] or match[2]).replace(",", ""))
    return None


def node_of(picture):
    return next(t for t in picture["types"] if t["name"] == "__main__.Node")


@pytest.mark.parametrize("ring, stopped", [(TINY, False), (SMALL, True)], ids=["tiny-ring", "stopped-consumer"])
def test_a_loss_is_told_and_healed(pymemtop, target, tmp_path, ring, stopped):
    with Recording(pymemtop, tmp_path / "run.ndjson", target.pid, "-i", "300ms", "--events", "exact", "--ring", ring) as rec:
        before = rec.wait(lambda p: p and is_whole(p[-1]), "a whole picture")
        assert before[-1]["events"]["lost"] < GAPS and not any(map(tells_of_a_full_ring, before))
        if stopped:
            rec.process.send_signal(signal.SIGSTOP)
        assert target.ask(str(BURST)) == "done"
        if stopped:
            rec.process.send_signal(signal.SIGCONT)
        after = rec.wait(lambda p: any(map(tells_of_a_full_ring, p)) and is_whole(p[-1]) and not drift_of(p[-1]),
                         "the loss, and a whole picture without drift")
    told = next(i for i, p in enumerate(after) if tells_of_a_full_ring(p))
    first, last = after[told], after[-1]
    assert 0 < first["events"]["lost"] < 5 * BURST
    assert first["partial"]
    # No drift is claimed of a ledger that was not whole, and no rate is called exact that is not.
    assert first["events"]["drift_objects"] is None
    assert node_of(first)["rate_error"] is None
    assert 0 <= node_of(first)["alloc_objects_per_second"]
    # A picture is partial for what was lost since the one before it.
    assert all(p["partial"] for p, q in zip(after[1:], after) if p["events"]["lost"] > q["events"]["lost"])
    assert (last["events"]["drift_objects"], last["events"]["drift_bytes"]) == (0, 0)
    # What the ring still held from before the loss is not taken for news.
    assert not any(drift_of(p) for p in after)
    assert node_of(last)["rate_error"] == 0
    assert 40 <= node_of(last)["inuse_objects"] <= 60


def test_the_screen_tells_of_a_loss(pymemtop, target):
    command = [pymemtop.path, "top", target.pid, "-i", "300ms", "--events", "exact", "--ring", TINY]
    with Terminal(command) as terminal:
        terminal.wait(lambda rows: lost_of(rows) is not None)
        known = lost_of(terminal.screen())
        assert known < GAPS
        assert target.ask(str(BURST)) == "done"
        terminal.wait(lambda rows: (lost_of(rows) or 0) > known)
        # And goes on, with ages and rates.
        terminal.wait(lambda rows: any("__main__.Node" in row for row in rows))
        terminal.press("q")
        terminal.wait("[ended 0]")


def test_a_batch_of_text_tells_of_a_loss(pymemtop, target):
    with subprocess.Popen(
        [pymemtop.path, "top", "-b", "-i", "300ms", "-d", "60s", "--events", "exact", "--ring", TINY, str(target.pid)],
        stdout=subprocess.PIPE,
        text=True,
    ) as top:
        try:
            lines = iter(top.stdout.readline, "")
            known = next(lost for lost in (lost_of([line]) for line in lines) if lost is not None)
            assert known < GAPS
            assert target.ask(str(BURST)) == "done"
            assert any((lost_of([line]) or 0) > known for line in lines)
        finally:
            top.terminate()
            top.stdout.read()


def test_a_loss_in_the_daemon_is_told_and_healed(pymemtop, target, tmp_path):
    daemon = Daemon(pymemtop.path, tmp_path, "-p", target.pid, "-i", "500ms", "--events", "exact", "--ring", TINY)
    try:
        daemon.wait_up(target.pid)

        def take():
            done = pymemtop.run("snapshot", target.pid, "--socket", daemon.path)
            assert done.returncode in (0, 6), done.stderr
            return json.loads(done.stdout)

        wait_for(lambda: is_whole(take()), what="a whole picture")
        known = take()["events"]["lost"]
        assert known < GAPS and daemon.value("pymemtop_events_lost_total", pid=target.pid) < GAPS
        assert target.ask(str(BURST)) == "done"
        told = wait_for(lambda: ((p := take())["events"]["lost"] or 0) > known and p, what="the loss")
        # The first that told of it may have come and gone between two looks: the next has nothing to compare with yet.
        assert told["partial"] or told["events"]["drift_objects"] in (None, 0)
        healed = wait_for(lambda: is_whole(p := take()) and p, what="a whole picture again")
        assert healed["events"]["drift_objects"] == 0
        assert 40 <= node_of(healed)["inuse_objects"] <= 60
        wait_for(lambda: daemon.value("pymemtop_events_lost_total", pid=target.pid) > known, what="the metric")
    finally:
        assert daemon.stop() == 0, daemon.log


def test_budget_mode_has_no_interval_where_records_were_lost(pymemtop, target, tmp_path):
    """A quiet target's window stays open: the burst is in it."""
    with Recording(pymemtop, tmp_path / "run.ndjson", target.pid, "-i", "500ms", "--max-overhead", "50%", "--ring", TINY) as rec:
        rec.wait(lambda p: len(p) > 3 and p[-1]["events"]["coverage"] > 0.5, "an open window")
        deadline = time.monotonic() + patience.seconds(40)
        while not any(p["events"]["lost"] for p in rec.pictures()):
            assert time.monotonic() < deadline, "no burst met a window"
            assert target.ask(str(BURST)) == "done"
            time.sleep(0.5)
        after = rec.wait(lambda p: p[-1]["events"]["lost"], "the loss")
    first = next(p for p in after if p["events"]["lost"])
    assert first["partial"] and any("ring full" in r for r in first["partial_reasons"])
    assert node_of(first)["rate_error"] is None
