#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Installs a Debian package in a fresh Debian 12, uses it there as a user would, purges it, and looks what stays.

    tests/package/run.py build/deb/pymemtop_*.deb [--root DIR]

Needs root, debootstrap and a Debian mirror. A root that is given is used as it is, and kept.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import daemons  # noqa: E402

MIRROR = "http://deb.debian.org/debian"
# What installing other packages changes.
PASSING = "proc", "sys", "dev", "tmp", "run", "var/cache", "var/lib/apt", "var/lib/dpkg", "var/log", "etc/ld.so.cache"


def files(root):
    found = set()
    for folder, folders, names in os.walk(root):
        here = os.path.relpath(folder, root)
        inside = lambda name: os.path.normpath(os.path.join(here, name))
        folders[:] = [f for f in folders if inside(f) not in PASSING]
        found |= {inside(n) for n in names if inside(n) not in PASSING}
    return found


class Root:
    def __init__(self, path):
        self.path = path
        for name in "proc", "sys":
            subprocess.run(["mount", "--rbind", f"/{name}", path / name], check=True)
            subprocess.run(["mount", "--make-rslave", path / name], check=True)
        # No service is started in a chroot.
        (path / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (path / "usr/sbin/policy-rc.d").chmod(0o755)
        shutil.copy("/etc/resolv.conf", path / "etc/resolv.conf")

    def run(self, *command, **options):
        command = ["chroot", self.path, "env", "DEBIAN_FRONTEND=noninteractive", *command]
        return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, text=True, **options)

    def close(self):
        for name in "proc", "sys":
            subprocess.run(["umount", "-R", "-l", self.path / name], check=True)


def check_use(root):
    version = root.run("pymemtop", "--version", capture_output=True).stdout
    assert version.startswith("pymemtop 0."), version
    target = subprocess.Popen(
        ["chroot", root.path, "python3", "-u", "-c", "class Here: pass\nk = [Here() for _ in range(99)]\nprint()\ninput()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    daemon = None
    try:
        target.stdout.readline()
        daemon = subprocess.Popen(
            ["chroot", root.path, "pymemtop", "daemon", "-p", str(target.pid), "--user", "nobody", "--listen", "off"]
        )
        socket = root.path / "run/pymemtop/pymemtop.sock"
        daemons.wait_for(socket.exists, what="the socket")

        # With --socket a daemon must answer, once it has seen the process.
        def snapshot():
            command = "pymemtop", "snapshot", "-v", str(target.pid), "--socket", "/run/pymemtop/pymemtop.sock"
            done = root.run(*command, capture_output=True)
            return None if "attaching without it" in done.stderr else json.loads(done.stdout)

        here = [t for t in daemons.wait_for(snapshot, what="a snapshot")["types"] if t["name"] == "__main__.Here"]
        assert here[0]["inuse_objects"] == 99
        top = root.run("pymemtop", "top", "-b", "-d", "1s", str(target.pid), capture_output=True).stdout
        assert "__main__.Here" in top
    finally:
        if daemon:
            daemon.terminate()
            assert daemon.wait(20) == 0
        target.kill()
        target.wait()


def check(root, package):
    shutil.copy(package, root.path / "tmp" / "pymemtop.deb")
    root.run("apt-get", "update", stdout=subprocess.DEVNULL)
    # What it needs from others stays; what is its own must go.
    depends = subprocess.run(["dpkg-deb", "-f", package, "Depends"], capture_output=True, text=True, check=True).stdout
    names = [d.split()[0] for d in depends.split(",")]
    root.run("apt-get", "install", "-y", "--no-install-recommends", "python3-minimal", *names, stdout=subprocess.DEVNULL)
    before = files(root.path)
    root.run("apt-get", "install", "-y", "/tmp/pymemtop.deb", stdout=subprocess.DEVNULL)
    new = files(root.path) - before
    for name in (
        "usr/bin/pymemtop",
        "usr/lib/systemd/system/pymemtop.service",
        "usr/share/bash-completion/completions/pymemtop",
        "usr/share/zsh/vendor-completions/_pymemtop",
        "usr/share/fish/vendor_completions.d/pymemtop.fish",
        "etc/default/pymemtop",
    ):
        assert name in new or f"{name}.gz" in new, f"{name} is missing"
    assert not [n for n in new if n.startswith("etc/systemd/system/")], "it was enabled"
    check_use(root)
    root.run("dpkg", "--purge", "pymemtop", stdout=subprocess.DEVNULL)
    left = {n for n in files(root.path) - before if "__pycache__" not in n}
    assert not left, f"left behind: {sorted(left)}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("package", type=pathlib.Path)
    parser.add_argument("--root", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = options.root or pathlib.Path(directory, "root")
        if not options.root:
            command = ["debootstrap", "--variant=minbase", "bookworm", path, MIRROR]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        begin = time.monotonic()
        root = Root(path)
        try:
            check(root, options.package)
        finally:
            root.close()
    print(f"1 passed, 0 failed, 0 skipped in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
