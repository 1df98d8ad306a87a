# SPDX-License-Identifier: BSD-2-Clause
"""The programs of docs/dict-layouts.md: what the page says, what a snapshot says and what memory says are the same."""

import json
import pathlib
import re

import books
import pytest
from target import Target

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "dict-layouts.md"

# The process reads its own memory only after the snapshot; a free-threaded one cannot.
WAIT = f"""
import sys
print("ready", flush=True)
sys.stdin.readline()
sys.path.insert(0, {str(HERE / "targets")!r})
import json, rawmem
print(json.dumps(rawmem.facts(C, made)["storage"] if rawmem.READABLE else None), flush=True)
sys.stdin.readline()
"""


def examples():
    """(title, program, {"3.8": {"split": 100}, ...}) of each section that has a program."""
    for section in PAGE.read_text().split("\n## ")[1:]:
        program = re.search(r"```python\n(.*?)```", section, re.S)[1]
        table = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
        expected = {}
        for version, cell in zip(table[0], table[2]):
            words = (part.split() for part in cell.split(","))
            expected[version.strip()] = {storage: int(count) for storage, count in words}
        yield section.splitlines()[0].strip("`"), program, expected


@pytest.mark.parametrize("title, program, expected", examples(), ids=lambda value: value if isinstance(value, str) and "\n" not in value else "")
def test_page_is_right(pymemtop, interpreter, can_attach, title, program, expected):
    with Target(interpreter, program + WAIT) as target:
        row = books.named(pymemtop.json("snapshot", target.pid, status=(0, 6 * interpreter.musl)), "__main__.C")
        truth = json.loads(target.ask(""))
    storage = {name: count for name, count in row["storage"].items() if count}
    assert storage == expected["%d.%d" % interpreter.version_info[:2]]
    assert truth is None or row["storage"] == truth


def test_page_has_programs():
    assert len(list(examples())) >= 12
