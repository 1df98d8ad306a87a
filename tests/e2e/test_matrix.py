# SPDX-License-Identifier: BSD-2-Clause
"""docs/support-matrix.md against the tables that the program has and the interpreters of this machine."""

import json
import pathlib
import re
import subprocess

import books
import pytest
from target import Target

DOC = pathlib.Path(__file__).resolve().parents[2] / "docs" / "support-matrix.md"
COUNT = 700

PROGRAM = f"""
import sys
class Thing:
    pass
things = [Thing() for _ in range({COUNT})]
print("ready", flush=True)
sys.stdin.readline()
"""


def rows():
    """table -> the other cells of its row."""
    found = {}
    for line in DOC.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and re.match(r"3\.\d+", cells[0]):
            assert cells[0] not in found
            found[cells[0]] = cells[1:]
    return found


@pytest.fixture(scope="module")
def tables(tools):
    return json.loads(subprocess.check_output([tools / "layout_json"]))


def test_every_table_has_a_row(tables):
    assert {table["name"] for table in tables} == set(rows())


def table_for(tables, interpreter):
    major, minor, micro = interpreter.version_info
    kind = (major, minor, not interpreter.gil, interpreter.debug)
    fitting = [t for t in tables if (t["major"], t["minor"], t["free_threaded"], t["debug"]) == kind]
    return max((t for t in fitting if t["micro_first"] <= micro), key=lambda t: t["micro_first"])


def test_what_the_row_says_holds(pymemtop, interpreter, tables, can_attach, can_use_bpf):
    _, census, _, events = rows()[table_for(tables, interpreter)["name"]]
    with Target(interpreter, PROGRAM) as target:
        snapshot = pymemtop.json("snapshot", target.pid, status=(0, 6 * interpreter.musl))
        traced = pymemtop.run("snapshot", target.pid, "-d", "10ms", "--events", "exact")
    assert census == "exact"
    books.check(snapshot)
    assert books.named(snapshot, "__main__.Thing")["inuse_objects"] == COUNT
    if events.startswith("refused"):
        assert traced.returncode == 5 and "--events off" in traced.stderr
    else:
        assert traced.returncode in (0, 6 * interpreter.musl), traced.stderr
