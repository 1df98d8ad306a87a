# SPDX-License-Identifier: BSD-2-Clause
"""docs/seeds.md says what is measured today, for each Python of this machine that it has a row for."""

import re
import subprocess

import extras
import interpreters
import pytest
import seeds

TOLERANCE = 0.03


@pytest.fixture(scope="module")
def page():
    return seeds.read_page()


@pytest.mark.parametrize("table", seeds.TABLES)
def test_page_is_true(pymemtop, interpreter, can_attach, page, table):
    name = seeds.row_name(interpreter)
    if name is None:
        pytest.skip("the page has no row for debug builds")
    assert name in page[table], f"docs/seeds.md has no row for {name} in {table}"
    for column, cell in zip(seeds.TABLES[table], page[table][name]):
        measured = seeds.measure(pymemtop.path, interpreter, column)
        said = float(re.match(r"[\d.]+", cell)[0])
        assert measured == pytest.approx(said, rel=TOLERANCE), f"{column.title}: the page says {cell}"


def test_page_is_true_of_pandas(pymemtop, can_attach):
    """Of the first interpreter that has it."""
    for interpreter in interpreters.discover():
        if not subprocess.run([*interpreter.command, "-c", "import pandas"], stderr=subprocess.DEVNULL).returncode:
            break
    else:
        extras.missing("chunks with pandas: no interpreter has it (apt-get install python3-pandas)")
    said = float(re.search(r"With pandas .*?([\d.]+) MiB\s+less with chunks", seeds.PAGE.read_text(), re.S)[1])
    assert seeds.measure(pymemtop.path, interpreter, seeds.PANDAS) == pytest.approx(said, rel=TOLERANCE)


def test_every_example_is_spoken_of(page):
    text = seeds.PAGE.read_text()
    for program in (seeds.ROOT / "examples").glob("*.py"):
        assert f"`{program.stem}.py" in text
    for name, columns in seeds.TABLES.items():
        assert page[name] and all(len(row) == len(columns) for row in page[name].values())
