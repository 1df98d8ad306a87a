# SPDX-License-Identifier: BSD-2-Clause
"""tests/run.py counts what really happened in a unit test program, crashes included."""

import importlib.util
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

PROGRAM = """
#include "unit.h"
#include <stdlib.h>
static void good(void **state) { assert_true(1); }
static void bad(void **state) { assert_int_equal(1, 2); }
static void skipped(void **state) { skip(); }
static void crashes(void **state) { abort(); }
static void exits(void **state) { exit(0); }
int main(void)
{
	const struct CMUnitTest tests[] = { %s };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
"""


def load_runner():
    spec = importlib.util.spec_from_file_location("runner", ROOT / "tests" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def count(tmp_path, *tests):
    source, program = tmp_path / "test.c", tmp_path / "test"
    source.write_text(PROGRAM % ", ".join(f"cmocka_unit_test({name})" for name in tests))
    subprocess.run(["gcc", f"-I{ROOT}/tests/unit", "-o", program, source, "-lcmocka"], check=True)
    result, _ = load_runner().run_unit_program(program)
    return result.passed, result.failed, result.skipped


@pytest.mark.parametrize(
    "tests, expected",
    [
        (["good", "good"], (2, 0, 0)),
        (["good", "bad"], (1, 1, 0)),
        (["bad", "skipped", "good"], (1, 1, 1)),
        (["good", "crashes"], (1, 1, 0)),
        (["exits"], (0, 1, 0)),
        (["good", "exits", "good"], (1, 1, 0)),
    ],
)
def test_counts(tmp_path, tests, expected):
    assert count(tmp_path, *tests) == expected


def test_program_that_hangs_fails_and_what_it_said_is_kept(tmp_path):
    program = tmp_path / "hangs"
    program.write_text("#!/bin/sh\necho said\nsleep 1000\n")
    program.chmod(0o755)
    result, output = load_runner().run_unit_program(program, seconds=1)
    assert result.failed == 1 and output.startswith("said") and "no end after 1 s" in output


def test_program_that_is_not_there_fails():
    result, _ = load_runner().run_unit_program(ROOT / "no-such-program")
    assert result.failed == 1
