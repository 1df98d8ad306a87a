# SPDX-License-Identifier: BSD-2-Clause
"""Commands that end in time, with all that they started; one that the kernel does not let end is left behind."""

import os
import signal
import subprocess
import time

# How long the dead may take to go. A process that waits in the kernel (state D) takes no signal.
GRACE_SECONDS = 10

running = set()
stopped = False


def kill(process):
    """It and what it started, unless that has begun a session of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def stop():
    """Nothing goes on, and nothing begins any more."""
    global stopped
    stopped = True
    for process in list(running):
        kill(process)


def run(command, seconds, output, *, ask=None, **options):
    """
    Its exit status, None where it had not ended by then. Both of its streams go to the file @output: a pipe would be
    held open by what it left behind. @ask: a signal that makes it say where it hangs, before it is killed.
    """
    if stopped:
        return None
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        **options,
    )
    running.add(process)
    if stopped:  # while it was being started
        kill(process)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        if ask:
            process.send_signal(ask)
            time.sleep(2)
        return None
    finally:
        kill(process)
        running.discard(process)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            output.write(f"\nprocess {process.pid} cannot be ended: it waits in the kernel\n".encode())
