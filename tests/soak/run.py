#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the daemon over processes that come and go, and checks that it ends where it began.

    tests/soak/run.py [--minutes 2] [--targets 20] [--events budget] build/pymemtop

After a warm-up (a fifth of the time, half a minute at most) RSS, descriptors, mappings and threads are taken with all targets there, and
again at the end. RSS may differ by 5% and 4 MiB, descriptors and mappings by some that a visit under way may hold.
"""

import argparse
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import daemons  # noqa: E402

CHURN = """
import gc, random, sys, time
class Row:
    def __init__(self, n): self.n = n; self.text = str(n); self.more = {}
random.seed(int(sys.argv[1]))
kept = []
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    kept += [Row(n) for n in range(random.randrange(2000))]
    # A class that nobody has seen before: names must not pile up in the daemon.
    kept.append(type(f"Once{random.getrandbits(64):x}", (), {})())
    if len(kept) > 20000:
        del kept[: random.randrange(len(kept))]
    time.sleep(0.2)
"""


class Crowd:
    """So many processes at all times; each lives for some seconds."""

    def __init__(self, directory, size):
        self.script = directory / "soak_target.py"
        self.script.write_text(CHURN)
        self.size, self.started, self.members = size, 0, []
        self.random = random.Random(1)

    def keep_up(self):
        self.members = [p for p in self.members if p.poll() is None]
        while len(self.members) < self.size:
            life = self.random.uniform(2, 30)
            self.members.append(subprocess.Popen(["/usr/bin/python3", self.script, str(self.started), str(life)]))
            self.started += 1
        # Some die without notice.
        if self.random.random() < 0.05:
            self.random.choice(self.members).kill()

    def end(self):
        for process in self.members:
            process.kill()
        for process in self.members:
            process.wait()


def measure(pid):
    status = dict(
        line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return {
        "rss_kib": int(status["VmRSS"].split()[0]),
        "fds": len(os.listdir(f"/proc/{pid}/fd")),
        "maps": len(pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()),
        "threads": int(status["Threads"]),
    }


def sample(daemon, crowd, ask, seconds):
    """The median of what is seen in so many seconds: targets come and go in each of them."""
    seen, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        crowd.keep_up()
        ask()
        seen.append(measure(daemon.pid))
        time.sleep(0.5)
    return {key: statistics.median(s[key] for s in seen) for key in seen[0]}


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(options, directory):
    crowd = Crowd(directory, options.targets)
    daemon = daemons.Daemon(options.program, directory, "--match", crowd.script, "-i", "1s", "--events", options.events)
    snapshots = 0

    def ask():
        nonlocal snapshots
        daemon.get("/metrics")
        up = [pid for pid, p in daemon.processes().items() if p["up"]]
        if up:
            daemon.ask(op="snapshot", pid=up[snapshots % len(up)])
            snapshots += 1

    total = options.minutes * 60
    begin, cpu = time.monotonic(), cpu_seconds(daemon.pid)
    try:
        settle = min(total / 5, 30)
        sample(daemon, crowd, ask, settle)
        window = min(total / 5, 30)
        first = sample(daemon, crowd, ask, window)
        sample(daemon, crowd, ask, max(total - settle - 2 * window, 0))
        last = sample(daemon, crowd, ask, window)
        used = (cpu_seconds(daemon.pid) - cpu) / (time.monotonic() - begin)
        crowd.end()
        daemons.wait_for(lambda: not daemon.processes(), what="all to be forgotten")
        time.sleep(2)
        empty = measure(daemon.pid)
    finally:
        crowd.end()
        status = daemon.stop()
    print(f"{crowd.started} processes, {snapshots} snapshots, {used:.1%} of a core")
    print(f"{'':10}{'first':>10}{'last':>10}{'no targets':>12}")
    for key in first:
        print(f"{key:10}{first[key]:>10.0f}{last[key]:>10.0f}{empty[key]:>12.0f}")
    return status, first, last, empty


def check(status, first, last, empty):
    if status:
        yield f"the daemon ended with status {status}"
    if last["rss_kib"] > first["rss_kib"] * 1.05 + 4096:
        yield "RSS has grown by more than 5%"
    for key, slack in ("fds", 16), ("maps", 24), ("threads", 3):
        if last[key] > first[key] + slack:
            yield f"{key} have grown"
    if empty["fds"] > 16:
        yield f"{empty['fds']} descriptors are open with nothing to watch"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--events", default="budget")
    parser.add_argument("program")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        complaints = list(check(*run(options, pathlib.Path(directory))))
    for complaint in complaints:
        print(f"FAIL: {complaint}")
    print(f"{0 if complaints else 1} passed, {len(complaints)} failed, 0 skipped")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
