# SPDX-License-Identifier: BSD-2-Clause
"""Events against the truth: every allocation and free of a known program, with its address, none lost."""

import pathlib

import pytest
from probes import Watch
from target import Target

PROGRAM = pathlib.Path(__file__).with_name("event_workloads.py")
COUNT = 20000
# What the marks themselves allocate: the integers and bytes between "attach" and getallocatedblocks().
SLACK = 25


@pytest.fixture
def watched(request, interpreter, tools, can_use_bpf, can_attach):
    environment = getattr(request, "param", None)
    with Target(interpreter, PROGRAM, env=environment) as target, Watch(tools, target.pid, "--check") as watch:
        if watch.first != "ready":
            if any(word in watch.why for word in ("layout", "no pymalloc", "--with-pydebug")):
                pytest.skip(watch.why)
            pytest.fail(watch.why)
        yield target, watch


def traced(target, watch, command):
    """Runs a command of the target with a window open just around it; (stats, true change of blocks)."""
    watch.ask("reset")
    before = watch.stats()
    assert target.ask(command) == "go"
    watch.attach()
    assert target.ask("go on") == "stop"
    watch.ask("detach")
    stats = watch.stats()
    change = int(target.ask("go on"))
    for name in "lost", "addresses_checked", "addresses_mispredicted", "hits":
        stats[name] -= before[name]
    return stats, change


def test_every_object_is_seen_with_its_address(watched):
    target, watch = watched
    stats, change = traced(target, watch, f"ids {COUNT}")
    addresses = {int(word, 16) for word in target.line().split()}
    ledger = watch.ledger()
    assert stats["lost"] == 0
    assert stats["addresses_mispredicted"] == 0
    assert len(addresses) == COUNT
    # The first of them were made before the window opened, by the rehearsal, and replaced in it.
    missing = addresses - {address + 16 for address in ledger}
    assert not missing, f"{len(missing)} of {COUNT} instances were not seen"
    assert {ledger[a - 16] for a in addresses} == {48}  # GC head, object, two slots
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


@pytest.mark.parametrize("watched", [{"PYTHONMALLOC": "debug"}], ids=["debug"], indirect=True)
def test_debug_hooks_hide_nothing(watched):
    """They wipe a block before it is freed; a large one has two headers."""
    target, watch = watched
    for name in "instances", "bytearrays_growing", "deques", "strings", "compiled":
        stats, change = traced(target, watch, f"run {name} 4000")
        assert abs(stats["alloc"] + stats["large"] - stats["free"] - change) <= SLACK, name
        assert not stats["lost"] and not stats["addresses_mispredicted"] and not stats["reused"], name
        assert target.ask("drop") == "ok"
