# SPDX-License-Identifier: BSD-2-Clause
"""A census of a program that runs at full speed: what it does not touch is counted exactly, and the books balance."""

import pathlib

import books
import pytest
from target import Target

TARGETS = pathlib.Path(__file__).parent / "targets"

# A block whose owner came or went between the two reads has no owner in the picture: docs/accuracy.md. This target
# replaces a third of its moving heap during one census, and more on a busy machine.
HANDED_OVER = 0.95

pytestmark = pytest.mark.usefixtures("can_attach")


def test_what_does_not_move_is_exact(pymemtop, interpreter):
    with Target(interpreter, TARGETS / "mover.py") as target:
        for _ in range(10):
            snapshot = pymemtop.json("snapshot", target.pid, status=(0, 6))
            assert snapshot["partial"] is bool(snapshot["partial_reasons"])
            books.check(snapshot)
            assert snapshot["census"]["attributed_ratio"] >= HANDED_OVER
            still, slots = books.named(snapshot, "__main__.Still"), books.named(snapshot, "__main__.Slots")
            assert (still["inuse_objects"], slots["inuse_objects"]) == (20000, 20000)
            assert slots["storage"]["slots"] == 20000
            assert still["storage"]["inline"] + still["storage"]["split"] == 20000
            assert books.named(snapshot, "list")["inuse_objects"] >= 20000
