# SPDX-License-Identifier: BSD-2-Clause
"""A process that lies about everything in its memory, for HOSTILE_SECONDS (8): whoever watches it neither crashes, nor
hangs, nor grows."""

import itertools
import json
import os
import pathlib
import time

import daemons
import interpreters
import pytest

SECONDS = float(os.environ.get("HOSTILE_SECONDS", 8))
GROWTH_MAX = 64 << 10  # KiB
ENDS = {0, 1, 5, 6}


def rss(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@pytest.fixture
def liar_python(system_python):
    """With symbols where there is one: without them a ruined heap is mostly refused, and little of it read."""
    found = [i for i in interpreters.discover() if i.shared and i.gil and not i.root and not i.debug]
    return found[-1].path if found else system_python


def test_a_heap_of_lies(pymemtop, start_daemon, start_target, liar_python):
    liar = start_target(liar_python, pathlib.Path(__file__).with_name("noise.py"))
    pid = liar.ready.split()[-1]
    daemon = start_daemon("-p", pid, "-i", "1s", "--events", "off")
    daemon.wait_up(int(pid))
    first, most, ends = rss(daemon.pid), 0, []
    liar.ask("go")
    begin, seen = time.monotonic(), []
    for command in itertools.cycle((["snapshot"], ["snapshot", "--duplicates"], ["advise"], ["snapshot", "--limit", "3"])):
        # On a machine with much else to do there are few looks in that time.
        if time.monotonic() - begin > SECONDS and len(ends) >= 16:
            break
        done = pymemtop.run(*command, pid, *(("--socket", daemon.path) if len(ends) % 2 else ()), timeout=60)
        assert done.returncode in ENDS, f"{command}: status {done.returncode}: {done.stderr}"
        ends.append(done.returncode)
        if "snapshot" in command and done.returncode in (0, 6):
            seen.append(json.loads(done.stdout))
        most = max(most, rss(daemon.pid))
        assert daemon.get("/healthz") == "ok\n"
    print(f"{len(ends)} looks, ends {({e: ends.count(e) for e in set(ends)})}, daemon {first} KiB, at most {most} KiB")
    # It did look at what is ruined, unless it had to refuse it.
    assert len({json.dumps(s["types"]) for s in seen}) > 3 or liar_python == system_python
    assert most - first < GROWTH_MAX
    assert liar.process.poll() is None and daemon.process.poll() is None
    assert daemon.stop() == 0
