# SPDX-License-Identifier: BSD-2-Clause
"""Completion as the shells themselves do it."""

import os
import pty
import select
import shutil
import subprocess
import time

import patience
import pytest


@pytest.fixture
def complete(request, pymemtop, tmp_path):
    """complete(line) -> what the shell offers there."""
    shell = request.param
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    script = tmp_path / "script"
    script.write_text(pymemtop.run("--completion", shell).stdout)
    return lambda line: {"bash": bash, "zsh": zsh, "fish": fish}[shell](script, line)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=patience.seconds(60)).stdout


def bash(script, line):
    words = " ".join(f'"{w}"' for w in line.split(" "))
    program = f'. {script}; COMP_WORDS=({words}) COMP_CWORD={line.count(" ")}; _pymemtop; printf "%s\\n" "${{COMPREPLY[@]}}"'
    return run("bash", "--norc", "-c", program).split()


def fish(script, line):
    return [row.split("\t")[0] for row in run("fish", "-N", "-c", f"source {script}; complete -C '{line}'").splitlines()]


def read_until(fd, word, timeout=30):
    text, end = "", time.monotonic() + patience.seconds(timeout)
    while word not in text and time.monotonic() < end:
        if select.select([fd], [], [], 0.5)[0]:
            text += os.read(fd, 65536).decode(errors="replace")
    return text


def zsh(script, line):
    """On a terminal: completion is part of the line editor. Lists always, and never asks."""
    pid, fd = pty.fork()
    if not pid:
        os.environ.update(TERM="dumb", COLUMNS="200", LINES="100")
        os.execvp("zsh", ["zsh", "-f", "-i"])
    try:
        set_up = f"PS1=; autoload -Uz compinit; compinit -u -D; setopt no_list_ambiguous no_auto_menu; LISTMAX=0; . {script}"
        os.write(fd, f"{set_up}; echo go''es\n".encode())
        read_until(fd, "goes")
        os.write(fd, f"{line}\t".encode())
        text = read_until(fd, "nothing", timeout=3)
        os.write(fd, b"\x15exit\n")
        return text.replace(line, "", 1).replace("\x07", " ").split()
    finally:
        os.close(fd)
        os.waitpid(pid, 0)


every_shell = pytest.mark.parametrize("complete", ["bash", "zsh", "fish"], indirect=True)


@every_shell
def test_options_are_those_of_the_command(complete):
    offered = complete("pymemtop snapshot --fo")
    assert "--force" in offered and "--format" in offered
    offered = complete("pymemtop daemon --li")
    assert {"--limit", "--listen"} <= set(offered)
    assert not [word for word in complete("pymemtop daemon --for") if word == "--force"]


@every_shell
def test_words_of_an_option(complete):
    offered = complete("pymemtop snapshot --events ")
    assert {"budget", "exact", "off"} <= set(offered)


@every_shell
def test_commands(complete):
    offered = complete("pymemtop re")
    assert {"record", "report"} <= set(offered)


def test_an_unknown_shell_is_refused(pymemtop):
    done = pymemtop.run("--completion", "tcsh")
    assert (done.returncode, done.stdout) == (2, "")
