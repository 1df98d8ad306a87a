# SPDX-License-Identifier: BSD-2-Clause
"""The same three attributes kept in four ways.

points.py dict|slots|dataclass|dataclass_slots [COUNT]
"""

import sys
from dataclasses import dataclass


class WithDict:
    def __init__(self, x, y, z):
        self.x = x
        self.y = y
        self.z = z


class WithSlots:
    __slots__ = ("x", "y", "z")

    def __init__(self, x, y, z):
        self.x = x
        self.y = y
        self.z = z


@dataclass
class Data:
    x: int
    y: int
    z: int


if sys.version_info >= (3, 10):

    @dataclass(slots=True)
    class DataSlots:
        x: int
        y: int
        z: int

else:

    @dataclass
    class DataSlots:
        __slots__ = ("x", "y", "z")
        x: int
        y: int
        z: int


KINDS = {"dict": WithDict, "slots": WithSlots, "dataclass": Data, "dataclass_slots": DataSlots}


def build(variant, count):
    return [KINDS[variant](0, 1, 2) for _ in range(count)]


if __name__ == "__main__":
    kept = build(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
    print("ready", flush=True)
    sys.stdin.readline()
