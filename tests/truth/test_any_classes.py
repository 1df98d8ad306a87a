# SPDX-License-Identifier: BSD-2-Clause
"""Classes made by chance: as many instances, of as many bytes, as the interpreter says. Many, by hand: PYMEMTOP_TEST_SEEDS=300."""

import json
import os
import pathlib

import books
import pytest
from target import Target

PROGRAM = pathlib.Path(__file__).parent / "targets" / "any_classes.py"
SEEDS = int(os.environ.get("PYMEMTOP_TEST_SEEDS", "4"))


def test_classes_by_chance_are_counted_exactly(pymemtop, interpreter, can_attach):
    if interpreter.musl:
        pytest.skip("no truth: what is over 512 bytes is not seen")
    wrong, counted = [], 0
    for seed in range(SEEDS):
        with Target(interpreter, PROGRAM, seed) as target:
            snapshot = pymemtop.json("snapshot", target.pid, "--events", "off")
            told = json.loads(target.ask(""))
        rows = books.rows(snapshot)
        for address, truth in told.items():
            row = rows.get(address, {"name": "none", "inuse_objects": 0, "sizeof_bytes": 0, "storage": {}})
            found = [row["inuse_objects"], row["sizeof_bytes"]]
            counted += truth[0]
            if found != truth or sum(row["storage"].values()) != truth[0]:
                wrong.append((seed, row["name"], found, truth, row["storage"]))
    assert not wrong, wrong[:10]
    assert counted > 500 * SEEDS
