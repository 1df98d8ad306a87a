# SPDX-License-Identifier: BSD-2-Clause
"""Probes from outside: the tool that places them by command, and what they leave in a target's text."""

import pathlib
import subprocess


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
