# SPDX-License-Identifier: BSD-2-Clause
"""What probes leave behind, whom they disturb, and what becomes of records that are lost."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

import interpreters
import patience
import pytest
from gaps import again_if_taken_off, assert_whole
from probes import Watch, breakpoints, file_offset, held, planned
from target import Target

HERE = pathlib.Path(__file__).parent
CHURN = HERE / "churn.py"
FORKER = HERE / "forker.py"
FLAT_OUT = 1e9
# By hand: PYMEMTOP_TEST_CYCLES=1000.
CYCLES = int(os.environ.get("PYMEMTOP_TEST_CYCLES", "60"))
# A hit costs ten times what LOOP does with an object, and a core that is shared with others up to twice.
SLOWED = 3
KILLS = int(os.environ.get("PYMEMTOP_TEST_KILLS", "6"))

LOOP = """
import sys, time
class Request:
    def __init__(self, n):
        self.n = n
def work():
    for n in range(1000):
        Request(n)
print("ready")
for line in sys.stdin:
    end, count, cpu = time.monotonic() + float(line), 0, time.process_time()
    while time.monotonic() < end:
        work()
        count += 1
    print((time.process_time() - cpu) / count)
"""

@pytest.fixture(scope="session")
def python():
    """One interpreter that can be traced is enough: what is tested here does not depend on it."""
    for found in interpreters.discover():
        if found.gil and not found.debug and not found.root and (3, 9, 0) <= found.version_info < (3, 14, 0):
            return found
    pytest.skip("no interpreter that can be traced")


class Recording:
    def __init__(self, pymemtop, pid, *options):
        self.process = subprocess.Popen(
            [pymemtop.path, "record", str(pid), *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def picture(self):
        line = self.process.stdout.readline()
        assert line, f"the recording ended: {self.process.wait()}"
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def until(condition, what, seconds=60):
    deadline = time.monotonic() + patience.seconds(seconds)
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def watched_text(pid):
    until(lambda: breakpoints(pid) > 0, "the probes never came")


def name_of(pid):
    """Of a process that runs, zombies are none."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if "State:\tZ" in status else status.split("Name:\t")[1].splitlines()[0]


def links_of(process):
    """The pymemtop-links of a pymemtop: whichever of its threads forked it."""
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            if name_of(child) == "pymemtop-links":
                return int(child)
    return None


@again_if_taken_off
def test_loss_is_told_and_healed(python, start_target, pymemtop, can_use_bpf, can_attach):
    """A consumer that stands still for longer than the ring has room."""
    target = start_target(python, CHURN, FLAT_OUT)
    with Recording(pymemtop, target.pid, "-i", "1s", "--events", "exact") as recording:
        first = recording.picture()
        assert_whole(first)
        assert first["events"]["lost"] == 0
        recording.process.send_signal(signal.SIGSTOP)
        time.sleep(6)
        recording.process.send_signal(signal.SIGCONT)
        pictures = [recording.picture() for _ in range(6)]
    told = [p for p in pictures if p["partial"]]
    assert told, "nothing was lost, or nothing was said of it"
    assert any("were lost" in reason for reason in told[0]["partial_reasons"])
    assert told[0]["events"]["lost"] > 0
    assert told[0]["events"]["drift_objects"] is None
    last = pictures[-1]
    assert_whole(last)
    assert last["events"]["lost"] == told[-1]["events"]["lost"]
    assert (last["events"]["drift_objects"], last["events"]["drift_bytes"]) == (0, 0)


def is_clean(target, links):
    until(lambda: name_of(links) is None, "pymemtop-links is still there")
    assert breakpoints(target.pid) == 0, "breakpoints are left"


@pytest.mark.parametrize("mode", ("exact", "budget"))
def test_a_killed_pymemtop_leaves_nothing(mode, python, start_target, pymemtop, can_use_bpf, can_attach):
    """At random moments, also while windows open and close: what is detached by one who is being killed stays."""
    target = start_target(python, LOOP)
    alone = min(float(target.ask("0.2")) for _ in range(4))
    for round in range(KILLS):
        recording = Recording(pymemtop, target.pid, "-i", "100ms", "--events", mode)
        target.process.stdin.write(b"1\n")
        target.process.stdin.flush()
        until(lambda: breakpoints(target.pid) or recording.process.poll() is not None, "the probes never came")
        time.sleep(random.random() * (1.0 if mode == "budget" else 0.3))
        links = links_of(recording.process)
        assert links, "nobody holds the links"
        recording.process.kill()
        recording.process.wait()
        recording.process.stdout.close()
        until(lambda: name_of(links) is None, "pymemtop-links is still there")
        assert breakpoints(target.pid) == 0, f"breakpoints are left after {round} rounds"
        target.line()
    until(lambda: float(target.ask("0.2")) < alone * SLOWED, "the target stays slow")


def test_a_window_ends_in_the_midst_of_being_closed(python, tools, can_use_bpf, can_attach):
    """The moment in which the kernel gives detaching up: killed right after it was asked to close."""
    with Target(python, CHURN, 1000) as target:
        for _ in range(KILLS):
            with Watch(tools, target.pid) as watch:
                assert watch.first == "ready", watch.why
                watch.attach()
                links = links_of(watch.process)
                watch.process.stdin.write("detach\n")
                watch.process.stdin.flush()
                time.sleep(random.random() * 0.03)
            is_clean(target, links)


@pytest.mark.parametrize("mode", ("exact", "budget"))
@again_if_taken_off
def test_a_stopped_pymemtop_lets_go(mode, python, start_target, pymemtop, can_use_bpf, can_attach):
    target = start_target(python, CHURN, 2000)
    limit = ("--max-overhead", "20%") if mode == "budget" else ()
    with Recording(pymemtop, target.pid, "-i", "500ms", "--events", mode, *limit) as recording:
        recording.picture()
        watched_text(target.pid)
        recording.process.send_signal(signal.SIGSTOP)
        until(lambda: not breakpoints(target.pid), "the probes stay while pymemtop is stopped", 3)
        assert links_of(recording.process), "pymemtop-links ended"
        time.sleep(1)
        assert breakpoints(target.pid) == 0
        recording.process.send_signal(signal.SIGCONT)
        watched_text(target.pid)
        pictures = [recording.picture() for _ in range(8)]
    last = pictures[-1]
    if mode == "exact":
        told = [p for p in pictures if any("taken off" in reason for reason in p["partial_reasons"])]
        assert told and told[0]["events"]["lost"] > 0 and told[0]["events"]["drift_objects"] is None
        assert_whole(last)
        assert (last["events"]["drift_objects"], last["events"]["drift_bytes"]) == (0, 0)
        assert last["events"]["coverage"] < 1
    else:
        assert not last["partial"]


@again_if_taken_off
def test_killed_links_are_made_anew(python, start_target, pymemtop, can_use_bpf, can_attach):
    target = start_target(python, CHURN, 2000)
    with Recording(pymemtop, target.pid, "-i", "500ms", "--events", "exact") as recording:
        recording.picture()
        watched_text(target.pid)
        first = links_of(recording.process)
        os.kill(first, signal.SIGKILL)
        until(lambda: links_of(recording.process) not in (None, first), "no new pymemtop-links")
        watched_text(target.pid)
        pictures = [recording.picture() for _ in range(8)]
        second = links_of(recording.process)
        recording.process.send_signal(signal.SIGINT)
        recording.process.wait(patience.seconds(20))
        is_clean(target, second)
    assert any("taken off" in reason for p in pictures for reason in p["partial_reasons"])
    assert_whole(pictures[-1])
    assert pictures[-1]["events"]["drift_objects"] == 0


def test_what_holds_the_links(python, start_target, pymemtop, can_use_bpf, can_attach):
    """Nothing of pymemtop's but a socket, the programs and their memory; no signal that can be kept off."""
    target = start_target(python, CHURN, 2000)
    with Recording(pymemtop, target.pid, "-i", "500ms", "--events", "exact") as recording:
        recording.picture()
        watched_text(target.pid)
        links = links_of(recording.process)
        proc = pathlib.Path(f"/proc/{links}")
        files = sorted(os.readlink(f) for f in (proc / "fd").iterdir())
        kinds = {f.split(":")[0].split("[")[0] for f in files}
        assert kinds <= {"/dev/null", "socket", "anon_inode"}, files
        assert {f for f in files if f.startswith("anon_inode")} <= {
            "anon_inode:bpf-prog", "anon_inode:bpf-map", "anon_inode:bpf_link", "anon_inode:bpf-link", "anon_inode:[perf_event]"
        }, files
        assert (proc / "cmdline").read_bytes().startswith(b"pymemtop-links")
        assert os.getsid(links) == links
        status = (proc / "status").read_text()
        blocked = int(status.split("SigBlk:\t")[1].split()[0], 16)
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGPIPE, signal.SIGQUIT:
            assert blocked & 1 << number - 1
        own = sum(int(line.split()[1]) for line in (proc / "smaps_rollup").read_text().splitlines()
                  if line.startswith(("Private_Dirty", "Private_Clean")))
        assert own < 2048, f"{own} KiB of its own"
        os.kill(links, signal.SIGTERM)
        time.sleep(0.3)
        assert name_of(links) == "pymemtop-links"
    is_clean(target, links)


def test_neighbours_pay_nothing(python, start_target, pymemtop, can_use_bpf, can_attach):
    target, neighbour = start_target(python, CHURN, FLAT_OUT), start_target(python, LOOP)
    before = min(float(neighbour.ask("0.3")) for _ in range(4))
    with Recording(pymemtop, target.pid, "-i", "1s", "--events", "exact") as recording:
        assert recording.picture()["events"]["records"] > 1000
        until(lambda: float(neighbour.ask("0.3")) < before * SLOWED, "the neighbour is slowed")
        assert breakpoints(target.pid) > 0
        assert breakpoints(neighbour.pid) == 0


@again_if_taken_off
def test_forked_children_are_not_traced(python, start_target, pymemtop, can_use_bpf, can_attach):
    target = start_target(python, FORKER)
    target.process.stdin.write(b"fork\n")
    target.process.stdin.flush()
    target.line()
    alone = int(target.line())
    with Recording(pymemtop, target.pid, "-i", "1s", "--events", "exact") as recording:
        recording.picture()
        watched_text(target.pid)
        target.process.stdin.write(b"fork\n")
        target.process.stdin.flush()
        target.line()
        watched = int(target.line())
        pictures = [recording.picture() for _ in range(3)]
    assert watched > alone / SLOWED
    assert pictures[-1]["events"]["records"] < 100000, "the child's events were taken for its parent's"
    assert_whole(pictures[-1])
    assert pictures[-1]["events"]["drift_objects"] == 0


def test_children_are_freed_of_what_stays_between_windows(python, start_target, pymemtop, can_use_bpf, can_attach):
    """Nearly all probes do, and a fork copies them."""
    source = """
import os, sys, time
class Node: pass
def child():
    time.sleep(600)
print("ready")
pids = []
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        child()
    for _ in range(1000):
        Node()
    print(pid)
"""
    target = start_target(python, source)
    children = []
    try:
        with Recording(pymemtop, target.pid, "-i", "500ms", "--events", "budget", "--max-overhead", "20%") as recording:
            recording.picture()
            for _ in range(4):
                watched_text(target.pid)
                children.append(int(target.ask("")))
                until(lambda: not breakpoints(children[-1]), "the child keeps the breakpoints it was born with")
            pictures = [recording.picture() for _ in range(4)]
        assert pictures[-1]["events"]["coverage"] > 0
        assert not any(breakpoints(child) for child in children)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def test_windows_leave_nothing_behind(python, tools, can_use_bpf, can_attach):
    def state(pid):
        pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
        places = [line.split()[0] for line in maps if line.endswith("[uprobes]")]
        return len(os.listdir(f"/proc/{pid}/fd")), places, pages * os.sysconf("SC_PAGESIZE")

    with Target(python, CHURN, 1000) as target, Watch(tools, target.pid) as watch:
        assert watch.first == "ready", watch.why
        for _ in range(5):
            watch.attach()
            watch.ask("detach")
        links = links_of(watch.process)
        before = [state(pid) for pid in (watch.process.pid, links, target.pid)]
        for _ in range(CYCLES):
            watch.attach()
            watch.ask("detach")
        after = [state(pid) for pid in (watch.process.pid, links, target.pid)]
        for (fds, places, rss), (fds_after, places_after, rss_after) in zip(before, after):
            assert fds_after == fds
            # The kernel's page for instructions out of line comes with the first that needs it, and stays.
            assert len(places_after) <= 1 and set(places) <= set(places_after)
            # The ring fills with what is seen, 40 bytes a record; a leak would be one of each of many windows.
            assert rss_after - rss < 8 << 20
        assert breakpoints(target.pid) == 0
        assert watch.stats()["lost"] == 0
    until(lambda: name_of(links) is None, "pymemtop-links is still there")


def pools_of(picture, size):
    classes = picture["memory"]["pymalloc"]["size_classes"]
    return sum(c["pools_count"] for c in classes if c["size_bytes"] == size)


def test_growth_is_counted_by_size_class(python, start_target, pymemtop, can_use_bpf, can_attach):
    source = """
import sys
kept = []
print("ready")
for line in sys.stdin:
    kept.append([b"x" * (400 + i % 8) for i in range(20000)])
    print("done")
"""
    target = start_target(python, source)
    for mode in "budget", "exact":
        limit = ("--max-overhead", f"{patience.seconds(2):g}%") if mode == "budget" else ()
        with Recording(pymemtop, target.pid, "-i", "1s", "--events", mode, *limit) as recording:
            recording.picture()
            # The probe at fresh pools keeps to the budget too, and says when it was not there.
            for _ in range(8):
                before = recording.picture()
                target.ask("")
                after = [recording.picture() for _ in range(3)]
                opened = sum(g["pools_opened"] for p in after for g in p["events"]["growth"] if g["size_bytes"] == 448)
                assert 0 <= opened <= pools_of(after[-1], 448) - pools_of(before, 448), mode
                if all(p["events"]["growth_coverage"] == 1 for p in after):
                    break
            else:
                pytest.fail(f"{mode}: in no try was growth watched all the time")
        assert opened > 100
        assert opened == pools_of(after[-1], 448) - pools_of(before, 448), mode


def test_counting_pools_has_its_limit(python, start_target, pymemtop, can_use_bpf, can_attach):
    """Pools that are filled and emptied without end: the probe there would cost several times the budget."""
    source = """
print("ready", flush=True)
while True:
    [(n,) for n in range(20000)]
"""
    target = start_target(python, source)
    with Recording(pymemtop, target.pid, "-i", "1s", "--events", "budget") as recording:
        pictures = [recording.picture() for _ in range(6)]
    seen = [p["events"]["growth_coverage"] for p in pictures[1:]]
    assert sum(seen) / len(seen) < 0.8
    assert any(p["events"]["growth"] for p in pictures)


@pytest.fixture
def own_python(python, tmp_path):
    """Probes of all processes are by file: where others trace the same interpreter, they have its places already."""
    return python if python.shared else shutil.copy(python.path, tmp_path)


def place(tools, target, role):
    addresses = [address for name, address, used in planned(tools, target.pid) if name == role and used]
    return file_offset(target.pid, addresses[0])


def refused(snapshot):
    return [s["rejected"] for s in snapshot["events"]["sites"] if s["rejected"] and "another tool" in s["rejected"]]


@again_if_taken_off
def test_next_candidate_where_another_tool_has_a_counter(own_python, start_target, pymemtop, tools, can_use_bpf, can_attach):
    target = start_target(own_python, CHURN, 2000)
    with held(*place(tools, target, "free")):
        snapshot = pymemtop.json("snapshot", target.pid, "-d", "1s", "--events", "exact", status=(0, 6))
    assert_whole(snapshot)
    assert len(refused(snapshot)) == 1 and "the instruction before" in refused(snapshot)[0]
    assert snapshot["events"]["drift_objects"] == 0
    node = next(t for t in snapshot["types"] if t["name"] == "__main__.Node")
    assert node["free_objects_per_second"] == pytest.approx(node["alloc_objects_per_second"], rel=0.1)


def test_a_place_without_another_is_said(own_python, start_target, pymemtop, tools, can_use_bpf, can_attach):
    target = start_target(own_python, CHURN, 2000)
    with held(*place(tools, target, "large allocation")):
        run = pymemtop.run("snapshot", target.pid, "-d", "1s", "--events", "exact")
    snapshot = json.loads(run.stdout)
    assert run.returncode == 6
    assert len(refused(snapshot)) == 1
    assert any("another tool" in reason for reason in snapshot["partial_reasons"])
