# SPDX-License-Identifier: BSD-2-Clause
"""Probes from outside: the tool that places them by command, and what they leave in a target's text."""

import contextlib
import ctypes
import os
import pathlib
import struct
import subprocess

ET_EXEC = 2  # addresses in the file are those in memory (elf.h)


class Watch:
    def __init__(self, tools, pid, *options):
        self.process = subprocess.Popen(
            [tools / "probe_watch", str(pid), "watch", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.first = self.process.stdout.readline().strip()
        if self.first != "ready":
            self.why = self.process.communicate()[1].strip()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def attach(self):
        assert self.ask("attach").startswith("0")

    def detach(self):
        """False: the window had ended by itself, as when the machine gives us no core for a while."""
        return self.ask("detach") == "0"

    def stats(self):
        pairs = (word.split("=") for word in self.ask("stats").split())
        return {name: int(value) for name, value in pairs}

    def ledger(self):
        pairs = (word.split(":") for word in self.ask("ledger").split())
        return {int(address, 16): int(size) for address, size in pairs}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in self.process.stdin, self.process.stdout, self.process.stderr:
            stream.close()


def breakpoints(pid):
    """Bytes of the target's text that differ from the file: where a probe sits there is an int3."""
    different = 0
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        words = line.split(maxsplit=5)
        if len(words) < 6 or "x" not in words[1] or not words[5].startswith("/"):
            continue
        start, end = (int(x, 16) for x in words[0].split("-"))
        with open(f"/proc/{pid}/mem", "rb", 0) as memory, open(words[5], "rb") as file:
            memory.seek(start)
            file.seek(int(words[2], 16))
            live, stored = memory.read(end - start), file.read(end - start)
        different += sum(a != b for a, b in zip(live, stored)) if live != stored else 0
    return different


def planned(tools, pid):
    """[(role, address in the file, is it used)] of the plan for a process."""
    out = subprocess.run([tools / "probe_watch", str(pid), "plan"], capture_output=True, text=True, check=True).stdout
    return [
        (line.split("role=")[1].split(" text=")[0], int(line.split()[1], 16), "REJECTED" not in line)
        for line in out.splitlines()[1:]
    ]


def file_offset(pid, address):
    """(path, offset) of what the file that holds the interpreter has at @address."""
    maps = [line.split(maxsplit=5) for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()]
    code = [m[5] for m in maps if len(m) == 6 and "x" in m[1]]
    path = next((p for p in code if "libpython" in p), os.readlink(f"/proc/{pid}/exe"))
    base = next(int(m[0].split("-")[0], 16) for m in maps if len(m) == 6 and m[5] == path)
    with open(path, "rb") as file:
        if file.read(18)[16] == ET_EXEC:
            base = 0
    for words in maps:
        start, end = (int(x, 16) for x in words[0].split("-"))
        if start <= base + address < end:
            return path, base + address - start + int(words[2], 16)
    raise ValueError(hex(address))


@contextlib.contextmanager
def held(path, offset, counter=0x40):
    """Another tool's probe with a reference counter (perf_event_open(2), pmu uprobe), for this process alone."""
    kind = int(pathlib.Path("/sys/bus/event_source/devices/uprobe/type").read_text())
    name = ctypes.create_string_buffer(path.encode())
    head = struct.pack("IIQQQQQIIQQ", kind, 112, counter << 32, 0, 0, 0, 0, 0, 0, ctypes.addressof(name), offset)
    attribute = ctypes.create_string_buffer(head, 112)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(298, attribute, os.getpid(), -1, -1, 8)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "perf_event_open")
    try:
        yield
    finally:
        os.close(fd)
