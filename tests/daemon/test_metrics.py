# SPDX-License-Identifier: BSD-2-Clause
"""Metrics over HTTP: their form, their bounds, and what a real Prometheus makes of them."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import daemons
import pytest

DIST = pathlib.Path(__file__).resolve().parents[2] / "dist"
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
needs_prometheus = pytest.mark.skipif(not PROMETHEUS or not PROMTOOL, reason="needs Debian's package prometheus")

NASTY = r"""
nasty = ['quote"d', "back\\slash", "line\nbreak", "(other)", "Ünïcode", "}{ 1", ""]
kept = [type(name, (), {})() for name in nasty for _ in range(3)]
same = [type("Same", (), {})() for _ in range(40)]
many = [type(f"Many{n}", (), {})() for n in range(300)]
print("ready")
input()
"""

LEAK = """
import time
class Leaked:
    def __init__(self):
        self.a = self.b = self.c = None
kept = []
print("ready", flush=True)
while True:
    kept += [Leaked() for _ in range(2000)]
    time.sleep(0.2)
"""


@pytest.fixture
def nasty(start_daemon, start_target, system_python):
    """A daemon over a process with every name that could break the format, and more types than there is room for."""
    target = start_target(system_python, NASTY)
    daemon = start_daemon("-p", target.pid, "-n", 50, "--events", "off", "-i", "1s")
    daemon.wait_up(target.pid)
    return daemon, target


@needs_prometheus
def test_promtool_accepts_them(nasty):
    text = nasty[0].get("/metrics")
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr and not done.stdout, done.stdout + done.stderr


def test_both_formats_have_the_same_samples(nasty):
    daemon, _ = nasty
    plain = daemon.get("/metrics").splitlines()
    opened = daemon.get("/metrics", Accept="application/openmetrics-text; version=1.0.0,text/plain;q=0.5").splitlines()
    assert opened[-1] == plain[-1] == "# EOF"
    samples = lambda lines: {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}
    assert samples(plain) == samples(opened)
    assert "# TYPE pymemtop_alloc_bytes_total counter" in plain
    assert "# TYPE pymemtop_alloc_bytes counter" in opened and "# UNIT pymemtop_alloc_bytes bytes" in opened


def test_cardinality_is_bounded(nasty):
    daemon, target = nasty
    samples = daemon.metrics()
    types = {dict(labels)["type"] for (name, labels) in samples if name == "pymemtop_inuse_bytes"}
    assert len(types) == 51 and "(other)" in types
    # Nothing is left out: what has no row of its own is in "(other)".
    total = sum(v for (name, _), v in samples.items() if name == "pymemtop_inuse_bytes")
    assert total == daemon.value("pymemtop_memory_bytes", part="python_inuse")


def test_names_are_escaped(start_daemon, start_target, system_python):
    target = start_target(system_python, NASTY)
    daemon = start_daemon("-p", target.pid, "-n", 0, "--events", "off", "-i", "1s")
    daemon.wait_up(target.pid)
    text = daemon.get("/metrics")
    for escaped in r"quote\"d", r"back\\slash", "line\\nbreak", "Ünïcode", "}{ 1":
        assert f'type="__main__.{escaped}"}} 3\n' in text, escaped
    assert daemon.value("pymemtop_inuse_objects", type="__main__.Same") == 40


def test_values_are_those_of_a_snapshot(nasty):
    daemon, target = nasty
    snapshot = daemon.ask(op="snapshot", pid=target.pid)
    for row in snapshot["types"][:10]:
        assert daemon.value("pymemtop_inuse_bytes", pid=target.pid, type=row["name"]) == row["inuse_bytes"]
    assert daemon.value("pymemtop_memory_bytes", part="pymalloc_arena") == snapshot["memory"]["pymalloc"]["arena_bytes"]


def test_a_process_that_ends_has_no_metrics(nasty):
    daemon, target = nasty
    target.stop()
    daemons.wait_for(lambda: not daemon.metrics(), what="its metrics to go")


def test_what_else_http_answers(nasty):
    daemon, _ = nasty
    assert daemon.get("/healthz") == "ok\n"
    for path, data, status in ("/", None, 404), ("/metrics/../x", None, 404), ("/metrics", b"x=1", 501):
        with pytest.raises((urllib.error.HTTPError, ConnectionError, urllib.error.URLError)) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{daemon.port}{path}", data=data, timeout=10)
        if isinstance(caught.value, urllib.error.HTTPError):
            assert caught.value.code in (status, 405, 413)
    assert daemon.get("/healthz") == "ok\n"


def test_only_loopback(nasty):
    daemon, _ = nasty
    inode_lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = [line.split()[1] for line in inode_lines if line.split()[3] == "0A"]
    assert f"0100007F:{daemon.port:04X}" in listening
    assert f"00000000:{daemon.port:04X}" not in listening


def test_slow_http_clients(nasty):
    """They fill their places, and lose them; the socket is served all the while."""
    daemon, target = nasty
    crowd = []
    for _ in range(100):
        s = socket.create_connection(("127.0.0.1", daemon.port), timeout=5)
        s.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
        crowd.append(s)
    assert len(os.listdir(f"/proc/{daemon.pid}/fd")) < 80
    assert daemon.ask(op="snapshot", pid=target.pid, limit=1)["process"]["pid"] == target.pid
    # Three times as many as there are places: where all are taken, each is lent for a second.
    begin = time.monotonic()
    daemons.wait_for(lambda: healthy(daemon), timeout=60, what="HTTP to answer again")
    assert time.monotonic() - begin < 30
    for s in crowd:
        s.close()
    daemons.wait_for(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) < 40, what="descriptors to be closed")


def healthy(daemon):
    try:
        return daemon.get("/healthz") == "ok\n"
    except OSError:
        return False


def test_counters_only_grow(start_daemon, start_target, system_python, can_use_bpf):
    target = start_target(system_python, LEAK)
    daemon = start_daemon("-p", target.pid, "-i", "500ms")
    alloc = lambda: daemon.value("pymemtop_alloc_bytes_total", type="__main__.Leaked")
    daemons.wait_for(alloc, what="a counter")
    seen, grown = [alloc()], []
    # 10,000 a second, of 56 bytes or more each; whatever the estimate is worth, it is of that order in most of such times.
    while len(grown) < 5 and not any(10000 * 40 * 5 / 3 < g < 10000 * 400 * 5 * 3 for g in grown):
        for _ in range(10):
            time.sleep(0.5)
            seen.append(alloc())
        grown.append(seen[-1] - seen[-11])
    assert seen == sorted(seen) and seen[-1] > seen[0]
    assert 10000 * 40 * 5 / 3 < grown[-1] < 10000 * 400 * 5 * 3, grown


def shortened_rules():
    """The very rules that are shipped, with seconds in place of minutes and a leak of some 100 KB in place of 10 MB."""
    text = (DIST / "prometheus" / "pymemtop.rules.yml").read_text()
    text = re.sub(r"\b15m\b", "4s", text)
    text = re.sub(r"\b30m\b", "8s", text)
    text, count = re.subn(r"10e6", "1e5", text)
    assert count == 1
    return text


@pytest.fixture
def start_prometheus(directory):
    started = []

    def start(daemon):
        port = daemons.free_port()
        (directory / "rules.yml").write_text(shortened_rules())
        (directory / "prometheus.yml").write_text(
            "global: {scrape_interval: 500ms, evaluation_interval: 500ms}\n"
            "rule_files: [rules.yml]\n"
            "scrape_configs:\n"
            f'  - {{job_name: pymemtop, static_configs: [{{targets: ["127.0.0.1:{daemon.port}"]}}]}}\n'
        )
        log = open(directory / "prometheus.log", "wb")
        started.append(
            subprocess.Popen(
                [
                    PROMETHEUS,
                    f"--config.file={directory}/prometheus.yml",
                    f"--storage.tsdb.path={directory}/data",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        )

        def ask(path, **parameters):
            url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return json.load(answer)["data"]
            except OSError:
                return None

        daemons.wait_for(lambda: ask("targets"), timeout=60, what="Prometheus")
        return ask

    yield start
    for process in started:
        process.terminate()
        process.wait(20)


@pytest.mark.slow
@needs_prometheus
def test_a_real_prometheus_sees_a_leak_and_raises_the_alarm(start_daemon, start_target, start_prometheus, system_python):
    leak = start_target(system_python, LEAK)
    still = start_target(system_python, "kept = [object() for _ in range(100000)]\nprint('ready')\ninput()\n")
    daemon = start_daemon("-p", leak.pid, "-p", still.pid, "--events", "off", "-i", "500ms")
    daemon.wait_up(leak.pid, still.pid)
    ask = start_prometheus(daemon)

    def firing():
        alerts = (ask("alerts") or {"alerts": []})["alerts"]
        return [a["labels"] for a in alerts if a["state"] == "firing"]

    daemons.wait_for(firing, timeout=90, what="the alarm")
    fired = {(f["alertname"], f["pid"], f["type"]) for f in firing()}
    assert ("PythonTypeGrows", str(leak.pid), "__main__.Leaked") in fired
    assert str(still.pid) not in {pid for _, pid, _ in fired}
    growth = ask("query", query='deriv(pymemtop_inuse_bytes{type="__main__.Leaked"}[10s])')["result"]
    assert len(growth) == 1 and float(growth[0]["value"][1]) > 10000 * 40 / 3
    # No sample was refused.
    [target] = ask("targets")["activeTargets"]
    assert target["health"] == "up" and not target["lastError"]


@needs_prometheus
def test_rules_are_valid():
    done = subprocess.run(
        [PROMTOOL, "check", "rules", DIST / "prometheus" / "pymemtop.rules.yml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_dashboard_asks_only_for_metrics_that_exist(nasty):
    known = set(re.findall(r"^# TYPE (\w+)", nasty[0].get("/metrics"), re.M))
    dashboard = (DIST / "grafana" / "pymemtop.json").read_text()
    json.loads(dashboard)
    rules = (DIST / "prometheus" / "pymemtop.rules.yml").read_text()
    asked = set(re.findall(r"(?<![:\w])pymemtop_\w+", dashboard + rules))
    assert asked and asked <= known, asked - known
