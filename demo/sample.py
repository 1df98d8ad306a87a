# SPDX-License-Identifier: BSD-2-Clause
"""A program worth looking at: the same data kept in several ways, and a steady come and go of objects.

Prints "ready PID" once everything is built, and runs until it is ended.
"""

import os
import sys
import time
from dataclasses import dataclass

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000


class Late:
    """Gets an attribute after __init__, which in some versions ends the sharing of keys."""

    def __init__(self, n):
        self.first = self.second = self.third = self.fourth = self.fifth = self.sixth = self.seventh = n


class Early:
    """The same with every attribute made in __init__."""

    def __init__(self, n):
        self.first = self.second = self.third = self.fourth = self.fifth = self.sixth = self.seventh = n
        self.note = None
        self.seen = None


class Plain:
    def __init__(self, x, y, z):
        self.x, self.y, self.z = x, y, z


class Slots:
    __slots__ = ("x", "y", "z")

    def __init__(self, x, y, z):
        self.x, self.y, self.z = x, y, z


@dataclass
class Data:
    x: int
    y: int
    z: int


@dataclass
class DataSlots:
    __slots__ = ("x", "y", "z")
    x: int
    y: int
    z: int


class Ant:
    __slots__ = ("worker_id", "role", "colony")

    def __init__(self, worker_id, role, colony):
        self.worker_id, self.role, self.colony = worker_id, role, colony


class Colony:
    def __init__(self, name):
        self.name = name
        self.ants = []

    def add_ant(self, worker_id, role):
        self.ants.append(Ant(worker_id, role, self.name))


class Request:
    """Lives for a moment only: a census hardly sees it, events do."""

    def __init__(self, number):
        self.number = number
        self.body = f"request {number}"


def build():
    first = Late(0)
    first.note = 9
    late = [first]
    for n in range(COUNT):
        late.append(Late(n))
        late[-1].seen = 1
    colony = Colony("Tinyopolis")
    for n in range(COUNT):
        colony.add_ant(f"W{n}", "Worker")
    kinds = [[kind(0, 1, 2) for _ in range(COUNT)] for kind in (Plain, Slots, Data, DataSlots)]
    return late, [Early(n) for n in range(COUNT)], kinds, colony


def main():
    kept = build()
    print("ready", os.getpid(), flush=True)
    leak, number = [], 0
    while kept:
        for _ in range(1000):
            request = Request(number)
            number += 1
        leak.append(request)  # one in a thousand is never let go
        time.sleep(0.01)


if __name__ == "__main__":
    main()
