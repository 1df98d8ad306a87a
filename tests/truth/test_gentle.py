# SPDX-License-Identifier: BSD-2-Clause
"""The target notices nothing of a census."""

import hashlib
import pathlib
import re
import statistics
import subprocess
import time

import interpreters
import pytest
from target import Target

TARGETS = pathlib.Path(__file__).parent / "targets"
LOAD = 1.15  # the promise is 1.01: the rest is noise of a machine with few cores that does other things as well
STALL_MS = 15  # less than the census takes

# Enough to say it once a build: what is measured here is the kernel's doing.
few = [i for i in interpreters.discover() if i.version_info[:2] == (3, 11)] or interpreters.discover()[:1]

pytestmark = pytest.mark.usefixtures("can_attach")


def proc(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}")


def memory(pid):
    """A digest of each writable mapping's contents."""
    digests = {}
    with open(proc(pid, "mem"), "rb", buffering=0) as mem:
        for line in proc(pid, "maps").read_text().splitlines():
            where, rights, rest = line.split(None, 2)
            if "w" not in rights or "[v" in rest:
                continue
            start, end = (int(word, 16) for word in where.split("-"))
            mem.seek(start)
            digest = hashlib.blake2b()
            while start < end:
                data = mem.read(min(end - start, 1 << 20))
                digest.update(data)
                start += len(data)
            digests[line] = digest.hexdigest()
    return digests


def state(pid):
    """What the kernel has to say of it, the counters of what it did included."""
    status = proc(pid, "status").read_text()
    kept = {k: v for k, v in (line.split(":", 1) for line in status.splitlines())}
    del kept["SigQ"]  # counts the signals of all processes of this user
    faults = proc(pid, "stat").read_text().rpartition(")")[2].split()[7:15]  # minflt … cstime
    return {
        "status": kept,
        "faults and times": faults,
        "maps": proc(pid, "maps").read_text(),
        "smaps": re.findall(r"^(Rss|Anonymous|Swap): +(.*)$", proc(pid, "smaps").read_text(), re.M),
        "threads": sorted(p.name for p in proc(pid, "task").iterdir()),
        "files": sorted(p.name for p in proc(pid, "fd").iterdir()),
        "waits in": proc(pid, "wchan").read_text(),
    }


def less_clean_pages(state):
    """
    What a first census reads of the interpreter's file (names of static types) and the target never touched comes
    into its page tables: pages of the file, shared and clean, of which no byte is its own. Nothing else may come.
    """
    for name in "VmHWM", "VmRSS", "RssFile", "VmPTE":
        state["status"].pop(name)
    state["smaps"] = [(name, value) for name, value in state["smaps"] if name != "Rss"]


def wait_asleep(pid):
    deadline = time.monotonic() + 10
    while proc(pid, "wchan").read_text() in ("", "0") or "S (sleeping)" not in proc(pid, "status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_no_byte_of_the_target_changes(pymemtop, interpreter):
    with Target(interpreter, TARGETS / "quiet.py") as target:
        assert target.ask("wait") == "waiting"
        wait_asleep(target.pid)
        contents, before = memory(target.pid), state(target.pid)
        snapshot = pymemtop.json("snapshot", target.pid, status=(6,) if interpreter.musl else (0,))
        after = state(target.pid)
        assert memory(target.pid) == contents
        assert len(contents) > 5
        pymemtop.json("snapshot", target.pid, status=(6,) if interpreter.musl else (0,))
        assert state(target.pid) == after
    less_clean_pages(before)
    less_clean_pages(after)
    assert after == before
    assert after["status"]["TracerPid"].strip() == "0"
    row = next((t for t in snapshot["types"] if t["name"] == "__main__.Plain"), None)
    assert row and row["inuse_objects"] == 5000


def private(pid):
    """Bytes that no other process maps."""
    rollup = proc(pid, "smaps_rollup").read_text()
    return sum(1024 * int(kib) for kib in re.findall(r"^Private_\w+: +(\d+) kB", rollup, re.M))


FORKED = """
import gc, os, sys
class Kept: pass
kept = [Kept() for _ in range(100_000)]
gc.freeze()
lasting, end = os.pipe()
if not os.fork():
    os.close(end)
    os.read(lasting, 1)
    os._exit(0)
print("ready", flush=True)
sys.stdin.readline()
"""


def test_what_workers_share_stays_shared(pymemtop):
    """Reading with process_vm_readv() would give each worker a copy of its own of all that it is read of."""
    for interpreter in few[:1]:
        with Target(interpreter, FORKED) as target:
            (child,) = proc(target.pid, f"task/{target.pid}/children").read_text().split()
            wait_asleep(child)
            for pid in (child, target.pid):
                before = private(pid)
                snapshot = pymemtop.json("snapshot", pid)
                assert snapshot["memory"]["python_inuse_bytes"] > 5e6
                assert private(pid) < before + 2**20


def longest_gap(target, command):
    target.ask("forget")
    for _ in range(3):
        subprocess.run(command, check=True)
    return float(target.ask("tell"))


@pytest.mark.alone
def test_a_ticker_does_not_stall(pymemtop):
    """A census that stopped its target would do so in every round; what the machine does, it does in some."""
    for interpreter in few:
        with Target(interpreter, TARGETS / "ticker.py") as target:
            census = [pymemtop.path, "snapshot", str(target.pid), "-o", "/dev/null"]
            alone = min(longest_gap(target, ["sleep", "0.1"]) for _ in range(5))
            watched = min(longest_gap(target, census) for _ in range(5))
        assert watched <= max(3 * alone, STALL_MS), f"{interpreter.id}: {watched} ms, {alone} ms without"


@pytest.mark.alone
def test_a_census_of_500_mb_costs_the_target_next_to_nothing(pymemtop):
    """
    CPU time of the same work with a census of it in the middle, and with a census of its twin, which loads the
    machine and its caches as much: medians of seven each, by turns.
    """
    for interpreter in few[:1]:
        with Target(interpreter, TARGETS / "busy.py") as target, Target(interpreter, TARGETS / "busy.py") as twin:
            ratios = []
            # What it costs it costs in every round; what the machine's speed does, in some.
            while len(ratios) < 3 and (not ratios or ratios[-1] > LOAD):
                times = {target: [], twin: []}
                for watched in (target, twin) * 7:
                    assert target.ask("work") == "begun"
                    snapshot = pymemtop.json("snapshot", watched.pid)
                    assert snapshot["memory"]["python_inuse_bytes"] > 450e6
                    times[watched].append(float(target.line()))
                ratios.append(statistics.median(times[target]) / statistics.median(times[twin]))
        print(f"{interpreter.id}: with a census, times {ratios}")
        assert ratios[-1] <= LOAD
