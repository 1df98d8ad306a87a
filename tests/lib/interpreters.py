# SPDX-License-Identifier: BSD-2-Clause
"""Finds the CPython interpreters of this machine. None is named here: what is installed is what is tested.

Looked at: every pythonX.Y on PATH, /usr/bin/python3*, pyenv's versions ($PYENV_ROOT or ~/.pyenv), and the directory
$PYMEMTOP_INTERPRETERS (or ~/.cache/pymemtop/interpreters, where `make interpreters` puts them), in which each entry is an
interpreter, an installation prefix or the root of another system.
"""

import dataclasses
import functools
import glob
import json
import os
import pathlib
import re
import subprocess

import patience

ENTER = pathlib.Path(__file__).with_name("enter-root")
NAME = re.compile(r"python3(\.\d+)?[td]{0,2}$")

# Runs in every interpreter from 3.8 on.
QUESTION = """
import json, os, platform, sys, sysconfig
v = sysconfig.get_config_var
print(json.dumps({
    "implementation": platform.python_implementation(),
    "path": os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable),
    "version": platform.python_version(),
    "gil": not v("Py_GIL_DISABLED"),
    "debug": bool(v("Py_DEBUG")),
    # Not Py_ENABLE_SHARED: Debian sets that for its statically linked interpreter too.
    "shared": any("/libpython3" in line for line in open("/proc/self/maps")),
    "musl": any("/ld-musl" in line or "linux-musl/libc" in line for line in open("/proc/self/maps")),
}))
"""


@dataclasses.dataclass(frozen=True)
class Interpreter:
    path: str  # the interpreter itself: no shim, no virtual environment; as it is called in its root
    version: str  # "3.11.2"
    gil: bool
    debug: bool
    shared: bool  # runs from libpython3.X.so
    musl: bool = False  # not glibc
    root: str = ""  # of another system; empty: this one

    @property
    def command(self):
        """What to run. With a root of its own it runs in another mount namespace, where the project and /tmp are as here."""
        return [str(ENTER), self.root, self.path] if self.root else [self.path]

    @property
    def version_info(self):
        return tuple(int(n) for n in re.findall(r"\d+", self.version)[:3])

    @property
    def id(self):
        """Unique and readable in test names: "3.11.2-static", "3.14.0-shared-nogil"."""
        words = [self.version, "shared" if self.shared else "static"]
        words += ["debug"] * self.debug + ["nogil"] * (not self.gil) + ["musl"] * self.musl
        return "-".join(words)


def prefixes():
    """Directories that may hold interpreters, each with the root that they are of."""
    for directory in [*os.environ.get("PATH", "").split(":"), "/usr/bin"]:
        if directory:
            yield directory, ""
    pyenv = os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv"
    # glob.glob passes over what may not be read; Path.glob raises.
    for directory in sorted(glob.glob(f"{pyenv}/versions/*/bin")):
        yield directory, ""
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    more = os.environ.get("PYMEMTOP_INTERPRETERS") or f"{cache}/pymemtop/interpreters"
    yield more, ""
    for entry in sorted(glob.glob(f"{more}/*")):
        if not os.path.exists(f"{entry}/etc/os-release"):
            yield f"{entry}/bin", ""
        elif os.geteuid() == 0 and os.path.exists(f"{entry}/.complete"):
            yield f"{entry}/usr/bin", entry


def candidates():
    for directory, root in prefixes():
        directory = pathlib.Path(directory)
        if directory.name == "shims":
            continue
        try:
            entries = sorted(directory.iterdir())
        except OSError:
            continue
        for entry in entries:
            if NAME.match(entry.name) and os.access(entry, os.X_OK) and entry.is_file():
                yield str(entry), root


def ask(path, root=""):
    """The interpreter at path, or None when it does not run or is no CPython 3.8 or later."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command = [ENTER, root, path[len(root) :]] if root else [path]
    try:
        done = subprocess.run(
            [*command, "-I", "-S", "-c", QUESTION],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=patience.seconds(30),
            env=environment,
        )
        answer = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if answer.pop("implementation") != "CPython":
        return None
    found = Interpreter(root=root, **answer)
    return found if found.version_info >= (3, 8) else None


@functools.lru_cache(maxsize=None)
def discover():
    """All interpreters, oldest first, each once."""
    real, found = set(), {}
    for candidate, root in candidates():
        resolved = os.path.realpath(candidate)
        if resolved in real:
            continue
        real.add(resolved)
        interpreter = ask(candidate, root)
        if interpreter:
            found.setdefault((interpreter.root, interpreter.path), interpreter)
    return sorted(found.values(), key=lambda i: (i.version_info, i.id, i.root, i.path))
