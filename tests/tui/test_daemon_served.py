# SPDX-License-Identifier: BSD-2-Clause
"""The live view asks the daemon that serves the process already, and needs none where it does not."""

import json
import pathlib
import signal
import sys

import daemons
import pytest
from probes import breakpoints
from target import Target
from terminal import Terminal

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
from test_terminal import release  # noqa: E402, F401


@pytest.fixture
def served(pymemtop, can_attach, release, tmp_path):  # noqa: F811
    with Target(release, HERE / "steady.py") as target:
        daemon = daemons.Daemon(pymemtop.path, tmp_path, "-p", target.pid, "--events", "off", http=False)
        try:
            daemon.wait_up(target.pid)
            yield target, daemon
        finally:
            daemon.stop()


def test_view_through_the_daemon(pymemtop, served, tmp_path):
    target, daemon = served
    (tmp_path / "here").mkdir()
    command = [pymemtop.path, target.pid, "--socket", daemon.path, "-i", "500ms", "--filter", "__main__"]
    with Terminal(command, cwd=tmp_path / "here", height=50) as terminal:
        terminal.wait("__main__.Big")
        # Not attached: it has no events of its own, and the daemon's are off.
        terminal.wait("events off")
        for key, shown in (("m", "Memory map"), ("d", "LAYOUT"), ("a", "Advice, the most"), ("h", "pymemtop: where")):
            terminal.press(key)
            terminal.wait(shown)
        terminal.press("Escape", "Escape", "Enter")
        terminal.wait("none through a daemon; with --values pymemtop attaches itself")
        assert not breakpoints(target.pid)
        terminal.press("w")
        terminal.wait("wrote pymemtop-")
        (written,) = (tmp_path / "here").iterdir()
        assert json.loads(written.read_text())["process"]["pid"] == target.pid
        target.stop()
        terminal.wait("has ended")
        terminal.press("q")
        terminal.wait("[ended 0]")


def test_daemon_that_goes_away(pymemtop, served):
    target, daemon = served
    with Terminal([pymemtop.path, target.pid, "--socket", daemon.path, "-i", "500ms"]) as terminal:
        terminal.wait("__main__.Big")
        daemon.stop(signal.SIGTERM)
        rows = terminal.wait("[ended 1]")
        assert any(row.startswith("pymemtop: the daemon has closed the connection") for row in rows)


def test_daemon_that_does_not_serve_it(pymemtop, served, release):  # noqa: F811
    _, daemon = served
    with Target(release, HERE / "steady.py") as other:
        with Terminal([pymemtop.path, other.pid, "--socket", daemon.path, "--events", "off"]) as terminal:
            terminal.wait("__main__.Big")
