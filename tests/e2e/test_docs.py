# SPDX-License-Identifier: BSD-2-Clause
"""The man page and the completion know exactly the options that the program has."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMANDS = "top", "snapshot", "record", "diff", "advise", "report", "daemon", "ps", "doctor"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


@pytest.fixture(scope="module")
def real_options(pymemtop):
    found = set()
    for command in COMMANDS:
        done = pymemtop.run(command, "--help")
        assert done.returncode == 0, done.stderr
        found |= set(OPTION.findall(done.stdout))
    assert {"--help", "--pid", "--output"} <= found
    return found


def sections():
    """{heading: lines} of the man page."""
    parts = re.split(r"^# (.*)$", (ROOT / "docs" / "pymemtop.1.scd").read_text(), flags=re.M)
    return {name: text.strip().splitlines() for name, text in zip(parts[1::2], parts[2::2])}


def test_man_page_has_an_entry_for_every_option(pymemtop, real_options):
    """With the letter that is short for it, and what it takes."""
    help_text = pymemtop.run("--help").stdout + "".join(pymemtop.run(c, "--help").stdout for c in COMMANDS)
    entry = re.compile(r"^ +(?:(-\w), )?(--[a-z-]+)(?:[= ](\S+))?(?: |$)", re.M)
    wanted = set(entry.findall(help_text))
    assert {name for _, name, _ in wanted} == real_options | {"--completion"}
    have = set()
    for line in sections()["OPTIONS"]:
        if line.startswith("*-"):
            words = re.sub(r"[*_]", "", line).replace(",", "").split()
            short = words.pop(0) if len(words[0]) == 2 else ""
            have.add((short, words[0], "".join(words[1:])))
    assert have == wanted


def test_man_page_has_every_command():
    """One line each: no entry of another section slipped in between."""
    found = sections()
    assert all(line.startswith("*pymemtop* ") for line in found["SYNOPSIS"])
    assert [c for c in COMMANDS if not any(f"*{c}*" in line for line in found["SYNOPSIS"])] == []
    assert [c for c in COMMANDS if f"*{c}*" not in found["COMMANDS"]] == []


def test_completion_has_every_option(pymemtop, real_options):
    script = pymemtop.run("--completion", "bash").stdout
    assert set(OPTION.findall(" ".join(re.findall("options='(.*?)'", script)))) == real_options


def test_install_honours_destdir_and_prefix(pymemtop, tmp_path):
    # As it was built: nothing is made anew under the tests that run beside this one, also where the tree is a copy (tests/kernels).
    build = os.path.relpath(pathlib.Path(pymemtop.path).parent, ROOT)
    subprocess.run(
        ["make", "-s", "-o", f"{build}/pymemtop", "install", f"O={build}", f"DESTDIR={tmp_path}", "PREFIX=/opt/x"], cwd=ROOT, check=True
    )
    installed = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert installed == {
        "opt/x/bin/pymemtop",
        "opt/x/share/man/man1/pymemtop.1",
        "opt/x/share/bash-completion/completions/pymemtop",
        "opt/x/share/zsh/vendor-completions/_pymemtop",
        "opt/x/share/fish/vendor_completions.d/pymemtop.fish",
        "opt/x/lib/systemd/system/pymemtop.service",
        "etc/default/pymemtop",
    }
