# SPDX-License-Identifier: BSD-2-Clause
"""The test infrastructure itself: what the other tests rely on without looking."""

import capability
import interpreters
import pytest
from target import Target, TargetError

PROGRAM = """
import os, sys
print("noise")
print("ready", os.getpid(), *sys.version_info[:3])
for line in sys.stdin:
    print("got", line.strip())
"""


def test_target_talks(interpreter, start_target):
    target = start_target(interpreter, PROGRAM)
    assert target.ready.split() == [str(target.pid), *map(str, interpreter.version_info)]
    assert target.ask("hello") == "got hello"
    assert target.ask("again") == "got again"


def test_target_that_ends_early_is_an_error(interpreter):
    with pytest.raises(TargetError, match="status 3"):
        Target(interpreter, "import sys\nsys.exit(3)\n")


def test_target_that_is_never_ready_is_an_error():
    with pytest.raises(TargetError, match="in time"):
        Target(interpreters.discover()[0], "import time\ntime.sleep(60)\n", timeout=0.5)


def test_stopped_target_is_gone(start_target):
    target = start_target(interpreters.discover()[0], PROGRAM)
    target.stop()
    assert target.process.returncode == -9


def test_interpreters_are_distinct():
    found = interpreters.discover()
    assert found, "not even one CPython on this machine"
    assert len({i.path for i in found}) == len(found)
    assert not any("shims" in i.path for i in found)


def test_bpf_really_loads(can_use_bpf):
    assert capability.why_no_bpf() is None
