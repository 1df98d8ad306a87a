# SPDX-License-Identifier: BSD-2-Clause
"""record, diff and report: a recording is whole lines, a diff says what changed, a page holds what it shows."""

import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import daemons
import extras
import patience
import pytest
from target import Target

USAGE, NO_PROCESS, PARTIAL, THRESHOLD = 2, 3, 6, 7
SCHEMA = "pymemtop.snapshot/1"

# Grows by 1000 Leak objects for each line that it reads; Busy comes and goes.
PROGRAM = """
import sys
class Leak:
    def __init__(self, n):
        self.number = n
        self.payload = "x" * 40 + str(n)
class Busy:
    def __init__(self, n):
        self.n = n
kept, cache = [], {}
busy = []
print("ready", flush=True)
for step, line in enumerate(sys.stdin):
    kept += [Leak(n) for n in range(1000)]
    busy = [Busy(n) for n in range(500 + 300 * (step % 3))]
    print("done", flush=True)
"""


@pytest.fixture
def target(can_attach):
    with Target(sys.executable, PROGRAM) as running:
        yield running


def lines_of(path):
    text = path.read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def wait_for_lines(path, count):
    daemons.wait_for(lambda: path.exists() and path.read_text().count("\n") >= count, what=f"{count} lines")


def start_recording(pymemtop, path, *arguments):
    return subprocess.Popen(
        [pymemtop.path, "record", "--events", "off", "-o", path, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_record_writes_a_line_each_interval(pymemtop, target, tmp_path):
    path = tmp_path / "run.ndjson"
    lines = []
    # Fewer only where the machine stood still for an interval, which it does not each time.
    for _ in range(5):
        interval, duration = (f"{patience.seconds(usual)}s" for usual in (0.2, 1))
        done = pymemtop.run("record", "--events", "off", "-i", interval, "-d", duration, "--max-cpu", "100%", "-f", "-o", path,
                             target.pid)
        assert done.returncode == 0, done.stderr
        lines = lines_of(path)
        if len(lines) >= 5:
            break
    assert 5 <= len(lines) <= 6
    assert {line["schema"] for line in lines} == {SCHEMA}
    assert lines[0]["types"][0]["delta_bytes"] is None
    assert lines[-1]["types"][0]["delta_bytes"] is not None
    times = [line["taken_at"] for line in lines]
    assert times == sorted(times)


def test_record_goes_to_stdout(pymemtop, target):
    done = pymemtop.run("record", "--events", "off", "-i", "100ms", "-d", "300ms", "-n", "3", target.pid)
    assert done.returncode == 0, done.stderr
    assert all(len(json.loads(line)["types"]) == 3 for line in done.stdout.splitlines())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_recording_cleanly(pymemtop, target, tmp_path, number):
    path = tmp_path / "run.ndjson"
    recording = start_recording(pymemtop, path, "-i", "100ms", target.pid)
    wait_for_lines(path, 3)
    recording.send_signal(number)
    assert recording.wait(timeout=patience.seconds(20)) == 0, recording.stderr.read()
    assert len(lines_of(path)) >= 3


@pytest.mark.parametrize("duration, status", [((), 0), (("-d", "60s"), PARTIAL)])
def test_the_end_of_the_process_ends_a_recording(pymemtop, target, tmp_path, duration, status):
    path = tmp_path / "run.ndjson"
    recording = start_recording(pymemtop, path, "-i", "100ms", *duration, target.pid)
    wait_for_lines(path, 3)
    target.stop()
    assert recording.wait(timeout=patience.seconds(20)) in {status, PARTIAL}, recording.stderr.read()
    assert len(lines_of(path)) >= 3


EXEC = """
import os, sys
class Before:
    __slots__ = ()
kept = [Before() for _ in range(1000)]
print("ready", flush=True)
sys.stdin.readline()
os.execv(sys.executable, [sys.executable, "-c", "import sys; print('again', flush=True); sys.stdin.readline()"])
"""


@pytest.mark.parametrize("mode", ["off", "budget", "exact"])
def test_exec_is_the_end_of_the_program(pymemtop, can_attach, tmp_path, mode, request):
    if mode != "off":
        request.getfixturevalue("can_use_bpf")
    path = tmp_path / "run.ndjson"
    with Target(sys.executable, EXEC) as target:
        recording = subprocess.Popen(
            [pymemtop.path, "record", "--events", mode, "-o", path, "-i", "200ms", "-d", "200s", str(target.pid)],
            stdin=subprocess.DEVNULL,
        )
        try:
            wait_for_lines(path, 3)
            assert target.ask("") == "again"
            assert recording.wait(timeout=patience.seconds(60)) == PARTIAL
            assert target.process.poll() is None
            # It is a process like any other.
            assert "__main__.Before" not in {t["name"] for t in pymemtop.json("snapshot", target.pid)["types"]}
        finally:
            recording.kill()
            recording.wait(patience.seconds(30))
    lines = lines_of(path)
    for line in lines:
        assert line["partial"] or any(t["name"] == "__main__.Before" and t["inuse_objects"] == 1000 for t in line["types"])


def test_record_keeps_no_history_in_memory(pymemtop, target, tmp_path):
    path = tmp_path / "run.ndjson"
    recording = start_recording(pymemtop, path, "-i", "100ms", target.pid)

    def resident():
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{recording.pid}/status").read_text())[1])

    wait_for_lines(path, 60)  # until allocators, ours too, have what they need, and the ring has been used
    early, size = resident(), path.stat().st_size
    wait_for_lines(path, 160)
    late, written = resident(), path.stat().st_size - size
    recording.send_signal(signal.SIGINT)
    recording.wait(timeout=patience.seconds(20))
    assert late < early + written // 1024 // 4, (early, late, written)


def test_record_overwrites_only_when_told(pymemtop, target, tmp_path):
    path = tmp_path / "run.ndjson"
    path.write_text("old")
    done = pymemtop.run("record", "-o", path, target.pid)
    assert done.returncode == USAGE and "--force" in done.stderr
    assert path.read_text() == "old"


def test_record_of_a_process_that_is_not_there(pymemtop, tmp_path):
    done = pymemtop.run("record", "-o", tmp_path / "run.ndjson", 2**22 - 3)
    assert done.returncode == NO_PROCESS
    assert not (tmp_path / "run.ndjson").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_record_to_a_full_disk(pymemtop, target):
    done = pymemtop.run("record", "--events", "off", "-d", "1s", "-o", "/dev/full", target.pid)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "/dev/full" in done.stderr


# ---- diff ----------------------------------------------------------------------------------------


@pytest.fixture
def before_and_after(pymemtop, target, tmp_path):
    paths = tmp_path / "a.json", tmp_path / "b.json"
    assert pymemtop.run("snapshot", "-o", paths[0], target.pid).returncode == 0
    target.ask("more")
    assert pymemtop.run("snapshot", "-o", paths[1], target.pid).returncode == 0
    return paths


def test_diff_says_what_changed(pymemtop, before_and_after):
    a, b = (json.loads(p.read_text()) for p in before_and_after)
    diff = pymemtop.json("diff", "--format", "json", *before_and_after)
    assert diff["schema"] == "pymemtop.diff/1"
    assert diff["before"]["taken_at"] == a["taken_at"] and diff["after"]["pid"] == b["process"]["pid"]
    rows = {row["name"]: row for row in diff["types"]}
    leak = rows["__main__.Leak"]
    assert leak["inuse_objects"] == [0, 1000] and leak["delta_objects"] == 1000
    assert leak["delta_bytes"] == leak["inuse_bytes"][1] - leak["inuse_bytes"][0] > 0
    deltas = [row["delta_bytes"] for row in diff["types"]]
    assert deltas == sorted(deltas, reverse=True)
    assert diff["memory"]["rss_bytes"] == b["memory"]["rss_bytes"] - a["memory"]["rss_bytes"]
    assert sum(deltas) == diff["memory"]["python_inuse_bytes"]
    text = pymemtop.run("diff", *before_and_after)
    assert text.returncode == 0
    assert re.search(r"__main__\.Leak +1,000 +\+1,000", text.stdout)


def test_diff_of_a_snapshot_with_itself_is_empty(pymemtop, before_and_after):
    diff = pymemtop.json("diff", "--format", "json", before_and_after[0], before_and_after[0])
    assert diff["types"] == [] and set(diff["memory"]["pymalloc"].values()) == {0}
    assert "no type changed" in pymemtop.run("diff", before_and_after[0], before_and_after[0]).stdout


def test_diff_knows_new_and_gone(pymemtop, before_and_after, tmp_path):
    snapshot = json.loads(before_and_after[1].read_text())
    snapshot["types"] = [t for t in snapshot["types"] if t["name"] != "__main__.Leak"]
    without = tmp_path / "without.json"
    without.write_text(json.dumps(snapshot))
    new = pymemtop.json("diff", "--format", "json", without, before_and_after[1])["types"]
    gone = pymemtop.json("diff", "--format", "json", before_and_after[1], without)["types"]
    assert [(t["name"], t["new"], t["gone"]) for t in new] == [("__main__.Leak", True, False)]
    assert [(t["name"], t["new"], t["gone"]) for t in gone] == [("__main__.Leak", False, True)]


@pytest.mark.parametrize(
    "gate, status",
    [
        ("1KiB", THRESHOLD),
        ("100MiB", 0),
        ("__main__.Leak=1KiB", THRESHOLD),
        ("__main__.Leak=100MiB", 0),
        ("__main__.Busy=100MiB", 0),
    ],
)
def test_fail_growth_stops_a_job(pymemtop, before_and_after, gate, status):
    done = pymemtop.run("diff", "--fail-growth", gate, *before_and_after)
    assert done.returncode == status, done.stderr
    assert done.stderr.count("\n") == (1 if status else 0)
    assert pymemtop.run("diff", "--fail-growth", gate, *reversed(before_and_after)).returncode == 0


def test_a_gate_for_nothing_is_pointed_out(pymemtop, before_and_after):
    done = pymemtop.run("diff", "--fail-growth", "app.Typo=1MiB", *before_and_after)
    assert done.returncode == 0 and "app.Typo" in done.stderr


def test_diff_of_one_recording(pymemtop, target, tmp_path):
    path = tmp_path / "run.ndjson"
    recording = start_recording(pymemtop, path, "-i", "100ms", target.pid)
    wait_for_lines(path, 2)
    target.ask("more")
    wait_for_lines(path, 5)
    recording.send_signal(signal.SIGINT)
    recording.wait(timeout=patience.seconds(20))
    rows = {row["name"]: row for row in pymemtop.json("diff", "--format", "json", path)["types"]}
    assert rows["__main__.Leak"]["delta_objects"] == 1000


@pytest.mark.parametrize(
    "text, word",
    [
        ("", "no snapshot"),
        ("nonsense\n", "not JSON"),
        ("[1]\n", "schema"),
        ('{"schema": "pymemtop.snapshot/9"}\n', "pymemtop.snapshot/9"),
        ('{"schema": "pymemtop.snapshot/1"}\n', "is missing"),
    ],
)
def test_damaged_files_are_one_line_of_error(pymemtop, tmp_path, text, word):
    path = tmp_path / "bad.json"
    path.write_text(text)
    for command in (["diff", path, path], ["advise", path], ["report", path, "-o", tmp_path / "r.html"]):
        done = pymemtop.run(*command)
        assert done.returncode == USAGE
        assert done.stdout == "" and done.stderr.count("\n") == 1 and word in done.stderr
    assert not (tmp_path / "r.html").exists()


def test_a_cut_line_is_an_error(pymemtop, before_and_after, tmp_path):
    whole = json.dumps(json.loads(before_and_after[0].read_text()))
    path = tmp_path / "cut.ndjson"
    path.write_text(whole + "\n" + whole[: len(whole) // 2])
    done = pymemtop.run("diff", path)
    assert done.returncode == USAGE and "not JSON" in done.stderr


# ---- suspects ------------------------------------------------------------------------------------


def test_a_leak_is_the_first_suspect_and_a_full_cache_is_none(pymemtop, target, tmp_path):
    lines = []
    for step in range(14):
        target.ask("more")
        path = tmp_path / f"{step}.json"
        assert pymemtop.run("snapshot", "-o", path, target.pid).returncode == 0
        lines.append(json.loads(path.read_text()))
    recording = tmp_path / "run.ndjson"
    recording.write_text("".join(json.dumps(line) + "\n" for line in lines))
    advice = pymemtop.json("advise", "--format", "json", "--ceiling", "4GiB", recording)
    assert advice["schema"] == "pymemtop.advice/1" and advice["intervals"] == 13
    names = [s["type"] for s in advice["suspects"]]
    assert names[0] == "__main__.Leak" and "__main__.Busy" not in names
    first = advice["suspects"][0]
    assert first["grown_objects"] == 13_000 and first["grew_ratio"] == 1
    assert first["bytes_per_second"] > 0 and first["seconds_to_ceiling"] > 0

    # The same program with a cache that is full after a third of the time: nothing grows any more.
    full = [lines[min(i, 4)] | {"taken_at": line["taken_at"]} for i, line in enumerate(lines)]
    recording.write_text("".join(json.dumps(line) + "\n" for line in full))
    assert pymemtop.json("advise", "--format", "json", recording)["suspects"] == []


BUSY = pathlib.Path(__file__).with_name("busy_service.py")


@pytest.mark.parametrize("variant, suspects", [("leak", ["__main__.Note"]), ("cache", [])])
def test_a_busy_service(pymemtop, can_attach, interpreter, start_target, tmp_path, variant, suspects):
    """In short what docs/accuracy.md says of ten minutes: the cache is full after a third of the time."""
    target = start_target(interpreter, BUSY, variant, 400, 200)
    lines = []
    for _ in range(24):
        for _ in range(3):
            assert target.ask("serve") == "done"
        lines.append(json.dumps(pymemtop.json("snapshot", target.pid)) + "\n")
    recording = tmp_path / "run.ndjson"
    recording.write_text("".join(lines))
    found = [s["type"] for s in pymemtop.json("advise", "--format", "json", recording)["suspects"]]
    assert found[:1] == suspects


# ---- report --------------------------------------------------------------------------------------

HOSTILE = "</script><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"


def render(page):
    names = "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"
    browser = next(filter(None, map(shutil.which, names)), None)
    if not browser:
        extras.missing("report in a browser: chromium is not installed (apt-get install chromium-headless-shell)")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom", f"file://{page}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patience.seconds(120),
    )
    return done.stdout


def test_report_shows_everything_and_runs_nothing_of_the_target(pymemtop, target, tmp_path):
    snapshots = []
    for step in range(7):
        target.ask("more")
        snapshots.append(pymemtop.json("snapshot", target.pid))
    for snapshot in snapshots:
        snapshot["types"][0]["name"] = HOSTILE
        snapshot["process"]["cmdline"] = "<!--<script>" + HOSTILE
    recording, page = tmp_path / "run.ndjson", tmp_path / "report.html"
    recording.write_text("".join(json.dumps(s) + "\n" for s in snapshots))
    done = pymemtop.run("report", recording, "-o", page)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.count("<script") == 2 and "onerror=\"" not in text
    assert not re.search(r"(src|href)\s*=|@import|url\(|fetch\(|XMLHttpRequest", text.split('<script id="data"')[0])

    dom = render(page)
    assert "<title>pymemtop report</title>" in dom and "<img" not in dom
    for heading in (
        "What to change in the code",
        "Memory map: resident pages",
        "By type",
        "Where instances keep their attributes",
        "Growth: the process",
        "Leak suspects",
        "pymalloc: bytes by size of block",
    ):
        assert f"<h2>{heading}" in dom, heading
    assert "__main__.Leak" in dom.split('id="tree"')[1]
    assert "&lt;/script&gt;&lt;script&gt;" in dom


def test_report_of_one_snapshot(pymemtop, before_and_after, tmp_path):
    page = tmp_path / "report.html"
    assert pymemtop.run("report", before_and_after[1], "-o", page).returncode == 0
    dom = render(page)
    assert 'id="tree"' in dom and "Growth" not in dom.split("</script>")[-1]
    assert pymemtop.run("report", before_and_after[1], "-o", page).returncode == USAGE


def test_report_to_stdout(pymemtop, before_and_after):
    done = pymemtop.run("report", before_and_after[1], "-o", "-")
    assert done.returncode == 0 and done.stdout.startswith("<!DOCTYPE html>") and done.stdout.endswith("</html>\n")


def record_some(pymemtop, target, path):
    done = pymemtop.run("record", "--events", "off", "-i", "200ms", "-d", "1s", "-f", "-o", path, target.pid)
    assert done.returncode == 0, done.stderr
    return lines_of(path)


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="a kernel without CONFIG_SCHED_INFO")
def test_the_heap_of_an_idle_process_is_read_once(pymemtop, can_attach, tmp_path):
    path = tmp_path / "run.ndjson"
    with Target(sys.executable, "ballast = [[n] for n in range(1000000)]\n" + PROGRAM) as target:
        lines = record_some(pymemtop, target, path)
        first, rest = lines[0], [line for line in lines[1:] if line["census"]["unchanged"]]
        assert not first["census"]["unchanged"] and first["census"]["bytes_read"] > 0
        # The one after the first may find it still on its way to sleep.
        assert len(rest) >= len(lines) - 2
        for line in rest:
            assert line["census"]["bytes_read"] == 0
            assert line["census"]["duration_ms"] < line["census"]["age_ms"]
            assert line["memory"]["pymalloc"] == first["memory"]["pymalloc"]
            assert [{**row, "delta_objects": None, "delta_bytes": None} for row in line["types"]] == first["types"]

        target.ask("grow")
        lines = record_some(pymemtop, target, path)
        leaks = [row["inuse_objects"] for row in lines[0]["types"] if row["name"] == "__main__.Leak"]
        assert leaks == [1000]


def test_a_process_that_runs_is_read_again(pymemtop, can_attach, tmp_path):
    path = tmp_path / "run.ndjson"
    with Target(sys.executable, "ballast = [[n] for n in range(1000000)]\n" + PROGRAM) as target:
        recording = start_recording(pymemtop, path, "-i", "200ms", "--max-cpu", "100%", target.pid)
        for step in range(3):
            wait_for_lines(path, 2 * step + 1)
            target.ask("grow")
            seen = path.read_text().count("\n")
            wait_for_lines(path, seen + 2)
            last = json.loads(path.read_text().splitlines()[-1])
            leaks = [row["inuse_objects"] for row in last["types"] if row["name"] == "__main__.Leak"]
            assert leaks == [1000 * (step + 1)]
        recording.send_signal(signal.SIGINT)
        assert recording.wait(timeout=patience.seconds(30)) == 0


def test_a_dear_census_comes_less_often(pymemtop, can_attach, tmp_path):
    path = tmp_path / "run.ndjson"
    busy = "ballast = [[n] for n in range(1000000)]\nprint('ready', flush=True)\nwhile True: sum(range(1000))"
    with Target(sys.executable, busy) as target:
        done = pymemtop.run("record", "--events", "off", "-i", "100ms", "-d", "4s", "--max-cpu", "2%", "-o", path, target.pid)
        assert done.returncode == 0, done.stderr
    lines = lines_of(path)
    census = lines[0]["census"]
    assert census["cpu_ms"] > 2
    assert abs(census["interval_ms"] - max(census["cpu_ms"] / 0.02, 100)) < 1
    cost = sum(line["census"]["cpu_ms"] for line in lines[:-1])
    taken = [datetime.datetime.fromisoformat(line["taken_at"].rstrip("Z")) for line in (lines[0], lines[-1])]
    assert cost <= 0.03 * (taken[1] - taken[0]).total_seconds() * 1e3 or len(lines) == 1
