# SPDX-License-Identifier: BSD-2-Clause
"""Exact mode by type: what a census finds is what the census before found, and what was allocated and freed since."""

import pathlib

import pytest
from recording import Recording
from target import Target

PROGRAM = pathlib.Path(__file__).with_name("event_workloads.py")
COUNT = 4000
WORKLOADS = (
    "instances slots strings bytes_large lists_growing dicts_large sets deques exceptions generators functions decoded_json compiled churn"
).split()

# Types of which the interpreter keeps dead objects and hands them out again without its allocator (Objects/*object.c,
# Include/internal/pycore_freelist*.h): of them events know the blocks, a census those in use.
KEPT = {
    "float", "int", "list", "tuple", "dict", "frame", "method", "builtin_function_or_method", "slice", "Context", "range_iterator",
    "list_iterator", "tuple_iterator", "async_generator_asend", "_PyAsyncGenWrappedValue", "PyCFunction", "generator",
    "_contextvars.Context", "types.MethodType", "BaseException", "MemoryError",
}

# Of thousands: what realloc moved is freed without its type where the build leaves no trace of it (docs/accuracy.md).
ODD = 2


def by_address(picture):
    return {row["address"]: row for row in picture["types"]}


def seconds(pictures, i):
    """Of tracing, between the picture before and this one: what its rates are of."""
    (a, b) = (p["events"]["duration_ms"] * p["events"]["coverage"] for p in pictures[i - 1 : i + 1])
    return (b - a) / 1000


def flows(pictures, first, last):
    """{address: (objects, bytes)}: allocated less freed, from picture `first` to picture `last`."""
    net = {}
    for i in range(first + 1, last + 1):
        time = seconds(pictures, i)
        for address, row in by_address(pictures[i]).items():
            counts = [row[f"{what}_{unit}_per_second"] * time for what in ("alloc", "free") for unit in ("objects", "bytes")]
            assert all(abs(c - round(c)) < 0.3 for c in counts[::2]), (row["name"], counts)
            objects, size = net.get(address, (0, 0))
            net[address] = objects + counts[0] - counts[2], size + counts[1] - counts[3]
    return net


def test_totals_by_type_equal_the_next_census(pymemtop, interpreter, can_use_bpf, can_attach, tmp_path):
    wrong, seen = [], set()
    with Target(interpreter, PROGRAM) as target:
        probe = pymemtop.run("snapshot", target.pid, "-d", "10ms", "--events", "exact")
        if probe.returncode == 5:
            pytest.skip(probe.stderr.strip())
        with Recording(pymemtop, tmp_path / "run.ndjson", target.pid, "-i", "200ms", "--events", "exact", "--max-cpu", "100%") as rec:
            for name in WORKLOADS:
                assert target.ask(f"run {name} {COUNT}") == "go"
                first = len(rec.fresh()) - 1
                assert target.ask("go on") == "stop"
                pictures = rec.fresh(2)
                last = len(pictures) - 1
                target.ask("go on")
                for picture in pictures[first + 1 :]:
                    assert not picture["partial"] and picture["events"]["drift_objects"] == 0, name
                net, before, after = flows(pictures, first, last), by_address(pictures[first]), by_address(pictures[last])
                for address, row in after.items():
                    if row["name"] in KEPT:
                        continue
                    old = before.get(address, {"inuse_objects": 0, "bytes": {"object": 0}})
                    objects = row["inuse_objects"] - old["inuse_objects"]
                    size = row["bytes"]["object"] - old["bytes"]["object"]
                    got = net.get(address, (0, 0))
                    if objects:
                        seen.add(row["name"])
                    if abs(objects - got[0]) > ODD + 0.4 or abs(size - got[1]) > ODD * 300:
                        wrong.append((name, row["name"], (objects, size), tuple(round(x, 2) for x in got)))
    for line in wrong:
        print("census", *line)
    assert not wrong
    assert {"__main__.Instance", "__main__.Slots", "str", "bytes", "set", "collections.deque", "function", "ValueError"} <= seen
