# SPDX-License-Identifier: BSD-2-Clause
"""What make.py captures: a program that knows what it holds, and says so."""
import os
import sys


class Point:
    def __init__(self, n):
        self.x = n
        self.y = -n


class Slotted:
    __slots__ = ("a", "b")


class Bag(list):
    pass


points = [Point(i) for i in range(60)]
slotted = [Slotted() for i in range(45)]
bags = [Bag(range(20)) for i in range(12)]
floats = [i * 0.5 for i in range(500)]
for point in points[:7]:
    point.__dict__


def row(objects):
    return '{"inuse_objects": %d}' % len(objects)


answer = '{"__main__.Point": %s, "__main__.Slotted": %s, "__main__.Bag": %s}\n' % (row(points), row(slotted), row(bags))
os.write(1, answer.encode())
# The allocator's own books, to stderr.
sys._debugmallocstats()
os.close(2)
os.read(0, 1)
