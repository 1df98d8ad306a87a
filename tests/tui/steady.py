# SPDX-License-Identifier: BSD-2-Clause
"""A target that does nothing, and whose own classes take the same bytes in every version of Python."""

import sys


class Big:
    __slots__ = ("left", "right")

    def __init__(self, n):
        self.left = self.right = n % 100


class Middle:
    __slots__ = ("only",)

    def __init__(self, n):
        self.only = "text"


class Small:
    __slots__ = ("one", "two", "three", "four")

    def __init__(self, n):
        self.one = self.two = self.three = self.four = None


KEPT = [[Big(n) for n in range(100_000)], [Middle(n) for n in range(20_000)], [Small(n) for n in range(1_000)]]

print("ready", flush=True)
sys.stdin.readline()
