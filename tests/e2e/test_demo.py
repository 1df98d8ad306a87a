# SPDX-License-Identifier: BSD-2-Clause
"""What the README promises first: the demo ends with a table of the sample program's types."""

import os
import pathlib
import re
import subprocess

import patience
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNT = 50_000
EXPECTED = dict.fromkeys(("Early", "Plain", "Slots", "Data", "DataSlots", "Ant"), COUNT) | {"Late": COUNT + 1}


def test_demo_shows_the_types(pymemtop, interpreter, can_use_bpf, can_attach):
    done = subprocess.run(
        [ROOT / "demo" / "run", pymemtop.path, interpreter.path],
        env=dict(os.environ, DEMO_SECONDS="1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patience.seconds(120),
    )
    if done.returncode == 5:
        assert interpreter.version_info[:2] != (3, 11), done.stderr
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr

    if interpreter.version_info[:2] == (3, 11):
        assert not re.search(r"^Events +off", done.stdout, re.M), "no event was watched"
    rows = {}
    for line in done.stdout.splitlines():
        match = re.match(r"\s*__main__\.(\w+)\s+([\d,]+)\s", line)
        if match:
            rows[match[1]] = int(match[2].replace(",", ""))
    assert {name: rows.get(name) for name in EXPECTED} == EXPECTED, done.stdout
