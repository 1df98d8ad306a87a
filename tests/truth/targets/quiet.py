# SPDX-License-Identifier: BSD-2-Clause
"""Has a heap and waits without touching it: what changes meanwhile, somebody else changed. Python 3.8 to 3.15."""

import os
import signal
import sys


class Plain:
    def __init__(self, i):
        self.a = i
        self.b = None


plain = [Plain(i) for i in range(5000)]
text = ["text %d" % i for i in range(5000)]
dicts = [{i: None} for i in range(5000)]
large = [None] * 1000000
print("ready", flush=True)
if sys.stdin.readline() == "wait\n":
    os.write(1, b"waiting\n")
    signal.pause()
