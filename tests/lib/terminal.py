# SPDX-License-Identifier: BSD-2-Clause
"""A program on a terminal of its own (tmux), for tests that look at the screen and press keys."""

import os
import pathlib
import shlex
import subprocess
import tempfile
import time

import patience


class TerminalError(AssertionError):
    pass


class Terminal:
    """
    Runs one command line in a shell. When the command has ended the screen says "[ended N]", N being its exit
    status, and the shell waits: what it left of the terminal can be looked at.
    """

    def __init__(self, command, width=110, height=32, env=None, cwd=None):
        self.directory = tempfile.TemporaryDirectory()
        self.socket = pathlib.Path(self.directory.name) / "tmux"
        self.pidfile = pathlib.Path(self.directory.name) / "pid"
        settings = {"LC_ALL": "C.UTF-8", "TERM": "screen-256color", **(env or {})}
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())
        line = " ".join(shlex.quote(str(word)) for word in command)
        script = f"export {words}; sh -c 'echo $$ >{self.pidfile}; exec \"$@\"' sh {line}; echo \"[ended $?]\"; cat"
        environment = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR", "CLICOLOR_FORCE")}
        self.tmux("-u", "-f", "/dev/null", "new-session", "-d", "-x", width, "-y", height, script,
                  env=environment, cwd=cwd)

    def tmux(self, *arguments, **options):
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=patience.seconds(30),
            **options,
        )
        if done.returncode:
            raise TerminalError(f"tmux {arguments[0]}: {done.stdout}")
        return done.stdout

    @property
    def pid(self):
        """Of the program under test."""
        deadline = time.monotonic() + patience.seconds(10)
        while time.monotonic() < deadline:
            try:
                return int(self.pidfile.read_text())
            except (OSError, ValueError):
                time.sleep(0.02)
        raise TerminalError("the program did not start")

    def screen(self, colours=False):
        """The rows of the screen; with colours: with the escape sequences that make them."""
        return self.tmux("capture-pane", "-p", *(["-e"] if colours else [])).split("\n")[:-1]

    def text(self):
        return "\n".join(self.screen())

    def wait(self, wanted, timeout=30):
        """Until the screen has the text, or until wanted(rows) is true. The rows."""
        found = wanted if callable(wanted) else lambda rows: any(wanted in row for row in rows)
        deadline = time.monotonic() + patience.seconds(timeout)
        while True:
            rows = self.screen()
            if found(rows):
                return rows
            if time.monotonic() > deadline:
                what = "what it should" if callable(wanted) else repr(wanted)
                raise TerminalError(f"the screen does not show {what}:\n" + "\n".join(rows))
            time.sleep(0.05)

    def press(self, *keys):
        """Keys by tmux's names: "Enter", "Escape", "Down", "F1", "a"."""
        for key in keys:
            self.tmux("send-keys", key)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def resize(self, width, height):
        self.tmux("resize-window", "-x", width, "-y", height)

    def stop(self):
        try:
            self.tmux("kill-server")
        except (TerminalError, subprocess.TimeoutExpired):
            pass
        self.directory.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()
