# SPDX-License-Identifier: BSD-2-Clause
"""A web server under load with a list that grows in its handler, looked at as a new user would."""

import pathlib
import re

import pytest
from terminal import Terminal

SERVER = pathlib.Path(__file__).with_name("leaky_server.py")


def first_row(rows):
    """The first type of the table."""
    titles = [number for number, row in enumerate(rows) if row.startswith("  TYPE")]
    return rows[titles[0] + 1] if titles else ""


def test_leaking_class_is_on_top_and_told(pymemtop, can_attach, interpreter, start_target):
    if not interpreter.gil:
        pytest.skip("single censuses of a free-threaded build under load still miss blocks")
    target = start_target(interpreter, SERVER, "visit")
    with Terminal([pymemtop.path, "top", target.pid, "--events", "off", "-i", "1s"], height=50) as terminal:
        terminal.wait("__main__.Visit")
        terminal.press("b")
        # Three refreshes are three seconds, and a little for the machine.
        rows = terminal.wait(lambda rows: first_row(rows).startswith("▲ __main__.Visit"), timeout=12)
        assert "KiB/s" in first_row(rows)
        terminal.press("Enter")
        # Shared keys are in the order of the class's first instance, or of what the compiler saw (3.13+).
        rows = terminal.wait("attributes:")
        attributes = next(row for row in rows if "attributes:" in row).split("attributes:")[1]
        words = sorted(word.strip() for word in attributes.split(","))
        assert words == ["headers: dict", "path: str", "when: float"]
        assert any("keeps growing" in row for row in rows)


@pytest.mark.parametrize("kind", ["dict", "str"])
def test_leaking_builtins_are_on_top(pymemtop, can_attach, interpreter, start_target, kind):
    """A cache that nobody clears, a list of plain values: with events, as the view is started by default."""
    if not interpreter.gil:
        pytest.skip("single censuses of a free-threaded build under load still miss blocks")
    target = start_target(interpreter, SERVER, kind)
    with Terminal([pymemtop.path, target.pid, "-i", "1s"], height=50) as terminal:
        terminal.wait("TYPE")
        terminal.wait(lambda rows: re.match(rf"▲ {kind} ", first_row(rows)), timeout=60)
        terminal.press("Enter")
        rows = [row for row in terminal.wait("keeps growing") if not row.startswith("PARTIAL")]  # of a malloc not glibc's
        assert rows[4] == kind
