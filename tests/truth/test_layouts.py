# SPDX-License-Identifier: BSD-2-Clause
"""Each layout table against the interpreter that it describes: raw memory, read by the interpreter itself."""

import json
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROBE = ROOT / "tests" / "truth" / "layout_probe.py"


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    tool = tmp_path_factory.mktemp("layouts") / "layout_json"
    # Only the tables are wanted: what else is in layout.c is dropped by the linker with what it calls.
    subprocess.run(
        ["cc", "-std=gnu11", "-D_GNU_SOURCE", "-ffunction-sections", "-Wl,--gc-sections", f"-I{ROOT}/user"]
        + ["-o", tool, ROOT / "tests/tools/layout_json.c", ROOT / "user/layout/layout.c"],
        check=True,
    )
    return json.loads(subprocess.check_output([tool]))


def table_for(tables, interpreter):
    major, minor, micro = interpreter.version_info
    fitting = [
        t
        for t in tables
        if (t["major"], t["minor"]) == (major, minor)
        and t["free_threaded"] == (not interpreter.gil)
        and t["debug"] == interpreter.debug
        and t["micro_first"] <= micro
    ]
    assert fitting, f"no table for {interpreter.id}"
    return max(fitting, key=lambda t: t["micro_first"])


def probe(interpreter, table):
    done = subprocess.run(
        [*interpreter.command, "-I", PROBE], input=json.dumps(table), stdout=subprocess.PIPE, text=True, timeout=60
    )
    assert done.returncode == 0
    return json.loads(done.stdout)


def test_table_is_what_the_interpreter_has(tables, interpreter):
    answer = probe(interpreter, table_for(tables, interpreter))
    wrong = [c for c in answer if c[1] != c[2]]
    assert not wrong, "\n".join(f"{what}: table says {got!r}, interpreter {want!r}" for what, got, want in wrong)
    assert len(answer) > 100


def test_a_wrong_table_is_noticed(tables, interpreter):
    """The probe can fail: one number wrong must show. (Numbers that are not followed as addresses.)"""
    for field in ("ma_used", "tp_basicsize", "str_length", "deque_leftindex", "sizeof_array"):
        table = dict(table_for(tables, interpreter))
        table[field] += 8
        assert [c for c in probe(interpreter, table) if c[1] != c[2]], field
