# SPDX-License-Identifier: BSD-2-Clause
"""The ways in which a Python is built, installed, run and hidden: each is found, and its heap is told right."""

import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import time

import books
import extras
import interpreters
import patience
import pytest
from target import Target

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNT = 1234

PROGRAM = f"""
import sys
class Thing:
    def __init__(self, i):
        self.first = i
        self.second = None
things = [Thing(i) for i in range({COUNT})]
print("ready", flush=True)
sys.stdin.readline()
"""

pytestmark = pytest.mark.usefixtures("can_attach")


def check(pymemtop, pid, *, name="__main__.Thing", count=COUNT):
    """A whole snapshot, with the books balanced and the program's own objects counted."""
    snapshot = pymemtop.json("snapshot", pid, status=(0, 6))
    books.check(snapshot)
    assert books.is_whole(snapshot), snapshot["partial_reasons"]
    row = books.named(snapshot, name)
    assert row["inuse_objects"] == count
    return snapshot


def here(wanted):
    """Interpreters of this root that wanted() likes; skips the test where there is none."""
    found = [i for i in interpreters.discover() if not i.root and wanted(i)]
    if not found:
        pytest.skip("no such interpreter on this machine")
    return found


# ---- allocators ------------------------------------------------------------------------------

ALLOCATORS = {
    "malloc": ({"PYTHONMALLOC": "malloc"}, "malloc"),
    "malloc_debug": ({"PYTHONMALLOC": "malloc_debug"}, "debug"),
    "debug": ({"PYTHONMALLOC": "debug"}, "debug"),
    "pymalloc_debug": ({"PYTHONMALLOC": "pymalloc_debug"}, "debug"),
    "tracemalloc": ({"PYTHONTRACEMALLOC": "1"}, None),
    "debug and tracemalloc": ({"PYTHONMALLOC": "debug", "PYTHONTRACEMALLOC": "1"}, "debug"),
}


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_allocators(pymemtop, interpreter, allocator):
    environment, name = ALLOCATORS[allocator]
    if not interpreter.gil and "malloc" in environment.get("PYTHONMALLOC", ""):
        pytest.skip("free-threaded builds have mimalloc only")
    if name is None:
        name = "debug" if interpreter.debug else "pymalloc" if interpreter.gil else "mimalloc"
    with Target(interpreter, PROGRAM, env=environment) as target:
        if interpreter.musl and environment.get("PYTHONMALLOC", "").startswith("malloc"):
            (reason,) = pymemtop.json("snapshot", target.pid, status=(6,))["partial_reasons"]
            assert reason.startswith("objects of all sizes are not seen") and "not glibc's" in reason
            return
        snapshot = check(pymemtop, target.pid)
        refused = pymemtop.run("snapshot", target.pid, "-d", "10ms", "--events", "exact")
    assert snapshot["process"]["build"]["allocator"] == name
    row = books.named(snapshot, "__main__.Thing")
    used = row["storage"]["split" if interpreter.version_info < (3, 11) else "inline"]
    assert used == COUNT
    # What cannot be traced is said.
    if environment.get("PYTHONMALLOC", "").startswith("malloc"):
        assert refused.returncode == 5 and "--events off" in refused.stderr
    else:
        assert refused.returncode in (0, 6 * interpreter.musl), refused.stderr


def test_another_malloc_is_named_and_its_pages_are_in_the_sum(pymemtop, interpreter):
    """jemalloc in malloc's place: what cannot be told apart is null and said, and the RSS is explained all the same."""
    libraries = sorted(pathlib.Path("/usr/lib").glob("*/libjemalloc.so.2"))
    if not libraries:
        extras.missing("jemalloc (apt-get install libjemalloc2)")
    if interpreter.root or interpreter.musl or not interpreter.gil:
        pytest.skip("wants the C library that jemalloc was built for, and pymalloc")
    program = PROGRAM.replace("things =", "large = [b'x' * 100_000 for _ in range(500)]\nthings =")
    with Target(interpreter, program, env={"LD_PRELOAD": str(libraries[0])}) as target:
        snapshot = pymemtop.json("snapshot", target.pid, status=(6,))
    books.check(snapshot)
    memory = snapshot["memory"]
    assert memory["malloc"]["name"] == "jemalloc" and memory["malloc"]["heap_bytes"] is None
    assert any("over 512 bytes" in reason and "jemalloc" in reason for reason in snapshot["partial_reasons"])
    assert books.named(snapshot, "__main__.Thing")["inuse_objects"] == COUNT
    resident = memory["resident"]
    assert resident["native_live_bytes"] is None and resident["python_live_bytes"] > 0
    known = resident["python_live_bytes"] + resident["python_free_bytes"]
    rest = memory["mapped_file_bytes"] + memory["stack_bytes"] + memory["other_bytes"]
    assert known + rest == memory["rss_bytes"]
    assert memory["other_bytes"] > 40_000_000
    assert "not told apart" in memory["verdict"]["text"]


# ---- ways to run -----------------------------------------------------------------------------


def test_virtual_environment(pymemtop, interpreter, tmp_path):
    if interpreter.root:
        pytest.skip("the same in another root")
    subprocess.run([*interpreter.command, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    with Target(tmp_path / "venv" / "bin" / "python", PROGRAM) as target:
        snapshot = check(pymemtop, target.pid)
    assert snapshot["process"]["python_version"] == interpreter.version


def libpython(interpreter):
    """Where a shared interpreter of this root has its library."""
    question = "print(next(l.split()[-1] for l in open('/proc/self/maps') if '/libpython3' in l))"
    return pathlib.Path(subprocess.check_output([*interpreter.command, "-c", question], text=True).strip())


def test_embedded_in_another_program(pymemtop, interpreter, tmp_path):
    if interpreter.root or not interpreter.shared:
        pytest.skip("wants a libpython to link with")
    question = "import sysconfig; print(sysconfig.get_path('include'), sysconfig.get_config_var('prefix'))"
    include, prefix = subprocess.check_output([*interpreter.command, "-c", question], text=True).split()
    if not os.path.exists(f"{include}/Python.h"):
        pytest.skip("no headers")
    library = libpython(interpreter)
    subprocess.run(
        ["cc", "-w", f"-I{include}", "-o", tmp_path / "embedder", ROOT / "tests/e2e/embedder.c", library]
        + [f"-Wl,-rpath,{library.parent}"],
        check=True,
    )
    process = subprocess.Popen(
        [tmp_path / "embedder", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONHOME": prefix},
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        snapshot = check(pymemtop, process.pid)
    finally:
        process.kill()
        process.communicate()
    assert snapshot["process"]["exe"].endswith("/embedder")
    assert snapshot["process"]["python_version"] == interpreter.version


WSGI = f"""
class Thing:
    def __init__(self, i):
        self.first = i
things = [Thing(i) for i in range({COUNT})]
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"ok"]
"""


def test_uwsgi(pymemtop, tmp_path):
    """Loads Python as a plugin. In one of the roots of `make interpreters`."""
    roots = {i.root for i in interpreters.discover() if i.root and os.path.exists(f"{i.root}/usr/bin/uwsgi-core")}
    if not roots:
        pytest.skip("no uwsgi in the roots of other systems")
    (tmp_path / "app.py").write_text(WSGI)
    process = subprocess.Popen(
        [interpreters.ENTER, roots.pop(), "/usr/bin/uwsgi-core", "--plugins", "python3", "--pythonpath", tmp_path]
        + ["--socket", tmp_path / "socket", "--module", "app"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "spawned uWSGI worker" in line or "WSGI app 0" in line:
                break
        assert process.poll() is None, "".join(lines)
        time.sleep(0.5)
        snapshot = check(pymemtop, process.pid, name="app.Thing")
    finally:
        process.kill()
        process.communicate()
    assert snapshot["process"]["exe"].endswith("/uwsgi-core")
    assert not snapshot["process"]["build"]["static"]


TWO = f"""
import ctypes
other = ctypes.CDLL("%s", mode=ctypes.RTLD_LOCAL)
{PROGRAM}
"""


def test_two_runtimes_mapped(pymemtop):
    """A second libpython that nobody has started is not taken for the one that runs."""
    shared = here(lambda i: i.shared)
    for interpreter in here(lambda i: not i.shared and i.gil and not i.debug and not i.musl):
        other = next(i for i in reversed(shared) if i.version_info[:2] != interpreter.version_info[:2])
        with Target(interpreter, TWO % libpython(other)) as target:
            assert str(libpython(other)) in pathlib.Path(f"/proc/{target.pid}/maps").read_text()
            snapshot = check(pymemtop, target.pid)
        assert snapshot["process"]["python_version"] == interpreter.version


# ---- where the file is -----------------------------------------------------------------------


def moved_prefix(interpreter, place):
    """A copy of the interpreter's files that its prefix says nothing of; returns (program, environment)."""
    question = "import os; print(os.path.dirname(os.__file__))"
    stdlib = subprocess.check_output([*interpreter.command, "-I", "-c", question], text=True).strip()
    (place / "bin").mkdir(parents=True)
    (place / "lib").mkdir()
    program = shutil.copy2(interpreter.path, place / "bin")
    (place / "lib" / pathlib.Path(stdlib).name).symlink_to(stdlib)
    if interpreter.shared:
        shutil.copy2(libpython(interpreter), place / "lib")
    return pathlib.Path(program), {"PYTHONHOME": str(place), "LD_LIBRARY_PATH": str(place / "lib")}


def copied(interpreter, place):
    program, environment = moved_prefix(interpreter, place)
    file = place / "lib" / libpython(interpreter).name if interpreter.shared else program
    return program, environment, file


@pytest.fixture
def in_copy(interpreter, tmp_path):
    """A target that runs from a copy of its own, and that file."""
    if interpreter.root:
        pytest.skip("files of another root stay where they are")
    program, environment, file = copied(interpreter, tmp_path / "moved")
    with Target(program, PROGRAM, env=environment) as target:
        if str(file) not in pathlib.Path(f"/proc/{target.pid}/maps").read_text():
            pytest.skip("its library is where the program says, not where the environment does")
        yield target, file


def test_prefix_moved(pymemtop, in_copy):
    target, file = in_copy
    snapshot = check(pymemtop, target.pid)
    assert snapshot["process"]["build"]["libpython"] == str(file)


def events_or_refusal(pymemtop, target):
    """Events work, or it is said why not."""
    done = pymemtop.run("snapshot", target.pid, "-d", "100ms", "--events", "exact")
    assert done.returncode in (0, 6) or (done.returncode in (4, 5) and done.stderr.count("\n") == 1), done.stderr


def test_file_deleted_since(pymemtop, in_copy):
    target, file = in_copy
    file.unlink()
    check(pymemtop, target.pid)
    events_or_refusal(pymemtop, target)


def test_file_replaced_since(pymemtop, in_copy):
    """An upgrade under a running program: the new file is not the one that runs."""
    target, file = in_copy
    other = file.with_name("new")
    other.write_bytes(b"\x7fELF, but not much of one")
    other.rename(file)
    check(pymemtop, target.pid)
    events_or_refusal(pymemtop, target)


def children(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(os.geteuid() != 0, reason="making namespaces wants root")
@pytest.mark.parametrize("namespaces", ["--mount", "--mount --pid --mount-proc", "--user --map-root-user --mount --pid --mount-proc"])
def test_other_namespaces(pymemtop, namespaces):
    for interpreter in here(lambda i: True)[-1:]:
        options = namespaces.split()
        command = ["unshare", *options, "--fork", *interpreter.command, "-c", PROGRAM]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert process.stdout.readline() == b"ready\n"
            (pid,) = children(process.pid)
            check(pymemtop, pid)
            events = pymemtop.run("snapshot", pid, "-d", "100ms", "--events", "exact")
            assert events.returncode == 0, events.stderr
        finally:
            process.stdin.close()
            process.wait(patience.seconds(20))
            process.stdout.close()


# ---- sub-interpreters ------------------------------------------------------------------------

SUB = f"""
import sys
try:
    import _interpreters as sub
except ImportError:
    import _xxsubinterpreters as sub
text = '''
class Inner:
    def __init__(self, i):
        self.first = i
inner = [Inner(i) for i in range({COUNT})]
'''
made = [sub.create() for _ in range(3)]
for one in made:
    (getattr(sub, "exec", None) or sub.run_string)(one, text)
{PROGRAM}
"""


def test_subinterpreters(pymemtop, interpreter):
    """From 3.12 on each has arenas of its own; their classes are rows of their own, which share a name."""
    if interpreter.version_info < (3, 9):
        pytest.skip("no module to make them with")
    with Target(interpreter, SUB) as target:
        snapshot = check(pymemtop, target.pid)
    inner = [row for row in snapshot["types"] if row["name"] == "__main__.Inner"]
    assert [row["inuse_objects"] for row in inner] == [COUNT] * 3
    assert snapshot["census"]["attributed_ratio"] > (0.99 if interpreter.gil else 0.85)


LATE_SUBS = SUB.replace("made = [", "input()\nmade = [", 1).replace("import sys\n", "import sys\nprint('ready early', flush=True)\n", 1)


def test_subinterpreters_that_come_later(pymemtop, interpreter):
    """A view that is open sees them too; from 3.12 on they may run at the same time, which pymalloc's events do not know."""
    if interpreter.version_info < (3, 9):
        pytest.skip("no module to make them with")
    with Target(interpreter, LATE_SUBS) as target:
        command = [pymemtop.path, "record", str(target.pid), "-i", "500ms", "-o", "-"]
        recording = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            first = json.loads(recording.stdout.readline())
            assert books.is_whole(first)
            assert target.ask("make them") == "ready"
            inner = []
            # The one that is under way may have seen some of them.
            for _ in range(4):
                last = json.loads(recording.stdout.readline())
                inner = [row["inuse_objects"] for row in last["types"] if row["name"] == "__main__.Inner"]
        finally:
            recording.kill()
            recording.communicate()
    assert inner == [COUNT] * 3
    books.check(last)
    several = interpreter.gil and interpreter.version_info >= (3, 12)
    assert any("sub-interpreters" in reason for reason in last["partial_reasons"]) == several


THREADS = f"""
import threading
kept = []
class Left:
    def __init__(self, i):
        self.first = i
def work():
    kept.append([Left(i) for i in range({COUNT})])
for _ in range(4):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
{PROGRAM}
"""


def test_what_ended_threads_left(pymemtop, interpreter):
    """In free-threaded builds each thread has heaps of its own, which others take over when it ends."""
    with Target(interpreter, THREADS) as target:
        snapshot = check(pymemtop, target.pid)
    assert books.named(snapshot, "__main__.Left")["inuse_objects"] == 4 * COUNT


# ---- what is refused -------------------------------------------------------------------------

NEWER = "3.99.1"


def patch_version(interpreter, file):
    """Makes the file say that it is of a later version: in text, in Py_Version and in _Py_DebugOffsets."""
    image = file.read_bytes()
    major, minor, micro = interpreter.version_info
    final = 0xF0
    number = struct.pack("<Q", major << 24 | minor << 16 | micro << 8 | final)
    assert number in image or interpreter.version_info < (3, 11)
    image = image.replace(number, struct.pack("<Q", 0x03_63_01_00 | final))
    text = interpreter.version.encode()
    image = image.replace(text, NEWER.encode().ljust(len(text), b"0"))
    file.write_bytes(image)


def listed(pymemtop, pid):
    (row,) = [p for p in pymemtop.json("ps", "--format", "json")["processes"] if p["pid"] == pid]
    return row


def test_newer_than_known_is_refused(pymemtop, interpreter, tmp_path):
    if interpreter.root:
        pytest.skip("files of another root stay where they are")
    program, environment, file = copied(interpreter, tmp_path / "newer")
    patch_version(interpreter, file)
    with Target(program, PROGRAM, env=environment) as target:
        if str(file) not in pathlib.Path(f"/proc/{target.pid}/maps").read_text():
            pytest.skip("its library is where the program says, not where the environment does")
        done = pymemtop.run("snapshot", target.pid)
        row = listed(pymemtop, target.pid)
    assert done.returncode == 5 and not done.stdout
    assert done.stderr.count("\n") == 1
    if (3, 11) <= interpreter.version_info < (3, 13):  # one that is later would have debug offsets
        why = "contradicts itself"
    else:
        why = NEWER
        assert "send us" in done.stderr
    assert why in done.stderr
    assert not row["supported"] and why in row["reason"]


LIAR = f"""
import ctypes
def poke(symbol, offset, size, value):
    at = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, symbol)) + offset
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(at)
        memory.write(value.to_bytes(size, "little"))
poke(%r, %d, %d, %d)
{PROGRAM}
"""


def test_contradicting_version_is_refused(pymemtop, interpreter):
    """The file says one thing, the process another."""
    if interpreter.version_info < (3, 13):
        pytest.skip("says its version in one place only")
    with Target(interpreter, LIAR % ("_PyRuntime", 8, 8, 0x03_63_01_F0)) as target:
        done = pymemtop.run("snapshot", target.pid)
        row = listed(pymemtop, target.pid)
    assert done.returncode == 5 and not done.stdout
    assert "contradicts itself" in done.stderr and done.stderr.count("\n") == 1
    assert not row["supported"] and "contradicts itself" in row["reason"]


def test_contradicting_layout_is_refused(pymemtop, interpreter):
    """From 3.13 on a process says where things are: what it says has the last word."""
    if interpreter.version_info < (3, 13):
        pytest.skip("has no debug offsets")
    major, minor = interpreter.version_info[:2]
    letters = "t" * (not interpreter.gil) + "d" * interpreter.debug
    table = (ROOT / f"user/layout/tables/cpython-{major}.{minor}{letters}.inc").read_text()
    where = int(re.search(r'"type_object.tp_flags", (\d+), tp_flags', table)[1])
    flags = int(re.search(r"\.tp_flags = (\d+),", table)[1])
    with Target(interpreter, LIAR % ("_PyRuntime", where, 8, flags + 8)) as target:
        done = pymemtop.run("snapshot", target.pid)
    assert done.returncode == 5 and not done.stdout
    assert f"{flags + 8}, expected {flags}" in done.stderr and "send us" in done.stderr
