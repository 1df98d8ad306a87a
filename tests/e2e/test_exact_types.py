# SPDX-License-Identifier: BSD-2-Clause
"""Exact mode by type: what a census finds is what the census before found, and what was allocated and freed since."""

import pathlib
import time

import pytest
from recording import Recording, taken
from target import Target

PROGRAM = pathlib.Path(__file__).with_name("event_workloads.py")
COUNT = 4000
TRIES = 8
WORKLOADS = (
    "instances slots strings strings_moved bytes_large lists_growing dicts_large sets deques exceptions generators functions "
    "decoded_json compiled churn"
).split()

# Types of which the interpreter keeps dead objects and hands them out again without its allocator (Objects/*object.c,
# Include/internal/pycore_freelist*.h): of them events know the blocks, a census those in use.
KEPT = {
    "float", "int", "list", "tuple", "dict", "frame", "method", "builtin_function_or_method", "slice", "Context", "range_iterator",
    "list_iterator", "tuple_iterator", "async_generator_asend", "_PyAsyncGenWrappedValue", "PyCFunction", "generator",
    "_contextvars.Context", "types.MethodType", "BaseException", "MemoryError",
}

# Instances whose values (3.11, 3.12) lie where bytes were before: their first words still say so.
WIDE = """
import sys
class Wide:
    def __init__(self):
{assignments}
holes = [b"x" * size + bytes([n, n]) for n in range(40) for size in range(100, 300, 3)]
kept = [Wide() for _ in range(20)]
del holes
kept += [Wide() for _ in range(500)]
print("ready", flush=True)
sys.stdin.readline()
del kept[20:]
print("dropped", flush=True)
sys.stdin.readline()
"""


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


def changes(pictures, first, last):
    """[(type, (objects, bytes) by the censuses, by the events)]: of all types whose dead the interpreter does not keep."""
    net, before, after = flows(pictures, first, last), by_address(pictures[first]), by_address(pictures[last])
    none = {"inuse_objects": 0, "bytes": {"object": 0}}
    found = []
    for address in before.keys() | after.keys():
        old, new = before.get(address, none), after.get(address, none)
        name = (new if "name" in new else old)["name"]
        census = new["inuse_objects"] - old["inuse_objects"], new["bytes"]["object"] - old["bytes"]["object"]
        if name not in KEPT:
            found.append((name, census, tuple(round(x) for x in net.get(address, (0, 0)))))
    return found


def was_seen_whole(pictures, first, last):
    """Nothing was lost between. On a machine that gives us no CPU for most of a second the probes go, and that is told."""
    some = pictures[first : last + 1]
    assert all(not p["events"]["drift_objects"] for p in some)
    if any(p["partial"] or p["events"]["drift_objects"] is None for p in some):
        assert some[-1]["events"]["lost"] > 0, some[-1]["partial_reasons"]
        return False
    return True


def is_at_rest(picture):
    """Nothing was allocated or freed since the picture before: its census and its rates are of one moment."""
    rates = [row[f"{what}_objects_per_second"] for row in picture["types"] for what in ("alloc", "free")]
    return picture["events"]["drift_objects"] is not None and not any(rates)


def at_rest(recording):
    """The index of the newest picture, begun since the call, of a target at rest."""
    now = time.time()
    return len(recording.wait(lambda p: p and taken(p[-1]) > now and is_at_rest(p[-1]), "a picture of a target at rest")) - 1


def ways_to_differ(recording, act):
    """What the censuses and the events say differently of what `act` makes the target do; None: something was lost."""
    first = at_rest(recording)
    act()
    last = at_rest(recording)
    pictures = recording.pictures()[: last + 1]
    if not was_seen_whole(pictures, first, last):
        return None, set()
    found = changes(pictures, first, last)
    return [f for f in found if f[1] != f[2]], {name for name, census, _ in found if census[0]}


def exact_recording(pymemtop, tmp_path, target):
    return Recording(pymemtop, tmp_path / "run.ndjson", target.pid, "-i", "200ms", "--events", "exact", "--max-cpu", "100%")


def skip_without_events(pymemtop, target):
    probe = pymemtop.run("snapshot", target.pid, "-d", "10ms", "--events", "exact")
    if probe.returncode == 5:
        pytest.skip(probe.stderr.strip())


def test_totals_by_type_equal_the_next_census(pymemtop, interpreter, can_use_bpf, can_attach, tmp_path):
    wrong, seen = [], set()
    with Target(interpreter, PROGRAM) as target:
        skip_without_events(pymemtop, target)
        with exact_recording(pymemtop, tmp_path, target) as recording:
            for name in WORKLOADS:
                for _ in range(TRIES):
                    assert target.ask(f"run {name} {COUNT}") == "go"
                    differing, changed = ways_to_differ(recording, lambda: target.ask("go on"))
                    target.ask("go on")
                    if differing is not None:
                        break
                else:
                    pytest.fail(f"{name}: records were lost each time")
                wrong += [(name, *line) for line in differing]
                seen |= changed
    for line in wrong:
        print(*line)
    assert not wrong
    assert {"__main__.Instance", "__main__.Slots", "str", "bytes", "set", "collections.deque", "function", "ValueError"} <= seen


@pytest.mark.parametrize("attributes", [18, 26])
def test_what_a_block_was_before_is_not_what_dies(pymemtop, interpreter, attributes, can_use_bpf, can_attach, tmp_path):
    program = WIDE.format(assignments="\n".join(f"        self.a{i} = None" for i in range(attributes)))
    for _ in range(TRIES):
        with Target(interpreter, program) as target:
            skip_without_events(pymemtop, target)
            with exact_recording(pymemtop, tmp_path, target) as recording:
                differing, changed = ways_to_differ(recording, lambda: target.ask(""))
        (tmp_path / "run.ndjson").unlink()
        if differing is not None:
            break
    assert differing == []
    assert "__main__.Wide" in changed
