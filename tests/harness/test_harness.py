# SPDX-License-Identifier: BSD-2-Clause
"""The test infrastructure itself: what the other tests rely on without looking."""

import pathlib
import subprocess

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
    assert len({(i.root, i.path) for i in found}) == len(found)
    assert not any("shims" in i.path for i in found)


def test_bpf_really_loads(can_use_bpf):
    assert capability.why_no_bpf() is None


def test_sources_of_the_same_name_do_not_replace_each_other(tmp_path):
    root = pathlib.Path(__file__).resolve().parents[2]
    for folder in "base", "target":
        (tmp_path / "user" / folder).mkdir(parents=True)
        (tmp_path / "user" / folder / "same.c").write_text(f"int in_{folder} = 1;\n")
    (tmp_path / "VERSION").write_text("1\n")
    (tmp_path / "Makefile").write_text((root / "Makefile").read_text())
    subprocess.run(["make", "-s", "build/libpymemtop.a"], cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    names = subprocess.run(["nm", "build/libpymemtop.a"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "in_base" in names.stdout and "in_target" in names.stdout
