# SPDX-License-Identifier: BSD-2-Clause
"""Makes and drops objects of a known class at a steady rate. Answers each line on stdin with how many so far, and when."""

import sys
import threading
import time


class Node:
    def __init__(self, number):
        self.number = number
        self.items = [number]


made = 0


def answer():
    for _ in sys.stdin:
        print(made, repr(time.monotonic()), flush=True)


def churn(rate):
    global made
    start = time.monotonic()
    while True:
        for _ in range(100):
            Node(made)
            made += 1
        ahead = start + made / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)


threading.Thread(target=answer, daemon=True).start()
print("ready", flush=True)
churn(float(sys.argv[1]))
