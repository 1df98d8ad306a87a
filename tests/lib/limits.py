# SPDX-License-Identifier: BSD-2-Clause
"""No test without an end: each phase of it (set-up, call, tear-down) has so many seconds."""

import contextlib
import os
import signal

import patience
import pytest

# Ten times what the longest take on a quiet machine. A test with good reason has a mark: pytest.mark.limit(600).
SECONDS = float(os.environ.get("PYMEMTOP_TEST_LIMIT", patience.seconds(240)))
# What cleans up after it may wait for the same thing: it is interrupted too, again and again.
AGAIN_SECONDS = SECONDS / 12


@contextlib.contextmanager
def limit(item, phase):
    """Whatever the phase waits for (a child, a pipe, a lock), it fails with the place where it waited."""
    mark = item.get_closest_marker("limit")
    seconds = mark.args[0] if mark else SECONDS

    def expired(number, frame):
        pytest.fail(f"{phase} of {item.nodeid}: no end after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
