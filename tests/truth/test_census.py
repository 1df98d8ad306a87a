# SPDX-License-Identifier: BSD-2-Clause
"""A census against the interpreter that it was taken of: each program says afterwards what it had."""

import json
import pathlib

import books
import pytest
from target import Target

TARGETS = pathlib.Path(__file__).parent / "targets"
TOLERANCE = 0.005

pytestmark = pytest.mark.usefixtures("can_attach")


def snapshots(pymemtop, target):
    """One before the program allocates, one after, and what the program says of it."""
    before = pymemtop.json("snapshot", target.pid, status=(0, 6))
    assert target.ask("go") == "made"
    after = pymemtop.json("snapshot", target.pid, status=(0, 6))
    assert books.is_whole(before) and books.is_whole(after)
    return before, after, json.loads(target.ask("tell"))


@pytest.fixture(scope="module")
def own(pymemtop, interpreter):
    with Target(interpreter, TARGETS / "own_classes.py") as target:
        before, after, truth = snapshots(pymemtop, target)
    if interpreter.musl:  # these two are over 512 bytes
        truth = [fact for fact in truth if fact["name"] not in ("__main__.Wide", "__main__.Meta")]
    return before, after, truth


def differences(own, view):
    """view(row of the snapshot, what the program says) gives a pair that must be equal: where it is not, by class."""
    before, after, truth = own
    found = books.rows(after)
    answers = [(fact["name"], *view(found.get(fact["address"]), fact)) for fact in truth]
    assert len(answers) >= 49
    return [f"{name}: snapshot {got}, truth {want}" for name, got, want in answers if got != want]


def needs_raw_memory(interpreter, blocks=False):
    """What rawmem.py does not read."""
    if not interpreter.gil:
        pytest.skip("no truth: objects of free-threaded builds are laid out differently")
    if blocks and interpreter.debug:
        pytest.skip("no truth: debug hooks lie between objects and blocks")
    if blocks and interpreter.musl:
        pytest.skip("no truth: chunks of musl's malloc are not told apart")


def agree(own, view):
    wrong = differences(own, view)
    assert not wrong, "\n" + "\n".join(wrong)


def test_own_classes_are_named(own):
    agree(own, lambda row, fact: (row and row["name"], fact["name"]))


def test_own_classes_had_no_instances_before(own):
    before, _, truth = own
    rows = books.rows(before)
    assert not [f["name"] for f in truth if rows.get(f["address"], {"inuse_objects": 0})["inuse_objects"]]


def test_own_classes_are_counted(own):
    agree(own, lambda row, fact: (row["inuse_objects"], fact["objects"]))


def test_own_classes_have_their_sizeof(own):
    agree(own, lambda row, fact: (row["sizeof_bytes"], fact["sizeof"]))


def test_own_classes_have_their_storage(own, interpreter):
    needs_raw_memory(interpreter)
    agree(own, lambda row, fact: (row["storage"], fact["storage"]))


def test_own_classes_have_their_bytes(own, interpreter):
    needs_raw_memory(interpreter, blocks=True)
    agree(own, lambda row, fact: (row["bytes"], fact["parts"]))


def test_own_classes_have_their_shared_keys(own, interpreter):
    needs_raw_memory(interpreter)

    def view(row, fact):
        keys = row["shared_keys"]
        return keys and {k: keys[k] for k in ("names", "used", "bytes")}, fact["shared_keys"]

    agree(own, view)


def test_books_balance(own):
    before, after, _ = own
    books.check_still(before)
    books.check_still(after)


@pytest.fixture(scope="module")
def builtin(pymemtop, interpreter):
    if interpreter.musl:
        pytest.skip("no truth: what is over 512 bytes is not seen")
    with Target(interpreter, TARGETS / "builtin_objects.py") as target:
        return snapshots(pymemtop, target)


def row_difference(builtin, name):
    """What came to a row between the two snapshots, in the words of the program."""

    def numbers(snapshot):
        row = next((r for r in snapshot["types"] if r["name"] == name), None)
        if not row:
            return {"objects": 0, "sizeof": 0, "inuse": 0, "used": 0, "owned": 0}
        capacity = row["capacity"] or {"used": 0, "owned": 0}
        return {
            "objects": row["inuse_objects"],
            "sizeof": row["sizeof_bytes"],
            "inuse": row["inuse_bytes"],
            "used": capacity["used"],
            "owned": capacity["owned"],
        }

    before, after = numbers(builtin[0]), numbers(builtin[1])
    return {key: after[key] - before[key] for key in after}


@pytest.mark.parametrize("number", ["objects", "sizeof", "inuse", "used", "owned"])
def test_builtins_are_counted(builtin, interpreter, number):
    if number in ("inuse", "used", "owned"):
        needs_raw_memory(interpreter, blocks=number == "inuse")
    wrong = []
    for name, fact in builtin[2]["types"].items():
        got, want = row_difference(builtin, name)[number], fact[number]
        if want and abs(got - want) > TOLERANCE * want:
            wrong.append(f"{name}: snapshot {got}, truth {want}, off by {got - want}")
    assert not wrong, "\n" + "\n".join(wrong)


def test_dicts_have_their_layouts(builtin, interpreter):
    needs_raw_memory(interpreter)
    before, after, truth = builtin
    for layout, want in truth["layouts"].items():
        got = after["dicts"]["by_layout"][layout]["count"] - before["dicts"]["by_layout"][layout]["count"]
        assert abs(got - want) <= max(TOLERANCE * want, 2), layout


def test_builtins_are_all_that_came(builtin):
    """What the interpreter itself made meanwhile is next to nothing: no row grows that should not."""
    before, after, truth = builtin
    names = {row["name"] for row in after["types"]} - set(truth["types"])
    grown = {name: row_difference(builtin, name)["inuse"] for name in names}
    total = sum(fact["sizeof"] for fact in truth["types"].values())
    assert sum(abs(count) for count in grown.values()) < 0.001 * total, grown


def test_builtin_books_balance(builtin):
    books.check_still(builtin[0])
    books.check_still(builtin[1])
