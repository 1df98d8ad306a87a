# SPDX-License-Identifier: BSD-2-Clause
"""Has a big heap, and for each line on stdin makes a copy of itself that waits for ever, and prints its PID."""

import os
import signal
import sys
import time

lists = [[n] for n in range(150000)]
texts = ["x" * 600 for n in range(20000)]
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are nobody's concern
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        while True:
            time.sleep(1)
    print(child, flush=True)
