# SPDX-License-Identifier: BSD-2-Clause
"""What budget mode promises of targets that are hard on it."""

import json
import subprocess
import sys

import patience
from target import Target

# Fills and empties pools all the time, and does nothing else.
POOLS = """
import threading
def churn():
    while True:
        [(n,) for n in range(20000)]
threading.Thread(target=churn, daemon=True).start()
print("ready", flush=True)
input()
"""
LIMIT = 0.02


def test_pools_that_come_and_go_are_kept_within_the_limit(pymemtop, can_use_bpf, can_attach):
    """Even while it is still looked at which sites are hit most: the probe where pools are opened has its share."""
    with Target(sys.executable, POOLS) as target:
        done = subprocess.run(
            [pymemtop.path, "record", "-i", "2s", "-d", f"{patience.seconds(12)}s", "--max-overhead", f"{LIMIT:.0%}", str(target.pid)],
            stdout=subprocess.PIPE,
            text=True,
            timeout=patience.seconds(120),
        )
    events = [json.loads(line)["events"] for line in done.stdout.splitlines()]
    assert events[-1]["growth_coverage"] < 0.9, "pools are not opened often enough for this test"
    assert events[-1]["overhead"]["estimated"] < 1.5 * LIMIT
