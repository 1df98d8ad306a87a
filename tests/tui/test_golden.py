# SPDX-License-Identifier: BSD-2-Clause
"""Every screen at four sizes, against the files in golden/. PYMEMTOP_UPDATE_GOLDEN=1 writes them anew."""

import os
import pathlib
import sys
import time

import interpreters
import pytest
from terminal import Terminal, TerminalError

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import normal  # noqa: E402

SIZES = ["60x12", "80x24", "110x32", "200x60"]

# Name, keys that lead there from the screen before, text that shows it is there, what the body is.
SCREENS = [
    ("types", [], "__main__.Small", normal.TABLE),
    ("sorted", ["s", "s"], "↓OBJECTS", normal.TABLE),
    ("sorted_back", ["S", "<"], "sorted by growth", normal.TABLE),
    ("sorted_again", [">", "F6"], "sorted by objects", normal.TABLE),
    ("longer", ["+"], "a picture every 2.0 s", normal.TABLE),
    ("shorter", ["-"], "a picture every 1.0 s", normal.TABLE),
    ("reversed", ["r"], "↑OBJECTS", normal.TABLE),
    ("filter", ["/", ".", "S", "m"], "filter: __main__.Sm_", normal.TABLE),
    ("cleared", ["Enter", "c", "r", "/", "a", "i", "n", "_", "_", "Enter"], "↓OBJECTS", normal.TABLE),
    ("second", ["G", "Home", "j", "Down", "k", "Enter"], "20,000 objects", normal.PAGE),
    ("first", ["Escape", "PageDown", "PageUp", "Up", "g", "Enter"], "100,000 objects", normal.PAGE),
    ("type", ["Escape", "End", "Enter"], "1,000 objects", normal.PAGE),
    ("samples", ["PageDown"], "attributes:", normal.PAGE),
    ("memory", ["m"], "Memory map", normal.PAGE),
    ("dicts", ["d"], "LAYOUT", normal.PAGE),
    ("advice", ["a"], "Advice, the most", normal.PAGE),
    ("processes", ["l"], "COMMAND", normal.PAGE),
    ("help", ["h"], "pymemtop: where", None),
    ("help_left", ["?"], "COMMAND", normal.PAGE),
    ("help_again", ["F1"], "pymemtop: where", None),
    ("paused", ["h", "Escape", "Space"], "PAUSED", normal.TABLE),
    ("baseline", ["p", "b"], "baseline set", normal.TABLE),
]


@pytest.fixture(scope="module")
def steady():
    """One process for all sizes: nothing is done to it."""
    from target import Target

    release = next(i for i in interpreters.discover() if i.gil and not i.debug)
    with Target(release, HERE / "steady.py") as target:
        yield target


def compare(terminal, path, shown, body):
    """The screen as it should be, once it has come to rest."""

    def text(rows):
        return normal.normal(rows, body) if body else "\n".join(rows) + "\n"

    if os.environ.get("PYMEMTOP_UPDATE_GOLDEN") == "1":
        terminal.wait(lambda rows: is_there(rows, shown))
        time.sleep(0.5)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text(terminal.screen()))
    try:
        terminal.wait(lambda rows: is_there(rows, shown) and text(rows) == path.read_text())
    except TerminalError:
        assert text(terminal.screen()) == path.read_text(), f"differs from {path}"
        raise


@pytest.mark.parametrize("size", SIZES)
def test_screens(pymemtop, can_attach, steady, size):
    width, height = map(int, size.split("x"))
    command = [pymemtop.path, "top", steady.pid, "--events", "off", "--filter", "__main__", "-i", "1s"]
    with Terminal(command, width, height) as terminal:
        for name, keys, shown, body in SCREENS:
            terminal.press(*keys)
            compare(terminal, HERE / "golden" / size / f"{name}.txt", shown, body)
        terminal.press("q")
        terminal.wait("[ended 0]")


def is_there(rows, shown):
    """Samples come with a census of their own, a moment after the rest."""
    text = "\n".join(rows)
    return shown in text and "with the next census" not in text
