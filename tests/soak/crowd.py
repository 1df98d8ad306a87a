#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What one daemon takes for many small processes: CPU time of each 20 s from its start on, RSS, descriptors.

    tests/soak/crowd.py [--targets 100] [--seconds 120] [--events budget] build/pymemtop
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import daemons  # noqa: E402
from run import cpu_seconds, measure  # noqa: E402

PART_SECONDS = 20

MEMBER = """
import sys, time
class Row:
    def __init__(self, n): self.n = n; self.text = str(n); self.more = {}
kept = [Row(n) for n in range(2000)]
print("ready", flush=True)
at = 0
while True:
    for _ in range(20):
        kept[at % 2000] = Row(at)
        at += 1
    time.sleep(0.1)
"""


def watch(daemon, options):
    """Prints a line for each part."""
    begin, up_at, parts = time.monotonic(), None, []
    while time.monotonic() - begin < options.seconds:
        before, start = cpu_seconds(daemon.pid), time.monotonic()
        while time.monotonic() - start < PART_SECONDS:
            if not up_at and daemon.log.count(": watched, Python") >= options.targets:
                up_at = time.monotonic() - begin
            time.sleep(0.25)
        used = (cpu_seconds(daemon.pid) - before) / (time.monotonic() - start)
        now = measure(daemon.pid)
        parts.append(used)
        print(f"{start - begin:5.0f} s on: {used:6.1%} of a core, RSS {now['rss_kib'] / 1024:.0f} MiB, {now['fds']} descriptors", flush=True)
    print(f"all {options.targets} were read after {up_at or -1:.1f} s; most {max(parts):.1%} of a core")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--targets", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--events", default="budget")
    parser.add_argument("program")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        script = directory / "crowd_member.py"
        script.write_text(MEMBER)
        members = [subprocess.Popen(["/usr/bin/python3", script], stdout=subprocess.PIPE) for _ in range(options.targets)]
        try:
            for member in members:
                member.stdout.readline()
            daemon = daemons.Daemon(options.program, directory, "--match", script, "--events", options.events)
            try:
                watch(daemon, options)
            finally:
                daemon.stop()
        finally:
            for member in members:
                member.kill()
                member.wait()


if __name__ == "__main__":
    main()
