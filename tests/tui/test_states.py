# SPDX-License-Identifier: BSD-2-Clause
"""
Golden screens of what comes and goes: the picker, banners, marks of growth, rates, services. What a quiet process
does not show comes from a daemon that this test plays: the pictures are then the same on every machine.
"""

import datetime
import json
import pathlib
import re
import shutil
import socket
import sys
import tempfile
import threading

import pytest
from target import Target
from terminal import Terminal

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import normal  # noqa: E402
import test_golden  # noqa: E402
from test_golden import SIZES, steady  # noqa: E402, F401
from test_terminal import release  # noqa: E402, F401

GROWING = [(rf" +[{normal.SPARKS}]+", " TREND"), (r"\+?[\d.]+ [KM]?i?B/s", "RATE"), *normal.PAGE]
PICKER = [(r"\b(yes|no) +\S.*", r"\1 COMMAND"), (r"\d+\.\d+\.\d+\S*", "VERSION"), (r"\d+ of \d+", "N of N"),
          (r"^ *\d+ ", "PID "), *normal.PAGE]


class PlayedDaemon:
    """Answers with snapshots: each is what picture(number) makes of the first."""

    def __init__(self, snapshot, picture):
        self.directory = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.directory.name) / "socket"
        self.snapshot, self.picture, self.number = snapshot, picture, 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.socket.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                if json.loads(line)["op"] == "hello":
                    answer = {"op": "hello", "version": 1}
                else:
                    answer = json.loads(json.dumps(self.snapshot))
                    now = datetime.datetime.now(datetime.timezone.utc)
                    answer["taken_at"] = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
                    self.picture(answer, self.number)
                    self.number += 1
                connection.sendall(json.dumps(answer).encode() + b"\n")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()
        self.directory.cleanup()


def rows_of(snapshot):
    return {t["name"]: t for t in snapshot["types"]}


def with_rates(snapshot, number):
    """Exact, rough and not yet known; records lost, a partial picture."""
    snapshot["types"] = [t for t in snapshot["types"] if t["name"].startswith("__main__.")]
    for n, (name, error) in enumerate((("__main__.Big", 0.02), ("__main__.Middle", 0.25), ("__main__.Small", None))):
        rows_of(snapshot)[name].update(alloc_objects_per_second=1234.5 * (n + 1), free_objects_per_second=6.5,
                                       alloc_bytes_per_second=1e6, free_bytes_per_second=1e3, rate_error=error)
    snapshot["events"].update(mode="budget", coverage=0.123, records=1000, lost=7, cost_ns_per_hit=600,
                              overhead={"limit": 0.02, "estimated": 0.0123})
    snapshot["partial"] = True
    snapshot["partial_reasons"] = ["7 records of events were lost before this picture: its rates may be too low"]


def with_growth(snapshot, number):
    with_rates(snapshot, number)
    snapshot["partial_reasons"], snapshot["partial"] = [], False
    small = rows_of(snapshot)["__main__.Small"]
    for field, by in (("inuse_bytes", 64_000), ("inuse_objects", 1_000)):
        small[field] += by * number
    small["bytes"]["object"] = small["inuse_bytes"]


@pytest.fixture(scope="module")
def snapshot(pymemtop, steady, can_attach):  # noqa: F811
    return pymemtop.json("snapshot", steady.pid)


def compare(terminal, size, name, shown, body):
    test_golden.compare(terminal, HERE / "golden" / size / f"{name}.txt", shown, body)


def open_terminal(command, size, **options):
    return Terminal(command, *map(int, size.split("x")), **options)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name, picture, shown, body", [
    ("rates", with_rates, "PARTIAL", normal.TABLE),
    ("growth", with_growth, "▲ __main__.Small", GROWING),
])
def test_played(pymemtop, steady, snapshot, size, name, picture, shown, body):  # noqa: F811
    with PlayedDaemon(snapshot, picture) as daemon:
        with open_terminal([pymemtop.path, "--socket", daemon.path, "-i", "500ms", steady.pid], size) as terminal:
            compare(terminal, size, name, shown, body)
            terminal.press("Enter")
            compare(terminal, size, f"{name}_type", "none through a daemon" if size != "60x12" else "objects", GROWING)


@pytest.mark.parametrize("size", SIZES)
def test_picker(pymemtop, can_attach, release, size, tmp_path):  # noqa: F811
    program = shutil.copy(HERE / "steady.py", tmp_path / "only-this-one.py")
    with Target(release, program), open_terminal([pymemtop.path], size) as terminal:
        terminal.wait("Which Python?")
        screen = terminal.screen
        terminal.screen = lambda: [normal.replace(row, PICKER) for row in screen()]
        terminal.type("only-this-one")
        compare(terminal, size, "picker", "yes COMMAND", PICKER)
        terminal.type("xyz")
        compare(terminal, size, "picker_none", "none matches", PICKER)
        terminal.press(*["BSpace"] * 3, "Enter")
        terminal.wait("__main__.Big")


@pytest.mark.parametrize("size", SIZES)
def test_end(pymemtop, can_attach, release, size):  # noqa: F811
    command = [pymemtop.path, "--events", "off", "--filter", "__main__"]
    with Target(release, HERE / "steady.py") as target, open_terminal([*command, target.pid], size) as terminal:
        terminal.wait("__main__.Big")
        target.stop()
        terminal.wait("has ended")
        screen = terminal.screen
        terminal.screen = lambda: [re.sub(r"process \d+ has ended.*", "process PID has ended", row) for row in screen()]
        compare(terminal, size, "ended", "has ended", normal.TABLE)
        terminal.press("m")
        terminal.wait("Memory map")


@pytest.mark.parametrize("size", SIZES)
def test_written(pymemtop, can_attach, steady, size, tmp_path):  # noqa: F811
    command = [pymemtop.path, "--events", "off", "--filter", "__main__", "-i", "1s", steady.pid]
    with open_terminal(command, size, cwd=tmp_path) as terminal:
        terminal.wait("__main__.Big")
        terminal.press("w")
        screen = terminal.screen
        terminal.screen = lambda: [re.sub(r"pymemtop-[\d.T:Zjson-]+", "FILE", row) for row in screen()]
        compare(terminal, size, "written", "wrote FILE", normal.TABLE)


@pytest.mark.parametrize("size", SIZES)
def test_service(pymemtop, can_attach, release, size, tmp_path):  # noqa: F811
    program = tmp_path / "service.py"
    program.write_text((HERE / "steady.py").read_text().replace("print(", """import os
lasting, end = os.pipe()
for n in range(2):
    if not os.fork():
        os.close(end)
        os.read(lasting, 1)
        os._exit(0)
print(""", 1))
    command = [pymemtop.path, "-s", "--events", "off", "--filter", "__main__"]
    with Target(release, program) as target, open_terminal([*command, target.pid], size) as terminal:
        compare(terminal, size, "service", "300,000", normal.TABLE)
        terminal.press("l")
        body = [(r" +/\S*.*", " COMMAND"), *normal.PAGE]
        compare(terminal, size, "service_processes", "COMMAND", body)


@pytest.mark.parametrize("name, env", [("ascii", {"LC_ALL": "C"}), ("plain", {"NO_COLOR": "1"})])
def test_poor_terminals(pymemtop, can_attach, steady, name, env):  # noqa: F811
    command = [pymemtop.path, "--events", "off", "--filter", "__main__", steady.pid]
    body = [(r" +[.:=*#_+-]{1,40}$", " TREND"), *normal.TABLE] if name == "ascii" else normal.TABLE
    with open_terminal(command, "80x24", env=env) as terminal:
        compare(terminal, "80x24", f"{name}", "__main__.Small", body)
        terminal.press("h")
        compare(terminal, "80x24", f"{name}_help", "pymemtop: where", None)


@pytest.mark.parametrize("term", ["xterm", "linux", "screen"])
def test_sixteen_colours(pymemtop, can_attach, steady, term):  # noqa: F811
    with open_terminal([pymemtop.path, "--events", "off", steady.pid], "80x24", env={"TERM": term}) as terminal:
        terminal.wait("__main__.Big")
        text = "".join(terminal.screen(colours=True))
        assert re.search(r"\x1b\[(\d+;)*3[0-7]m", text)
        assert "38;5" not in text and "48;5" not in text


