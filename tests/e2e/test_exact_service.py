# SPDX-License-Identifier: BSD-2-Clause
"""Exact mode over a process and what it forks while it is traced: each is followed, and the books of both balance."""

import json
import os
import signal

from daemons import wait_for
from target import Target
from terminal import Terminal

FORKS = """
import os, sys, time
class Both:
    def __init__(self, n): self.a, self.b = n, [n]
class Childs:
    __slots__ = "a", "b"
kept = [Both(n) for n in range(1000)]
def child():
    mine = [Both(n) for n in range(3000)]
    kept.clear()
    while True:
        mine.append(Childs())
        if len(mine) > 5000:
            del mine[3000:]
        time.sleep(0.001)
print("ready", flush=True)
sys.stdin.readline()
pid = os.fork()
if not pid:
    child()
print(pid, flush=True)
while True:
    kept += [Both(n) for n in range(500)]
    del kept[1000:]
    time.sleep(0.01)
"""


def written(terminal, directory):
    """The snapshot that the view has now."""
    before = set(directory.glob("*.json"))
    terminal.press("w")
    (path,) = wait_for(lambda: set(directory.glob("*.json")) - before, what="a snapshot to be written")
    text = wait_for(lambda: path.read_text().endswith("\n}\n") and path.read_text(), what="all of the snapshot")
    return json.loads(text)


def test_forked_child_is_followed_and_both_balance(pymemtop, interpreter, can_use_bpf, can_attach, tmp_path):
    with Target(interpreter, FORKS) as target:
        command = [pymemtop.path, "top", target.pid, "-s", "--events", "exact", "-i", "500ms", "--max-cpu", "100%"]
        with Terminal([*map(str, command)], cwd=tmp_path) as terminal:
            terminal.wait("exact")
            child = int(target.ask("fork"))
            try:
                balanced = 0

                def look():
                    nonlocal balanced
                    found = written(terminal, tmp_path)
                    rows = {row["name"]: row for row in found["types"]}
                    both = rows.get("__main__.Both")
                    assert all(row["address"] is None for row in found["types"]), "each process has its own"
                    # The child is there, traced, and its first picture is not its last.
                    seen = "__main__.Childs" in rows and (rows["__main__.Childs"]["alloc_objects_per_second"] or 0) > 0
                    if not seen or found["partial"] or found["events"]["drift_objects"] is None:
                        return None
                    assert (found["events"]["drift_objects"], found["events"]["drift_bytes"]) == (0, 0)
                    assert 4000 <= both["inuse_objects"] <= 4500
                    assert both["alloc_objects_per_second"] > 0 and both["free_objects_per_second"] > 0
                    balanced += 1
                    return balanced == 3

                wait_for(look, timeout=60, what="three whole pictures of both")
            finally:
                os.kill(child, signal.SIGKILL)
