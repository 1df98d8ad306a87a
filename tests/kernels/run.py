#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Starts Debian kernels in qemu, each with its own Debian, and runs inside.py there.

    tests/kernels/run.py build-static/pymemtop [--package build/deb/pymemtop_*.deb] [bullseye] [bookworm] [trixie] [sid]
    tests/kernels/run.py build/pymemtop --tests tests/e2e/test_events.py,tests/e2e/test_loss.py [bullseye] ...

Needs root, debootstrap, a Debian mirror and qemu-system-x86; the machines are emulated, which takes some minutes each. Roots are kept in ~/.cache/pymemtop/kernels (1 GB each). The package is for bookworm.

With --tests, files of Python tests are run there instead, by pytest. They, the program and the tools beside it are those of this tree and its libraries, so that runs on bookworm's
root whatever the kernel; and as everything is emulated, what they wait for may take five times as long.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

MIRROR = "http://deb.debian.org/debian"
HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path.home() / ".cache/pymemtop/kernels"
PACKAGES = "systemd,systemd-sysv,dbus,procps,kmod,python3,linux-image-amd64"
# What the program and the tests want of a Debian 12.
TESTED = "python3-pytest python3-jsonschema libbpf1 libelf1 libcapstone4 libjansson4 libevent-core-2.1-7 libevent-extra-2.1-7 libncursesw6 libcap2 tmux".split()
TESTS = """#!/bin/sh
ulimit -n 8192
ulimit -l unlimited  # before 5.11 programs count
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
cd /root/tree || exit 1
uname -r
export PYMEMTOP_REQUIRE_BPF=1 PYMEMTOP_TEST_PATIENCE=5 PYMEMTOP_TEST_LIMIT=1200 PYMEMTOP_TEST_COUNT=2000
for file in {files}; do
    python3 -m pytest --color=no -v --tb=short $file 2>&1 || bad=1
done
[ -z "$bad" ] && echo "all passed, 0 failed, 0 skipped"
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


def make_root(release, package):
    root = CACHE / release
    if not (root / "boot").is_dir() or not list((root / "boot").glob("initrd.img-*")):
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["debootstrap", f"--include={PACKAGES}", release, root, MIRROR]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    if package:
        install = ["chroot", root, "apt-get", "install", "-y", "--no-install-recommends", *needs_of(package)]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return root


def add_tests(root, program, files):
    tree, here = root / "root/tree", HERE.parents[1]
    for command in ["update"], ["install", "-y", "--no-install-recommends", *TESTED]:
        subprocess.run(["chroot", root, "apt-get", *command], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    shutil.rmtree(tree, ignore_errors=True)
    ignored = shutil.ignore_patterns("corpus", "images", "__pycache__")
    for name in "tests", "docs", "bpf":
        shutil.copytree(here / name, tree / name, ignore=ignored)
    (tree / "build").mkdir()
    shutil.copy(program, tree / "build/pymemtop")
    shutil.copytree(program.parent / "tools", tree / "build/tools")
    script = root / "root/tests.sh"
    script.write_text(TESTS.format(files=" ".join(files)))
    script.chmod(0o755)


def fill(root, program, package, tests):
    shutil.copy(program, root / "root/pymemtop")
    shutil.copy(HERE / "inside.py", root / "root/inside.py")
    (root / "root/pymemtop.deb").unlink(missing_ok=True)
    if package:
        shutil.copy(package, root / "root/pymemtop.deb")
    if tests:
        add_tests(root, program, tests)
    command = "/root/tests.sh" if tests else "/usr/bin/python3 /root/inside.py"
    (root / "etc/systemd/system/inside.service").write_text(UNIT.format(command=command))
    wanted = root / "etc/systemd/system/multi-user.target.wants/inside.service"
    wanted.unlink(missing_ok=True)
    wanted.symlink_to("/etc/systemd/system/inside.service")


def boot(root, kernels, directory, memory, timeout):
    """What the machine printed; its kernel is from another root's /boot."""
    disk, said = directory / "disk", directory / "said"
    size = int(subprocess.run(["du", "-sm", root], capture_output=True, text=True, check=True).stdout.split()[0])
    command = ["mke2fs", "-q", "-t", "ext4", "-d", root, disk, f"{size * 3 // 2 + 300}M"]
    subprocess.run(command, check=True)
    kernel, initrd = (max((kernels / "boot").glob(f"{name}-*")) for name in ("vmlinuz", "initrd.img"))
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]
    command += ["-m", memory, "-nographic", "-no-reboot", "-nic", "none", "-kernel", kernel, "-initrd", initrd]
    command += ["-drive", f"file={disk},format=raw,if=virtio,cache=unsafe"]
    command += ["-append", "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=false panic=-1"]
    command += ["-serial", f"file:{directory}/console", "-serial", f"file:{said}"]
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=timeout)
    except subprocess.TimeoutExpired:
        print(f"no end after {timeout} s; the console's last words:")
        print((directory / "console").read_text(errors="replace")[-2000:])
    return said.read_text(errors="replace").replace("\r", "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("releases", nargs="*", default=["bullseye", "bookworm", "trixie"])
    parser.add_argument("--package", type=pathlib.Path)
    parser.add_argument("--tests", type=lambda text: text.split(","), default=[])
    parser.add_argument("--timeout", type=int, default=1800)
    options = parser.parse_intermixed_args()
    bad = 0
    for release in options.releases:
        package = options.package if release == "bookworm" else None
        kernels = make_root(release, package)
        root = make_root("bookworm", None) if options.tests else kernels
        fill(root, options.program, package, options.tests)
        with tempfile.TemporaryDirectory() as directory:
            said = boot(root, kernels, pathlib.Path(directory), "1536", options.timeout)
        print(f"== {release}\n{said}", flush=True)
        bad += not said.rstrip().endswith("passed, 0 failed, 0 skipped")
    return bad


if __name__ == "__main__":
    sys.exit(main())
