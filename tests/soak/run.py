#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the daemon over processes that come and go, and checks that it ends where it began.

    tests/soak/run.py [--minutes 2] [--targets 20] [--events budget] build/pymemtop

Where it began: after a warm-up of 200 processes that have been read, and of a minute in which as many are open at once as later, when all have gone. Then processes come and go until the time is over, and
when they have all gone again RSS must be within 5%, with no more descriptors, mappings and threads than before; where it is not, another round must
be, from there on, or a third. What it takes meanwhile moves
by some MiB from one second to the next (a census under way, a ring for each process that is traced), so it is shown, for the first and the
last quarter of the time, and not judged.
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

# The daemon gives back to the kernel what malloc keeps every 10 s.
SETTLE_SECONDS = 25
# By then malloc's caches of each thread are full, which hold on to pages here and there.
WARM_PROCESSES, WARM_LIVES, WARM_SECONDS_MAX = 200, (1, 6), 300
LIVES = 2, 30
# What malloc keeps depends on how much there was at once: 20 that live as long as later ones.
WARM_CHURN_SECONDS = 60
# What has grown may be what malloc and the C library keep for more threads at once than there had been: a leak grows
# in each round.
ROUNDS = 3
# On a machine with other work to do: an answer may take half a minute of waiting, and then the visit.
PATIENCE = 300

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
        self.lives = WARM_LIVES

    def keep_up(self):
        self.members = [p for p in self.members if p.poll() is None]
        while len(self.members) < self.size:
            life = self.random.uniform(*self.lives)
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
        "anon_kib": int(status["RssAnon"].split()[0]),
        "fds": len(os.listdir(f"/proc/{pid}/fd")),
        "maps": len(pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()),
        "threads": int(status["Threads"]),
    }


def churn(daemon, crowd, ask, seconds):
    """What is seen in so many seconds while targets come and go."""
    seen, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        crowd.keep_up()
        ask()
        seen.append(measure(daemon.pid))
        time.sleep(0.5)
    return seen


def warm_up(daemon, crowd, ask):
    end = time.monotonic() + WARM_SECONDS_MAX
    while daemon.log.count(": watched, Python") < WARM_PROCESSES and time.monotonic() < end:
        churn(daemon, crowd, ask, 5)


def settle(daemon, crowd):
    """What is seen when all targets have gone and malloc has given back what it keeps for some seconds."""
    crowd.end()
    daemons.wait_for(lambda: not daemon.processes(), timeout=120, what="all to be forgotten")
    least, end = measure(daemon.pid), time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < end:
        time.sleep(0.5)
        now = measure(daemon.pid)
        least = {key: min(least[key], now[key]) for key in least}
    return least


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(options, directory):
    crowd = Crowd(directory, options.targets)
    daemon = daemons.Daemon(options.program, directory, "--match", crowd.script, "-i", "1s", "--events", options.events)
    snapshots = 0

    def ask():
        nonlocal snapshots
        daemon.get("/metrics", timeout=PATIENCE)
        up = [pid for pid, p in daemon.processes().items() if p["up"]]
        if up:
            with daemon.connect(timeout=PATIENCE) as connection:
                # Nothing where it was cut off: who waits for a minute, on a machine that stood still.
                snapshots += "types" in (connection.ask(op="snapshot", pid=up[snapshots % len(up)]) or {})

    total = options.minutes * 60
    begin, cpu = time.monotonic(), cpu_seconds(daemon.pid)
    try:
        warm_up(daemon, crowd, ask)
        crowd.lives = LIVES
        churn(daemon, crowd, ask, WARM_CHURN_SECONDS)
        after = settle(daemon, crowd)
        for _ in range(ROUNDS):
            before = after
            busy = churn(daemon, crowd, ask, total)
            used = (cpu_seconds(daemon.pid) - cpu) / (time.monotonic() - begin)
            after = settle(daemon, crowd)
            show(crowd, snapshots, used, before, busy, after)
            if not list(check(0, before, after)):
                break
    finally:
        crowd.end()
        status = daemon.stop()
    return status, before, after


def show(crowd, snapshots, used, before, busy, after):
    quarter = max(len(busy) // 4, 2)
    busy_from = quarter // 2  # all are new to it here
    first, last = busy[busy_from : busy_from + quarter], busy[-quarter:]
    print(f"{crowd.started} processes, {snapshots} snapshots, {used:.1%} of a core")
    print(f"{'':10}{'before':>10}{'first':>10}{'last':>10}{'most':>10}{'after':>10}")
    for key in before:
        median = [f"{statistics.median(s[key] for s in part):>10.0f}" for part in (first, last)]
        print(f"{key:10}{before[key]:>10}{''.join(median)}{max(s[key] for s in busy):>10}{after[key]:>10}", flush=True)


def check(status, before, after):
    if status:
        yield f"the daemon ended with status {status}"
    if after["rss_kib"] > before["rss_kib"] * 1.05:
        yield f"with nothing to watch, RSS has grown from {before['rss_kib']} to {after['rss_kib']} KiB"
    # The C library keeps the stacks of threads that have ended: two mappings each, for as many as ever ran at once.
    for key, slack in ("fds", 0), ("maps", 6), ("threads", 0):
        if after[key] > before[key] + slack:
            yield f"with nothing to watch, {key} have grown from {before[key]} to {after[key]}"


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
