# SPDX-License-Identifier: BSD-2-Clause
"""How old instances are: known in exact mode, and only where the allocation was seen."""

import re
import time

import pytest
from terminal import Terminal

PROGRAM = """
import sys
class Early: pass
class Late: pass
kept = [Early() for _ in range(100)]
numbers = []
print("ready", flush=True)
for line in sys.stdin:
    kept += [Late() for _ in range(100)]
    numbers += [n + 0.5 for n in range(20000)]
    print("made", flush=True)
"""


def ages(terminal, name, at_least):
    """Of the samples of one type, in seconds and with their marks, once all are as old."""
    terminal.press("/")
    terminal.type(name)
    terminal.wait("1 of ")
    terminal.press("Enter", "Enter")

    def seen(rows):
        found = re.findall(r"age ([<>]?)(?:(\d+)m)?(\d+)s", "\n".join(rows))
        seconds = [60 * int(minutes or 0) + int(seconds) for _, minutes, seconds in found]
        return {mark for mark, _, _ in found}, seconds

    rows = terminal.wait(lambda rows: len(seen(rows)[1]) == 5 and min(seen(rows)[1]) >= at_least)
    terminal.press("Escape", "Escape")
    terminal.wait("TYPE")
    return seen(rows)


def test_ages(pymemtop, can_use_bpf, can_attach, interpreter, start_target):
    target = start_target(interpreter, PROGRAM)
    begin = time.monotonic()
    probe = pymemtop.run("snapshot", target.pid, "-d", "10ms", "--events", "exact")
    if probe.returncode == 5:
        pytest.skip(probe.stderr.strip())
    with Terminal([pymemtop.path, "top", target.pid, "--events", "exact", "-i", "500ms"], height=50) as terminal:
        terminal.wait("lost 0")
        before = time.monotonic()
        assert target.ask("more") == "made"
        for name, mark, since in (("__main__.Late", "", before), ("^float", "<", before), ("__main__.Early", ">", begin)):
            marks, seconds = ages(terminal, name, at_least=3)
            assert marks == {mark}, (name, marks)
            assert max(seconds) <= time.monotonic() - since + 1
        # After other censuses too.
        marks, seconds = ages(terminal, "__main__.Late", at_least=6)
        assert marks == {""} and max(seconds) - min(seconds) <= 1


def test_no_ages_without_events(pymemtop, can_attach, interpreter, start_target):
    target = start_target(interpreter, PROGRAM)
    if pymemtop.run("snapshot", target.pid).returncode == 5:
        pytest.skip("this interpreter is not supported")
    with Terminal([pymemtop.path, "top", target.pid, "--events", "off", "-i", "500ms"], height=50) as terminal:
        terminal.wait("TYPE")
        terminal.press("/")
        terminal.type("__main__.Early")
        terminal.wait("1 of ")
        terminal.press("Enter", "Enter")
        terminal.wait(lambda rows: sum("age -" in row for row in rows) == 5)
