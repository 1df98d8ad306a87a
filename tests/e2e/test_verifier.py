# SPDX-License-Identifier: BSD-2-Clause
"""
The kernel's verifier accepts every program, built with this kernel's types and with the checked-in ones, made to suit this kernel
and one of 5.10 as pymemtop does it.
"""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OBJECTS = sorted(path.name[: -len(".c")] + ".o" for path in ROOT.glob("bpf/*.bpf.c"))


@pytest.mark.parametrize("kernel", ["this", "5.10"])
@pytest.mark.parametrize("types", ["kernel", "fallback"])
@pytest.mark.parametrize("name", OBJECTS)
def test_verifier_accepts(name, types, kernel, tools, tmp_path, can_use_bpf):
    directory = tmp_path / "build"
    variables = [f"O={directory}"] + (["VMLINUX=fallback"] if types == "fallback" else [])
    subprocess.run(["make", "-s", *variables, f"{directory}/{name}"], cwd=ROOT, check=True)
    as_on = [] if kernel == "this" else [tools / "old_kernel", kernel]
    done = subprocess.run([*as_on, tools / "verify", directory / name], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    loaded, has_cookie, has_fetch = map(int, done.stdout.split())
    assert loaded == len(re.findall(r"^SEC\(", (ROOT / "bpf" / name.replace(".o", ".c")).read_text(), re.M))
    if kernel == "5.10":
        assert not has_cookie and not has_fetch
