# SPDX-License-Identifier: BSD-2-Clause
"""Forks on each line "fork" a child that allocates; answers with its pid, and then with its loops."""

import os
import sys
import time


class Node:
    def __init__(self, number):
        self.number = number


def churn(seconds):
    # Of its own time: what else runs on the machine is no matter.
    end, loops = time.process_time() + seconds, 0
    while time.process_time() < end:
        for n in range(1000):
            Node(n)
        loops += 1
    return loops


print("ready", flush=True)
for line in sys.stdin:
    if line.strip() != "fork":
        continue
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        churn(0.7)  # the breakpoints that it was born with are noticed meanwhile
        os.write(writer, str(churn(1)).encode())
        os._exit(0)
    print(pid, flush=True)
    print(os.read(reader, 100).decode(), flush=True)
    os.close(reader)
    os.close(writer)
    os.waitpid(pid, 0)
