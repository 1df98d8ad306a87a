# SPDX-License-Identifier: BSD-2-Clause
import pathlib
import shutil
import tempfile

import daemons
import pytest

SYSTEM_PYTHON = pathlib.Path("/usr/bin/python3")


@pytest.fixture
def directory():
    """A directory that every user may enter: pytest's own are for its user only."""
    with tempfile.TemporaryDirectory() as name:
        path = pathlib.Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture
def start_daemon(pymemtop, directory, can_attach):
    """start_daemon(*arguments) -> Daemon; all are ended after the test."""
    started = []

    def start(*arguments, **options):
        started.append(daemons.Daemon(pymemtop.path, directory, *arguments, **options))
        return started[-1]

    yield start
    for daemon in started:
        daemon.stop()


@pytest.fixture
def public_pymemtop(pymemtop, directory):
    """A copy of the program where every user may run it."""
    return shutil.copy(pymemtop.path, directory / "pymemtop")


@pytest.fixture
def system_python():
    """An interpreter that every user may run and read."""
    if not SYSTEM_PYTHON.exists():
        pytest.skip(f"needs {SYSTEM_PYTHON}")
    return str(SYSTEM_PYTHON)
