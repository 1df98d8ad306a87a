# SPDX-License-Identifier: BSD-2-Clause
"""The pairs of examples/: a program as it is, and as the advice about it would have it."""

import contextlib
import dataclasses
import pathlib

from target import Target

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Pair:
    program: str
    before: str
    after: str
    kind: str  # of the advice that leads from one to the other
    type: str  # that it is about

    @property
    def id(self):
        return f"{self.program}-{self.before}-{self.after}"


PAIRS = [
    Pair("late_attribute", "late", "init", "unshared_keys", "__main__.Foo"),
    Pair("marked_later", "late", "init", "unshared_keys", "__main__.Order"),
    Pair("points", "dict", "slots", "slots", "__main__.WithDict"),
    Pair("points", "dataclass", "dataclass_slots", "slots", "__main__.Data"),
    Pair("ants", "dict", "slots", "slots", "__main__.Ant"),
    Pair("lazy", "after", "property", "unshared_keys", "__main__.Loader"),
    Pair("emptied", "grown", "copied", "overcapacity", "dict"),
    Pair("words", "copies", "interned", "duplicate_strings", "str"),
]


def program(name):
    return ROOT / "examples" / f"{name}.py"


@contextlib.contextmanager
def running(interpreter, name, variant, count=None):
    with Target(interpreter, program(name), variant, *([count] if count else [])) as target:
        yield target


def advice_about(pymemtop, interpreter, pair):
    """(advice on `before` that is of the pair's kind and type or None, bytes before, bytes after, all advice)."""
    with running(interpreter, pair.program, pair.before) as target:
        advice = pymemtop.json("advise", "--format", "json", target.pid)
        before = pymemtop.json("snapshot", target.pid)
    with running(interpreter, pair.program, pair.after) as target:
        after = pymemtop.json("snapshot", target.pid)
    found = [a for a in advice["advice"] if (a["kind"], a["type"]) == (pair.kind, pair.type)]
    assert len(found) <= 1
    return (
        found[0] if found else None,
        before["memory"]["python_inuse_bytes"],
        after["memory"]["python_inuse_bytes"],
        advice["advice"],
    )
