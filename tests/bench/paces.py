# SPDX-License-Identifier: BSD-2-Clause
"""Makes and drops objects of a known class at a pace that it keeps a log of: paces.py PACE RATE [SEED]. A line on stdin is answered
with the log: [[when, how many so far], ...], taken before and after each piece, so that between two entries it is in proportion."""

import json
import random
import select
import sys
import time

PIECE = 0.0005  # seconds, of what shall be even


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


def evenly(count_of):
    """Pieces in which the integral of the pace, `count_of` seconds, rises by that much."""
    start, made = time.monotonic(), 0
    phase = random.uniform(0, 60)
    made = int(count_of(phase))
    while True:
        due = int(count_of(phase + time.monotonic() - start))
        yield due - made, PIECE
        made = due


def halves(rate, seconds):
    """Twice the rate for so many seconds, then nothing for as many."""

    def count_of(t):
        periods, rest = divmod(t, 2 * seconds)
        return 2 * rate * (periods * seconds + min(rest, seconds))

    return evenly(count_of)


def rise(rate):
    """From nothing to the rate within a minute, and again."""

    def count_of(t):
        minutes, rest = divmod(t, 60)
        return rate * (minutes * 30 + rest * rest / 120)

    return evenly(count_of)


def jumps(rate):
    """A hundredth of the rate, then the rate, each for 5 to 25 seconds."""
    edges, counts, now = [0.0], [0.0], rate
    for _ in range(1000):
        seconds = random.uniform(5, 25)
        now = rate / 100 if now == rate else rate
        edges.append(edges[-1] + seconds)
        counts.append(counts[-1] + now * seconds)
    at = 0

    def count_of(t):
        nonlocal at
        while edges[at + 1] <= t:
            at += 1
        return counts[at] + (counts[at + 1] - counts[at]) * (t - edges[at]) / (edges[at + 1] - edges[at])

    return evenly(count_of)


PACES = {
    "steady": steady,
    "poisson": poisson,
    "bursts100ms": lambda rate: bursts(rate, 0.1),
    "bursts3s": lambda rate: bursts(rate, 3),
    "steps": steps,
    "halves3ms": lambda rate: halves(rate, 0.003),
    "halves3s": lambda rate: halves(rate, 3),
    "rise": rise,
    "jumps": jumps,
}


def main():
    random.seed(int(sys.argv[3]) if len(sys.argv) > 3 else None)
    log, made, due = [], 0, time.time()
    print("ready", flush=True)
    for count, seconds in PACES[sys.argv[1]](float(sys.argv[2])):
        for number in range(count):
            # Within a burst too, so that the log can be cut anywhere.
            if not number % 1000:
                log.append((time.time(), made + number))
            Node(number)
        made += count
        if count:
            log.append((time.time(), made))
        due = max(due + seconds, time.time() - 1)
        if select.select([0], [], [], max(due - time.time(), 0))[0]:
            sys.stdin.readline()
            print(json.dumps(log), flush=True)


if __name__ == "__main__":
    main()
