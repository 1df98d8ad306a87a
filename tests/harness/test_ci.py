# SPDX-License-Identifier: BSD-2-Clause
""".ci/steps: what hangs or fails is told from what passes, and the count line comes whatever happens."""

import os
import pathlib
import signal
import subprocess

STEPS = pathlib.Path(__file__).resolve().parents[2] / ".ci" / "steps"


def run(script, kill=False, **variables):
    """(exit status, lines that it printed) of a script of steps."""
    environment = {**os.environ, "GRACE_SECONDS": "2", **{name: str(value) for name, value in variables.items()}}
    process = subprocess.Popen(["bash", "-uc", f". {STEPS}\n{script}\nthe_end"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True, env=environment)
    try:
        first = process.stdout.readline() + process.stdout.readline() if kill else ""
        if kill:
            process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, (first + out).splitlines()


def test_what_passes_and_fails():
    status, lines = run("""
step good 20 sh -c 'echo "4 passed, 0 failed, 1 skipped"'
step bad 20 sh -c 'echo "2 passed, 1 failed, 0 skipped"; exit 1'
step worse 20 false
""")
    assert (status, lines[-1]) == (1, "7 passed, 3 failed, 1 skipped")
    assert "failed: bad worse" in lines


def test_all_that_passes():
    status, lines = run("begin beside sleep 1\nstep good 20 true\nfinish beside 20")
    assert (status, lines[-1]) == (0, "2 passed, 0 failed, 0 skipped")


def test_what_hangs_is_ended_and_the_rest_runs():
    """One that says what it had when it is told to end, one that is deaf, and one that leaves its output open."""
    status, lines = run("""
step told 1 sh -c 'trap "echo 5 passed, 2 failed, 0 skipped; exit 1" TERM; sleep 1000 & wait'
step deaf 1 sh -c 'trap "" TERM; sleep 1000'
step leaves 20 sh -c 'sleep 30 & echo left'
step after 20 echo "it ran"
""")
    assert (status, lines[-1]) == (1, "7 passed, 4 failed, 0 skipped")
    assert "failed: told deaf" in lines and "it ran" in lines


def test_when_time_is_over():
    status, lines = run("begin beside sleep 1000\nstep long 100 sleep 1000\nstep never 100 true\nfinish beside 100", ALL_SECONDS=2)
    assert (status, lines[-1]) == (1, "0 passed, 3 failed, 0 skipped")
    assert "failed: long never beside" in lines


def test_told_to_end():
    status, lines = run("step long 100 sleep 1000\nstep never 100 true", kill=True)
    assert (status, lines[-1]) == (1, "0 passed, 2 failed, 0 skipped")
