# SPDX-License-Identifier: BSD-2-Clause
"""Events against the truth: every allocation and free of a known program, with its address, none lost."""

import json
import os
import pathlib
import subprocess

import patience
import pytest
from gaps import again_if_taken_off, assert_whole
from probes import Watch
from target import Target

PROGRAM = pathlib.Path(__file__).with_name("event_workloads.py")
# Enough for several arenas. By hand, or in a longer run: PYMEMTOP_TEST_COUNT=20000.
COUNT = int(os.environ.get("PYMEMTOP_TEST_COUNT", "8000"))
# What the marks themselves allocate: the integers and bytes between "attach" and getallocatedblocks().
SLACK = 25
# Who gets no core for 0.7 s has its window ended for it, which is right and is not looked at here.
WINDOWS_MOST = 10


@pytest.fixture
def watched(request, interpreter, tools, can_use_bpf, can_attach):
    environment = getattr(request, "param", None)
    with Target(interpreter, PROGRAM, env=environment) as target, Watch(tools, target.pid, "--check") as watch:
        if watch.first != "ready":
            if "layout" in watch.why:
                pytest.skip(watch.why)
            pytest.fail(watch.why)
        yield target, watch


def traced(target, watch, command):
    """Runs a command of the target with a window open just around it; (stats, true change of blocks)."""
    for _ in range(WINDOWS_MOST):
        watch.ask("reset")
        before = watch.stats()
        assert target.ask(command) == "go"
        watch.attach()
        assert target.ask("go on") == "stop"
        is_whole = watch.detach()
        stats = watch.stats()
        change = int(target.ask("go on"))
        if is_whole:
            break
        target.send("drop")
        while target.line() != "ok":
            pass
    assert is_whole, "no window lasted"
    for name in "lost", "addresses_checked", "addresses_mispredicted", "hits":
        stats[name] -= before[name]
    return stats, change


def test_every_object_is_seen_with_its_address(watched, interpreter):
    target, watch = watched
    # In front of the object: what is the collector's, and what debug hooks put there. Behind both are two slots.
    head, size = 16 * interpreter.gil + 16 * interpreter.debug, 80 if interpreter.debug else 48
    stats, change = traced(target, watch, f"ids {COUNT}")
    addresses = {int(word, 16) for word in target.line().split()}
    ledger = watch.ledger()
    assert stats["lost"] == 0
    assert stats["addresses_mispredicted"] == 0
    assert len(addresses) == COUNT
    # The first of them were made before the window opened, by the rehearsal, and replaced in it.
    missing = addresses - {address + head for address in ledger}
    assert not missing, f"{len(missing)} of {COUNT} instances were not seen"
    assert {ledger[a - head] for a in addresses} == {size}
    assert abs(len(ledger) - COUNT) <= SLACK


def test_allocations_minus_frees_is_the_change_of_blocks(watched, record_property):
    target, watch = watched
    wrong = []
    coverage = 1.0
    print(f"\n{'workload':20} {'true':>8} {'events':>8} {'alloc':>8} {'large':>7} {'free':>8} {'move':>6}  coverage")
    for name in target.ask("list").split():
        stats, change = traced(target, watch, f"run {name} {COUNT}")
        seen = stats["alloc"] + stats["large"] - stats["free"]
        print(
            f"{name:20} {change:8} {seen:8} {stats['alloc']:8} {stats['large']:7} {stats['free']:8} "
            f"{stats['move']:6}  {seen / change if change else float('nan'):.5f}"
        )
        coverage = min(coverage, 1 - abs(seen - change) / max(stats["alloc"] + stats["large"], stats["free"], 1))
        if abs(seen - change) > SLACK or stats["lost"] or stats["addresses_mispredicted"] or stats["reused"]:
            wrong.append((name, change, seen, stats))
        assert target.ask("drop") == "ok"
    record_property("events coverage", f"{coverage:.2%}")
    assert not wrong


THREADS = """
import queue, threading
handed = queue.Queue(2000)
class Item:
    __slots__ = ("a", "b")
    def __init__(self, i):
        self.a, self.b = i, "x%d" % i
def produce():
    i, keep = 0, []
    while True:
        i += 1
        handed.put([Item(i), b"x" * (i % 5000)])
        keep.append(Item(i))
        if len(keep) > 5000:
            del keep[:2500]
def consume():
    keep = []
    while True:
        keep.append(handed.get())
        if len(keep) > 3000:
            del keep[::2]
for work in produce, produce, consume, consume:
    threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""


@again_if_taken_off
def test_threads_at_the_same_time_leave_no_drift(pymemtop, interpreter, can_use_bpf, can_attach):
    """Without a GIL they allocate side by side, and free what others have allocated."""
    if interpreter.gil:
        pytest.skip("one at a time")
    with Target(interpreter, THREADS) as target:
        done = pymemtop.run("record", target.pid, "-i", "1s", "-d", "6s", "--events", "exact", "-o", "-")
    assert done.returncode in (0, 6), done.stderr
    pictures = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(pictures) > 4
    for picture in pictures:
        assert_whole(picture)
        assert picture["events"]["lost"] == 0
        assert (picture["events"]["drift_objects"], picture["events"]["drift_bytes"]) == (0, 0)
    assert pictures[-1]["events"]["records"] > 100000
    (row,) = [row for row in pictures[-1]["types"] if row["name"] == "__main__.Item"]
    assert row["alloc_objects_per_second"] > 0 and row["free_objects_per_second"] > 0


# All that it makes dies within some milliseconds: less than the wait for a type's name to be written into a block.
BURSTS = """
import time
class Short:
    __slots__ = "a", "b"
class Brief:
    __slots__ = "a", "b", "c", "d"
print("ready", flush=True)
input()
for n in range(20):
    made = [Short() for n in range(2000)], [Brief() for n in range(1000)]
    del made
    time.sleep(0.03)
input()
"""


@again_if_taken_off
def test_types_of_which_nothing_lives_long_have_their_rates(pymemtop, can_use_bpf, can_attach):
    with Target("/usr/bin/python3", BURSTS) as target:
        words = "record", target.pid, "--events", "exact", "-i", f"{patience.seconds(5)}s", "-d", f"{patience.seconds(6)}s"
        process = subprocess.Popen([pymemtop.path, *map(str, words)], stdout=subprocess.PIPE)
        first = json.loads(process.stdout.readline())  # it is attached
        target.send()
        second = json.loads(process.stdout.readline())
        process.communicate(timeout=patience.seconds(60))
    assert_whole(second)
    assert second["events"]["lost"] == 0
    seconds = (second["events"]["duration_ms"] - first["events"]["duration_ms"]) / 1000
    for name, count in ("__main__.Short", 40_000), ("__main__.Brief", 20_000):
        (row,) = [row for row in second["types"] if row["name"] == name]
        assert (row["inuse_objects"], row["inuse_bytes"], row["kind"]) == (0, 0, "heap")
        assert row["alloc_objects_per_second"] == row["free_objects_per_second"]
        assert row["alloc_bytes_per_second"] == row["free_bytes_per_second"] > 0
        assert row["alloc_objects_per_second"] * seconds == pytest.approx(count, rel=0.05)


@pytest.mark.parametrize("watched", [{"PYTHONMALLOC": "debug"}], ids=["debug"], indirect=True)
def test_debug_hooks_hide_nothing(watched):
    """They wipe a block before it is freed; a large one has two headers."""
    target, watch = watched
    for name in "instances", "bytearrays_growing", "deques", "strings", "compiled":
        stats, change = traced(target, watch, f"run {name} 4000")
        assert abs(stats["alloc"] + stats["large"] - stats["free"] - change) <= SLACK, name
        assert not stats["lost"] and not stats["addresses_mispredicted"] and not stats["reused"], name
        assert target.ask("drop") == "ok"
