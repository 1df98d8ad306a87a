# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's verifier accepts every program, built with this kernel's types and with the checked-in ones."""

import os
import pathlib
import subprocess

import capability
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OBJECTS = sorted(path.name[: -len(".c")] + ".o" for path in ROOT.glob("bpf/*.bpf.c"))


def bpftool():
    return next((p for p in ("/usr/sbin/bpftool", "/usr/local/sbin/bpftool") if os.path.exists(p)), "bpftool")


@pytest.fixture
def bpffs(tmp_path, can_use_bpf):
    """A BPF file system of our own: pins of other programs are none of our business."""
    mounted = tmp_path / "bpffs"
    mounted.mkdir()
    done = subprocess.run(["mount", "-t", "bpf", "bpf", mounted], capture_output=True, text=True)
    capability.require(done.stderr.strip() or None, "a BPF file system")
    yield mounted
    subprocess.run(["umount", mounted], check=True)


@pytest.mark.parametrize("types", ["kernel", "fallback"])
@pytest.mark.parametrize("name", OBJECTS)
def test_verifier_accepts(name, types, bpffs, tmp_path):
    directory = tmp_path / "build"
    variables = [f"O={directory}"] + (["VMLINUX=fallback"] if types == "fallback" else [])
    subprocess.run(["make", "-s", *variables, f"{directory}/{name}"], cwd=ROOT, check=True)
    done = subprocess.run(
        [bpftool(), "prog", "loadall", directory / name, bpffs / "programs"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert list((bpffs / "programs").iterdir())
