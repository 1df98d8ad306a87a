# SPDX-License-Identifier: BSD-2-Clause
"""Runs in the target: allocates known things between two marks.

"run NAME COUNT": answers "go", waits for a line, works, answers "stop", waits for a line, and answers by how much
sys.getallocatedblocks() has changed meanwhile. "ids COUNT": the same with instances of a class that has slots,
and answers their addresses. "drop": forgets all of it. "list": names the workloads.
"""

import collections
import gc
import json
import os
import sys
import time

workloads = {}


def workload(function):
    workloads[function.__name__] = function
    return function


class Instance:
    def __init__(self, i):
        self.x = i
        self.y = 1.5


class Slots:
    __slots__ = ("a", "b")


@workload
def instances(n, keep):
    for i in range(n):
        keep[i] = Instance(i)


@workload
def slots(n, keep):
    for i in range(n):
        keep[i] = Slots()


@workload
def ints(n, keep):
    for i in range(n):
        keep[i] = i + 1000000


@workload
def big_ints(n, keep):
    for i in range(n // 10):
        keep[i] = 10 ** (i % 3000)


@workload
def floats(n, keep):
    for i in range(n):
        keep[i] = i * 1.5


@workload
def strings(n, keep):
    for i in range(n):
        keep[i] = "x%d" % i


@workload
def strings_wide(n, keep):
    for i in range(n):
        keep[i] = "\u20ac%d" % i


@workload
def strings_joined(n, keep):
    for i in range(n // 10):
        keep[i] = ",".join(map(str, range(i, i + 30)))


@workload
def bytes_large(n, keep):
    for i in range(n // 10):
        keep[i] = b"x" * (513 + i % 3000)


@workload
def bytearrays_growing(n, keep):
    for i in range(n // 10):
        b = keep[i] = bytearray()
        for _ in range(20):
            b += b"0123456789" * 10


@workload
def strings_moved(n, keep):
    """realloc moves them long after they were made: their type is known by then."""
    for i in range(n // 200):
        s, t = "x" * 700, "x" * 90
        time.sleep(0.015)
        s += "y" * 1000 * (i + 1)
        t += "y" * 20 * (i + 1)
        keep[i] = (s, t)


@workload
def lists(n, keep):
    for i in range(n):
        keep[i] = [i]


@workload
def lists_growing(n, keep):
    for i in range(n // 100):
        some = keep[i] = []
        for j in range(100):
            some.append(j)


@workload
def tuples(n, keep):
    for i in range(n):
        keep[i] = (i, n)


@workload
def dicts(n, keep):
    for i in range(n):
        keep[i] = {"a": i}


@workload
def dicts_large(n, keep):
    for i in range(n // 50):
        keep[i] = {j: j for j in range(50)}


@workload
def sets(n, keep):
    for i in range(n // 10):
        keep[i] = set(range(i, i + 40))


@workload
def deques(n, keep):
    for i in range(n // 10):
        keep[i] = collections.deque(range(100))


@workload
def functions(n, keep):
    for i in range(n):
        keep[i] = lambda: i


@workload
def generators(n, keep):
    for i in range(n):
        keep[i] = (x for x in keep)


@workload
def methods(n, keep):
    x = Instance(1)
    for i in range(n):
        keep[i] = x.__init__


@workload
def exceptions(n, keep):
    for i in range(n // 10):
        try:
            raise ValueError(i)
        except ValueError as e:
            keep[i] = e


@workload
def decoded_json(n, keep):
    for i in range(n // 50):
        keep[i] = json.loads(json.dumps({"a": [1, 2, 3, {"b": i}], "c": "x" * 100}))


@workload
def compiled(n, keep):
    for i in range(n // 400):
        keep[i] = compile("def f(a, b):\n  return a + b * %d\nclass X: y = 1\n" % i, "x", "exec")


@workload
def churn(n, keep):
    for i in range(n):
        keep[i % 100] = [i, {"a": i}, "s%d" % i]


def answer(text):
    os.write(1, text.encode() + b"\n")


def tell_kept():
    if "kept" in sys.argv:
        sys._debugmallocstats()


def rest(line):
    """Answers and waits. No object of a kept type comes or goes between what is said of them and the wait."""
    tell_kept()
    os.write(1, line)
    os.read(0, 100)


def run(function, n):
    keep = [None] * n
    function(min(n, 400), keep)
    tell_kept()
    gc.collect()  # which gives back all that is kept
    rest(b"go\n")
    before = sys.getallocatedblocks()
    function(n, keep)
    change = sys.getallocatedblocks() - before
    rest(b"stop\n")
    answer(str(change))
    return keep


def ids(n):
    keep = run(workloads["slots"], n)
    answer(" ".join("%x" % id(x) for x in keep))
    return keep


def main():
    gc.disable()
    keep = None
    answer("ready")
    while True:
        words = os.read(0, 100).decode().split()
        if not words:
            return
        keep = None
        if words[0] == "run":
            keep = run(workloads[words[1]], int(words[2]))
        elif words[0] == "ids":
            keep = ids(int(words[1]))
        elif words[0] == "list":
            answer(" ".join(workloads))
        else:
            answer("ok")
    return keep


main()
