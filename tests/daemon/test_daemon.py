# SPDX-License-Identifier: BSD-2-Clause
"""The daemon's life: what it follows, the rights it keeps, how it is told to go on and to end."""

import ctypes
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import time

import daemons
import pytest

SLEEPS = "class Here: pass\nkept = [Here() for _ in range(500)]\nprint('ready')\ninput()\n"
CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF = 19, 21, 38, 39
EXACTLY_THREE = 1 << CAP_SYS_PTRACE | 1 << CAP_PERFMON | 1 << CAP_BPF


@pytest.fixture
def script(directory):
    path = directory / "followed.py"
    path.write_text("import sys, time\nclass Here: pass\nkept = [Here() for _ in range(500)]\ntime.sleep(600)\n")
    return path


@pytest.fixture
def run():
    """run(*command) -> Popen; ended after the test."""
    started = []

    def start(*command):
        started.append(subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def check_rights(pid, uid):
    status = status_of(pid)
    assert {int(u) for u in status["Uid"].split()} == {uid}
    assert int(status["CapPrm"], 16) == EXACTLY_THREE
    assert int(status["CapEff"], 16) == EXACTLY_THREE
    assert int(status["CapBnd"], 16) == int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    for thread in os.listdir(f"/proc/{pid}/task"):
        assert int(status_of(f"{pid}/task/{thread}")["CapEff"], 16) == EXACTLY_THREE


def links_of(pid):
    """Its pymemtop-links."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next((int(c) for c in children if pathlib.Path(f"/proc/{c}/comm").read_text() == "pymemtop-links\n"), None)


def wants_admin_for_probes():
    """Of kernels before 6.10 those that name more than two levels; what they do without it is tried in tests/unit."""
    release = tuple(int(n) for n in os.uname().release.split(".")[:2])
    return release < (6, 10) and int(pathlib.Path("/proc/sys/kernel/perf_event_paranoid").read_text()) > 2


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@needs_root
def test_three_capabilities_and_no_more(start_daemon, start_target, system_python):
    target = start_target(system_python, SLEEPS)
    daemon = start_daemon("-p", target.pid, "-i", "1s")
    check_rights(daemon.pid, 0)
    links = daemons.wait_for(lambda: links_of(daemon.pid), what="pymemtop-links")
    allowed = EXACTLY_THREE | (1 << CAP_SYS_ADMIN if wants_admin_for_probes() else 0)
    assert int(status_of(links)["CapPrm"], 16) == int(status_of(links)["CapEff"], 16) == allowed
    daemon.wait_up(target.pid)
    assert daemon.value("pymemtop_inuse_objects", type="__main__.Here") == 500
    check_rights(daemon.pid, 0)


@needs_root
def test_without_events_nobody_keeps_more(start_daemon, start_target, system_python):
    target = start_target(system_python, SLEEPS)
    daemon = start_daemon("-p", target.pid, "--events", "off", "-i", "1s")
    check_rights(daemon.pid, 0)
    assert links_of(daemon.pid) is None


@needs_root
def test_as_another_user(start_daemon, start_target, system_python, can_use_bpf):
    """Censuses and events of a process of root, by a user who is nobody."""
    target = start_target(system_python, SLEEPS)
    daemon = start_daemon("-p", target.pid, "--user", "nobody", "-i", "1s")
    check_rights(daemon.pid, pwd.getpwnam("nobody").pw_uid)
    daemon.wait_up(target.pid)
    daemons.wait_for(lambda: daemon.value("pymemtop_overhead_ratio") is not None, what="events")
    assert daemon.processes()[target.pid]["events_error"] is None
    assert daemon.value("pymemtop_inuse_objects", type="__main__.Here") == 500


def test_the_log_says_once_why_there_are_no_events(start_daemon, start_target, system_python, can_use_bpf):
    target = start_target(system_python, SLEEPS, env={"PYTHONMALLOC": "malloc"})
    daemon = start_daemon("-p", target.pid, "-i", "200ms", "--max-cpu", "50%")
    daemon.wait_up(target.pid)
    why = daemons.wait_for(lambda: daemon.processes()[target.pid]["events_error"], what="a reason")
    before = daemon.processes()[target.pid]["taken_at"]
    daemons.wait_for(lambda: daemon.processes()[target.pid]["taken_at"] > before, what="another look")
    said = [line for line in daemon.log.splitlines() if "without events" in line]
    assert len(said) == 1 and f"{target.pid}: watched without events: {why}" in said[0]


def test_follows_a_restart(start_daemon, run, system_python, script):
    first = run(system_python, script)
    daemon = start_daemon("-p", first.pid, "--events", "off", "-i", "1s")
    daemon.wait_up(first.pid)
    first.kill()
    first.wait()
    daemons.wait_for(lambda: not daemon.processes(), what="the end of the first")
    other = run(system_python, "-c", "import time; time.sleep(600)")
    second = run(system_python, script)
    daemon.wait_up(second.pid)
    assert set(daemon.processes()) == {second.pid}, f"{other.pid} is another program"


def test_follows_forks(start_daemon, start_target, system_python):
    parent = start_target(system_python, "import os, time\nprint('ready')\ninput()\npid = os.fork()\n"
                          "if not pid:\n    time.sleep(600)\nprint(pid, flush=True)\ninput()\nos.kill(pid, 9)\nos.wait()\n")
    daemon = start_daemon("-p", parent.pid, "--events", "off", "-i", "1s")
    daemon.wait_up(parent.pid)
    child = int(parent.ask(""))
    try:
        daemon.wait_up(parent.pid, child)
    finally:
        parent.send()
    daemons.wait_for(lambda: child not in daemon.processes(), what="the end of the child")


def test_match_finds_what_comes_later_and_passes_over_others(start_daemon, run, system_python, script):
    daemon = start_daemon("--match", str(script), "--events", "off", "-i", "1s")
    shell = run("sh", "-c", f"sleep 600; : {script}")
    first, second = run(system_python, script, "one"), run(system_python, script, "two")
    daemon.wait_up(first.pid, second.pid)
    assert shell.pid not in daemon.processes()
    first.kill()
    daemons.wait_for(lambda: set(daemon.processes()) == {second.pid}, what="one to go")


def test_a_shell_that_becomes_a_python(start_daemon, run, system_python, script):
    daemon = start_daemon("--match", str(script), "--events", "off", "-i", "1s")
    shell = run("sh", "-c", f"sleep 4; exec {system_python} {script}")
    daemon.wait_up(shell.pid)


def test_arguments_are_not_told(start_daemon, run, system_python, script):
    target = run(system_python, script, "--password=hunter2")
    daemon = start_daemon("-p", target.pid, "--events", "off", "-i", "1s")
    daemon.wait_up(target.pid)
    told = daemon.get("/metrics") + str(daemon.processes()) + str(daemon.ask(op="snapshot", pid=target.pid))
    assert "hunter2" not in told and "hunter2" not in daemon.log


def test_no_such_process(pymemtop, directory):
    done = pymemtop.run("daemon", "-p", 2**22 - 1, "--socket", directory / "s", "--listen", "off")
    assert done.returncode == 3 and "no process" in done.stderr
    assert not (directory / "s").exists()


def test_one_daemon_a_socket_and_a_stale_one_is_replaced(pymemtop, start_daemon, start_target, system_python):
    target = start_target(system_python, SLEEPS)
    daemon = start_daemon("-p", target.pid, "--events", "off")
    done = pymemtop.run("daemon", "-p", target.pid, "--socket", daemon.path, "--listen", "off")
    assert done.returncode == 2 and "serves it already" in done.stderr
    daemon.process.kill()
    daemon.process.wait()
    assert daemon.path.exists()
    start_daemon("-p", target.pid, "--events", "off").wait_up(target.pid)


def test_ends_in_good_order(start_daemon, start_target, system_python):
    target = start_target(system_python, SLEEPS)
    daemon = start_daemon("-p", target.pid)
    daemon.wait_up(target.pid)
    begin = time.monotonic()
    assert daemon.stop(signal.SIGTERM) == 0
    assert time.monotonic() - begin < 15
    assert not daemon.path.exists()


def test_reload(start_daemon, start_target, system_python):
    target = start_target(system_python, SLEEPS)
    daemon = start_daemon("-p", target.pid, "--events", "off", "-i", "1h")
    daemon.wait_up(target.pid)
    before = daemon.processes()[target.pid]["taken_at"]
    daemon.process.send_signal(signal.SIGHUP)
    daemons.wait_for(lambda: daemon.processes()[target.pid]["taken_at"] != before, what="a new look")
    assert "again" in daemon.log


def test_tells_the_service_manager(start_daemon, start_target, system_python, directory):
    path = directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(60)
        daemon = start_daemon("-p", os.getpid(), "--events", "off", env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1"})
        assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"WATCHDOG=1"
        daemon.process.send_signal(signal.SIGHUP)
        told = [manager.recv(100)]
        while not told[-1].startswith(b"RELOADING=1\nMONOTONIC_USEC="):
            told.append(manager.recv(100))
        daemon.stop()
        while told[-1] != b"STOPPING=1":
            told.append(manager.recv(100))


def test_target_gone_at_any_moment(start_daemon, system_python, script):
    """20 processes that live for some milliseconds more each: none may stay in the list, nothing may break."""
    daemon = start_daemon("--match", str(script), "-i", "100ms")
    for step in range(20):
        process = subprocess.Popen([system_python, str(script)])
        time.sleep(step * 0.1)
        process.kill()
        process.wait()
    daemons.wait_for(lambda: not daemon.processes(), what="all to be forgotten")
    assert daemon.process.poll() is None
    # No descriptor of theirs stays: listeners, the pool, the log and the like do.
    daemons.wait_for(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) < 20, what="descriptors to be closed")


@pytest.mark.slow
def test_one_that_hangs_its_readers(start_daemon, start_target, system_python, can_attach):
    """
    A process can make a reader of its memory wait: userfaultfd(2). The daemon goes on with the others, says so, and
    ends when it is told to.
    """
    trap = start_target(system_python, pathlib.Path(__file__).with_name("hang_readers.py"))
    if trap.ready != "armed":
        pytest.skip(f"no userfaultfd here: {trap.ready}")
    good = start_target(system_python, SLEEPS)
    daemon = start_daemon("-p", trap.pid, "-p", good.pid, "--events", "off", "-i", "1s")
    daemon.wait_up(good.pid)
    daemons.wait_for(lambda: f"{trap.pid}: reading it hangs" in daemon.log, timeout=60, what="the hang to be seen")
    before = daemon.processes()[good.pid]["taken_at"]
    daemons.wait_for(lambda: daemon.processes()[good.pid]["taken_at"] != before, what="the other to be read on")
    assert daemon.get("/healthz") == "ok\n"
    assert daemon.stop() == 0
