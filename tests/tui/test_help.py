# SPDX-License-Identifier: BSD-2-Clause
"""The help screen and the man page name the same keys."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import test_golden  # noqa: E402

HERE = pathlib.Path(__file__).parent
MAN_PAGE = HERE.parents[1] / "docs" / "pymemtop.1.scd"


def keys_of_help():
    """Of the golden screen, which a test holds against the program."""
    rows = (HERE / "golden" / "110x32" / "help.txt").read_text().splitlines()
    return {key for row in rows if (match := re.match(r"  (\S.{0,11}?) {2,}\S|  (Home End g G) ", row))
            for key in (match[1] or match[2]).split()}


def keys_of_man_page():
    section = re.search(r"^# LIVE VIEW$(.*?)^# ", MAN_PAGE.read_text(), re.M | re.S)[1]
    return {key for key in re.findall(r"\*([^*\s]+)\*", section) if not key.startswith("--") and key != "-s"}


TMUX = {"PgUp": "PageUp", "PgDn": "PageDown", "Esc": "Escape", "arrows": "Down"}
# What ends the view or leaves a file is in test_terminal.py.
ELSEWHERE = {"q", "Ctrl-C", "w"}


def test_each_key_is_on_a_golden_screen():
    pressed = {key for _, keys, _, _ in test_golden.SCREENS for key in keys}
    assert {TMUX.get(key, key) for key in keys_of_help() - ELSEWHERE} <= pressed


def test_same_keys():
    assert {"q", "Enter", "/", "F6", "PgUp"} <= keys_of_help()
    assert keys_of_help() == keys_of_man_page() - {"F5"}
