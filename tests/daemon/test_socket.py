# SPDX-License-Identifier: BSD-2-Clause
"""The Unix socket: what it answers, to whom, and what it does not let clients do to it."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import books
import daemons
import pytest

KEEP = """
class Kept:
    def __init__(self, n):
        self.n = n
kept = [Kept(n) for n in range(1000)]
print("ready")
input()
"""


@pytest.fixture
def target(start_target, system_python):
    return start_target(system_python, KEEP)


def test_hello_says_its_version(start_daemon, target):
    hello = start_daemon("-p", target.pid, "--events", "off").ask(op="hello")
    assert (hello["schema"], hello["op"], hello["version"]) == ("pymemtop.daemon/1", "hello", 1)


def test_list_and_snapshot(start_daemon, target):
    daemon = start_daemon("-p", target.pid, "--events", "off")
    daemon.wait_up(target.pid)
    row = daemon.processes()[target.pid]
    assert row["uid"] == os.getuid() and row["rss_bytes"] > 0 and row["error"] is None

    snapshot = daemon.ask(op="snapshot", pid=target.pid)
    assert snapshot["schema"] == "pymemtop.snapshot/1"
    books.check(snapshot)
    assert books.named(snapshot, "__main__.Kept")["inuse_objects"] == 1000


def test_snapshot_with_limit_and_order(start_daemon, target):
    daemon = start_daemon("-p", target.pid, "--events", "off")
    daemon.wait_up(target.pid)
    types = daemon.ask(op="snapshot", pid=target.pid, limit=3, sort="objects")["types"]
    counts = [t["inuse_objects"] for t in types]
    assert len(counts) == 3 and counts == sorted(counts, reverse=True)


def test_a_snapshot_is_fresh(start_daemon, start_target, system_python):
    """Asked for, it is taken then, whatever the interval."""
    grows = start_target(system_python, "class More: pass\nkept = []\nprint('ready')\nwhile True:\n"
                         "    kept += [More() for _ in range(int(input()))]\n    print('done', flush=True)\n")
    daemon = start_daemon("-p", grows.pid, "--events", "off", "-i", "1h")
    daemon.wait_up(grows.pid)
    for total in 10, 20, 30:
        assert grows.ask("10") == "done"
        snapshot = daemon.ask(op="snapshot", pid=grows.pid)
        assert books.named(snapshot, "__main__.More")["inuse_objects"] == total


def test_subscription(start_daemon, target):
    daemon = start_daemon("-p", target.pid, "--events", "off", "-i", "1h")
    daemon.wait_up(target.pid)
    with daemon.connect() as connection:
        connection.send(op="subscribe", pid=target.pid, interval_ms=300, limit=1)
        times = [connection.receive()["taken_at"] for _ in range(4)]
        assert times == sorted(set(times))
        connection.send(op="unsubscribe")
        answers = [connection.receive()]
        while answers[-1]["schema"] != "pymemtop.daemon/1":
            answers.append(connection.receive())
        assert answers[-1]["op"] == "unsubscribe"
        assert connection.ask(op="hello")["op"] == "hello"


def test_subscription_ends_with_the_target(start_daemon, target):
    daemon = start_daemon("-p", target.pid, "--events", "off", "-i", "1h")
    daemon.wait_up(target.pid)
    with daemon.connect() as connection:
        connection.send(op="subscribe", pid=target.pid, interval_ms=250)
        assert connection.receive()["process"]["pid"] == target.pid
        target.stop()
        last = connection.receive()
        while last["schema"] == "pymemtop.snapshot/1":
            last = connection.receive()
        assert last["error"]["exit_code"] == 3
        assert connection.ask(op="list")["processes"] == []


def test_several_requests_at_once_and_half_closed(start_daemon, target):
    daemon = start_daemon("-p", target.pid, "--events", "off")
    daemon.wait_up(target.pid)
    with daemon.connect() as connection:
        connection.send(op="hello")
        connection.send(op="snapshot", pid=target.pid, limit=1)
        connection.send(op="list")
        connection.socket.shutdown(socket.SHUT_WR)
        answers = [json.loads(line) for line in connection.file]
    assert [a.get("op", "snapshot") for a in answers] == ["hello", "snapshot", "list"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b'{"op": "explode"}',
        b'{"op": 7}',
        b'{"op": "snapshot"}',
        b'{"op": "snapshot", "pid": "1"}',
        b'{"op": "snapshot", "pid": -1}',
        b'{"op": "snapshot", "pid": 1e99}',
        b'{"op": "subscribe", "pid": 1, "interval_ms": 1}',
        b'{"op": "snapshot", "pid": 1, "sort": "beauty"}',
        b'{"op": "list", "op": "hello"}',
        b"\xff\xfe\x00",
        b"[" * 4000,
    ],
)
def test_bad_requests_are_answered(start_daemon, target, line):
    daemon = start_daemon("-p", target.pid, "--events", "off")
    with daemon.connect() as connection:
        connection.socket.sendall(line + b"\n")
        assert connection.receive()["error"]["exit_code"] == 2
        assert connection.ask(op="hello")["version"] == 1


def test_a_request_without_end_is_cut_off(start_daemon, target):
    daemon = start_daemon("-p", target.pid, "--events", "off")
    with daemon.connect() as connection:
        with pytest.raises((ConnectionError, BrokenPipeError)):
            for _ in range(1000):
                connection.socket.sendall(b"x" * 4096)
    assert daemon.ask(op="hello")["version"] == 1


def test_what_is_not_watched(start_daemon, target):
    daemon = start_daemon("-p", target.pid, "--events", "off")
    daemon.wait_up(target.pid)
    assert daemon.ask(op="snapshot", pid=1)["error"]["exit_code"] == 3


def test_slow_clients_are_cut_off(start_daemon, target):
    """Clients that never read hold a bounded part of the daemon and nobody else up."""
    daemon = start_daemon("-p", target.pid, "--events", "off")
    daemon.wait_up(target.pid)
    lazy = [daemon.connect() for _ in range(40)]
    try:
        for connection in lazy:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.socket.setblocking(False)
            try:
                connection.socket.sendall(b'{"op":"snapshot","pid":%d}\n' % target.pid * 200)
            except BlockingIOError:
                pass
        begin = time.monotonic()
        assert daemon.ask(op="snapshot", pid=target.pid)["process"]["pid"] == target.pid
        assert time.monotonic() - begin < 20
        assert daemon.get("/healthz") == "ok\n"
        daemons.wait_for(lambda: daemon.log.count("is cut off") == 40, timeout=60, what="the cut")
    finally:
        for connection in lazy:
            connection.close()
    status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
    assert int(status.split("VmRSS:")[1].split()[0]) < 150 * 1024


def test_a_flood_of_connections(start_daemon, target):
    daemon = start_daemon("-p", target.pid, "--events", "off")
    crowd = [daemon.connect() for _ in range(300)]
    descriptors = len(os.listdir(f"/proc/{daemon.pid}/fd"))
    for connection in crowd:
        connection.close()
    assert descriptors < 200
    daemons.wait_for(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) < 60, what="descriptors to be closed")
    assert daemon.ask(op="hello")["version"] == 1


def test_commands_ask_the_daemon(pymemtop, start_daemon, target):
    daemon = start_daemon("-p", target.pid, "--events", "off")
    daemon.wait_up(target.pid)
    # Only through the daemon: nobody may attach with no rights at all, and root's user may always connect.
    through = pymemtop.json("snapshot", target.pid, "--socket", daemon.path)
    assert books.named(through, "__main__.Kept")["inuse_objects"] == 1000
    done = pymemtop.run("top", "-b", "-d", "2s", "-i", "1s", target.pid, "--socket", daemon.path)
    assert done.returncode == 0 and "__main__.Kept" in done.stdout
    assert "daemon" not in done.stderr


def test_a_socket_that_was_asked_for_must_answer(pymemtop, directory, target):
    done = pymemtop.run("snapshot", target.pid, "--socket", directory / "none")
    assert done.returncode == 2 and "no daemon answers" in done.stderr


def as_nobody(*command, **options):
    if os.geteuid() != 0 or not shutil.which("runuser"):
        pytest.skip("needs root and runuser")
    return subprocess.run(
        ["runuser", "-u", "nobody", "--", *map(str, command)],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        **options,
    )


ASK = """
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
f = s.makefile("rb")
for line in sys.argv[2:]:
    s.sendall(line.encode() + b"\\n")
    print(f.readline().decode(), end="")
"""


def test_nobody_sees_nothing_of_root(start_daemon, target, public_pymemtop, system_python):
    daemon = start_daemon("-p", target.pid, "--events", "off")
    daemon.wait_up(target.pid)
    requests = ['{"op":"list"}', '{"op":"snapshot","pid":%d}' % target.pid, '{"op":"metrics"}', '{"op":"hello"}']
    done = as_nobody(system_python, "-c", ASK, daemon.path, *requests, '{"op":"subscribe","pid":%d}' % target.pid)
    listed, snapshot, metrics, hello, subscribed = map(json.loads, done.stdout.splitlines())
    assert listed["processes"] == []
    assert snapshot["error"]["exit_code"] == 3 and subscribed["error"]["exit_code"] == 3
    assert "{" not in metrics["text"], "a sample of somebody else's process"
    assert hello["processes_up"] == 0

    done = as_nobody(public_pymemtop, "snapshot", target.pid, "--socket", daemon.path)
    assert done.returncode == 4 and not done.stdout


def test_the_owner_sees_their_own(start_daemon, target, public_pymemtop, system_python, directory):
    if os.geteuid() != 0 or not shutil.which("runuser"):
        pytest.skip("needs root and runuser")
    program = directory / "theirs.py"
    program.write_text("class Theirs: pass\nkept = [Theirs() for _ in range(77)]\nimport time\ntime.sleep(600)\n")
    theirs = subprocess.Popen(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", system_python, program])
    try:
        daemon = start_daemon("-p", target.pid, "--match", f"theirs[.]py", "--events", "off", "-i", "1s")
        daemon.wait_up(theirs.pid)
        done = as_nobody(system_python, "-c", ASK, daemon.path, '{"op":"list"}', '{"op":"metrics"}')
        listed, metrics = map(json.loads, done.stdout.splitlines())
        assert [p["pid"] for p in listed["processes"]] == [theirs.pid]
        assert f'pid="{theirs.pid}"' in metrics["text"] and f'pid="{target.pid}"' not in metrics["text"]

        done = as_nobody(public_pymemtop, "snapshot", theirs.pid, "--socket", daemon.path)
        assert done.returncode == 0, done.stderr
        assert books.named(json.loads(done.stdout), "__main__.Theirs")["inuse_objects"] == 77
    finally:
        theirs.kill()
        theirs.wait()


def test_an_undumpable_process_is_not_its_owners(start_daemon, system_python, directory):
    """Who has asked the kernel not to be looked into by their own user is not looked into through us."""
    if os.geteuid() != 0 or not shutil.which("runuser"):
        pytest.skip("needs root and runuser")
    program = directory / "secret.py"
    program.write_text("import ctypes, time\nctypes.CDLL(None).prctl(4, 0)\ntime.sleep(600)\n")
    secret = subprocess.Popen(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", system_python, program])
    try:
        daemon = start_daemon("--match", f"secret[.]py", "--events", "off", "-i", "1s")
        daemon.wait_up(secret.pid)
        done = as_nobody(system_python, "-c", ASK, daemon.path, '{"op":"list"}')
        assert json.loads(done.stdout)["processes"] == []
    finally:
        secret.kill()
        secret.wait()
