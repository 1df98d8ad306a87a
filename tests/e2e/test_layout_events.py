# SPDX-License-Identifier: BSD-2-Clause
"""A class that stops sharing its keys while it is watched: it is told which, when, and by which key; no other is."""

import pytest
from recording import Recording, taken
from target import Target

COUNT = 1000
PROGRAM = """
import sys, time
class Base:
    def __init__(self, n):
        self.first = n
        self.second = None
class Late(Base): "Gets names that not all others have."
class Other(Base): "Gets a dict of its own, with a name of its own."
class Odd(Base): "Gets a name that is no str."
class Same(Base): "Changes its values only."
class Born(Base): "Has its first instance while it is watched."
class Always: "Has never shared."
kinds = Late, Other, Odd, Same
kept = {kind: [kind(n) for n in range(COUNT)] for kind in kinds}
always = [Always() for n in range(COUNT)]
for n, one in enumerate(always):
    one.__dict__ = {"a": n, "b%d" % n: n}
def late():
    for n, one in enumerate(kept[Late][:600]):
        # Up to 3.10 order matters, from 3.11 on there is room for one more name.
        names = ("late_one", "late_two", "late_three")
        for name in names if n % 2 else names[::-1]:
            setattr(one, name, n)
def other():
    for n, one in enumerate(kept[Other][:70]):
        one.__dict__ = {"first": n, "second": None, "third": n}
def odd():
    for n, one in enumerate(kept[Odd][:3]):
        one.__dict__[n] = n
def same():
    for n, one in enumerate(kept[Same]):
        one.first, one.second = one.second, one.first
def born():
    kept[Born] = [Born(n) for n in range(COUNT)]
def always_more():
    for n, one in enumerate(always):
        one.more = n
print("ready", flush=True)
for line in sys.stdin:
    before = time.time()
    globals()[line.strip()]()
    print(before, time.time(), flush=True)
""".replace("COUNT", str(COUNT))


def told(picture):
    return {change["type"]: change for change in picture["events"]["layout_changes"]}


def storage(picture, name):
    (row,) = [row for row in picture["types"] if row["name"] == name and row["inuse_objects"]]
    return row["storage"]


@pytest.mark.parametrize("mode", ["exact", "budget"])
def test_who_stops_sharing_is_told(pymemtop, interpreter, mode, can_use_bpf, can_attach, tmp_path):
    def acted(name):
        begin, end = map(float, target.ask(name).split())
        return begin, end, recording.fresh(2)[-1]

    with Target(interpreter, PROGRAM) as target:
        why = pymemtop.run("snapshot", target.pid, "-d", "10ms", "--events", mode)
        if why.returncode == 5:
            pytest.skip(why.stderr.strip())
        with Recording(pymemtop, tmp_path / "run.ndjson", target.pid, "-i", "200ms", "--events", mode, "--max-cpu", "100%") as recording:
            assert told(recording.fresh(1)[-1]) == {}
            for name in "same", "born", "always_more":
                assert told(acted(name)[2]) == {}, name
            known = {}
            for name, kind, objects, keys in (
                ("late", "__main__.Late", 600, {"late_one", "late_two", "late_three"}),
                ("other", "__main__.Other", 70, {"third"}),
                ("odd", "__main__.Odd", 3, set()),
            ):
                begin, end, picture = acted(name)
                change = told(picture).get(kind)
                assert change, (name, storage(picture, kind))
                counts = storage(picture, kind)
                assert change["objects"] == counts["combined"] + counts["general"]
                # Up to 3.10 one of them may have been first: its order is that of the class.
                assert objects - 300 * (name == "late") <= change["objects"] <= objects
                # Both say when a census began; it may have come to the class somewhat later.
                assert taken({"taken_at": change["after"]}) < end and taken({"taken_at": change["seen"]}) >= begin - 2
                assert change["after"] < change["seen"]
                assert set(change["keys"]) <= keys and bool(change["keys"]) == bool(keys), change
                known[kind] = change
                assert told(picture) == known, "those told before are told as they were, and nothing else is"
