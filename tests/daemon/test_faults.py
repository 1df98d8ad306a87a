# SPDX-License-Identifier: BSD-2-Clause
"""What goes wrong on a machine: memory that is not there, calls that are interrupted, clocks that jump, reads that
never end. Whatever it is: no crash, one line, and the daemon goes on."""

import json
import os
import pathlib
import signal
import subprocess
import time

import daemons
import pytest

HERE = pathlib.Path(__file__).resolve().parent
ENDS_AT_ONCE = {0, 1, 3, 4, 5, 6}
OBJECTS = """
import time
class Here: pass
kept = [Here() for _ in range(321)]
print("ready", flush=True)
time.sleep(1000)
"""


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """The environment with which a program's calls fail."""
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    command = ["gcc", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", library, HERE / "faults.c", "-ldl"]
    subprocess.run(command, check=True)
    return lambda **wanted: {"LD_PRELOAD": str(library), **{k: str(v) for k, v in wanted.items()}}


@pytest.fixture
def target(start_target, system_python, can_attach):
    return start_target(system_python, OBJECTS)


def here(snapshot):
    return [t["inuse_objects"] for t in snapshot["types"] if t["name"] == "__main__.Here"]


def run(pymemtop, env, *arguments):
    return pymemtop.run(*arguments, env={**os.environ, **env}, timeout=60)


def test_a_failing_allocation_is_one_line(pymemtop, faults, target):
    """Each of the first allocations, then ever fewer, until one comes too late to matter."""
    at, seen, whole = 1, 0, 0
    while whole < 3 and at < 10**7:
        done = run(pymemtop, faults(FAULT_ALLOC=at), "snapshot", target.pid)
        where = f"allocation {at}: status {done.returncode}: {done.stderr}"
        assert done.returncode in ENDS_AT_ONCE, where
        assert done.stderr.count("\n") == (done.returncode not in (0, 6)), where
        if done.returncode in (0, 6):
            json.loads(done.stdout)
        seen += done.returncode == 1
        whole += done.returncode == 0 and at > 1000
        at = at + 1 if at < 150 else at * 5 // 4
    assert seen > 10


def test_the_daemon_lives_on_little_memory(start_daemon, faults, target):
    """A snapshot takes some 30,000 allocations, of which one fails now and then."""
    env = faults(FAULT_ALLOC=3000, FAULT_ALLOC_EVERY=50021)
    daemon = start_daemon("-p", target.pid, "-i", "1s", "--events", "off", env=env)
    daemon.wait_up(target.pid)
    answers = 0
    for _ in range(30):
        try:
            with daemon.connect(timeout=10) as connection:
                answer = connection.ask(op="snapshot", pid=target.pid)
        except OSError:
            continue
        answers += bool(answer and "error" not in answer and here(answer) == [321])
    assert 5 < answers < 30
    assert daemon.process.poll() is None, daemon.log


@pytest.mark.parametrize("each", [2, 3, 17])
def test_interrupted_calls_are_made_again(pymemtop, faults, target, each):
    snapshot = pymemtop.json("snapshot", target.pid, env={**os.environ, **faults(FAULT_INTERRUPT=each)})
    assert here(snapshot) == [321]


def test_an_interrupted_daemon_serves(pymemtop, start_daemon, faults, target):
    env = faults(FAULT_INTERRUPT=3)
    daemon = start_daemon("-p", target.pid, "-i", "1s", "--events", "off", env=env)
    daemon.wait_up(target.pid)
    asks = "snapshot", target.pid, "--socket", daemon.path
    assert here(pymemtop.json(*asks, env={**os.environ, **env})) == [321]
    assert "pymemtop_up" in daemon.get("/metrics")


def test_stops_and_signals_change_nothing(pymemtop, target):
    """Each stop interrupts what is under way, as does each signal that a handler takes."""
    command = [pymemtop.path, "snapshot", str(target.pid), "-d", "2s", "--events", "off"]
    watching = subprocess.Popen(command, stdout=subprocess.PIPE)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        for number in signal.SIGSTOP, signal.SIGWINCH, signal.SIGCHLD, signal.SIGCONT:
            watching.send_signal(number)
        time.sleep(0.001)
    out, _ = watching.communicate(timeout=60)
    assert watching.returncode == 0
    assert here(json.loads(out)) == [321]


def test_a_clock_that_jumps(start_daemon, faults, target):
    daemon = start_daemon("-p", target.pid, "-i", "1s", "--events", "off", env=faults(FAULT_CLOCK=1))
    daemon.wait_up(target.pid)
    seen = set()

    def looked():
        seen.add(daemon.processes()[target.pid]["taken_at"])
        return len(seen) > 2

    daemons.wait_for(looked, timeout=30, what="a third census")
    begin = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begin < 20


def test_a_snapshot_that_hangs_can_be_interrupted(pymemtop, start_target, system_python, can_attach):
    trap = start_target(system_python, HERE / "hang_readers.py")
    if trap.ready != "armed":
        pytest.skip(f"no userfaultfd here: {trap.ready}")
    hanging = subprocess.Popen([pymemtop.path, "snapshot", str(trap.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        hanging.wait(2)
    hanging.send_signal(signal.SIGINT)
    out, err = hanging.communicate(timeout=20)
    assert hanging.returncode == -signal.SIGINT
    assert not out and err.count(b"\n") == 1 and b"hang" in err
