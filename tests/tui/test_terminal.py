# SPDX-License-Identifier: BSD-2-Clause
"""What the live view does to a terminal, and what becomes of it however the view ends."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import interpreters
import pytest
from target import Target
from terminal import Terminal

HERE = pathlib.Path(__file__).parent

HOSTILE = """
import sys
names = ["\\x1b[2J\\x1b[31mred", "new\\nline", "\\u65e5\\u672c\\u8a9e" * 9, "e\\u0301" * 30, "\\u202egnp.exe", "\\u200b" * 40,
         "\\x9b2J", "tab\\there", "a" * 3000]
kept = []
for name in names:
    cls = type(name, (), {"__module__": "hostile"})
    for n in range(500):
        kept.append(cls())
        setattr(kept[-1], "\\x1b[2Jkey", "\\x1b[2Jvalue")
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def release():
    return next(i for i in interpreters.discover() if i.gil and not i.debug)


@pytest.fixture(scope="module")
def steady(release):
    with Target(release, HERE / "steady.py") as target:
        yield target


def view(pymemtop, target, *options, **terminal):
    command = [pymemtop.path, "top", target.pid, "--events", "off", "-i", "500ms", *options]
    return Terminal(command, **terminal)


def is_sane(terminal):
    """Echo and line input are on, the cursor shows, and we are back on the first screen."""
    terminal.type("typed")
    terminal.press("Enter")
    # Once as the terminal's echo, once from cat.
    terminal.wait(lambda rows: sum(row == "typed" for row in rows) == 2, timeout=15)
    assert terminal.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").split() == ["0", "1"]


def test_quit(pymemtop, can_attach, steady):
    with view(pymemtop, steady) as terminal:
        terminal.wait("__main__.Big")
        terminal.press("q")
        terminal.wait("[ended 0]")
        is_sane(terminal)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals(pymemtop, can_attach, steady, number):
    with view(pymemtop, steady) as terminal:
        terminal.wait("__main__.Big")
        os.kill(terminal.pid, number)
        terminal.wait("[ended 0]")
        is_sane(terminal)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_crash(pymemtop, can_attach, steady, number):
    with view(pymemtop, steady) as terminal:
        terminal.wait("__main__.Big")
        os.kill(terminal.pid, number)
        terminal.wait(f"[ended {128 + number}]")
        is_sane(terminal)


@pytest.mark.parametrize("key", ["q", "C-c"])
def test_quit_while_reading_hangs(pymemtop, can_attach, release, start_target, key):
    """A page that nobody fills: the view answers, and its end does not wait for the thread that reads."""
    trap = start_target(release, HERE.parent / "daemon" / "hang_readers.py")
    if trap.ready != "armed":
        pytest.skip(f"no userfaultfd here: {trap.ready}")
    with view(pymemtop, trap) as terminal:
        terminal.wait("taking the first census")
        time.sleep(2)
        terminal.press("h")
        terminal.wait("memory map", timeout=15)
        terminal.press("h")
        terminal.wait("taking the first census", timeout=15)
        terminal.press(key)
        terminal.wait("lets its readers hang", timeout=20)
        is_sane(terminal)


def test_suspend_and_resume(pymemtop, can_attach, steady):
    """A shell with job control, as users have: Ctrl-Z gives its prompt back, fg the view."""
    command = f"{pymemtop.path} top {steady.pid} --events off"
    with Terminal(["bash", "--norc", "--noprofile", "-i"], env={"PS1": "prompt> "}) as terminal:
        terminal.wait("prompt>")
        terminal.type(command)
        terminal.press("Enter")
        terminal.wait("__main__.Big")
        terminal.press("C-z")
        rows = terminal.wait("Stopped")
        assert not any("__main__.Big" in row for row in rows)
        terminal.type("echo $((6*7))")
        terminal.press("Enter")
        terminal.wait(lambda rows: "42" in rows)
        terminal.type("fg")
        terminal.press("Enter")
        terminal.wait("__main__.Big")
        terminal.press("m")
        terminal.wait("Memory map")
        terminal.press("q")
        terminal.wait(lambda rows: rows and any("prompt>" in row for row in rows[-30:]))


def test_resize(pymemtop, can_attach, steady):
    with view(pymemtop, steady, width=80, height=24) as terminal:
        terminal.wait("__main__.Big")
        terminal.resize(200, 60)
        terminal.wait(lambda rows: "HINT" in "".join(rows) and len(rows) == 60)
        terminal.resize(40, 8)
        terminal.wait("40x8 is too small")
        terminal.resize(60, 12)
        terminal.wait(lambda rows: "__main__.Big" in "".join(rows) and "STORAGE" not in "".join(rows))


def test_end_of_the_target(pymemtop, can_attach, release):
    with Target(release, HERE / "steady.py") as target, view(pymemtop, target) as terminal:
        terminal.wait("__main__.Big")
        target.stop()
        terminal.wait(f"process {target.pid} has ended; this is the last that was seen of it")
        terminal.press("Enter")
        terminal.wait("Storage of attributes")
        terminal.press("m")
        terminal.wait("Memory map")
        terminal.press("q")
        terminal.wait("[ended 0]")


def test_plain_ascii(pymemtop, can_attach, steady):
    with view(pymemtop, steady, "--filter", "__main__", env={"LC_ALL": "C"}) as terminal:
        for keys, wanted in (([], "__main__.Big"), (["Enter"], "Parts"), (["m"], "Memory"), (["h"], "this help")):
            terminal.press(*keys)
            assert terminal.wait(wanted)
            assert terminal.text().isascii()


def test_colours(pymemtop, can_attach, steady):
    with view(pymemtop, steady) as terminal:
        terminal.wait("__main__.Big")
        assert re.search(r"\x1b\[(\d+;)*3[0-8]", "".join(terminal.screen(colours=True)))
    with view(pymemtop, steady, env={"NO_COLOR": "1"}) as terminal:
        terminal.wait("__main__.Big")
        assert not re.search(r"\x1b\[(\d+;)*[34][0-8]", "".join(terminal.screen(colours=True)))


def test_dumb_terminal_gets_tables(pymemtop, can_attach, steady):
    with view(pymemtop, steady, "-d", "100ms", env={"TERM": "dumb"}) as terminal:
        terminal.wait("[ended 0]")
        assert "TYPE" in terminal.text()


def test_hostile_names(pymemtop, can_attach, release):
    with Target(release, HOSTILE) as target:
        with view(pymemtop, target, "--filter", "hostile", "--values", width=80, height=32) as terminal:
            terminal.wait("?[2J")
            rows = terminal.screen()
            # Nothing moved: every row has its mark at the column of its title.
            at = next(row for row in rows if row.startswith("  TYPE")).index("STORAGE")
            listed = [row for row in rows if "500" in row]
            assert len(listed) == 9
            assert all(re.match("inline|split|combined", row[at:]) for row in listed if row.isascii())
            assert sum(bool(re.search("inline|split|combined", row)) for row in listed) == 9
            terminal.press("Enter")
            terminal.wait("?[2Jkey: str = '?[2Jvalue'")
            terminal.press("q")
            terminal.wait("[ended 0]")


def test_write_never_overwrites(pymemtop, can_attach, steady, tmp_path):
    with view(pymemtop, steady, cwd=tmp_path) as terminal:
        terminal.wait("__main__.Big")
        terminal.press("p")
        terminal.wait("PAUSED")
        for expected in (1, 2, 3):
            terminal.press("w")
            terminal.wait(lambda rows: len(list(tmp_path.iterdir())) == expected)
        terminal.wait("wrote pymemtop-")
    for path in tmp_path.iterdir():
        snapshot = json.loads(path.read_text())
        assert snapshot["process"]["pid"] == steady.pid
        assert any(t["name"] == "__main__.Big" and t["inuse_objects"] == 100_000 for t in snapshot["types"])


def test_write_where_it_cannot(pymemtop, can_attach, steady):
    with view(pymemtop, steady, cwd="/proc") as terminal:
        terminal.wait("__main__.Big")
        terminal.press("w")
        terminal.wait("cannot write pymemtop-")


def test_paused_view_stays_and_collects(pymemtop, can_attach, release):
    grow = "import sys\nclass Grow: pass\nkept = [Grow() for _ in range(1000)]\nprint('ready', flush=True)\n"
    grow += "for line in sys.stdin:\n    kept += [Grow() for _ in range(1000)]\n    print('done', flush=True)\n"
    with Target(release, grow) as target, view(pymemtop, target, "--filter", "Grow") as terminal:
        terminal.wait(" 1,000 ")
        terminal.press("p")
        terminal.wait("PAUSED")
        assert target.ask("more") == "done"
        time.sleep(1.5)
        assert " 1,000 " in terminal.text()
        terminal.press("p")
        terminal.wait(" 2,000 ")


def test_picker(pymemtop, can_attach, release, tmp_path):
    # A name of its own: other tests run the same program at the same time.
    program = shutil.copy(HERE / "steady.py", tmp_path / f"picked-{os.getpid()}.py")
    with Target(release, program), Terminal([pymemtop.path], width=100) as terminal:
        terminal.wait("Which Python?")
        terminal.type(f"picked-{os.getpid()}")
        terminal.wait("1 of ")
        terminal.press("Enter")
        terminal.wait("__main__.Big")
        terminal.press("q")
        terminal.wait("[ended 0]")
        is_sane(terminal)


def test_errors_are_told_on_the_plain_screen(pymemtop):
    with Terminal([pymemtop.path, "top", "2000000000"]) as terminal:
        terminal.wait("[ended 3]")
        assert "pymemtop: no process 2000000000" in terminal.text()
        is_sane(terminal)


def test_attributes_in_every_version(pymemtop, can_attach, interpreter, start_target):
    """Samples name the attributes, wherever that version keeps them."""
    source = """
import sys
class Inline:
    def __init__(self): self.first, self.second = 1, "two"
class Dict:
    def __init__(self): self.first, self.second = 1, "two"
class Slots:
    __slots__ = ("third",)
    def __init__(self): self.third = 3.0
kept = [[c() for _ in range(200)] for c in (Inline, Dict, Slots)]
for d in kept[1]: d.__dict__["late"] = None
print("ready", flush=True)
sys.stdin.readline()
"""
    target = start_target(interpreter, source)
    if pymemtop.run("snapshot", target.pid).returncode == 5:
        pytest.skip("this interpreter is not supported")
    wanted = {
        "Inline": ["first: int, second: str"],
        "Dict": ["first: int, second: str, late: NoneType"],
        "Slots": ["third: float"],
    }
    with view(pymemtop, target, height=50) as terminal:
        for name, lines in wanted.items():
            terminal.press("/")
            terminal.type(f"__main__.{name}")
            terminal.wait("1 of ")
            terminal.press("Enter", "Enter")
            for line in lines:
                terminal.wait(f"attributes: {line}")
            terminal.press("Escape", "Escape")
            terminal.wait("TYPE")


def test_service(pymemtop, can_attach, release):
    """A parent with two workers, then three: one sum, and a line for each."""
    source = """
import os, sys
class Job: pass
def work(n):
    kept = [Job() for _ in range(n)]
    os.write(1, b"born\\n")
    os.read(lasting, 1)
    os._exit(0)
lasting, end = os.pipe()
for n in (100, 200):
    if not os.fork(): os.close(end); work(n)
print("ready", flush=True)
sys.stdin.readline()
if not os.fork(): os.close(end); work(1000)
sys.stdin.readline()
"""
    with Target(release, source) as target:
        with view(pymemtop, target, "-s", "--filter", "__main__.Job") as terminal:
            terminal.wait(" 300 ")
            target.send()
            terminal.wait(" 1,300 ")
            terminal.press("l")
            rows = terminal.wait("The other screens show the sum")
            start = next(i for i, row in enumerate(rows) if "PID" in row and "COMMAND" in row)
            pids = [int(row.split()[0]) for row in rows[start + 1 : start + 5]]
            assert pids[0] == target.pid and len(set(pids)) == 4
            os.kill(pids[-1], signal.SIGKILL)
            terminal.wait(lambda rows: sum(bool(re.match(r" +\d+ .*python", row)) for row in rows) == 3)
            terminal.press("l")
            terminal.wait(" 300 ")


def test_service_in_batch(pymemtop, can_attach, release):
    """A line for each process; what they share is in the sum once."""
    source = """
import gc, os, sys
class Job: pass
shared = [Job() for _ in range(100_000)]
gc.freeze()
lasting, end = os.pipe()
for n in range(3):
    if not os.fork(): os.close(end); os.read(lasting, 1); os._exit(0)
print("ready", flush=True)
sys.stdin.readline()
"""
    with Target(release, source) as target:
        children = pathlib.Path(f"/proc/{target.pid}/task/{target.pid}/children").read_text().split()
        done = pymemtop.run("top", "-b", "-s", "--events", "off", "-d", "100ms", "-n", "5", target.pid)
        assert done.returncode == 0, done.stderr
        lines = {pid: re.search(rf"^ *{pid} +([\d.]+) MiB +([\d.]+) MiB .*python", done.stdout, re.M)
                 for pid in (str(target.pid), *children)}
        assert len(lines) == 4 and all(lines.values()), done.stdout
        whole, shares = (sum(float(line[n]) for line in lines.values()) for n in (1, 2))
        assert shares < 0.7 * whole
        assert float(re.search(r"Memory +([\d.]+) MiB PSS", done.stdout)[1]) == pytest.approx(shares, abs=0.4)
        assert re.search(r"__main__\.Job +400,000", done.stdout)
