# SPDX-License-Identifier: BSD-2-Clause
"""The man page and the completion know exactly the options that the program has."""

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


def test_man_page_has_every_option(real_options):
    text = (ROOT / "docs" / "pymemtop.1.scd").read_text()
    assert set(OPTION.findall(text)) == real_options


def test_completion_has_every_option(pymemtop, real_options):
    script = pymemtop.run("--completion", "bash").stdout
    assert set(OPTION.findall(" ".join(re.findall("options='(.*?)'", script)))) == real_options


def test_install_honours_destdir_and_prefix(pymemtop, tmp_path):
    build = pathlib.Path(pymemtop.path).parent
    subprocess.run(
        ["make", "-s", "install", f"O={build}", f"DESTDIR={tmp_path}", "PREFIX=/opt/x"], cwd=ROOT, check=True
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
