# SPDX-License-Identifier: BSD-2-Clause
"""Classes as programs have them, of all kinds: a snapshot's numbers of each against the interpreter's, and its books."""

import json
import pathlib

import books
from target import Target

PROGRAM = pathlib.Path(__file__).parent / "targets" / "strange.py"
NONE = {"inuse_objects": 0, "sizeof_bytes": 0}
# What is the same in every version.
STORAGE = {
    "__main__.DataSlots": {"slots": 1000},
    "__main__.WeakSlots": {"slots": 1000},
    "__main__.Multi": {"slots": 1000},
    "__main__.NT": {"none": 1000},
    "__main__.Empty": {"none": 1000},
    "__main__.Proto": {"split": 1000},
}


def test_every_class_has_its_numbers(pymemtop, interpreter, can_attach):
    partial = (0, 6) if interpreter.musl else (0,)
    with Target(interpreter, PROGRAM) as target:
        before = books.rows(pymemtop.json("snapshot", target.pid, status=partial))
        assert target.ask("make") == "made"
        after = pymemtop.json("snapshot", target.pid, status=partial)
        truth = json.loads(target.ask("tell"))
    books.check_still(after)
    assert len(truth) >= 36
    rows = books.rows(after)
    wrong = []
    for address, (name, count, size) in truth.items():
        old, new = before.get(address, NONE), rows.get(address)
        got = new and (new["inuse_objects"] - old["inuse_objects"], new["sizeof_bytes"] - old["sizeof_bytes"])
        if got != (count, size):
            wrong.append(f"{name}: snapshot {got}, truth {(count, size)}")
            continue
        assert new["name"] == name.replace("builtins.", "")
        assert sum(new["storage"].values()) == new["inuse_objects"] and sum(new["bytes"].values()) == new["inuse_bytes"]
        if name in STORAGE:
            assert {k: v for k, v in new["storage"].items() if v} == STORAGE[name], name
    assert not wrong, "\n" + "\n".join(wrong)
    assert after["census"]["attributed_ratio"] > 0.99
