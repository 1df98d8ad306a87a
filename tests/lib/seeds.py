# SPDX-License-Identifier: BSD-2-Clause
"""The tables of docs/seeds.md: measured here, compared by tests/advice/test_seeds.py.

    /usr/bin/python3 tests/lib/seeds.py build/pymemtop     prints the tables anew
"""

import collections
import json
import pathlib
import re
import subprocess
import sys

import interpreters
from pairs import running

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "seeds.md"

# Each table: a heading in the page, the columns, and for each column what is run and what is read.
Column = collections.namedtuple("Column", "title program variant type")
# What a pair of runs differs by, in MiB of Python objects.
Difference = collections.namedtuple("Difference", "title program more less")

TABLES = {
    "attributes": [
        Column("late", "late_attribute", "late", "__main__.Foo"),
        Column("all in `__init__`", "late_attribute", "init", "__main__.FooInit"),
        Column("two late, on all", "marked_later", "late", "__main__.Order"),
        Column("these in `__init__`", "marked_later", "init", "__main__.OrderInit"),
    ],
    "slots": [
        Column("dict", "points", "dict", "__main__.WithDict"),
        Column("slots", "points", "slots", "__main__.WithSlots"),
        Column("dataclass", "points", "dataclass", "__main__.Data"),
        Column("dataclass, slots", "points", "dataclass_slots", "__main__.DataSlots"),
    ],
    "ants": [
        Column("dict", "ants", "dict", "__main__.Ant"),
        Column("slots", "ants", "slots", "__main__.AntSlots"),
    ],
    "lazy": [
        Column("before the first access", "lazy", "before", "__main__.Loader"),
        Column("after it", "lazy", "after", "__main__.Loader"),
        Column("room made in `__init__`", "lazy", "property", "__main__.LoaderProperty"),
    ],
    "streams": [
        Difference("list, less for a generator", "squares", "list", "generator"),
        Difference("all rows, less for chunks", "chunks", "all", "chunks"),
    ],
}


PANDAS = Difference("all rows, less for chunks, with pandas", "chunks", "pandas_all", "pandas_chunks")


def row_name(interpreter):
    """ "3.13", "3.13t"; None for builds that the page leaves out."""
    if interpreter.debug:
        return None
    return "{}.{}".format(*interpreter.version_info) + ("" if interpreter.gil else "t")


def snapshot(pymemtop, interpreter, program, variant):
    with running(interpreter, program, variant) as target:
        done = subprocess.run([pymemtop, "snapshot", str(target.pid)], capture_output=True, check=True)
    return json.loads(done.stdout)


def measure(pymemtop, interpreter, column):
    if isinstance(column, Difference):
        more, less = (snapshot(pymemtop, interpreter, column.program, v) for v in (column.more, column.less))
        return (more["memory"]["python_inuse_bytes"] - less["memory"]["python_inuse_bytes"]) / 2**20
    found = snapshot(pymemtop, interpreter, column.program, column.variant)
    (row,) = [t for t in found["types"] if t["name"] == column.type and t["inuse_objects"]]
    return row["inuse_bytes"] / row["inuse_objects"]


def show(column, value):
    return f"{value:.1f} MiB" if isinstance(column, Difference) else f"{value:.0f}"


def read_page():
    """{table: {row: [cell, ...]}} of the page."""
    tables = {}
    for name, body in re.findall(r"<!-- table: (\w+) -->\n(.*?)\n\n", PAGE.read_text(), re.S):
        rows = [[c.strip() for c in line.strip("|").split("|")] for line in body.splitlines()[2:]]
        tables[name] = {row[0]: row[1:] for row in rows}
    return tables


def one_of_each():
    found = {}
    for interpreter in interpreters.discover():
        if row_name(interpreter):
            found[row_name(interpreter)] = interpreter
    return found


def main():
    for name, columns in TABLES.items():
        print(f"<!-- table: {name} -->")
        print("| Python | " + " | ".join(c.title for c in columns) + " |")
        print("|---" * (len(columns) + 1) + "|")
        for row, interpreter in one_of_each().items():
            cells = [show(c, measure(sys.argv[1], interpreter, c)) for c in columns]
            print(f"| {row} | " + " | ".join(cells) + " |")
        print()


if __name__ == "__main__":
    main()
