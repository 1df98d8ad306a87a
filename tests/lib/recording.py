# SPDX-License-Identifier: BSD-2-Clause
"""`pymemtop record` in the background, its pictures as they come."""

import datetime
import json
import signal
import subprocess
import time

import patience
from daemons import wait_for


def taken(picture):
    """When, in seconds since the epoch."""
    return datetime.datetime.fromisoformat(picture["taken_at"].replace("Z", "+00:00")).timestamp()


def said(picture):
    """Of its events what explains most."""
    events = picture["events"]
    names = "mode", "duration_ms", "coverage", "records", "lost", "drift_objects", "growth_coverage", "overhead"
    return {"partial_reasons": picture["partial_reasons"], **{name: events[name] for name in names}}


class Recording:
    def __init__(self, pymemtop, path, *arguments):
        self.path = path
        self.seen, self.offset = [], 0
        self.process = subprocess.Popen(
            [pymemtop.path, "record", "-o", path, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pictures(self):
        """All, in a list of the caller's own; each line is parsed once."""
        if self.path.exists():
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # what is read next would be the rest of it
                    self.seen.append(json.loads(line))
                    self.offset += len(line)
        return list(self.seen)

    def wait(self, condition, what, timeout=60):
        """The first list of pictures that this is true of."""

        def look():
            pictures = self.pictures()
            assert self.process.poll() is None, self.process.stderr.read()
            return pictures if condition(pictures) else None

        try:
            return wait_for(look, timeout=timeout, what=what)
        finally:
            # Shown where the test fails.
            print(len(self.seen), "pictures; of the last:", said(self.seen[-1]) if self.seen else None)

    def fresh(self, count=1):
        """All pictures, when so many have been begun since the call."""
        now = time.time()
        return self.wait(lambda found: sum(taken(p) > now for p in found[-count:]) == count, "new pictures")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(patience.seconds(30))
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()
