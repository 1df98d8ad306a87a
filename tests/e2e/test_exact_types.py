# SPDX-License-Identifier: BSD-2-Clause
"""Exact mode by type: what a census finds is what the census before found, and what was allocated and freed since."""

import collections
import functools
import operator
import os
import pathlib
import re
import time

import pytest
from recording import Recording, taken
from target import Target

PROGRAM = pathlib.Path(__file__).with_name("event_workloads.py")
COUNT = 4000
# Freed at once. Fewer where the machine is emulated: the collector takes minutes there.
AT_ONCE = int(os.environ.get("PYMEMTOP_TEST_AT_ONCE", "1000000"))
TRIES = 8
WORKLOADS = (
    "instances slots strings strings_moved bytes_large lists_growing dicts_large sets deques exceptions generators functions "
    "decoded_json compiled churn ints"
).split()

# Types of which the interpreter keeps dead objects and hands them out again without its allocator (Objects/*object.c,
# Include/internal/pycore_freelist*.h): of them events know the blocks, a census those in use. Of the first it says how many.
KEPT_SAID = {
    "Float": "float", "List": "list", "Tuple": "tuple", "Dict": "dict", "Method": "method",
    "CFunction": "builtin_function_or_method",
}
KEPT = {
    *KEPT_SAID.values(), "frame", "slice", "Context", "range_iterator", "list_iterator", "tuple_iterator", "async_generator_asend",
    "_PyAsyncGenWrappedValue", "_contextvars.Context", "MemoryError",
}
# From 3.14 on; it says nothing of these and of some of the others.
KEPT_LATE = {"int"}
FREE = re.compile(r"^ *(\d+) free (?:\d+-sized )?Py(\w+?)(?:Object)?s? \* ", re.M)

KEPT_WORKLOADS = "floats tuples lists dicts methods churn decoded_json exceptions".split()

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
    """[(type, (objects, bytes) by the censuses, by the events)]."""
    net, before, after = flows(pictures, first, last), by_address(pictures[first]), by_address(pictures[last])
    none = {"inuse_objects": 0, "bytes": {"object": 0}}
    found = []
    for address in before.keys() | after.keys():
        old, new = before.get(address, none), after.get(address, none)
        name = (new if "name" in new else old)["name"]
        census = new["inuse_objects"] - old["inuse_objects"], new["bytes"]["object"] - old["bytes"]["object"]
        found.append((name, census, tuple(round(x) for x in net.get(address, (0, 0)))))
    return found


def kept(path):
    """{type: dead objects that the interpreter keeps}, each time that it said so (sys._debugmallocstats())."""
    found = []
    for said in path.read_text().split("Small block threshold")[1:]:
        found.append(collections.Counter())
        for number, name in FREE.findall(said):
            if name in KEPT_SAID:
                found[-1][KEPT_SAID[name]] += int(number)
        assert set(found[-1]) >= {"float", "list", "tuple", "dict"}
    return found


def was_seen_whole(pictures, first, last):
    """Nothing was lost between. On a machine that gives us no CPU for most of a second the probes go, and that is told."""
    some = pictures[first : last + 1]
    assert all(not p["events"]["drift_objects"] for p in some)
    if any(p["partial"] or p["events"]["drift_objects"] is None for p in some):
        assert some[-1]["events"]["lost"] > 0, some[-1]["partial_reasons"]
        print("not seen whole:", {reason for p in some for reason in p["partial_reasons"]}, some[-1]["events"]["lost"])
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


def is_kept(interpreter, name):
    return name in KEPT or (interpreter.version_info >= (3, 14) and name in KEPT_LATE)


def ways_to_differ(recording, interpreter, act):
    """What the censuses and the events say differently of what `act` makes the target do; None: something was lost."""
    first = at_rest(recording)
    act()
    last = at_rest(recording)
    pictures = recording.pictures()[: last + 1]
    if not was_seen_whole(pictures, first, last):
        return None, set()
    found = changes(pictures, first, last)
    return [f for f in found if not is_kept(interpreter, f[0]) and f[1] != f[2]], {name for name, census, _ in found if census[0]}


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
                    differing, changed = ways_to_differ(recording, interpreter, lambda: target.ask("go on"))
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


def given_back_untyped(said):
    """
    What the collector gave back of them between the first picture and now without its type: floats, whose link to the next lies
    in the word of the type (Objects/floatobject.c, up to 3.13). Each workload says three things; the first, before the collector
    is called.
    """
    return collections.Counter(float=sum(counts["float"] for counts in said[3::3]))


def owned_dicts(picture):
    """Dicts that are in the rows of their owners."""
    return sum(row["count"] for owner, row in picture["dicts"]["by_owner"].items() if owner != "plain")


def kept_types_seen(recording, target, said):
    """How far kept types grew in all; None: records were lost. Events are held against what the interpreter says that it keeps."""
    grown, first = collections.Counter(), None
    for name in KEPT_WORKLOADS:
        assert target.ask(f"run {name} {COUNT}") == "go"
        before = at_rest(recording)
        first = before if first is None else first
        assert target.ask("go on") == "stop"
        last = at_rest(recording)
        pictures = recording.pictures()[: last + 1]
        if not was_seen_whole(pictures, first, last):
            return None
        now, most = kept(said)[-1], functools.reduce(operator.or_, kept(said))
        lost = given_back_untyped(kept(said))
        owned = collections.Counter(dict=owned_dicts(pictures[last]) - owned_dicts(pictures[first]))
        for kind, (census, _), (events, _) in changes(pictures, first, last):
            if kind in KEPT_SAID.values():
                census += owned[kind]
                print(name, kind, census, events, now[kind], most[kind], lost[kind])
                assert census - most[kind] <= events <= census + now[kind] + lost[kind], (name, kind)
        grown += collections.Counter({n: c[0] for n, c, _ in changes(pictures, before, last)})
        target.ask("go on")
    return grown


def test_kept_types_differ_by_what_is_kept(pymemtop, interpreter, can_use_bpf, can_attach, tmp_path):
    """
    An object that the interpreter took back from those it keeps was never allocated, and one that it keeps was never freed. So
    what events count is off the census by no more than were kept at a time: from the first picture to each of the others.
    """
    if not interpreter.gil:
        pytest.skip("no truth: each thread keeps some")
    if interpreter.version_info >= (3, 14):
        pytest.skip("no truth: it does not say of all types how many it keeps")
    said = tmp_path / "said"
    for _ in range(TRIES):
        with Target(interpreter, PROGRAM, "kept", stderr=said.open("w")) as target:
            skip_without_events(pymemtop, target)
            with exact_recording(pymemtop, tmp_path, target) as recording:
                grown = kept_types_seen(recording, target, said)
        (tmp_path / "run.ndjson").unlink()
        if grown is not None:
            break
    assert grown and all(grown[name] > COUNT / 2 for name in ("float", "list", "tuple", "dict", "method")), grown


@pytest.mark.parametrize("attributes", [18, 26])
def test_what_a_block_was_before_is_not_what_dies(pymemtop, interpreter, attributes, can_use_bpf, can_attach, tmp_path):
    program = WIDE.format(assignments="\n".join(f"        self.a{i} = None" for i in range(attributes)))
    for _ in range(TRIES):
        with Target(interpreter, program) as target:
            skip_without_events(pymemtop, target)
            with exact_recording(pymemtop, tmp_path, target) as recording:
                differing, changed = ways_to_differ(recording, interpreter, lambda: target.ask(""))
        (tmp_path / "run.ndjson").unlink()
        if differing is not None:
            break
    assert differing == []
    assert "__main__.Wide" in changed


COLLECTED = """
import gc, sys
class Odd: __slots__ = ("other",)
class Even: __slots__ = ("other", "more")
def pair():
    a, b = Odd(), Even()
    a.other, b.other, b.more = b, a, None
gc.disable()
print("ready", flush=True)
for count in map(int, sys.stdin):
    for n in range(count):
        pair()
    print("made", flush=True)
    sys.stdin.readline()
    print(gc.collect(), flush=True)
"""


def test_a_million_in_cycles_are_freed_at_once(pymemtop, interpreter, can_use_bpf, can_attach, tmp_path):
    for _ in range(TRIES):
        with Target(interpreter, COLLECTED) as target:
            skip_without_events(pymemtop, target)
            with exact_recording(pymemtop, tmp_path, target) as recording:
                found = {}
                for what, line, answer in ("made", str(AT_ONCE // 2), "made"), ("freed", "", str(AT_ONCE // 2 * 2)):
                    first = at_rest(recording)
                    assert target.ask(line) == answer
                    last = at_rest(recording)
                    pictures = recording.pictures()[: last + 1]
                    if not was_seen_whole(pictures, first, last):
                        break
                    found[what] = {name: counts for name, *counts in changes(pictures, first, last)}
        (tmp_path / "run.ndjson").unlink()
        if len(found) == 2:
            break
    assert len(found) == 2, "records were lost each time"
    for what, sign in ("made", 1), ("freed", -1):
        for name in "__main__.Odd", "__main__.Even":
            census, events = found[what][name]
            assert census == events and census[0] == sign * (AT_ONCE // 2), (what, name)
        assert not [x for x in found[what].items() if not is_kept(interpreter, x[0]) and x[1][0] != x[1][1]]


THREADS = """
import sys, threading
class First: __slots__ = ("a",)
class Second: __slots__ = ("a", "b", "c", "d", "e", "f")
kept, gate = {First: [], Second: []}, threading.Barrier(3)
sys.setswitchinterval(1e-4)
def work(kind, keep):
    while True:
        gate.wait()
        for n in range(60_000):
            keep.append(kind())
            if n % 3:
                keep.pop()
        gate.wait()
for kind, keep in kept.items():
    threading.Thread(target=work, args=(kind, keep), daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    gate.wait()
    gate.wait()
    print("done", flush=True)
"""


def test_two_threads_of_two_types(pymemtop, interpreter, can_use_bpf, can_attach, tmp_path):
    for _ in range(TRIES):
        with Target(interpreter, THREADS) as target:
            skip_without_events(pymemtop, target)
            with exact_recording(pymemtop, tmp_path, target) as recording:
                first = at_rest(recording)
                assert target.ask("go") == "done"
                last = at_rest(recording)
                pictures = recording.pictures()[: last + 1]
        (tmp_path / "run.ndjson").unlink()
        if was_seen_whole(pictures, first, last):
            break
    found = {name: counts for name, *counts in changes(pictures, first, last)}
    for name in "__main__.First", "__main__.Second":
        census, events = found[name]
        assert census == events and census[0] == 20_000, name
        rows = [(row, seconds(pictures, i)) for i in range(first + 1, last + 1) for row in pictures[i]["types"] if row["name"] == name]
        # Those that lived for a moment only are counted too, however they were mixed.
        assert sum(row["alloc_objects_per_second"] * time for row, time in rows) == pytest.approx(60_000, abs=1)
        assert sum(row["free_objects_per_second"] * time for row, time in rows) == pytest.approx(40_000, abs=1)


MAPPED = """
import sys
kept = [0] * 9000
print("ready", flush=True)
for line in sys.stdin:
    for n in range(len(kept) // 5):
        kept.append(None)
    text = "x" * len(kept) * 20
    print("grown", flush=True)
"""


def test_blocks_with_a_mapping_of_their_own_are_no_drift(pymemtop, interpreter, can_use_bpf, can_attach, tmp_path):
    """malloc maps the large ones one by one, realloc moves them with mremap; what their size says differs by version of glibc."""
    for _ in range(TRIES):
        with Target(interpreter, MAPPED, env={"MALLOC_MMAP_THRESHOLD_": "65536"}) as target:
            skip_without_events(pymemtop, target)
            with exact_recording(pymemtop, tmp_path, target) as recording:
                first = at_rest(recording)
                for _ in range(6):
                    assert target.ask("grow") == "grown"
                    last = at_rest(recording)
                pictures = recording.pictures()[: last + 1]
        (tmp_path / "run.ndjson").unlink()
        if was_seen_whole(pictures, first, last):
            break
    size = {p["taken_at"]: [row["bytes"]["buffer"] for row in p["types"] if row["name"] == "list"][0] for p in pictures}
    assert size[pictures[last]["taken_at"]] - size[pictures[first]["taken_at"]] > 100_000
