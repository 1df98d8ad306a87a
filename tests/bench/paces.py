# SPDX-License-Identifier: BSD-2-Clause
"""Makes and drops objects of a known class at a pace that it keeps a log of: paces.py PACE RATE. A line on stdin is answered
with the log: [[when, how many so far], ...]."""

import json
import random
import select
import sys
import time


class Node:
    def __init__(self, number):
        self.number = number
        self.items = [number]


def steady(rate):
    """A hundred at a time."""
    while True:
        yield 100, 100 / rate


def poisson(rate):
    """Ten at a time, at random."""
    while True:
        yield 10, random.expovariate(rate / 10)


def bursts(rate, every):
    """All of a period at once, then nothing."""
    while True:
        yield int(rate * every), every


def steps(rate):
    """Ten times as many every other 20 seconds."""
    start = time.monotonic()
    while True:
        now = rate * (10 if int((time.monotonic() - start) / 20) % 2 else 1)
        yield 20, 20 / now


PACES = {
    "steady": steady,
    "poisson": poisson,
    "bursts100ms": lambda rate: bursts(rate, 0.1),
    "bursts3s": lambda rate: bursts(rate, 3),
    "steps": steps,
}


def main():
    log, made, due = [], 0, time.time()
    print("ready", flush=True)
    for count, seconds in PACES[sys.argv[1]](float(sys.argv[2])):
        for number in range(count):
            Node(number)
            # Within a burst too, so that the log can be cut anywhere.
            if not number % 1000:
                log.append((time.time(), made + number))
        made += count
        due += seconds
        if select.select([0], [], [], max(due - time.time(), 0))[0]:
            sys.stdin.readline()
            print(json.dumps(log), flush=True)


main()
