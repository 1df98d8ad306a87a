# SPDX-License-Identifier: BSD-2-Clause
"""A Python program to look at: started, waited for until it says that it is ready, ended by its own PID."""

import os
import select
import subprocess
import time

import patience


# The dead go at once, unless the kernel holds them (state D).
STOP_SECONDS = 30


class TargetError(AssertionError):
    pass


class Target:
    """
    The program prints a line that starts with "ready" when it has built what the test looks at, and then waits
    for a line on stdin. What else stands on the ready line is in `ready`.
    """

    def __init__(self, interpreter, program, *arguments, env=None, timeout=60, options=(), cwd=None, stderr=None):
        """program: a path, or source text if it holds a newline. options: for the interpreter (-X…)."""
        source = ["-c", program] if "\n" in str(program) else [str(program)]
        command = getattr(interpreter, "command", [interpreter])
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYENV"))}
        environment.update(env or {})
        self.timeout = patience.seconds(timeout)
        self.buffer = b""
        self.process = subprocess.Popen(
            [*command, "-u", *options, *source, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
            cwd=cwd,
        )
        try:
            self.ready = self._wait_ready()
        except BaseException:
            self.stop()
            raise

    def _wait_ready(self):
        deadline = time.monotonic() + self.timeout
        while True:
            line = self.line(deadline - time.monotonic())
            if line.startswith("ready"):
                return line[len("ready") :].strip()

    @property
    def pid(self):
        return self.process.pid

    def line(self, timeout=None):
        """The next line of its stdout."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        stdout = self.process.stdout.fileno()
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                raise TargetError(f"target {self.pid} printed no line in time")
            data = os.read(stdout, 65536)
            if not data:
                raise TargetError(f"target {self.pid} ended with status {self.process.wait()}")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode(errors="replace")

    def send(self, text=""):
        """One line to its stdin."""
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, text, timeout=None):
        """Sends a line and returns the line that it answers."""
        self.send(text)
        return self.line(timeout)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        try:
            self.process.wait(patience.seconds(STOP_SECONDS))
        except subprocess.TimeoutExpired:
            raise TargetError(f"target {self.pid} cannot be ended: it waits in the kernel") from None
        finally:
            self.process.stdin.close()
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()
