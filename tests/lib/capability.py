# SPDX-License-Identifier: BSD-2-Clause
"""What this machine and these rights allow, found by trying. Each why_…() returns None or the reason against."""

import ctypes
import os
import pathlib
import platform
import struct

import pytest

BPF_PROG_LOAD = 5
BPF_PROG_TYPE_KPROBE = 2
SYSCALL_BPF = {"x86_64": 321, "aarch64": 280}

CAP_SYS_PTRACE = 19


def why_no_bpf():
    """Loads the smallest program of the kind that probes are (r0 = 0; exit)."""
    number = SYSCALL_BPF.get(platform.machine())
    if number is None:
        return f"not tried on {platform.machine()}"
    if not pathlib.Path("/sys/bus/event_source/devices/uprobe/type").exists():
        return "this kernel has no uprobes (CONFIG_UPROBE_EVENTS)"

    code = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"GPL")
    # union bpf_attr of BPF_PROG_LOAD (include/uapi/linux/bpf.h): prog_type, insn_cnt, insns, license; the rest 0.
    attributes = struct.pack(
        "<IIQQ", BPF_PROG_TYPE_KPROBE, 2, ctypes.addressof(code), ctypes.addressof(licence)
    ).ljust(128, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(ctypes.c_long(number), BPF_PROG_LOAD, attributes, len(attributes))
    if fd < 0:
        return f"bpf(BPF_PROG_LOAD): {os.strerror(ctypes.get_errno())}"
    os.close(fd)
    return None


def why_no_attach():
    """May we read the memory of a process that is not our child?"""
    status = pathlib.Path("/proc/self/status").read_text()
    effective = int(next(l for l in status.splitlines() if l.startswith("CapEff:")).split()[1], 16)
    if effective >> CAP_SYS_PTRACE & 1:
        return None
    scope = pathlib.Path("/proc/sys/kernel/yama/ptrace_scope")
    if scope.exists() and scope.read_text().strip() != "0":
        return "no CAP_SYS_PTRACE, and kernel.yama.ptrace_scope is not 0"
    return None


def require(reason, what):
    """Skips, or fails where the environment promises that nothing needs to be skipped."""
    if reason is None:
        return
    if os.environ.get("PYMEMTOP_REQUIRE_BPF") == "1":
        pytest.fail(f"{what} is required here (PYMEMTOP_REQUIRE_BPF=1): {reason}")
    pytest.skip(f"{what}: {reason}")
