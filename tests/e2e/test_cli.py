# SPDX-License-Identifier: BSD-2-Clause
"""What the commands say and return when something is wrong, and that what they write is whole."""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time

import daemons
import patience
import pytest
from target import Target

USAGE, NO_PROCESS, NO_PERMISSION, UNSUPPORTED, PARTIAL = 2, 3, 4, 5, 6

PROGRAM = """
class Foo:
    def __init__(self, n):
        self.a = n
        self.b = n
foos = [Foo(n) for n in range(1000)]
print("ready", flush=True)
input()
"""

BIG_PROGRAM = """
lists = [[n] for n in range(200000)]
print("ready", flush=True)
input()
"""


@pytest.fixture(scope="module")
def target(can_attach):
    with Target("/usr/bin/python3", PROGRAM) as running:
        yield running


@pytest.fixture
def shell():
    process = subprocess.Popen(["sleep", "600"])
    yield process.pid
    process.kill()
    process.wait()


def assert_error(done, status, *words):
    """The contract's error: this exit code, nothing on stdout, one line on stderr."""
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert re.fullmatch(r"pymemtop: .+\n", done.stderr), done.stderr
    for word in words:
        assert word in done.stderr


def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


# ---- usage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line, word",
    [
        ("frobnicate", "neither a command nor a PID"),
        ("snapshot", "which process?"),
        ("snapshot x", "'x' is not a PID"),
        ("snapshot -- -5", "'-5' is not a PID"),
        ("snapshot 1 2", "one PID at a time"),
        ("snapshot --bogus 1", "'--bogus'"),
        ("snapshot -Z 1", "'-Z'"),
        ("snapshot -n", "'-n' needs N"),
        ("snapshot -d forever 1", "'forever' is not a duration"),
        ("snapshot --filter [ 1", "regular expression"),
        ("snapshot --sort beauty 1", "cannot sort by 'beauty'"),
        ("snapshot --events exact 1", "--duration"),
        ("snapshot --force 1", "--force is for"),
        ("top -i 1ms 1", "interval"),
        ("top", "which process?"),
        ("ps 1", "unexpected argument"),
        ("doctor x", "'x' is not a PID"),
    ],
)
def test_usage(pymemtop, line, word):
    assert_error(pymemtop.run(*line.split()), USAGE, word, "--help'")


@pytest.mark.parametrize("flag", ["-s", "--listen=:1", "--fail-growth=1"])
def test_flags_of_what_does_not_exist_are_not_taken(pymemtop, flag):
    assert_error(pymemtop.run("snapshot", flag, 1), USAGE, "no option")


@pytest.mark.parametrize("command", ["", "top", "snapshot", "ps", "doctor"])
def test_help_goes_to_stdout(pymemtop, command):
    done = pymemtop.run(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: pymemtop")


def test_help_to_a_full_disk(pymemtop):
    with open("/dev/full", "w") as full:
        done = subprocess.run([pymemtop.path, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr


# ---- processes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["snapshot"], ["top", "-b"], []])
def test_dead_pid(pymemtop, command):
    pid = dead_pid()
    assert_error(pymemtop.run(*command, pid), NO_PROCESS, str(pid))


@pytest.mark.parametrize("command", [["snapshot"], ["top", "-b"], []])
def test_not_a_python(pymemtop, can_attach, shell, command):
    assert_error(pymemtop.run(*command, shell), UNSUPPORTED, str(shell), "sleep", "not a Python")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize("command", [["snapshot"], ["top", "-b"]])
def test_no_rights(pymemtop, target, tmp_path, command):
    # Nobody may not be allowed to reach the build directory either.
    tmp_path.chmod(0o755)
    copy = pathlib.Path("/tmp") / f"pymemtop-{os.getpid()}"
    shutil.copy(pymemtop.path, copy)
    copy.chmod(0o755)
    try:
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--"]
        done = subprocess.run([*nobody, copy, *command, str(target.pid)], capture_output=True, text=True, cwd="/")
    finally:
        copy.unlink()
    assert_error(done, NO_PERMISSION, str(target.pid), "root")


def test_target_that_ends_during_the_watch(pymemtop, can_attach, tmp_path):
    with Target("/usr/bin/python3", PROGRAM) as running:
        process = subprocess.Popen(
            [pymemtop.path, "snapshot", str(running.pid), "-d", "60s", "--events", "off"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(0.5)
        running.process.kill()
        running.process.wait()
        out, err = process.communicate(timeout=patience.seconds(30))
    # Nothing had been read before: there is nothing to write.
    assert process.returncode == NO_PROCESS
    assert out == ""
    assert re.fullmatch(r"pymemtop: .+\n", err)


def test_target_killed_at_any_moment(pymemtop, can_attach):
    """Whole, partial and marked, or no such process: never anything else, and never more than one line."""
    random.seed(1)
    for _ in range(40):
        with Target("/usr/bin/python3", BIG_PROGRAM) as running:
            process = subprocess.Popen(
                [pymemtop.path, "snapshot", str(running.pid)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            time.sleep(random.uniform(0, 0.15))
            running.process.kill()
            out, err = process.communicate(timeout=patience.seconds(30))
        if process.returncode == NO_PROCESS:
            assert (out, err.count("\n")) == ("", 1)
            continue
        assert process.returncode in (0, PARTIAL), err
        assert json.loads(out)["partial"] is (process.returncode == PARTIAL)


def test_stopped_target_can_be_read(pymemtop, can_attach):
    with Target("/usr/bin/python3", PROGRAM) as running:
        os.kill(running.pid, signal.SIGSTOP)
        snapshot = pymemtop.json("snapshot", running.pid)
        assert snapshot["partial"] is False
        os.kill(running.pid, signal.SIGCONT)


# ---- snapshot ------------------------------------------------------------------------------------


def find(snapshot, name):
    return next(t for t in snapshot["types"] if t["name"] == name)


def test_snapshot(pymemtop, target):
    snapshot = pymemtop.json("snapshot", target.pid)
    assert snapshot["schema"] == "pymemtop.snapshot/1"
    assert snapshot["process"]["pid"] == target.pid
    assert find(snapshot, "__main__.Foo")["inuse_objects"] == 1000
    sizes = [t["inuse_bytes"] for t in snapshot["types"]]
    assert sizes == sorted(sizes, reverse=True)
    assert snapshot["events"]["mode"] == "off"


def test_positional_pid_and_option_are_the_same(pymemtop, target):
    for words in ([target.pid], ["-p", target.pid], [f"--pid={target.pid}"], ["-p", target.pid, target.pid]):
        assert pymemtop.json("snapshot", *words)["process"]["pid"] == target.pid


def test_limit_filter_and_sort(pymemtop, target):
    snapshot = pymemtop.json("snapshot", target.pid, "-n", 3)
    assert len(snapshot["types"]) == 3
    snapshot = pymemtop.json("snapshot", target.pid, "--filter", r"^__main__\.")
    assert {t["name"] for t in snapshot["types"]} == {"__main__.Foo"}
    snapshot = pymemtop.json("snapshot", target.pid, "--sort", "name")
    names = [t["name"].encode() for t in snapshot["types"]]
    assert names == sorted(names)


def test_text(pymemtop, target):
    done = pymemtop.run("snapshot", target.pid, "--format", "text")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^__main__\.Foo +1,000 ", done.stdout, re.M)
    assert "\033" not in done.stdout
    assert not re.search(r"[ \t]$", done.stdout, re.M)


def test_colours(pymemtop, target):
    words = "snapshot", target.pid, "--format", "text"
    force = {**os.environ, "CLICOLOR_FORCE": "1"}
    force.pop("NO_COLOR", None)
    assert "\033[1m" in pymemtop.run(*words, env=force).stdout
    assert "\033" not in pymemtop.run(*words, env={**force, "NO_COLOR": "1"}).stdout
    assert "\033" not in pymemtop.run(*words, "--no-color", env=force).stdout


def test_cmdline_keeps_secrets(pymemtop, can_attach, tmp_path):
    program = tmp_path / "app.py"
    program.write_text(PROGRAM)
    with Target("/usr/bin/python3", program, "--password=hunter2") as running:
        assert "hunter2" not in pymemtop.run("snapshot", running.pid).stdout
        assert "app.py" in pymemtop.json("snapshot", running.pid)["process"]["cmdline"]
        full = pymemtop.json("snapshot", running.pid, "--full-cmdline")["process"]["cmdline"]
        assert full.endswith("--password=hunter2")


# ---- output files --------------------------------------------------------------------------------


def test_output(pymemtop, target, tmp_path):
    path = tmp_path / "a.json"
    done = pymemtop.run("snapshot", target.pid, "-o", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads(path.read_text())["process"]["pid"] == target.pid
    assert os.listdir(tmp_path) == ["a.json"]


def test_dash_is_stdout(pymemtop, target):
    assert pymemtop.json("snapshot", target.pid, "-o", "-")["process"]["pid"] == target.pid


def test_existing_output_is_left_alone(pymemtop, target, tmp_path):
    path = tmp_path / "a.json"
    path.write_text("precious")
    assert_error(pymemtop.run("snapshot", target.pid, "-o", path), USAGE, str(path), "--force")
    assert path.read_text() == "precious"
    assert pymemtop.run("snapshot", target.pid, "-f", "-o", path).returncode == 0
    assert json.loads(path.read_text())["process"]["pid"] == target.pid
    assert os.listdir(tmp_path) == ["a.json"]


def test_existing_output_survives_an_error(pymemtop, tmp_path):
    path = tmp_path / "a.json"
    path.write_text("precious")
    assert_error(pymemtop.run("snapshot", dead_pid(), "-f", "-o", path), NO_PROCESS)
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["a.json"]


def test_output_in_a_folder_that_is_not_there(pymemtop, target, tmp_path):
    assert_error(pymemtop.run("snapshot", target.pid, "-o", tmp_path / "no" / "a"), USAGE, "No such file")
    assert_error(pymemtop.run("snapshot", target.pid, "-f", "-o", tmp_path), USAGE, "directory")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_output_in_an_unwritable_folder(pymemtop, target, tmp_path):
    """All rights over processes, none over files: without CAP_DAC_OVERRIDE root is like anybody."""
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
    done = subprocess.run(
        [*drop, pymemtop.path, "snapshot", str(target.pid), "-o", folder / "a"], capture_output=True, text=True
    )
    assert_error(done, NO_PERMISSION, str(folder), "Permission denied")
    assert os.listdir(folder) == []


def test_full_disk(pymemtop, target):
    assert_error(pymemtop.run("snapshot", target.pid, "-o", "/dev/full"), 1, "/dev/full", "No space left")
    assert pathlib.Path("/dev/full").is_char_device()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_disk_that_fills_up(pymemtop, target, tmp_path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip("mount: not allowed here")
    try:
        path = tmp_path / "a.json"
        assert_error(pymemtop.run("snapshot", target.pid, "-o", path), 1, str(path), "No space left")
        assert os.listdir(tmp_path) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_closed_pipe_is_quiet(pymemtop, target):
    for command in (["snapshot"], ["top", "-b", "-i", "100ms", "-d", "10s", "--events", "off"]):
        process = subprocess.Popen(
            [pymemtop.path, *command, str(target.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=patience.seconds(30)) == 0
        process.stderr.close()


# ---- Ctrl-C --------------------------------------------------------------------------------------


def takes(pid, number):
    """A handler of its own for this signal."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"SigCgt:\s+(\w+)", status)[1], 16) >> number - 1 & 1


def interrupt(pymemtop, *arguments, after=1.0, number=signal.SIGINT):
    process = subprocess.Popen(
        [pymemtop.path, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    daemons.wait_for(lambda: process.poll() is not None or takes(process.pid, number), what="its handlers")
    time.sleep(after)
    begin = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=patience.seconds(60))
    assert time.monotonic() - begin < patience.seconds(20)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_watch_gives_what_was_seen(pymemtop, target, tmp_path, number):
    path = tmp_path / "a.json"
    done = interrupt(
        pymemtop, "snapshot", target.pid, "-d", "60s", "--events", "off", "-o", path, number=number
    )
    assert (done.returncode, done.stderr) == (PARTIAL, "")
    snapshot = json.loads(path.read_text())
    assert snapshot["partial"] is True
    assert "interrupted" in snapshot["partial_reasons"][0]
    assert find(snapshot, "__main__.Foo")["inuse_objects"] == 1000


# ---- top -----------------------------------------------------------------------------------------


def test_top_prints_a_table_each_interval(pymemtop, target):
    tables = []
    # Fewer only where the machine stood still for intervals, which it does not each time.
    for _ in range(5):
        interval, duration = (f"{patience.seconds(usual)}s" for usual in (0.2, 0.9))
        done = pymemtop.run("top", "-b", target.pid, "-i", interval, "-d", duration, "--events", "off")
        assert (done.returncode, done.stderr) == (0, "")
        tables = re.findall(r"^TYPE .*$", done.stdout, re.M)
        if len(tables) >= 3:
            break
    assert 3 <= len(tables) <= 6
    deltas = re.findall(r"^__main__\.Foo +1,000 .*$", done.stdout, re.M)
    assert len(deltas) == len(tables)
    assert " 0 B " in deltas[-1]
    assert "\033" not in done.stdout


def test_top_is_the_default_and_interrupt_quits(pymemtop, target):
    done = interrupt(pymemtop, target.pid, "-i", "200ms", "--events", "off")
    assert (done.returncode, done.stderr) == (0, "")
    assert "__main__.Foo" in done.stdout


def test_top_says_when_the_target_ends(pymemtop, can_attach):
    with Target("/usr/bin/python3", PROGRAM) as running:
        process = subprocess.Popen(
            [pymemtop.path, "top", "-b", str(running.pid), "-i", "200ms", "--events", "off"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        first = process.stdout.readline()
        while "__main__.Foo" not in first:
            first = process.stdout.readline()
            assert first, process.communicate()
        running.process.kill()
        running.process.wait()
        out, err = process.communicate(timeout=patience.seconds(30))
        out = first + out
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1].startswith(f"process {running.pid} has ended")
    assert "__main__.Foo" in out


# ---- ps and doctor -------------------------------------------------------------------------------


def test_ps(pymemtop, target, shell):
    listed = {p["pid"]: p for p in pymemtop.json("ps", "--format", "json")["processes"]}
    assert shell not in listed
    assert listed[target.pid]["supported"] is True
    assert listed[target.pid]["rss_bytes"] > 1 << 20
    text = pymemtop.run("ps").stdout
    assert re.search(rf"^ *{target.pid} +{re.escape(listed[target.pid]['python_version'])} .* yes ", text, re.M)


def test_doctor(pymemtop, can_use_bpf, target, shell):
    done = pymemtop.run("doctor", target.pid)
    assert done.returncode == 0, done.stdout
    assert not re.search(r"\bno\b", done.stdout.split("DETAIL")[1].replace("no permission", ""))
    assert not done.stderr
    for pid, status in (shell, UNSUPPORTED), (dead_pid(), NO_PROCESS):
        done = pymemtop.run("doctor", pid)
        assert done.returncode == status
        assert "CHECK" in done.stdout
        assert len(done.stderr.splitlines()) == 1 and str(pid) in done.stderr
