#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Starts Debian kernels in qemu, each with its own Debian, and runs inside.py there.

    tests/kernels/run.py build-static/pymemtop [--package build/deb/pymemtop_*.deb] [bullseye] [bookworm] [trixie] [sid]
    tests/kernels/run.py build/pymemtop --tests tests/e2e [bullseye] ...     # `make kernel-tests`

Needs root, debootstrap, a Debian mirror and qemu-system-x86; the machines are emulated, which takes some minutes each. Roots are kept in ~/.cache/pymemtop/kernels (1 to 3 GB each). The package is for bookworm.

With --tests, Python tests are run there instead, those at or under these paths (A,B), by tests/run.py. They, the program and the tools beside it are those of this tree and its
libraries, so that runs on bookworm's root whatever the kernel. As everything is emulated, what they wait for may take so many times as long, and what keeps a pace keeps so much of it: --patience. Hours; each file
is told as it ends, and has a limit of its own (tests/lib/pythontests.py).
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

MIRROR = "http://deb.debian.org/debian"
HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path.home() / ".cache/pymemtop/kernels"
PACKAGES = "systemd,systemd-sysv,dbus,procps,kmod,python3,linux-image-amd64"
# What building and testing want besides (tools/deps names them); a root of its own, so that bookworm's stays fresh.
TESTED = (
    "gcc make pkg-config git clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev libcapstone-dev libncurses-dev libjansson-dev libevent-dev libcap-dev uthash-dev "
    "python3-pytest python3-jsonschema python3-venv tmux jq scdoc zsh fish bash-completion libjemalloc2"
).split()
TESTS = """#!/bin/sh
ulimit -n 8192
ulimit -l unlimited  # before 5.11 programs count
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
cd /root/tree || exit 1
uname -r
export HOME=/root LANG=C.UTF-8 PYMEMTOP_REQUIRE_BPF=1 PYMEMTOP_TEST_PATIENCE={patience} PYMEMTOP_TEST_COUNT=2000 PYMEMTOP_TEST_AT_ONCE=100000 PYMEMTOP_TEST_SECONDS=60 PYMEMTOP_TEST_KILLS=3 PYMEMTOP_TEST_CYCLES=20
exec python3 tests/run.py {only} python
"""
UNIT = """[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart={command}
StandardOutput=file:/dev/ttyS1
StandardError=file:/dev/ttyS1
ExecStopPost=/bin/systemctl --no-block --force poweroff
[Install]
WantedBy=multi-user.target
"""


def needs_of(package):
    depends = subprocess.run(["dpkg-deb", "-f", package, "Depends"], capture_output=True, text=True, check=True).stdout
    return [d.split()[0] for d in depends.split(",")]


def chroot(root, *command):
    subprocess.run(["chroot", root, *command], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def make_root(release, package):
    root = CACHE / release
    if not (root / "boot").is_dir() or not list((root / "boot").glob("initrd.img-*")):
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["debootstrap", f"--include={PACKAGES}", release, root, MIRROR]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    if package:
        chroot(root, "apt-get", "install", "-y", "--no-install-recommends", *needs_of(package))
    return root


def make_tested_root():
    root, done = CACHE / "tested", CACHE / "tested.done"
    if done.exists() and done.read_text().split() == TESTED:
        return root
    done.unlink(missing_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "-a", make_root("bookworm", None), root], check=True)
    chroot(root, "apt-get", "update")
    chroot(root, "apt-get", "install", "-y", "--no-install-recommends", *TESTED)
    chroot(root, "apt-get", "clean")
    done.write_text(" ".join(TESTED))
    return root


def add_tree(root, program, options):
    """All that is checked in, as it stands here, and what was built of it."""
    tree, here = root / "root/tree", HERE.parents[1]
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=here, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        if (here / name).exists():
            shutil.copy2(here / name, tree / name, follow_symlinks=False)
    shutil.copytree(program.parent, tree / "build", ignore=shutil.ignore_patterns("unit", "tests"))
    script = root / "root/tests.sh"
    script.write_text(TESTS.format(only=" ".join(f"--only {t}" for t in options.tests), patience=options.patience))
    script.chmod(0o755)


def fill(root, options, package):
    shutil.copy(options.program, root / "root/pymemtop")
    shutil.copy(HERE / "inside.py", root / "root/inside.py")
    (root / "root/pymemtop.deb").unlink(missing_ok=True)
    if package:
        shutil.copy(package, root / "root/pymemtop.deb")
    if options.tests:
        add_tree(root, options.program, options)
    command = "/root/tests.sh" if options.tests else "/usr/bin/python3 /root/inside.py"
    (root / "etc/systemd/system/inside.service").write_text(UNIT.format(command=command))
    wanted = root / "etc/systemd/system/multi-user.target.wants/inside.service"
    wanted.unlink(missing_ok=True)
    wanted.symlink_to("/etc/systemd/system/inside.service")


def boot(root, kernels, directory, timeout):
    """What the machine printed; its kernel is from another root's /boot."""
    disk, said = directory / "disk", directory / "said"
    size = int(subprocess.run(["du", "-sm", root], capture_output=True, text=True, check=True).stdout.split()[0])
    command = ["mke2fs", "-q", "-t", "ext4", "-d", root, disk, f"{size * 3 // 2 + 300}M"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    kernel, initrd = (max((kernels / "boot").glob(f"{name}-*")) for name in ("vmlinuz", "initrd.img"))
    command = ["nice", "-n", "19", "qemu-system-x86_64", "-name", "pmt-kernels", "-accel", "tcg,thread=multi,tb-size=768", "-cpu", "max", "-smp", "2"]
    command += ["-m", "2560", "-nographic", "-no-reboot", "-nic", "none", "-kernel", kernel, "-initrd", initrd]
    command += ["-drive", f"file={disk},format=raw,if=virtio,cache=unsafe"]
    # What is slow to emulate and changes nothing of what is tested: mitigations, five levels of page tables.
    command += ["-append", "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=false panic=-1 mitigations=off no5lvl nowatchdog"]
    command += ["-serial", f"file:{directory}/console", "-serial", f"file:{said}"]
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        told, ended = tell(process, said, timeout)
    finally:
        process.kill()
        process.wait()
    if not ended or not told:
        print(f"no end after {timeout} s" if not ended else f"qemu ended with status {process.returncode}", "; the console's last words:")
        print((directory / "console").read_text(errors="replace")[-2000:], flush=True)
    return told


def tell(process, said, timeout):
    """What the machine prints, as it prints it; and whether it came to its end."""
    deadline, told = time.monotonic() + timeout, ""
    while True:
        ended = process.poll() is not None
        text = said.read_text(errors="replace").replace("\r", "") if said.exists() else ""
        # Whole lines: a character may be half written.
        text = text if ended else text[: text.rfind("\n") + 1]
        print(text[len(told) :], end="", flush=True)
        told = text
        if ended or time.monotonic() > deadline:
            return told, ended
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("releases", nargs="*", default=["bullseye", "bookworm", "trixie"])
    parser.add_argument("--package", type=pathlib.Path)
    parser.add_argument("--tests", type=lambda text: text.split(","), default=[])
    parser.add_argument("--patience", type=float, default=5)
    parser.add_argument("--timeout", type=int, help="seconds; by default half an hour, with tests four")
    options = parser.parse_intermixed_args()
    bad = 0
    for release in options.releases:
        package = options.package if release == "bookworm" else None
        kernels = make_root(release, package)
        root = make_tested_root() if options.tests else kernels
        fill(root, options, package)
        with tempfile.TemporaryDirectory() as directory:
            print(f"== {release}, {time.strftime('%H:%M:%S')}", flush=True)
            said = boot(root, kernels, pathlib.Path(directory), options.timeout or (14400 if options.tests else 1800))
        good = re.search(r"^[1-9]\d* passed, 0 failed, \d+ skipped\s*\Z", said, re.M)
        print(f"== {release}, {time.strftime('%H:%M:%S')}: {'good' if good else 'FAIL'}", flush=True)
        bad += not good
    return bad


if __name__ == "__main__":
    sys.exit(main())
