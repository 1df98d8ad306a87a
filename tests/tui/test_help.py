# SPDX-License-Identifier: BSD-2-Clause
"""The help screen and the man page name the same keys."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import test_golden  # noqa: E402

HERE = pathlib.Path(__file__).parent
MAN_PAGE = HERE.parents[1] / "docs" / "pymemtop.1.scd"


def keys_of_help(size="110x32"):
    """Of the golden screen, which a test holds against the program: at the left, in one or two columns."""
    text = (HERE / "golden" / size / "help.txt").read_text()
    half = int(size.split("x")[0]) // 2
    columns = [0] if "back; on the table" in text else [0, half]
    cells = [row[at + 2:at + 14].strip() for row in text.splitlines()[1:] for at in columns
             if row[at:at + 2] == "  " and row[at + 14:at + 15] == " " and row[at + 15:at + 16].strip()]
    return {key for cell in cells for key in cell.split() if "keeps" not in cell and "TREND" not in cell}


def keys_of_man_page():
    section = re.search(r"^# LIVE VIEW$(.*?)^# ", MAN_PAGE.read_text(), re.M | re.S)[1]
    return {key for key in re.findall(r"\*([^*\s]+)\*", section) if not key.startswith("--") and key != "-s"}


TMUX = {"PgUp": "PageUp", "PgDn": "PageDown", "Esc": "Escape", "arrows": "Down"}
# What ends the view or leaves a file is in test_terminal.py.
ELSEWHERE = {"q", "Ctrl-C", "w"}


def test_each_key_is_on_a_golden_screen():
    pressed = {key for _, keys, _, _ in test_golden.SCREENS for key in keys}
    assert {TMUX.get(key, key) for key in keys_of_help() - ELSEWHERE} <= pressed


def test_complete_at_every_size():
    for size in test_golden.SIZES:
        text = (HERE / "golden" / size / "help.txt").read_text()
        assert "more below" not in text
        assert len(text.splitlines()) <= int(size.split("x")[1])
        assert keys_of_help(size) == keys_of_help(), size


def test_same_keys():
    assert {"q", "Enter", "/", "F6", "PgUp"} <= keys_of_help()
    assert keys_of_help() == keys_of_man_page() - {"F5"}
